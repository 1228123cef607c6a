"""Every error is what its callers may catch it as, travels whole, and keeps no secret."""

from __future__ import annotations

import copy
import pickle
import re
import traceback

import aiohttp
import pytest
from multidict import CIMultiDict

from asyncllm import errors
from asyncllm.errors import (
    AsyncLLMError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ContentFilterError,
    ContextLengthError,
    HTTPStatusError,
    NotFoundError,
    ProtocolError,
    ProviderError,
    ProxyError,
    RateLimitError,
    ReplyTooLargeError,
    ServerError,
    StreamInterrupted,
    StreamTimeout,
    TransportError,
)
from asyncllm.events import ToolCall, Usage
from asyncllm.options import Timeouts
from asyncllm.reply import Reply

TEXT_ERRORS = [
    AsyncLLMError,
    ConfigurationError,
    ProtocolError,
    ProviderError,
    ProxyError,
    ReplyTooLargeError,
    StreamInterrupted,
    TransportError,
]
STATUS_ERRORS = [
    AuthenticationError,
    BadRequestError,
    ContentFilterError,
    ContextLengthError,
    HTTPStatusError,
    NotFoundError,
    RateLimitError,
    ServerError,
]
SECRET = "sk-sesame"
REPLY = Reply(
    text="Hel", tool_calls=(ToolCall("1", "f", "{}"),), usage=Usage(prompt_tokens=1), model="m"
)


def status_error(cls=HTTPStatusError, url="https://host.example/v1/chat", **changes):
    arguments = {
        "status": 429,
        "message": "slow down",
        "body": '{"detail": "slow down"}',
        "headers": {"Retry-After": "5", "X-Twice": "yes"},
        "retry_after": 5.0,
    }
    return cls("POST", url, **(arguments | changes))


def one_of_each():
    made = [cls("something failed") for cls in TEXT_ERRORS]
    made += [StreamTimeout(phase, 2.5) for phase in ("connect", "first_token", "stall", "total")]
    made += [status_error(cls) for cls in STATUS_ERRORS]
    return [pytest.param(error, id=type(error).__name__) for error in made]


def attributes(error):
    return {key: value for key, value in vars(error).items() if not key.startswith("__")}


# --- what is what -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cls", "bases"),
    [
        (AsyncLLMError, (Exception,)),
        (ConfigurationError, (AsyncLLMError, ValueError)),
        (TransportError, (AsyncLLMError, OSError)),
        (ProxyError, (TransportError, AsyncLLMError, OSError)),
        (StreamTimeout, (AsyncLLMError, TimeoutError)),
        (HTTPStatusError, (AsyncLLMError, aiohttp.ClientResponseError, aiohttp.ClientError)),
        (AuthenticationError, (HTTPStatusError, aiohttp.ClientResponseError)),
        (RateLimitError, (HTTPStatusError, aiohttp.ClientResponseError)),
        (NotFoundError, (HTTPStatusError, aiohttp.ClientResponseError)),
        (BadRequestError, (HTTPStatusError, aiohttp.ClientResponseError)),
        (ContextLengthError, (BadRequestError, HTTPStatusError)),
        (ContentFilterError, (BadRequestError, HTTPStatusError)),
        (ServerError, (HTTPStatusError, aiohttp.ClientResponseError)),
        (ProviderError, (AsyncLLMError,)),
        (ProtocolError, (AsyncLLMError,)),
        (ReplyTooLargeError, (AsyncLLMError,)),
        (StreamInterrupted, (AsyncLLMError,)),
    ],
)
def test_every_error_is_what_its_callers_may_catch_it_as(cls, bases):
    assert all(issubclass(cls, base) for base in bases)


def test_a_server_s_refusal_is_neither_a_transport_error_nor_a_timeout():
    assert not issubclass(HTTPStatusError, OSError)
    assert not issubclass(TransportError, TimeoutError)
    assert not issubclass(StreamTimeout, TransportError)


def test_these_tests_know_every_error_class():
    ours = {
        each
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, AsyncLLMError)
    }
    assert ours == {*TEXT_ERRORS, *STATUS_ERRORS, StreamTimeout}


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (400, BadRequestError),
        (401, AuthenticationError),
        (402, HTTPStatusError),
        (403, AuthenticationError),
        (404, NotFoundError),
        (405, HTTPStatusError),
        (413, BadRequestError),
        (418, HTTPStatusError),
        (422, BadRequestError),
        (429, RateLimitError),
        (499, HTTPStatusError),
        (500, ServerError),
        (503, ServerError),
        (599, ServerError),
    ],
)
def test_every_status_has_its_class(status, cls):
    assert HTTPStatusError.class_for(status) is cls


def test_every_limit_has_its_words_and_no_words_are_without_a_limit():
    assert tuple(errors._PHASES) == Timeouts.__struct_fields__


@pytest.mark.parametrize("phase", Timeouts.__struct_fields__)
def test_a_timeout_tells_its_phase_and_its_limit(phase):
    timeout = StreamTimeout(phase, 2.5)
    assert (timeout.phase, timeout.limit) == (phase, 2.5)
    assert str(timeout).endswith(f"within 2.5 s (Timeouts.{phase})")


@pytest.mark.parametrize("error", one_of_each())
def test_an_error_has_no_reply_until_it_is_given_one(error):
    assert error.reply is None


# --- travelling -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "travel", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
@pytest.mark.parametrize("error", one_of_each())
def test_copies_and_pickles_keep_class_text_and_attributes(error, travel):
    error.reply = REPLY
    arrived = travel(error)
    assert type(arrived) is type(error)
    assert arrived is not error
    assert str(arrived) == str(error)
    assert repr(arrived) == repr(error)
    assert arrived.args == error.args
    assert attributes(arrived) == attributes(error)
    assert arrived.reply == REPLY


def test_a_copy_is_redacted_alone():
    error = ProviderError(f"bad key {SECRET}")
    other = copy.copy(error)
    other.redact([SECRET])
    assert SECRET in str(error)
    assert SECRET not in str(other)


# --- secrets ----------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", TEXT_ERRORS)
def test_redact_masks_a_text_error_everywhere(cls):
    error = cls(f"the key {SECRET} is bad, {SECRET}!")
    error.hint = f"use another than {SECRET}"
    error.redact([SECRET])
    assert str(error) == "the key *** is bad, ***!"
    assert SECRET not in f"{error!r} {error.args} {vars(error)}"
    assert SECRET not in "".join(traceback.format_exception(error))
    assert error.hint == "use another than ***"


@pytest.mark.parametrize("cls", STATUS_ERRORS)
def test_redact_masks_message_and_body_of_a_status_error(cls):
    error = status_error(cls, message=f"bad {SECRET}", body=f'{{"key": "{SECRET}"}}')
    error.redact([SECRET])
    assert error.message == "bad ***"
    assert error.body == '{"key": "***"}'
    assert SECRET not in f"{error} {error!r} {error.args} {vars(error)}"
    assert SECRET not in "".join(traceback.format_exception(error))


def test_redact_masks_the_headers_of_a_status_error():
    error = status_error(headers={"Location": f"/login?key={SECRET}", "X-Seen": "yes"})
    error.redact([SECRET])
    assert error.headers["X-Seen"] == "yes"
    assert SECRET not in repr(error.headers)


def test_redact_masks_the_path_of_the_url():
    error = status_error(url=f"https://host.example/{SECRET}/v1/chat")
    error.redact([SECRET])
    assert SECRET not in f"{error} {error!r} {error.args} {error.request_info}"


def test_redact_masks_several_secrets_also_where_one_is_part_of_another():
    error = ProviderError("keys: sesame-seeds-and-more, sesame-seeds")
    error.redact(["sesame-seeds", "sesame-seeds-and-more"])
    assert str(error) == "keys: ***, ***"


@pytest.mark.parametrize(
    ("url", "secret", "shown"),
    [
        ("http://host.example:8080/v1", "8080", "http://host.example:8080/v1"),
        ("http://host.example:8080/v1", "example:8080", "http://host.***/v1"),
        ("http://[::1]:8080/v1", "::1]:8080", "***"),
        ("http://host.example/v1", "http://host.example/v1", "***"),
        (
            "http://host.example/a%2Fb/sesame-seed%2B",
            "sesame-seed+",
            "http://host.example/a%2Fb/***",
        ),
    ],
)
def test_redact_never_fails_for_a_url(url, secret, shown):
    error = status_error(url=url)
    error.redact([secret])
    assert str(error.url) == shown


def test_redact_masks_each_of_the_headers_of_one_name_and_the_notes():
    headers = CIMultiDict([("X-Told", SECRET), ("X-Told", "else")])
    error = status_error(headers=headers)
    error.add_note(f"with {SECRET}")
    error.redact([SECRET])
    assert error.headers.getall("X-Told") == ["***", "else"]
    assert error.__notes__ == ["with ***"]


@pytest.mark.parametrize("size", range(len(SECRET)))
def test_a_text_is_masked_before_it_is_cut(size):
    text = ProviderError("x" * (1000 - size) + SECRET + "y" * 100)
    status = status_error(message="x" * (200 - size) + SECRET + "y" * 100)
    text.redact([SECRET])
    status.redact([SECRET])
    for shown in (text.args[0], status.message):
        assert re.fullmatch(r"x+\*{0,3}y*…", shown)


def test_a_text_is_not_looked_through_again_for_the_same_secrets():
    error = status_error(message=f"bad {SECRET}")
    error.redact([SECRET, "another-key"])
    before = error._masked_texts
    error.redact([SECRET])
    assert error._masked_texts == before
    error.message = f"worse {SECRET}"
    error.redact([SECRET])
    assert error.message == "worse ***"
    error.message = "worse with third-key"
    error.redact([SECRET, "third-key"])
    assert error.message == "worse with ***"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("bad\nINFO: all is well", "bad\\nINFO: all is well"),
        ("\x1b[2Jgone\r\x9b31m\0\x7f", "\\x1b[2Jgone\\r\\x9b31m\\x00\\x7f"),
        ("a\u2028b\u202eterces\ud800", "a\\u2028b\\u202eterces\\ud800"),
        ("\x1f\x7f \x9f\xa0", "\\x1f\\x7f \\x9f\xa0"),  # the first and the last of each kind
        ("\u061c\u200e\u200f\u2066\u2069\udfff", "\\u061c\\u200e\\u200f\\u2066\\u2069\\udfff"),
        ("ключ неверен, naïve, 鍵\u3000です, \xa0€", "ключ неверен, naïve, 鍵\u3000です, \xa0€"),
    ],
)
def test_what_a_message_quotes_can_neither_forge_a_line_nor_move_a_terminal(said, shown):
    text, status = ProviderError(said), status_error(message=said, body=said)
    for error in (text, status):
        error.redact([])
        error.redact([SECRET])
    assert str(text) == shown
    assert str(status).endswith(f": 429 {shown}")
    assert status.body == said


def test_redact_twice_masks_once():
    error = ProviderError(f"bad {SECRET}")
    error.redact([SECRET])
    error.redact([SECRET])
    assert str(error) == "bad ***"


def test_redact_leaves_what_is_no_secret():
    error = status_error()
    error.reply = REPLY
    before = str(error), error.body, error.status, error.retry_after, error.reply
    error.redact(["", SECRET])
    assert (str(error), error.body, error.status, error.retry_after, error.reply) == before
    timeout = StreamTimeout("stall", 2.5)
    timeout.redact([SECRET])
    assert (timeout.phase, timeout.limit) == ("stall", 2.5)


def test_the_url_of_a_status_error_has_neither_query_nor_user():
    error = status_error(url=f"https://ann:{SECRET}@host.example:8443/v1?auth={SECRET}")
    assert str(error.request_info.url) == "https://host.example:8443/v1"
    assert str(error.request_info.real_url) == "https://host.example:8443/v1"
    assert SECRET not in f"{error} {error!r} {error.args} {vars(error)}"
    assert "ann" not in repr(error)


def test_a_status_error_keeps_headers_but_neither_request_headers_nor_cookies():
    headers = {"Set-Cookie": SECRET, "SET-COOKIE": SECRET, "X-Request-Id": "7", "retry-after": "5"}
    error = status_error(headers=headers)
    assert dict(error.headers) == {"X-Request-Id": "7", "retry-after": "5"}
    assert error.headers["Retry-After"] == "5"
    assert not error.request_info.headers
    assert error.history == ()


def test_a_status_error_says_what_was_asked_and_what_was_answered():
    error = status_error(RateLimitError)
    assert str(error) == "POST https://host.example/v1/chat: 429 slow down"
    assert repr(error) == f"RateLimitError({str(error)!r})"
    assert (error.status, error.message, error.retry_after) == (429, "slow down", 5.0)


def test_a_status_error_needs_neither_body_nor_headers():
    error = HTTPStatusError("GET", "http://host.example/", status=418, message="teapot")
    assert (error.body, error.retry_after, dict(error.headers)) == ("", None, {})


@pytest.mark.parametrize("kind", [*TEXT_ERRORS, *STATUS_ERRORS])
def test_a_text_is_one_line_whatever_a_server_wrote_into_it(kind):
    hostile = "no\r\nWARNING forged\x1b[2J\u2028\u202e\x00 \ud800, ключ"
    error = kind(hostile) if kind in TEXT_ERRORS else status_error(kind, message=hostile)
    assert str(error).isprintable()
    assert str(error).endswith(r"no\r\nWARNING forged\x1b[2J\u2028\u202e\x00 \ud800, ключ")
