"""Messages as Anthropic's wire has them: turns of blocks, with the system apart.

Wire facts: Anthropic's reference of `POST /v1/messages`: results of tools stand in a message of the
user's, all of a turn's in one, and first in it; ids of calls have letters, digits, `_` and `-`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from asyncllm.errors import ConfigurationError
from asyncllm.messages import placed
from asyncllm.parts import described, text_in
from asyncllm.wires.anthropic.attached import attached
from asyncllm.wires.anthropic.blocks import OPAQUE, input_of
from asyncllm.wires.attachments import attachment_of
from asyncllm.wires.loose import as_list, as_mapping, as_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    JSON = dict[str, object]

_SYSTEM = ("system", "developer")
_OF_A_BLOCK = ("cache_control", "citations", "context", "title")  # which a part may say of its own
_NOT_OF_IDS = re.compile(r"[^a-zA-Z0-9_-]")


class Conversation:
    """Messages as the wire has them.

    Args:
        messages: as `check_messages` returns them.

    Attributes:
        system: what is said before all messages, in blocks.
        turns: the messages.
        container: where code of the newest answer waits for results; "" where there is none.

    Raises:
        ConfigurationError: the wire has no place for something; the text says where it is.

    """

    def __init__(self, messages: Sequence[Mapping[str, object]]) -> None:
        self.system: list[JSON] = []
        self.turns: list[JSON] = []
        self.container = ""
        for where, message in placed(messages):
            self._add(where, message)
        if not self.turns:
            raise ConfigurationError("there are only system messages: add a user message")

    def _add(self, where: str, message: Mapping[str, object]) -> None:
        role = message["role"]
        if role in _SYSTEM:
            blocks = _text_blocks(where, message)
            if self.turns:
                self.turns.append({"role": "system", "content": blocks})
            else:
                self.system += blocks
        elif role == "user":
            content = _content(where, message)
            if not content:
                raise ConfigurationError(f"{where} has empty content: give it some text")
            self._add_of_user(content)
        elif role == "tool":
            self._add_of_user([_result(where, message)])
        elif role == "assistant":
            if said := self._said(where, message):
                self.turns.append({"role": "assistant", "content": said})
        else:
            raise ConfigurationError(
                f"{where} has the role {role!r}, which Anthropic does not know"
            )

    def _add_of_user(self, content: str | list[JSON]) -> None:
        """Add a message, to the one before where one of them has results."""
        newest = self.turns[-1] if self.turns else {}
        older = cast("str | list[JSON]", newest.get("content", ""))
        if newest.get("role") == "user" and (_has_results(content) or _has_results(older)):
            newest["content"] = [*_as_blocks(older), *_as_blocks(content)]
        else:
            self.turns.append({"role": "user", "content": content})

    def _said(self, where: str, message: Mapping[str, object]) -> str | list[JSON]:
        """Return what an assistant's message says: as it came, or as it has been changed since.

        One that says nothing, which the wire does not take, is "".
        """
        calls = [as_mapping(each) for each in as_list(message.get("tool_calls"))]
        own = as_mapping(message.get(OPAQUE))
        blocks = [as_mapping(each) for each in as_list(own.get("content"))]
        if blocks and _is_as_it_came(blocks, message, calls):
            self.container = as_text(own.get("container"))
            return blocks
        self.container = ""
        if message.get("content") is None and not calls and message.get("refusal"):
            return as_text(message["refusal"])
        said = _content(where, message) if message.get("content") else ""
        if message.get("function_call") or not (said or calls or message.get("content") == ""):
            raise ConfigurationError(f"{where} has nothing that can be sent to Anthropic")
        if not calls:
            return said
        return [*_as_blocks(said), *(_call(f"{where}.tool_calls", call) for call in calls)]


def _is_as_it_came(blocks: list[JSON], message: Mapping[str, object], calls: list[JSON]) -> bool:
    """Tell whether a message says what its blocks do, as it may have been edited."""
    texts = [as_text(block.get("text")) for block in blocks if block.get("type") == "text"]
    used = [_gist(block) for block in blocks if block.get("type") == "tool_use"]
    content = message.get("content")
    said = (
        content if isinstance(content, str) else "".join(text_in(e) or "" for e in as_list(content))
    )
    return "".join(texts) == said and used == [_gist_of_call(call) for call in calls]


def _gist(block: JSON) -> tuple[object, ...]:
    return block.get("id"), block.get("name"), block.get("input")


def _gist_of_call(call: JSON) -> tuple[object, ...]:
    function = as_mapping(call.get("function"))
    arguments = as_text(function.get("arguments"))
    return call.get("id"), function.get("name"), input_of(arguments)


def _content(where: str, message: Mapping[str, object]) -> str | list[JSON]:
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = [as_mapping(part) for part in as_list(content)]
    blocks = [_block(part, f"{where}.content[{number}]") for number, part in enumerate(parts)]
    return [block for block in blocks if block.get("type") != "text" or block.get("text")]


def _block(part: JSON, where: str) -> JSON:
    """Return the block for a part; one of Anthropic's own, which is unknown here, as it is."""
    besides = {name: part[name] for name in _OF_A_BLOCK if name in part}
    attachment = attachment_of(part, where)
    if attachment is not None:
        return {**attached(attachment, where), **besides}
    text = text_in(part)
    if text is None and part.get("type") == "refusal":
        text = as_text(part.get("refusal"))
    return {**part} if text is None else {"type": "text", "text": text, **besides}


def _text_blocks(where: str, message: Mapping[str, object]) -> list[JSON]:
    blocks = _as_blocks(_content(where, message))
    for number, block in enumerate(blocks):
        if block.get("type") != "text":
            what = described(block)
            raise ConfigurationError(
                f"{where}.content[{number}] is {what}, but Anthropic's system messages take text "
                "only"
            )
    return blocks


def _result(where: str, message: Mapping[str, object]) -> JSON:
    """Return the result of a call; `is_error` of a message tells that the tool failed."""
    result: JSON = {
        "type": "tool_result",
        "tool_use_id": _sound_id(as_text(message.get("tool_call_id"))),
        "content": _content(where, message),
    }
    return {**result, "is_error": True} if message.get("is_error") is True else result


def _call(where: str, call: JSON) -> JSON:
    function = as_mapping(call.get("function"))
    if not function:
        raise ConfigurationError(
            f"{where} has a call of type {call.get('type')!r}, which is not a function call"
        )
    return {
        "type": "tool_use",
        "id": _sound_id(as_text(call.get("id"))),
        "name": as_text(function.get("name")),
        "input": input_of(as_text(function.get("arguments"))),
    }


def _sound_id(call_id: str) -> str:
    """Return the id of a call, which may be another server's, as this one takes it."""
    return _NOT_OF_IDS.sub("_", call_id)


def _has_results(content: str | list[JSON]) -> bool:
    return not isinstance(content, str) and any(
        block.get("type") == "tool_result" for block in content
    )


def _as_blocks(content: str | list[JSON]) -> list[JSON]:
    if not isinstance(content, str):
        return content
    return [{"type": "text", "text": content}] if content else []
