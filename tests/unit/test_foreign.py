"""What one provider's answer left in a message for its own server is not sent to another."""

import logging

import pytest

from asyncllm.base.foreign import own_messages
from asyncllm.messages import check_messages

THOUGHT = {
    "role": "assistant",
    "content": "hi",
    "anthropic": {"content": []},
    "reasoning_details": [1],
    "reasoning_content": "hm",
}


@pytest.mark.parametrize(
    ("wire", "kept"),
    [
        ("openai", {"reasoning_details", "reasoning_content"}),
        ("acme", {"reasoning_details", "reasoning_content"}),
        ("anthropic", {"anthropic"}),
        ("gemini", set()),
    ],
)
def test_only_what_is_its_own_stays(wire, kept, caplog):
    caplog.set_level(logging.DEBUG, "asyncllm")
    asked = check_messages([{"role": "user", "content": "x"}, THOUGHT], system="Be brief.")
    left = own_messages(asked, wire)
    assert left[-1].keys() == {"role", "content"} | kept
    assert left[0] is asked[0]
    assert left[1] is asked[1]
    (record,) = caplog.records
    assert record.message.startswith("messages[1]: left out what is not for this server: ['")
    assert "anthropic" in THOUGHT


def test_messages_without_anything_foreign_are_the_very_same():
    asked = check_messages([{"role": "user", "content": "x", "gemini": 1}])
    assert own_messages(asked, "openai") is asked
