"""Whatever a server answers with an error status becomes an error with what it said."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from asyncllm import HTTPStatusError, ProxyError, RateLimitError, ServerError
from asyncllm.http.refusals import status_error


def made(*, status=429, reason="Too Many Requests", headers=None, body=""):
    return status_error(
        method="POST",
        url="https://host.example/v1?auth=sesame",
        status=status,
        reason=reason,
        headers=CIMultiDict(headers or {}),
        body=body,
    )


def test_an_answer_becomes_the_error_of_its_status_with_all_it_had():
    error = made(headers={"X-Request-Id": "7"}, body='{"message": "slow down"}')
    assert type(error) is RateLimitError
    assert error.status == 429
    assert error.message == "slow down"
    assert error.body == '{"message": "slow down"}'
    assert error.headers["x-request-id"] == "7"
    assert str(error) == "POST https://host.example/v1: 429 slow down"
    assert type(made(status=503)) is ServerError


def test_407_is_the_proxy_s_refusal_and_not_the_server_s():
    error = made(status=407, body="who are you")
    assert type(error) is ProxyError
    assert "407" in str(error)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"error": {"message": "no such model", "type": "x", "code": 1}}', "no such model"),
        ('{"error": "no such model"}', "no such model"),
        ('{"message": "no such model"}', "no such model"),
        ('{"detail": "no such model"}', "no such model"),
        ('[{"error": {"code": 404, "message": "no such model"}}]', "no such model"),
        ('{"error": {"detail": "no such model"}}', "no such model"),
        ('{"error": null, "message": "no such model"}', "no such model"),
        ('{"detail": [{"loc": ["body"], "msg": "bad"}]}', '[{"loc":["body"],"msg":"bad"}]'),
        ('{"error": 42}', "42"),
        ('"no such model"', "no such model"),
        ("no such\n  model\n", "no such model"),
        ("<html><b>Bad Gateway</b></html>", "<html><b>Bad Gateway</b></html>"),
        ("", "Too Many Requests"),
        ("  \n", "Too Many Requests"),
        ("{}", "Too Many Requests"),
        ('{"error": {}}', "Too Many Requests"),
        ('{"other": "thing"}', "Too Many Requests"),
        ('{"error": "cut', '{"error": "cut'),
        ("\ud800", "\ud800"),
    ],
)
def test_the_message_is_what_the_body_says_or_else_the_reason(body, message):
    assert made(body=body).message == message


def test_a_long_message_is_cut_when_it_is_masked_but_the_body_is_kept():
    error = made(body="x" * 5000)
    error.redact([])
    assert error.message == "x" * 200 + "…"
    assert error.body == "x" * 5000


@pytest.mark.parametrize("opening", ["[", '{"error":'], ids=["lists", "objects"])
def test_a_body_nested_without_end_is_an_error_like_any_other(opening):
    error = made(body=opening * 6000)
    error.redact([])
    assert type(error) is RateLimitError
    assert error.message == (opening * 6000)[:200] + "…"


@given(body=st.text() | st.recursive(st.text(), lambda s: s.map(lambda t: f'{{"error":{t!r}}}')))
def test_any_body_gives_an_error_with_a_message(body):
    error = made(body=body)
    assert isinstance(error, HTTPStatusError)
    assert error.message


# --- Retry-After ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "5"}, 5.0),
        ({"retry-after": "5"}, 5.0),
        ({"RETRY-AFTER": "1.5"}, 1.5),
        ({"Retry-After": "0"}, 0.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"Retry-After-Ms": "250", "Retry-After": "5"}, 0.25),
        ({"retry-after-ms": "-250", "Retry-After": "5"}, 5.0),
        ({"retry-after-ms": "", "Retry-After": "5"}, 5.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "."}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "1.2.3"}, None),
        ({"Retry-After": "\u00b2"}, None),
        ({"retry-after-ms": "soon"}, None),
    ],
)
def test_retry_after_is_read_in_each_of_its_forms(headers, seconds):
    assert made(headers=headers).retry_after == seconds


def test_retry_after_as_a_date_is_the_time_until_then():
    date = formatdate(time.time() + 90, usegmt=True)
    assert made(headers={"Retry-After": date}).retry_after == pytest.approx(90, abs=2)


@pytest.mark.parametrize(
    "value",
    [
        "Wed, 21 Oct 99999999999999999999 07:28:00 GMT",
        "Wed, 99999999999999999999 Oct 2015 07:28:00 GMT",
        "Wed, 21 Oct 2015 07:28:00 +99999999999999999999",
        "Mon, 01 Jan 0001 00:00:00",
        "9" * 400,
    ],
)
def test_a_retry_after_beyond_all_dates_does_no_harm(value):
    seconds = made(headers={"Retry-After": value}).retry_after
    assert seconds is None or seconds >= 0


@given(value=st.text() | st.from_regex(r"\w{3}, \d{1,30} (Jan|Oct) \d{1,30} \d\d:\d\d:\d\d( GMT)?"))
def test_any_retry_after_gives_no_time_or_one_that_is_not_negative(value):
    for name in ("Retry-After", "retry-after-ms"):
        seconds = made(headers={name: value}).retry_after
        assert seconds is None or seconds >= 0
