"""What can't be sent is refused with a text that says what to change and shows no secret."""

from __future__ import annotations

import json

import pytest

from asyncllm import ConfigurationError, OpenAI
from asyncllm.framing.json import encode_json
from asyncllm.http.checks import check_base_url, check_headers, merged_headers


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://host.example", "https://host.example"),
        ("https://host.example/", "https://host.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://127.0.0.1:3000/api/", "http://127.0.0.1:3000/api"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("HTTPS://host.example", "HTTPS://host.example"),
        ("https://host.example/a/b//", "https://host.example/a/b"),
    ],
)
def test_a_base_url_is_kept_without_the_slash_at_its_end(given, kept):
    assert check_base_url(given) == kept


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "host.example",
        "host.example:443",
        "//host.example",
        "/v1",
        "http://",
        "https:///v1",
        "ftp://host.example",
        "ws://host.example",
        "https://host.example?auth=sesame",
        "https://host.example/v1?auth=sesame",
        "https://host.example:sesame",
        "https://host.example:99999",
        "http://[sesame",
        None,
        5,
        b"https://host.example",
    ],
)
def test_what_is_no_base_url_is_refused_without_showing_it(base_url):
    with pytest.raises(ConfigurationError, match="base_url can't be used: write it as") as caught:
        check_base_url(base_url)
    assert "sesame" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_headers_come_back_as_a_dictionary_of_their_own():
    headers = {"Authorization": "Bearer sesame", "X-Empty": ""}
    checked = check_headers(headers)
    assert checked == headers
    assert checked is not headers


@pytest.mark.parametrize(
    "value", ["se\nsame", "sesame\r", "\nsesame", "se\0same", b"sesame", None, 5, ["sesame"]]
)
def test_a_header_value_that_cannot_be_sent_is_refused_without_showing_it(value):
    with pytest.raises(ConfigurationError, match="the Authorization header") as caught:
        check_headers({"X-Fine": "yes", "Authorization": value})
    assert "same" not in str(caught.value)


def test_json_is_utf_8_and_compact():
    value = {"a": [1, 2.5, None, True, "é\u2028👩"], "b": {}}
    encoded = encode_json(value)
    assert json.loads(encoded) == value
    assert encoded.startswith(b'{"a":[1,2.5,null,true,"')


class Odd:
    """Has no JSON form."""


def endless():
    value: list[object] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [
        {"a": Odd()},
        Odd,
        {(1, 2): 3},
        "\ud800",
        {"\ud800": 1},
        endless(),
        lambda: 0,
        {1: {2: Odd()}},
    ],
    ids=["instance", "class", "key", "surrogate", "surrogate key", "endless", "function", "deep"],
)
def test_what_has_no_json_form_is_refused(value):
    with pytest.raises(ConfigurationError, match="can't be written as JSON: .+ .+") as caught:
        encode_json(value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"tools": [len]}, 'write {"type": "function", '),
        ({"response_format": dict}, 'write {"type": "json_schema", '),
    ],
)
def test_of_a_function_or_a_class_the_form_to_write_is_said(given, says):
    with pytest.raises(ConfigurationError) as caught:
        OpenAI(base_url="http://a.example/v1").stream("Hello", model="x", **given)
    assert says in str(caught.value)


def test_of_two_headers_of_one_name_the_caller_s_is_sent():
    own = {"Referer": "ours", "User-Agent": "ours"}
    assert merged_headers(own, {"referer": "theirs", "X-More": "1"}) == {
        "User-Agent": "ours",
        "referer": "theirs",
        "X-More": "1",
    }
    assert merged_headers(own, {}) == own
    with pytest.raises(ConfigurationError):
        merged_headers(own, {"X": 1})
