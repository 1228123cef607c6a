"""Forms as SvelteKit, on which chat-ui stands, takes and answers them."""

from __future__ import annotations

from email import message_from_bytes, policy

from aiohttp import web
from yarl import URL

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
    if request.content_type != "multipart/form-data":
        raise ValueError("not a form")
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    form = message_from_bytes(head + await request.read(), policy=policy.HTTP)
    return {
        str(part.get_param("name", header="Content-Disposition")): part.get_content().strip()
        for part in form.iter_parts()
    }


def redirect(request: web.Request, location: str) -> web.Response:
    """Answer a form as SvelteKit's actions do: pages are redirected, programs are told so."""
    accept = request.headers.get("Accept", "*/*")
    if "text/html" in accept and "application/json" not in accept:
        return web.Response(status=303, headers={"Location": location})
    return web.json_response({"type": "redirect", "status": 303, "location": location})
