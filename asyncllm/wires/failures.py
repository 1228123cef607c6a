"""What servers say when they fail, in any of their forms, as the error of ours that it stands for.

Wire facts: the error objects of OpenAI and its Responses, OpenRouter, Groq, Cerebras, Mistral,
vLLM, TGI, llama.cpp, Azure, Anthropic, Cohere, Ollama and Google, which adds `google.rpc` details;
the tests have each of them.
"""

from __future__ import annotations

import json
import re

import msgspec

from asyncllm.errors import (
    AsyncLLMError,
    AuthenticationError,
    BadRequestError,
    ContentFilterError,
    ContextLengthError,
    HTTPStatusError,
    ProviderError,
)
from asyncllm.framing.surrogates import without_halves
from asyncllm.wires.loose import as_count, as_list, as_mapping, as_number, as_text

_BAD_REQUEST = 400
_BODY_CHARACTERS = 64 * 1024  # kept of a body, and of a message looked through: more takes long
_STATUSES = range(400, 600)
_STATUS_FIELDS = ("status_code", "http_status_code", "raw_status_code", "status", "code")
_STATUS_OF = {  # what servers call it, where they say no status
    name: status
    for status, names in {
        400: "invalid_request_error invalid_argument validation bad_request badrequesterror "
        "tool_use_failed json_validate_failed invalid_prompt invalid_encrypted_content "
        "data_residency_mismatch invalid_image invalid_image_format invalid_base64_image "
        "invalid_image_url invalid_image_mode image_too_large image_too_small image_parse_error "
        "image_file_too_large unsupported_image_media_type empty_image_file image_file_not_found "
        "failed_to_download_image",
        401: "authentication_error authenticationerror invalid_api_key unauthorized "
        "unauthenticated",
        402: "billing_error",
        403: "permission_error permission_denied permissiondeniederror forbidden",
        404: "not_found not_found_error notfounderror model_not_found invalid_model",
        409: "conflict_error",
        413: "request_too_large",
        429: "rate_limit_error rate_limit_exceeded rate_limited ratelimiterror requests tokens "
        "too_many_requests resource_exhausted insufficient_quota billing_hard_limit_reached",
        500: "server_error internal internal_error internal_server_error internalservererror "
        "api_error",
        503: "overloaded engine_overloaded unavailable service_unavailable "
        "service_unavailable_error serviceunavailableerror",
        504: "timeout timeout_error deadline_exceeded vector_store_timeout",
        529: "overloaded_error",
    }.items()
    for name in names.split()
}
_CONTEXT_LENGTH = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_CONTEXT_LENGTH_WORDS = re.compile(
    r"maximum context length|context[ _]length[ _]exceeded|prompt is too long"
    r"|exceeds? (?:(?:the|this)(?: model'?s?)?(?: available| maximum)? )?context"
    r"|input token count \W?\d* ?\W? ?exceeds the maximum number of tokens"  # Google's
    r"|reduce the length of (?:the|your) (?:messages|prompt)"
    r"|too many tokens|exceeded max context length"  # Cohere's, and Ollama's
    r"|`inputs` (?:tokens \+ `max_new_tokens` must be|must have less than)",  # TGI's
    re.IGNORECASE,
)
_AUTHENTICATION = frozenset({"api_key_invalid"})  # Google says so by a 400
_CONTENT_FILTER = frozenset(
    {
        *("content_filter", "content_policy_violation", "moderation_blocked", "bio_policy"),
        *("image_content_policy_violation", "misalignment_policy_violation"),
    }
)
_NO_REASON = "the server gives no reason"
_FAILURES = frozenset({"error", *_STATUS_OF, *_CONTEXT_LENGTH, *_CONTENT_FILTER})
_DETAILS = {"ErrorInfo": ("reason",), "RetryInfo": ("retryDelay",)}
_PAID_UP = frozenset({"insufficient_quota", "billing_hard_limit_reached"})  # no wait helps


class Complaint(msgspec.Struct, frozen=True):
    """What a server says of a failure.

    Attributes:
        message: in words.
        type: the name of its kind, or "".
        code: its name or number, or "".
        status: the HTTP status that it has, or says that it would have; 0 where it does not say.
        failed_generation: what the model wrote that could not be used, or "".
        body: all that it says, as text.
        retry_after: seconds that it asks to wait, or None.

    """

    message: str
    type: str = ""
    code: str = ""
    status: int = 0
    failed_generation: str = ""
    body: str = ""
    retry_after: float | None = None


def said_in(text: str) -> object:
    """Return the JSON that a text is, and the text itself where it is none."""
    try:
        return json.loads(text)  # not msgspec, which reads no halves of characters
    except (ValueError, RecursionError):
        return text


def is_complaint(said: dict[str, object]) -> bool:
    """Tell whether an event says that the answer failed.

    Args:
        said: the fields of one that is no piece of the answer.

    """
    if any(said.get(name) for name in ("error", "errors", "detail", "message")):
        return True
    names = ("object", "type", "error_type", "status", "code")
    told = {_plain(as_text(said[name])) for name in names if said.get(name)}
    return _status_in(said) > 0 or not told.isdisjoint(_FAILURES)


def complaint_of(said: object) -> Complaint:
    """Return what an error says.

    Args:
        said: the JSON of a body or of an event that is an error, or a text.

    """
    whole = said[0] if isinstance(said, list) and said else said
    around = as_mapping(whole)
    error = next((around[key] for key in ("error", "detail") if around.get(key)), whole)
    inner = as_mapping(error)
    both = {**around, **inner}
    message = next((text for key in ("message", "detail") if (text := as_text(inner.get(key)))), "")
    raw = as_text(as_mapping(inner.get("metadata")).get("raw"))  # OpenRouter's: who failed says it
    message = ": ".join(filter(None, (message, raw))) or as_text(error)
    details = _details_in(both)
    kind = _type_in(both)
    code = as_text(details.get("reason")) or as_text(both.get("code"))
    if not (message or kind or code):  # one that says its kind alone needs no more words
        message = _as_json(error or whole)
    return Complaint(
        message=without_halves(message),
        type=without_halves(kind),
        code=without_halves(code),
        status=_status_in(both),
        failed_generation=without_halves(as_text(both.get("failed_generation"))),
        body=_as_json(said)[:_BODY_CHARACTERS],
        retry_after=_seconds(details.get("retryDelay")),
    )


def _details_in(said: dict[str, object]) -> dict[str, object]:
    """Return what Google's details say: an `ErrorInfo` why, a `RetryInfo` how long to wait."""
    found: dict[str, object] = {}
    for detail in map(as_mapping, as_list(said.get("details"))):
        kind = as_text(detail.get("@type")).rpartition(".")[2]
        found |= {name: detail.get(name) for name in _DETAILS.get(kind, ())}
    return found


def _seconds(duration: object) -> float | None:
    """Return the seconds of a duration as JSON has it, such as "34.5s"; None of anything else."""
    seconds = as_number(as_text(duration).removesuffix("s")) if duration else None
    return seconds if seconds is not None and seconds >= 0 else None


def _status_in(said: dict[str, object]) -> int:
    """Return the HTTP status that an error names, in any of the fields that may be one; or 0."""
    told = (as_count(said[name]) or 0 for name in _STATUS_FIELDS if said.get(name))
    return next((status for status in told if status in _STATUSES), 0)


def _type_in(said: dict[str, object]) -> str:
    """Return the name of an error's kind; Google's is its status."""
    told = (as_text(said.get(name)) for name in ("type", "error_type", "status"))
    return next((name for name in told if name and not name.isdecimal()), "")


def failure(complaint: Complaint) -> AsyncLLMError:
    """Return the error for a failure that a server tells inside an answer.

    Args:
        complaint: what it says.

    """
    status = complaint.status or _status_of(complaint)
    kind = _particular_kind(complaint, status)
    if kind is None and status:
        kind = HTTPStatusError.class_for(status)
    error: ProviderError | HTTPStatusError
    if kind is None:
        said = ", ".join(filter(None, (complaint.message, complaint.type, complaint.code)))
        error = ProviderError(f"generation failed: {said or _NO_REASON}")
    else:
        message = complaint.message or complaint.type or complaint.code or _NO_REASON
        status = status or _BAD_REQUEST
        error = kind("", "", status=status, message=message, body=complaint.body)
    _label(error, complaint)
    return error


def explained(error: AsyncLLMError) -> AsyncLLMError:
    """Return the error of an answer as one of the class that its body says; any other as it is.

    Args:
        error: as its status alone says it; what its body names is added to it.

    """
    if not isinstance(error, HTTPStatusError) or not error.method:
        return error  # of those without a method, which are of `failure`, all is said
    complaint = complaint_of(said_in(error.body))
    kind = _particular_kind(complaint, error.status)
    if kind is not None and not isinstance(error, kind):
        plain, error = error, kind.__new__(kind)
        error.args = plain.args
        vars(error).update(vars(plain))
    _label(error, complaint)
    return error


def _particular_kind(complaint: Complaint, status: int) -> type[HTTPStatusError] | None:
    """Return the class of what a program can do something about; None where it is another."""
    names = _names_of(complaint)
    is_refused = HTTPStatusError.class_for(status or _BAD_REQUEST) is BadRequestError
    says_so = is_refused and _CONTEXT_LENGTH_WORDS.search(complaint.message, 0, _BODY_CHARACTERS)
    if says_so or not names.isdisjoint(_CONTEXT_LENGTH):
        return ContextLengthError
    if not names.isdisjoint(_AUTHENTICATION):
        return AuthenticationError
    return None if names.isdisjoint(_CONTENT_FILTER) else ContentFilterError


def _status_of(complaint: Complaint) -> int:
    names = (complaint.code, complaint.type)
    return next((_STATUS_OF[name] for name in map(_plain, names) if name in _STATUS_OF), 0)


def _names_of(complaint: Complaint) -> set[str]:
    return {_plain(complaint.code), _plain(complaint.type)}


def _plain(name: str) -> str:
    return name.lower().replace(" ", "_").replace("-", "_")


def _label(error: ProviderError | HTTPStatusError, complaint: Complaint) -> None:
    error.code, error.type = complaint.code, complaint.type
    error.failed_generation = complaint.failed_generation
    if isinstance(error, HTTPStatusError) and error.retry_after is None:
        error.retry_after = complaint.retry_after
    stays = isinstance(error, ContextLengthError | ContentFilterError)
    if stays or not _names_of(complaint).isdisjoint(_PAID_UP):
        error.is_passing = False


def _as_json(value: object) -> str:
    if isinstance(value, str):
        return without_halves(value)
    try:
        return msgspec.json.encode(value).decode()
    except (ValueError, RecursionError):  # of what has halves of characters, or is very deep
        return ""
