"""Attachments of either shape come to the wires in one form."""

import base64

import pytest

from asyncllm import ConfigurationError, file, image
from asyncllm.parts import check_part
from asyncllm.wires.attachments import Attachment, attachment_of

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 8
IN_BASE64 = base64.b64encode(PNG).decode()
DATA_URL = f"data:image/png;base64,{IN_BASE64}"
WAV = b"RIFF1234WAVEx"


def read(part):
    return attachment_of(check_part(part, "here"), "here")


@pytest.mark.parametrize(
    "part",
    [
        image(PNG),
        image(DATA_URL),
        {"type": "image_url", "image_url": {"url": DATA_URL}},
        {"type": "image_url", "image_url": DATA_URL},
    ],
)
def test_an_image_with_bytes(part):
    found = read(part)
    assert found == Attachment("image/png", PNG, is_image=True)
    assert (found.base64, found.anywhere) == (IN_BASE64, DATA_URL)
    assert not found.is_audio


def test_an_image_with_a_url_and_a_detail():
    url = "https://example.org/cat"
    expected = Attachment("", url=url, detail="low", is_image=True)
    assert read(image(url, detail="low")) == expected
    openai_s = {"type": "image_url", "image_url": {"url": url, "detail": "low"}}
    assert read(openai_s) == expected
    assert expected.anywhere == url


def test_a_file_and_a_recording():
    pdf = Attachment("application/pdf", b"%PDF-1", name="a.pdf")
    assert read(file(b"%PDF-1", name="a.pdf")) == pdf
    url = "data:application/pdf;base64," + base64.b64encode(b"%PDF-1").decode()
    assert read({"type": "file", "file": {"filename": "a.pdf", "file_data": url}}) == pdf
    sound = {"data": base64.b64encode(WAV).decode(), "format": "wav"}
    found = read({"type": "input_audio", "input_audio": sound})
    assert found == Attachment("audio/wav", WAV, name="file.wav")
    assert found.is_audio


@pytest.mark.parametrize("part", [{"type": "text", "text": "x"}, {"type": "new", "of": "theirs"}])
def test_what_is_no_attachment(part):
    assert read(part) is None


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"type": "image_url", "image_url": {"url": "/etc/passwd"}}, "is a str but not a URL"),
        ({"type": "image_url", "image_url": 5}, "the source must be"),
        ({"type": "file", "file": {"file_id": "file-1"}}, "only OpenAI's server has"),
        ({"type": "input_audio", "input_audio": {"data": "!", "format": "wav"}}, "base64"),
    ],
)
def test_what_can_t_be_used_is_refused_with_its_place(part, said):
    with pytest.raises(ConfigurationError, match=f"here.*{said}"):
        read(part)
