"""What one provider answered is gone on with by another, whatever its wire."""

import logging

import pytest

from support.tools import ASKED, TOOLS, results_of
from support.wires import TOOL_WIRES, on_wire

THINKING = {
    "ollama": "qwen3",
    "responses": "gpt-5",
}  # models that think, where the usual one does not
every_pair = pytest.mark.parametrize(
    ("first", "second"), [(one, other) for one in TOOL_WIRES for other in TOOL_WIRES]
)


def thinking(wire, url, sessions):
    provider = on_wire(wire, url, sessions=sessions)
    provider.model = THINKING.get(wire, provider.model)
    return provider


@every_pair
async def test_a_turn_with_thinking_and_two_calls_goes_on_with_any_provider(
    first, second, sandbox, sessions, caplog
):
    caplog.set_level(logging.DEBUG, "asyncllm")
    one, other = (thinking(wire, sandbox.url, sessions) for wire in (first, second))
    reply = await one.complete([ASKED], tools=TOOLS, reasoning_effort="low")
    assert [call.name for call in reply.tool_calls] == ["see", "hear"]
    assert reply.reasoning
    turn = [ASKED, reply.message, *results_of(reply.message)]
    caplog.clear()
    answer = await other.complete(turn, tools=TOOLS, reasoning_effort="low")
    assert answer.text
    left_out = [each for each in caplog.messages if "left out what is not" in each]
    assert bool(left_out) == (bool(reply.opaque) and first != second)


@pytest.mark.parametrize("wire", TOOL_WIRES)
async def test_an_edited_message_goes_back_as_it_was_edited(wire, sandbox, sessions):
    provider = thinking(wire, sandbox.url, sessions)
    reply = await provider.complete("Hello", reasoning_effort="low")
    message = {**reply.message, "content": "Something else was said."}
    again = await provider.complete([ASKED, message, {"role": "user", "content": "Go on"}])
    assert again.text
    body = sandbox.requests[-1].body
    assert b"Something else was said." in body
    assert reply.text[:40].encode() not in body
