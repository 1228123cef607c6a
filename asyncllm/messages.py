"""What goes in: messages, for servers without roles as one prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NotRequired, Required, TypeAlias, TypedDict

from asyncllm.errors import ConfigurationError


class Message(TypedDict, total=False):
    """One message of a chat.

    Attributes:
        role: "system", "user", "assistant", "tool" or another that the server knows.
        content: text or, where the provider takes them, a list of content parts such as
            `{"type": "text", "text": …}`; None only beside `tool_calls`.
        name: who speaks, where there are several of a role.
        tool_calls: the calls that an assistant's message asked for.
        tool_call_id: the call whose result a tool's message is.

    """

    role: Required[str]
    content: Required[str | Sequence[Mapping[str, object]] | None]
    name: NotRequired[str]
    tool_calls: NotRequired[Sequence[Mapping[str, object]]]
    tool_call_id: NotRequired[str]


Messages: TypeAlias = str | Sequence[Mapping[str, object]]

_INSTRUCTION = (
    "instruction: below is a conversation of a user with an AI assistant; answer its latest "
    "message, in the light of what was said before where that matters"
)


def check_messages(messages: Messages, *, system: str | None = None) -> list[dict[str, object]]:
    """Return `messages` as a list of plain dictionaries; a `str` is one user message.

    Args:
        messages: what was given.
        system: a system message to put before them.

    Raises:
        ConfigurationError: there is no message, or one lacks its role or its content.

    """
    if system is not None:
        return [{"role": "system", "content": system}, *check_messages(messages)]
    if isinstance(messages, str):
        return [_check_message(0, {"role": "user", "content": messages})]
    if not isinstance(messages, Sequence):
        raise ConfigurationError(
            f"messages must be a str or a list of role/content mappings, not {_kind(messages)}"
        )
    if not messages:
        raise ConfigurationError("messages is empty: give at least one message")
    return [_check_message(index, message) for index, message in enumerate(messages)]


def _check_message(index: int, message: object) -> dict[str, object]:
    where = f"messages[{index}]"
    if not isinstance(message, Mapping):
        raise ConfigurationError(
            f"{where} must be a mapping with role and content, not {_kind(message)}"
        )
    role, content = message.get("role"), message.get("content")
    if not isinstance(role, str) or not role:
        raise ConfigurationError(f"{where} has no role: give it one such as 'user' or 'system'")
    if isinstance(content, str):
        if not content and role == "user":
            raise ConfigurationError(f"{where} has empty content: give it some text")
    elif isinstance(content, list | tuple):
        if not content:
            raise ConfigurationError(f"{where} has an empty list of content parts")
        if not all(isinstance(part, Mapping) for part in content):
            raise ConfigurationError(f"{where} has a content part that is no mapping")
    elif content is not None or not message.get("tool_calls"):
        raise ConfigurationError(f"{where} has no content: give it text or a list of content parts")
    return dict(message)


def format_prompt(messages: Sequence[Mapping[str, object]]) -> str:
    """Return the prompt of the documented asynchronous form.

    A single message is its bare content; several become `Role: content` lines and a last line
    `Assistant:`.

    Raises:
        ConfigurationError: a message holds something other than text.

    """
    if len(messages) == 1:
        return text_of(messages[0])
    lines = [f"{str(message['role']).capitalize()}: {text_of(message)}" for message in messages]
    return "\n".join([*lines, "Assistant:"])


def format_instruction(messages: Sequence[Mapping[str, object]]) -> str:
    """Return the prompt of H2o's documented synchronous form.

    One line that begins with `instruction:`, a `role: content` line for each message, and a last
    line `assistant:`.

    Raises:
        ConfigurationError: a message holds something other than text.

    """
    lines = [f"{message['role']}: {text_of(message)}" for message in messages]
    return "\n".join([_INSTRUCTION, *lines, "assistant:"])


def text_of(message: Mapping[str, object]) -> str:
    """Return the text of `message`, its text parts joined.

    Raises:
        ConfigurationError: it holds something other than text.

    """
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts: Sequence[Mapping[str, object]] = content if isinstance(content, list | tuple) else ()
    texts = [part.get("text") if isinstance(part, Mapping) else None for part in parts]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise ConfigurationError(
            f"this provider takes text only: a {message.get('role')!r} message holds something else"
        )
    return "".join(str(text) for text in texts)


def _kind(value: object) -> str:
    return type(value).__name__
