"""A server that tells its clients all that they told it, secrets included."""

import asyncio
import base64
import contextlib
import re
from urllib.parse import quote, unquote

from support.canaries import COOKIE, HEADERS, KEY, SESSION, TOKEN


def step_of(method, path):
    last = path.partition("?")[0].rsplit("/", 1)[-1]
    if method in ("DELETE", "CONNECT"):
        return method.lower()
    names = {"settings": "settings", "conversation": "create", "stop-generating": "stop"}
    return names.get(last, last if last == "models" else "stream")


def as_given(head):
    """Return the secrets that a request holds, as its sender was given them."""
    text = unquote(head)
    cookies = HEADERS["Cookie"] if "theme" in text else f"sid={COOKIE}"
    found = {KEY: KEY, TOKEN: f"Bearer {TOKEN}", COOKIE: cookies}
    if "x-api-key" in text.lower():
        found[TOKEN] = TOKEN
    return [form for secret, form in found.items() if secret in text]


def in_proxy_authorization(head):
    told = re.findall(r"Basic (\S+)", head)
    return [*told, *(base64.b64decode(each).decode().partition(":")[2] for each in told)]


# What a server can say of a request's head: each form in which it knows a secret.
FORMS = {
    "as given": as_given,
    "without its scheme": lambda head: [TOKEN] if TOKEN in head else [],
    "a cookie's value": lambda head: [COOKIE] if COOKIE in head else [],
    "the cookies as sent": lambda head: re.findall(r"Cookie: ([^\r\n]+)", head),
    "the session cookie": lambda head: [SESSION] if SESSION in head else [],
    "in a URL": lambda head: re.findall(r"auth=([^\s&]+)", head),
    "all encoded": lambda head: [quote(KEY, safe="")] if KEY in unquote(head) else [],
    "the proxy's": in_proxy_authorization,
    "the whole head": lambda head: [" ".join(head.split())],
}


def echo_of(head, forms):
    return " and ".join(said for form in forms for said in FORMS[form](head.decode("latin-1")))


def answer(body, *, status="200 OK", kind="application/json", **headers):
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nSet-Cookie: hf-chat={SESSION}; Path=/\r\n"
        f"{more}Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def good(step, path):
    sse = {"kind": "text/event-stream"}
    if step == "create":
        return answer(b'{"conversationId": "c0ffee"}')
    if step == "models":
        return answer(b'{"data": []}')
    if step == "stream" and "completions" in path:
        return answer(b'data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n')
    if step == "stream":
        return answer(b'data:{"token":{"text":"a"},"generated_text":"a"}\n\n', **sse)
    return answer(b"")


class Telltale:
    """Answers well, but for the steps of `misdeeds`, which are answered by `misdeed(echo)`."""

    def __init__(self, misdeeds=None, *, forms=None):
        self.heads, self._misdeeds = [], misdeeds or {}
        self._forms = forms or sorted(FORMS)

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self.url = f"http://{self.address}"
        self._writers = []
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader, writer):
        self._writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
                await reader.readexactly(int(length[1]) if length else 0)
                method, path, _ = head.decode("latin-1").split(" ", 2)
                step = step_of(method, path)
                if (misdeed := self._misdeeds.get(step)) is None:
                    writer.write(good(step, path))
                    continue
                for part in misdeed(echo_of(head, self._forms)):
                    if isinstance(part, float):
                        await asyncio.sleep(part)
                    else:
                        writer.write(part)
                        await writer.drain()
                writer.close()
                return
