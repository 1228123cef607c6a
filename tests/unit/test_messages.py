"""What goes in is checked before anything is sent, and made into the documented prompt."""

from __future__ import annotations

from collections import UserDict

import pytest

from asyncllm import ConfigurationError, format_prompt
from asyncllm.messages import check_messages, text_of

USER = {"role": "user", "content": "Hi"}


def test_a_str_is_one_user_message():
    assert check_messages("Hi") == [USER]


def test_messages_come_back_as_plain_dictionaries_with_all_their_keys():
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = (
        UserDict({"role": "system", "content": ""}),
        {"role": "user", "content": [{"type": "text", "text": "Hi"}], "name": "Ann"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "content": "", "tool_call_id": "1"},
    )
    checked = check_messages(messages)
    assert checked == [dict(message) for message in messages]
    assert all(type(message) is dict for message in checked)


def test_the_caller_s_messages_are_not_changed_through_what_comes_back():
    messages = [dict(USER)]
    check_messages(messages)[0]["role"] = "system"
    assert messages == [USER]


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        ("", r"messages\[0\] has empty content"),
        ([], "messages is empty"),
        ((), "messages is empty"),
        (None, "not NoneType"),
        (USER, "a list of role/content mappings, not dict"),
        ({USER["role"]}, "not set"),
        (iter([USER]), "not list_iterator"),
        (["Hi"], r"messages\[0\] must be a mapping with role and content, not str"),
        ([USER, None], r"messages\[1\] must be a mapping .* not NoneType"),
        (b"Hi", "must be a mapping .* not int"),
        ([{"content": "Hi"}], r"messages\[0\] has no role"),
        ([{"role": "", "content": "Hi"}], "has no role"),
        ([{"role": 1, "content": "Hi"}], "has no role"),
        ([USER, {"role": "user"}], r"messages\[1\] has no content"),
        ([{"role": "user", "content": None}], "has no content"),
        ([{"role": "user", "content": 5}], "has no content"),
        ([{"role": "user", "content": ""}], "has empty content"),
        ([{"role": "user", "content": []}], "has an empty list of content parts"),
        ([{"role": "assistant", "content": None, "tool_calls": []}], "has no content"),
    ],
)
def test_what_is_no_message_is_refused_and_the_text_says_which(messages, says):
    with pytest.raises(ConfigurationError, match=says):
        check_messages(messages)


@pytest.mark.parametrize("content", [b"Hi", bytearray(b"Hi"), [1, 2], ["Hi"]])
def test_content_that_is_neither_text_nor_a_list_of_parts_is_refused(content):
    with pytest.raises(ConfigurationError):
        check_messages([{"role": "user", "content": content}])


def test_the_prompt_of_one_message_is_its_bare_content():
    assert format_prompt([USER]) == "Hi"
    assert format_prompt([{"role": "system", "content": "Be kind"}]) == "Be kind"


def test_the_prompt_of_several_messages_has_a_line_for_each_and_ends_with_assistant():
    messages = [
        {"role": "system", "content": "Be kind"},
        USER,
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": [{"type": "text", "text": "Who "}, {"text": "am I?"}]},
    ]
    assert format_prompt(messages) == (
        "System: Be kind\nUser: Hi\nAssistant: Hello\nUser: Who am I?\nAssistant:"
    )


def test_the_text_of_parts_is_joined():
    assert (
        text_of({"role": "user", "content": ({"text": "a"}, {"text": ""}, {"text": "b"})}) == "ab"
    )


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        5,
        [{"type": "image_url", "image_url": {"url": "x"}}],
        [{"text": "a"}, {"type": "image_url"}],
        [{"text": "a"}, "b"],
        [{"text": None}],
        b"Hi",
    ],
)
def test_a_message_with_something_other_than_text_has_no_prompt(content):
    message = {"role": "user", "content": content}
    with pytest.raises(ConfigurationError, match="takes text only: a 'user' message"):
        text_of(message)
    with pytest.raises(ConfigurationError):
        format_prompt([USER, message])
