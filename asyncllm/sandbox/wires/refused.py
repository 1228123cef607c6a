"""What a declared refusal looks like as an HTTP answer."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import assert_never

from aiohttp import web

from asyncllm.sandbox.faults import (
    DetailError,
    EmptyBody,
    HtmlPage,
    ModelDoesNotExist,
    PlainError,
    Refusal,
    RefuseField,
    Status,
)

ErrorAnswer = Callable[[int, str | None], web.Response]
"""A wire's own form of an error, from a status and a message (`None`: what it usually says)."""

_PAGE = "<!doctype html><html><head><title>Just a moment...</title></head><body></body></html>"


def refuse(fault: Refusal, error: ErrorAnswer, model: str = "") -> web.Response:
    """Answer what takes the place of the real answer; `model` is what the request asked for."""
    match fault:
        case Status():
            response = error(fault.status, fault.message)
            _set_retry_after(response, fault)
        case DetailError():
            response = web.json_response({"detail": fault.detail}, status=fault.status)
        case PlainError():
            response = web.Response(status=fault.status, text=fault.text)
        case HtmlPage():
            response = web.Response(status=fault.status, text=_PAGE, content_type="text/html")
        case EmptyBody():
            response = web.Response(content_type="text/event-stream")
            response.enable_chunked_encoding()
        case RefuseField():
            response = error(400, f"Unrecognized request argument supplied: {fault.name}")
        case ModelDoesNotExist():
            response = _model_does_not_exist(fault, error, model)
        case _:
            raise TypeError(f"not a refusal that can be answered: {fault!r}")
    return response


def _set_retry_after(response: web.Response, fault: Status) -> None:
    if fault.retry_after is not None:
        after = fault.retry_after
        response.headers["Retry-After"] = after if isinstance(after, str) else f"{after:g}"
    if fault.retry_after_ms is not None:
        response.headers["retry-after-ms"] = f"{fault.retry_after_ms:g}"


def _model_does_not_exist(fault: ModelDoesNotExist, error: ErrorAnswer, model: str) -> web.Response:
    name = f"`{model}`" if fault.backticks else model
    message = f"The model: {name} does not exist"
    streamed = "text/event-stream" if fault.status == HTTPStatus.OK else "text/plain"
    match fault.form:
        case "line":
            return web.Response(status=fault.status, text=f"{message}\n\n", content_type=streamed)
        case "data":
            event = f"data: {error(fault.status, message).text}\n\n"
            return web.Response(status=fault.status, text=event, content_type=streamed)
        case "json":
            return error(fault.status, message)
        case _:
            assert_never(fault.form)
