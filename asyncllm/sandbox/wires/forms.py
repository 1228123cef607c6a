"""Forms as SvelteKit, on which chat-ui stands, takes and answers them."""

from __future__ import annotations

from email import message_from_bytes, policy
from typing import TYPE_CHECKING

from aiohttp import web
from yarl import URL

if TYPE_CHECKING:
    from email.message import MIMEPart

FORM_TYPES = {"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"}
"""The content types that a page of another origin may send, which is why the origin is checked."""


def is_same_origin(referer: str, url: URL) -> bool:
    """Say whether the page that a form comes from is of this server."""
    try:
        return URL(referer).origin() == url.origin()
    except ValueError:
        return False


async def read_form(request: web.Request) -> dict[str, str]:
    """Read the fields of a form; by hand if it is multipart, which aiohttp reads but once.

    Raises:
        ValueError: it is not a form, or not one in UTF-8.

    """
    if request.content_type == "application/x-www-form-urlencoded":
        return {name: str(value) for name, value in (await request.post()).items()}
    parts = await read_parts(request)
    return {name: content.decode().strip() for name, _, content in parts}


async def read_parts(request: web.Request) -> list[tuple[str, str, bytes]]:
    """Read the parts of a form: the name of each, its file's name or "", and what it holds.

    Raises:
        ValueError: it is not a form.

    """
    if request.content_type == "application/x-www-form-urlencoded":
        form = await request.post()
        return [(name, "", str(value).encode()) for name, value in form.items()]
    if request.content_type != "multipart/form-data":
        raise ValueError("not a form")
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    whole = message_from_bytes(head + await request.read(), policy=policy.HTTP)
    return [_read_part(part) for part in whole.iter_parts()]


def _read_part(part: MIMEPart) -> tuple[str, str, bytes]:
    name = str(part.get_param("name", header="Content-Disposition"))
    content = part.get_payload(decode=True)
    return name, part.get_filename() or "", content if isinstance(content, bytes) else b""


def redirect(request: web.Request, location: str) -> web.Response:
    """Answer a form as SvelteKit's actions do: pages are redirected, programs are told so."""
    accept = request.headers.get("Accept", "*/*")
    if "text/html" in accept and "application/json" not in accept:
        return web.Response(status=303, headers={"Location": location})
    return web.json_response({"type": "redirect", "status": 303, "location": location})
