"""What a telltale answers in place of what it should.

A misdeed takes what the server knows of its client, and returns the parts of an answer: bytes to
send and seconds to wait.
"""

import json
from urllib.parse import quote

from support.telltale import answer


def error_in(form, status):
    body = {
        "openai": lambda echo: json.dumps({"error": {"message": echo, "code": "bad"}}),
        "chat-ui": lambda echo: json.dumps({"message": echo}),
        "detail": lambda echo: json.dumps({"detail": [{"msg": echo}]}),
        "text": lambda echo: echo,
        "html": lambda echo: f"<html><body>{echo}</body></html>",
    }[form]

    def misdeed(echo):
        # The headers tell it too, in the forms of which a header is made.
        told = quote(echo, safe=" :/+=;,")
        return [answer(body(echo).encode(), status=status, X_Told=echo, Location=f"/login?{told}")]

    return misdeed


def sse(*events):
    return lambda echo: [
        answer(
            "".join(event.replace("ECHO", json.dumps(echo)[1:-1]) for event in events).encode(),
            kind="text/event-stream",
        )
    ]


def raw(text):
    return lambda echo: [text.replace("ECHO", echo).encode("latin-1", "replace")]


STATUSES = {
    **{
        f"text {status}": error_in("text", status)
        for status in (
            *("400 Bad", "401 Who", "403 No", "404 Gone", "405 Not", "422 Hm"),
            *("429 Slow", "500 Oh", "503 Later", "302 There"),
        )
    },
    **{
        f"{form} {status}": error_in(form, status)
        for form in ("openai", "chat-ui", "detail", "html")
        for status in ("401 Who", "503 Later")
    },
}
OTHERS = {
    "said in the reason": raw("HTTP/1.1 500 ECHO\r\nContent-Length: 0\r\n\r\n"),
    "a page": lambda echo: [answer(f"<html>{echo}</html>".encode(), kind="text/html")],
    "no stream": lambda echo: [answer(f"sorry: {echo}".encode(), kind="text/plain")],
    "other JSON": lambda echo: [answer(json.dumps({"choices": echo}).encode())],
    "broken JSON": sse('data: {"ECHO\n\n'),
    "wrong JSON": sse('data: {"choices": "ECHO", "token": 1}\n\n'),
    "an error event": sse('data: {"error": "ECHO", "error_type": "ECHO"}\n\n'),
    "an error object": sse('data: {"error": {"message": "ECHO", "type": "ECHO"}}\n\n'),
    "a named error": sse("event: error\ndata: ECHO\n\n"),
    "a line between events": sse(": ECHO\n\nECHO\n\ndata: {}\n\nECHO\n\n"),
    "a silent end": sse(""),
    "a hang-up": lambda _: [],
    "a hang-up amid the head": raw("HTTP/1.1 200 ECHO"),
    "a hang-up amid the body": raw("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n: ECHO"),
    "not HTTP": raw("ECHO\r\n\r\n"),
    "a bad header": raw("HTTP/1.1 200 OK\r\nX: ECHO\x01\x00\r\n\r\n"),
    "a bad header name": raw("HTTP/1.1 200 OK\r\nEC HO(ECHO): 1\r\n\r\n"),
    "a bad length": raw("HTTP/1.1 200 OK\r\nContent-Length: ECHO\r\n\r\n"),
    "a bad chunk": raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nECHO\r\n"),
    "a bad encoding": raw(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 999\r\n\r\nECHO"
    ),
    "a long header": lambda echo: [
        b"HTTP/1.1 200 OK\r\nX: %b\r\nContent-Length: 0\r\n\r\n"
        % echo.partition(" and ")[0].ljust(9000).encode()
    ],
    "silence": lambda _: [1.0],
}
MISDEEDS = STATUSES | OTHERS
