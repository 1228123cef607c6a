"""Errors as Google's servers put them: a status by its number and by its name, and details."""

from __future__ import annotations

import json
from http import HTTPStatus
from http.client import responses
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from asyncllm.sandbox.faults import ErrorInStream
    from asyncllm.sandbox.wires.body import JSON

_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_USUAL = "server_error"
_TYPE = "type.googleapis.com/google.rpc."


class RequestError(Exception):
    """The request itself is wrong; becomes an HTTP error in the wire's form."""

    def __init__(self, message: str, *, status: int = 400, reason: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


def error_answer(
    status: int,
    message: str | None = None,
    *,
    reason: str | None = None,
    retry_after: float | str | None = None,
) -> web.Response:
    """Answer with an error; its message is the status' own name, unless one is given."""
    details: list[JSON] = []
    if reason is not None:
        details.append({"@type": f"{_TYPE}ErrorInfo", "reason": reason, "domain": "googleapis.com"})
    if retry_after is not None:
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{retry_after}s"})
    message = responses.get(status, "Error") if message is None else message
    return web.json_response(error_object(status, message, details), status=status)


def error_object(status: int, message: str, details: list[JSON] | None = None) -> JSON:
    """Put an error into an object."""
    error: JSON = {"code": status, "message": message, "status": _NAMES.get(status, "UNKNOWN")}
    return {"error": {**error, "details": details} if details else error}


def error_in_stream(fault: ErrorInStream) -> list[str]:
    """Write what comes in the place of the rest: an object over several lines."""
    error = error_object(fault.status or HTTPStatus.INTERNAL_SERVER_ERROR, fault.message)
    if fault.status is None and fault.type != _USUAL:  # one that nobody knows
        error = {"error": {"message": fault.message, "status": fault.type}}
    return [json.dumps(error, indent=2)]
