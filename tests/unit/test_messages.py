"""What goes in is checked before anything is sent, and made into the documented prompt."""

from __future__ import annotations

from collections import UserDict

import pytest

import asyncllm
from asyncllm import ConfigurationError, Reply, ToolCall, format_prompt
from asyncllm.messages import check_messages, format_instruction, text_of

USER = {"role": "user", "content": "Hi"}
CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def user(*parts):
    return {"role": "user", "content": list(parts)}


def asked(*calls):
    return {"role": "assistant", "content": None, "tool_calls": list(calls)}


def test_a_str_is_one_user_message():
    assert check_messages("Hi") == [USER]


def test_messages_come_back_as_plain_dictionaries_with_all_their_keys():
    messages = (
        UserDict({"role": "system", "content": ""}),
        {"role": "user", "content": [{"type": "text", "text": "Hi"}], "name": "Ann"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "assistant", "tool_calls": [CALL]},
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
        (b"Hi", "a list of role/content mappings, not bytes: decode it"),
        ([{"content": "Hi"}], r"messages\[0\] has no role"),
        ([{"role": "", "content": "Hi"}], "has no role"),
        ([{"role": 1, "content": "Hi"}], "has no role"),
        ([USER, {"role": "user"}], r"messages\[1\] has no content"),
        ([{"role": "user", "content": None}], "has no content"),
        ([{"role": "user", "content": 5}], r"messages\[0\].content must be text .* not int"),
        ([{"role": "user", "content": ""}], "has empty content"),
        ([{"role": "user", "content": []}], "has an empty list of content parts"),
        ([{"role": "assistant", "content": None, "tool_calls": []}], "has no content"),
        ((USER for _ in "a"), r"not generator: write list\(messages\)"),
        (USER, r"not dict: write \[message\]"),
        (Reply("Hi"), r"not Reply: write \[\.\.\., reply\.message\]"),
        (asyncllm.text("Hi"), r'not dict: write \[\{"role": "user", "content": \[part\]\}\]$'),
        (["Hi"], r'not str: write \{"role": "user", "content": …\}$'),
        ([("user", "Hi")], r'not tuple: write \{"role": "user", "content": …\}$'),
        ([user({"type": "image", "url": "x"})], r"0\] has no source: write source instead of"),
        ([user({"type": "file"})], "has no source: write source, such as bytes or a URL"),
        (
            [asked(CALL | {"function": {"name": "f", "arguments": {"a": float("nan")}}})],
            r"arguments can't be written as JSON: Out of range float",
        ),
        ([USER, Reply("Hi")], r"messages\[1\] .* not Reply: write reply\.message"),
        ([asyncllm.text("Hi")], r"messages\[0\] is a part of a message: put it into a list"),
        ([{"role": "user", "content": b"Hi"}], r"messages\[0\]\.content .* not bytes: decode it"),
        ([{"role": "user", "content": bytearray(b"Hi")}], "not bytearray: decode it"),
        ([{"role": "user", "content": asyncllm.text("Hi")}], "not dict: put the part into a list"),
        ([{"role": "tool", "tool_call_id": "1", "content": {"a": 1}}], "dict: write it as JSON"),
        (
            [user("Hi")],
            r"messages\[0\]\.content\[0\] must be a part such as asyncllm.text.* not str",
        ),
        (
            [USER, user({"text": "Hi"}, {"image_url": "x"})],
            r"messages\[1\]\.content\[1\] has no type",
        ),
        ([user({"type": 5})], r"content\[0\] has no type"),
        ([user({"type": "text", "text": None})], r"content\[0\] has no text"),
        ([{"role": "tool", "content": "42"}], r"messages\[0\] has no tool_call_id"),
        ([{"role": "tool", "content": "42", "tool_call_id": 1}], "has no tool_call_id"),
        ([{"role": "assistant", "tool_calls": CALL}], r"messages\[0\]\.tool_calls must be a list"),
        ([asked(CALL, "f")], r"messages\[0\]\.tool_calls\[1\] must be a mapping .* not str"),
        ([asked(ToolCall("1", "f", "{}"))], "not ToolCall: append reply.message, which has it"),
        ([asked(CALL | {"id": ""})], r"tool_calls\[0\] has no id"),
        ([asked({"id": "1"})], r"tool_calls\[0\] has no function\.name"),
        ([asked(CALL | {"function": {"name": ""}})], "has no function.name"),
        (
            [asked(CALL | {"function": {"name": "f"}})],
            r"function\.arguments must be .* not NoneType",
        ),
        (
            [asked(CALL | {"function": {"name": "f", "arguments": {"a": object()}}})],
            r"messages\[0\]\.tool_calls\[0\]\.function\.arguments can't be written as JSON",
        ),
    ],
)
def test_what_is_no_message_is_refused_and_the_text_says_which(messages, says):
    with pytest.raises(ConfigurationError, match=says):
        check_messages(messages)


@pytest.mark.parametrize(
    "message",
    [
        Reply("Hi").message,
        Reply("", opaque={"reasoning_details": [{"type": "reasoning.encrypted"}]}).message,
        Reply(
            "", tool_calls=(ToolCall("1", "f", '{"a":1}', '{"extra_content":{"a":"b"}}'),)
        ).message,
        Reply("", refusal="No.").message,
        {"role": "assistant", "content": None, "refusal": "No.", "tool_calls": None},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": [{"text": "Hm"}]}]},
        {"role": "assistant", "content": None, "audio": {"id": "1"}},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        asked({"id": "1", "type": "custom", "custom": {"name": "f", "input": "x"}}),
        user({"type": "image_url", "image_url": {"url": "https://example.org/a"}}),
        user({"type": "file", "file": {"file_id": "1"}}),
        user({"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}),
    ],
)
def test_replies_and_openai_s_own_shapes_pass_as_they_are(message):
    assert check_messages([USER, message]) == [USER, message]


def test_what_openai_wants_is_added_where_it_follows_from_the_rest():
    call = {"id": "1", "function": {"name": "f", "arguments": {"city": "Rīga", "days": 2}}}
    [message, said] = check_messages([asked(call), user({"text": "Hi"})])
    function = {"name": "f", "arguments": '{"city":"Rīga","days":2}'}
    assert message["tool_calls"] == [{"id": "1", "type": "function", "function": function}]
    assert said["content"] == [{"type": "text", "text": "Hi"}]
    assert call["function"]["arguments"] == {"city": "Rīga", "days": 2}


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
    with pytest.raises(ConfigurationError, match="the message.* but this provider takes text only"):
        text_of(message)
    for prompt_of in (format_prompt, format_instruction):
        with pytest.raises(ConfigurationError, match=r"messages\[1\].* takes text only"):
            prompt_of([USER, message])


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (user(asyncllm.image(b"GIF89a")), ".content[0] is an image"),
        (user({"text": "a"}, {"type": "image_url", "image_url": {}}), ".content[1] is an image"),
        (user(asyncllm.file(b"%PDF-")), ".content[0] is a file"),
        (user({"type": "file", "file": {}, "text": "a"}), ".content[0] is a file"),
        (user({"type": "input_audio", "input_audio": {}}), ".content[0] is a recording"),
        (user({"type": "video_url", "video_url": {}}), ".content[0] is a 'video_url' part"),
        (asked(CALL), " has tool calls"),
    ],
)
def test_a_provider_of_text_only_says_what_it_can_t_take_and_where(message, says):
    for prompt_of in (format_prompt, format_instruction):
        with pytest.raises(ConfigurationError) as refusal:
            prompt_of(check_messages([USER, message]))
        assert str(refusal.value) == f"messages[1]{says}, but this provider takes text only"


def test_a_message_of_system_comes_first_and_leaves_the_places_of_the_others_as_they_are():
    messages = check_messages([USER, user({"type": "image_url"})], system="Be kind")
    assert messages[:2] == [{"role": "system", "content": "Be kind"}, USER]
    with pytest.raises(ConfigurationError, match=r"^messages\[1\]\.content\[0\] is an image"):
        format_prompt(messages)
    assert format_prompt(messages[:2]) == "System: Be kind\nUser: Hi\nAssistant:"


@pytest.mark.parametrize("system", ["", 5, b"Be kind", {"role": "system", "content": "Be kind"}])
def test_what_is_no_text_is_no_message_of_system(system):
    with pytest.raises(ConfigurationError, match="^system (is empty|must be a str)"):
        check_messages("Hi", system=system)
