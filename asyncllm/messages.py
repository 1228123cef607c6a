"""What goes in: messages, for servers without roles as one prompt."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, Coroutine, Iterable, Iterator, Mapping, Sequence
from typing import NotRequired, Required, TypeAlias, TypedDict

from asyncllm.errors import ConfigurationError
from asyncllm.events import ToolCall
from asyncllm.parts import check_part, described, text_in
from asyncllm.reply import Reply


class Message(TypedDict, total=False):
    """One message of a chat.

    Attributes:
        role: "system", "user", "assistant", "tool" or another that the server knows.
        content: text, or a list of parts: what `text`, `image` and `file` return, or OpenAI's own
            such as `{"type": "image_url", …}`; None only beside `tool_calls`.
        name: who speaks, if there are several with one role.
        tool_calls: the calls that an assistant's message asked for, each with its `id` and its
            `function`, which has a `name` and `arguments`: JSON, or a mapping.
        tool_call_id: the call whose result this message is, if it is a tool's.

    """

    role: Required[str]
    content: Required[str | Sequence[Mapping[str, object]] | None]
    name: NotRequired[str]
    tool_calls: NotRequired[Sequence[Mapping[str, object]]]
    tool_call_id: NotRequired[str]


Messages: TypeAlias = str | Sequence[Mapping[str, object]]

# OpenAI's own forms of an assistant's message that says nothing.
_INSTEAD_OF_CONTENT = ("tool_calls", "refusal", "audio", "function_call")

_EXAMPLE = '{"role": "user", "content": %s}'
_INSTRUCTION = (
    "instruction: below is a conversation of a user with an AI assistant; answer its latest "
    "message, in the light of what was said before where that matters"
)


class SystemMessage(dict[str, object]):
    """The message that `system=` makes: it is no message of the caller's list, and not counted."""


def check_messages(messages: Messages, system: str | None = None) -> list[dict[str, object]]:
    """Return `messages` in the one form that every format is translated from.

    Each is a plain dictionary of its own. Its content is text, a list of parts as `check_part`
    returns them, or None; the arguments of its tool calls are JSON.

    Args:
        messages: what the caller gave; a `str` is one user message.
        system: what a system message before all others says; None for no such message.

    Raises:
        ConfigurationError: there is no message, or one is not as it must be; the text says which.

    """
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    if not isinstance(messages, Sequence) or isinstance(messages, bytes | bytearray):
        raise ConfigurationError(
            "messages must be a str or a list of role/content mappings, not "
            f"{_kind(messages)}{_remedy(messages)}"
        )
    if not messages:
        raise ConfigurationError("messages is empty: give at least one message")
    checked = [_check_message(f"messages[{n}]", message) for n, message in enumerate(messages)]
    return checked if system is None else [_system_message(system), *checked]


def placed(messages: Sequence[Mapping[str, object]]) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yield each message with its place, as errors name it: "messages[0]", or "system".

    Args:
        messages: all messages, checked; that of `system=` is not counted.

    """
    number = 0
    for message in messages:
        if isinstance(message, SystemMessage):
            yield "system", message
        else:
            yield f"messages[{number}]", message
            number += 1


def _system_message(system: object) -> SystemMessage:
    if not isinstance(system, str):
        raise ConfigurationError(f"system must be a str, not {_kind(system)}")
    if not system:
        raise ConfigurationError("system is empty: give it some text, or leave it out")
    return SystemMessage(role="system", content=system)


def _remedy(messages: object) -> str:
    """Return what to write in the place of what is no list of messages."""
    remedy = ""
    match messages:
        case Reply():
            remedy = ": write [..., reply.message]"
        case Coroutine():
            remedy = ": await it, and write [..., reply.message]"
        case AsyncIterable():
            remedy = ": `await stream.collect()` gives its reply, to write [..., reply.message]"
        case Mapping() if "type" in messages and "role" not in messages:
            remedy = f": write [{_EXAMPLE % '[part]'}]"
        case Mapping():
            remedy = ": write [message]"
        case bytes() | bytearray():
            remedy = ": decode it"
        case Iterable():
            remedy = ": write list(messages)"
    return remedy


def _check_message(where: str, message: object) -> dict[str, object]:
    if not isinstance(message, Mapping):
        remedy = ": write reply.message" if isinstance(message, Reply) else ""
        if isinstance(message, str | tuple):
            remedy = f": write {_EXAMPLE % '…'}"
        raise ConfigurationError(
            f"{where} must be a mapping with role and content, not {_kind(message)}{remedy}"
        )
    role = message.get("role")
    if role is None and "type" in message:
        raise ConfigurationError(
            f"{where} is a part of a message: put it into a list, as the content of a message"
        )
    if not isinstance(role, str) or not role:
        raise ConfigurationError(f"{where} has no role: add one such as 'user' or 'system'")
    if role == "tool" and not _is_filled(message.get("tool_call_id")):
        raise ConfigurationError(f"{where} has no tool_call_id: add the id of its call")
    checked = dict(message)
    if message.get("tool_calls"):
        checked["tool_calls"] = _check_calls(message["tool_calls"], f"{where}.tool_calls")
    content = message.get("content")
    if content is not None or not any(map(message.get, _INSTEAD_OF_CONTENT)):
        checked["content"] = _check_content(content, where, role)
    return checked


def _check_content(content: object, where: str, role: str) -> str | list[dict[str, object]]:
    if isinstance(content, str):
        if not content and role == "user":
            raise ConfigurationError(f"{where} has empty content: give it some text")
        return content
    if isinstance(content, list | tuple):
        if not content:
            raise ConfigurationError(f"{where} has an empty list of content parts")
        return [check_part(part, f"{where}.content[{n}]") for n, part in enumerate(content)]
    if content is None:
        raise ConfigurationError(f"{where} has no content: give it text or a list of content parts")
    remedy = ""
    if isinstance(content, bytes | bytearray):
        remedy = ": decode it, or make it a part with asyncllm.image(…) or asyncllm.file(…)"
    elif isinstance(content, Mapping):
        remedy = ": write it as JSON" if role == "tool" else ": put the part into a list"
    raise ConfigurationError(
        f"{where}.content must be text or a list of content parts, not {_kind(content)}{remedy}"
    )


def _check_calls(calls: object, where: str) -> list[dict[str, object]]:
    if not isinstance(calls, list | tuple):
        raise ConfigurationError(f"{where} must be a list of calls, not {_kind(calls)}")
    return [_check_call(call, f"{where}[{n}]") for n, call in enumerate(calls)]


def _check_call(call: object, where: str) -> dict[str, object]:
    """Return a call whose arguments are JSON; one of a kind that is unknown here as it is."""
    if not isinstance(call, Mapping):
        remedy = ": append reply.message, which has it" if isinstance(call, ToolCall) else ""
        raise ConfigurationError(
            f"{where} must be a mapping with id and function, not {_kind(call)}{remedy}"
        )
    if not _is_filled(call.get("id")):
        raise ConfigurationError(f"{where} has no id: use the one that the server sent")
    kind, function = call.get("type") or "function", call.get("function")
    if kind != "function":
        return dict(call)
    if not isinstance(function, Mapping) or not _is_filled(function.get("name")):
        raise ConfigurationError(f"{where} has no function.name")
    arguments = function.get("arguments")
    if isinstance(arguments, Mapping):
        arguments = _as_json(arguments, f"{where}.function.arguments")
    if not isinstance(arguments, str):
        raise ConfigurationError(
            f"{where}.function.arguments must be a str of JSON or a mapping, not {_kind(arguments)}"
        )
    return {**call, "type": kind, "function": {**function, "arguments": arguments}}


def _as_json(value: Mapping[str, object], where: str) -> str:
    try:
        return json.dumps(dict(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        reason = str(error)
    raise ConfigurationError(f"{where} can't be written as JSON: {reason}")


def format_prompt(messages: Sequence[Mapping[str, object]]) -> str:
    """Return the prompt in the documented asynchronous form.

    A single message is its plain content. Several messages become `Role: content` lines and a last
    line `Assistant:`.

    Raises:
        ConfigurationError: a message contains something other than text.

    """
    said = [(message["role"], text_of(message, where)) for where, message in placed(messages)]
    if len(said) == 1:
        return said[0][1]
    return "\n".join([*(f"{str(role).capitalize()}: {text}" for role, text in said), "Assistant:"])


def format_instruction(messages: Sequence[Mapping[str, object]]) -> str:
    """Return the prompt of H2o's documented synchronous form.

    One line that begins with `instruction:`, a `role: content` line for each message, and a last
    line `assistant:`.

    Raises:
        ConfigurationError: a message holds something other than text.

    """
    lines = [f"{each['role']}: {text_of(each, where)}" for where, each in placed(messages)]
    return "\n".join([_INSTRUCTION, *lines, "assistant:"])


def text_of(message: Mapping[str, object], where: str = "the message") -> str:
    """Return the text of `message`, its text parts joined.

    Args:
        message: a message.
        where: its place, for errors.

    Raises:
        ConfigurationError: it holds something other than text; the text says what, and where.

    """
    if message.get("tool_calls"):
        raise _text_only(where, "has tool calls")
    content = message.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list | tuple) or not content:
        raise _text_only(where, "has no text")
    texts: list[str] = []
    for number, part in enumerate(content):
        if (text := text_in(part)) is None:
            raise _text_only(f"{where}.content[{number}]", f"is {described(part)}")
        texts.append(text)
    return "".join(texts)


def _text_only(where: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"{where} {what}, but this provider takes text only")


def _is_filled(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _kind(value: object) -> str:
    return type(value).__name__
