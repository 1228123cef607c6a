"""Errors as the OpenAI wire puts them: an object, alone in a body or in an event of a stream."""

from __future__ import annotations

from http import HTTPStatus
from http.client import responses
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from asyncllm.sandbox.wires.body import JSON

_TYPES = {429: "rate_limit_error", 401: "authentication_error"}


class RequestError(Exception):
    """The request itself is wrong; becomes an HTTP error in the wire's form."""

    def __init__(self, message: str, *, status: int = 400, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def error_answer(status: int, message: str | None = None, code: str | None = None) -> web.Response:
    """Answer with an error; its message is the status' own name, unless one is given."""
    kind = (
        "server_error"
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR
        else _TYPES.get(status, "invalid_request_error")
    )
    message = responses.get(status, "Error") if message is None else message
    return web.json_response({"error": error_object(message, kind, code)}, status=status)


def error_object(message: str, kind: str, code: int | str | None) -> JSON:
    """Put an error into an object."""
    return {"message": message, "type": kind, "param": None, "code": code}
