"""Messages as OpenAI's chat wire has them."""

from __future__ import annotations

import base64

import pytest

import asyncllm
from asyncllm import ConfigurationError
from asyncllm.messages import check_messages
from asyncllm.wires.openai_chat import openai_messages

GIF, PDF = b"GIF89a", b"%PDF-1.7"


def encoded(data):
    return base64.b64encode(data).decode()


def user(*parts):
    return {"role": "user", "content": list(parts)}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            asyncllm.image(GIF),
            {"type": "image_url", "image_url": {"url": f"data:image/gif;base64,{encoded(GIF)}"}},
        ),
        (
            asyncllm.image("https://example.org/cat", detail="low"),
            {
                "type": "image_url",
                "image_url": {"url": "https://example.org/cat", "detail": "low"},
            },
        ),
        (
            asyncllm.file(PDF, name="a.pdf"),
            {
                "type": "file",
                "file": {
                    "filename": "a.pdf",
                    "file_data": f"data:application/pdf;base64,{encoded(PDF)}",
                },
            },
        ),
        (
            asyncllm.file("data:text/plain,Hi"),
            {
                "type": "file",
                "file": {
                    "filename": "file.txt",
                    "file_data": f"data:text/plain;base64,{encoded(b'Hi')}",
                },
            },
        ),
        *[
            (
                asyncllm.file(b"sound", media_type=media_type),
                {"type": "input_audio", "input_audio": {"data": encoded(b"sound"), "format": kind}},
            )
            for media_type, kind in (
                ("audio/wav", "wav"),
                ("audio/mpeg", "mp3"),
                ("audio/flac", "flac"),
            )
        ],
        (
            asyncllm.image("https://example.org/cat") | {"cache_control": {"type": "ephemeral"}},
            {
                "type": "image_url",
                "image_url": {"url": "https://example.org/cat"},
                "cache_control": {"type": "ephemeral"},
            },
        ),
    ],
)
def test_an_image_or_a_file_has_openai_s_shape(part, expected):
    before, after = asyncllm.text("Look:"), {"type": "image_url", "image_url": {"url": "x"}}
    checked = check_messages([user(before, part, after) | {"name": "Ann"}])
    [message] = openai_messages(checked)
    assert message == {"role": "user", "content": [before, expected, after], "name": "Ann"}
    assert checked[0]["content"][1]["type"] == part["type"]  # as another may be asked with them


def test_messages_without_images_and_files_of_ours_are_the_very_same_objects():
    messages = check_messages(
        [
            user({"text": "Hi"}, {"type": "image_url", "image_url": {"url": "x"}}),
            {"role": "assistant", "content": "Hello"},
            user({"type": "file", "file": {"file_id": "1"}}),
            user(asyncllm.image(GIF)),
        ],
        system="Be kind",
    )
    translated = openai_messages(messages)
    is_same = [one is other for one, other in zip(messages, translated, strict=True)]
    assert is_same == [True, True, True, True, False]
    assert openai_messages(messages[:4]) == messages[:4]


@pytest.mark.parametrize("media_type", [None, "application/pdf", "audio/wav"])
def test_a_file_with_a_url_is_refused_and_the_text_says_which(media_type):
    part = asyncllm.file("https://example.org/a", media_type=media_type)
    messages = check_messages([user(asyncllm.text("Hi"), part)], system="Be kind")
    with pytest.raises(ConfigurationError, match=r"^messages\[0\]\.content\[1\] is a file with a"):
        openai_messages(messages)
