"""What the form asks that today's chat-ui is sent."""

from __future__ import annotations

import base64
import json
import uuid
from typing import TYPE_CHECKING

from asyncllm.sandbox.wires.body import object_in

if TYPE_CHECKING:
    from collections.abc import Container

    from asyncllm.sandbox.wires.body import JSON


def asked_of(parts: list[tuple[str, str, bytes]]) -> tuple[JSON, list[bytes]]:
    """Return the form's `data`, and what its files hold.

    Raises:
        LookupError: there is no `data`.
        ValueError: a part is not as it must be.

    """
    texts = [content for name, _, content in parts if name == "data"]
    if not texts:
        raise LookupError("no data")
    files: list[bytes] = []
    for name, filename, content in parts:
        if name == "files":
            kind, _, _ = filename.partition(";")
            if kind != "base64":
                raise ValueError("a file that is neither base64 nor a hash")
            files.append(base64.b64decode(content, validate=True))
    return object_in(json.loads(texts[0])), files


def question_in(data: JSON, messages: Container[str]) -> tuple[str, str]:
    """Return what is asked, and the message that it follows.

    Raises:
        ValueError: chat-ui's own check would fail.

    """
    inputs, parent = data.get("inputs"), data.get("id")
    if not isinstance(inputs, str) or not inputs or not isinstance(parent, str):
        raise ValueError("inputs or id missing")
    if str(uuid.UUID(parent)) not in messages:
        raise ValueError("no such message")
    return inputs, parent


def prompt_of(question: str, files: list[bytes]) -> str:
    """Return what the model is asked: it says how large the files are that it is shown."""
    sizes = [f"{len(file)} bytes" for file in files]
    return f"{question} ({', '.join(sizes)})" if sizes else question
