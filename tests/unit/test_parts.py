"""Images and files: what they are made from, and what is refused at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import asyncllm
from asyncllm import ConfigurationError
from asyncllm.messages import check_messages
from asyncllm.sources import MAX_SOURCE_BYTES

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20
WEBP = b"RIFF\x01\n\x03\x04WEBPVP8 "
WAV = b"RIFF\x01\n\x03\x04WAVEfmt "


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(path, data):
    path.write_bytes(data)
    return path


def sent(part):
    """Return what a provider gets of a part."""
    [message] = check_messages([{"role": "user", "content": [part]}])
    return message["content"][0]


def test_a_text_is_a_part():
    assert asyncllm.text("Hi") == {"type": "text", "text": "Hi"}
    with pytest.raises(ConfigurationError, match="the text must be a str, not bytes"):
        asyncllm.text(b"Hi")


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0 and so on", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (WEBP, "image/webp"),
    ],
)
def test_the_media_type_of_an_image_is_found_in_its_first_bytes(folder, data, media_type):
    path = written(folder / "picture.png", data)
    for source in (data, bytearray(data), memoryview(data), path, str(path)):
        assert asyncllm.image(source)["media_type"] == media_type


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"%PDF-1.7", "application/pdf"),
        (WAV, "audio/wav"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90", "audio/mpeg"),
    ],
)
def test_the_media_type_of_a_nameless_file_is_found_in_its_first_bytes(data, media_type):
    extension = {"application/pdf": ".pdf", "audio/wav": ".wav", "audio/mpeg": ".mp3"}[media_type]
    expected = {"type": "file", "source": data, "media_type": media_type}
    assert asyncllm.file(data) == expected | {"name": f"file{extension}"}


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("report.PDF", "application/pdf"),
        ("notes.txt", "text/plain"),
        ("notes.md", "text/markdown"),
        ("table.csv", "text/csv"),
        ("speech.mp3", "audio/mpeg"),
    ],
)
def test_the_media_type_of_a_file_is_found_in_its_name(folder, name, media_type):
    path = written(folder / name, b"ID3 looks like a recording")
    for part in (asyncllm.file(name), asyncllm.file(b"some text", name=name)):
        assert (part["media_type"], part["name"]) == (media_type, name)
    assert asyncllm.file(str(path), name="other")["name"] == "other"


@pytest.mark.parametrize(
    ("given", "media_type"),
    [("image/HEIC", "image/heic"), ("image/jpg", "image/jpeg"), ("image/png", "image/png")],
)
def test_a_media_type_that_is_said_comes_before_what_is_found(given, media_type):
    assert asyncllm.image(b"GIF89a", media_type=given)["media_type"] == media_type


def test_recordings_have_one_media_type_whatever_they_are_called():
    names = ("audio/x-wav", "audio/wave", "audio/vnd.wave", "audio/wav")
    assert {asyncllm.file(b"x", media_type=name)["media_type"] for name in names} == {"audio/wav"}
    assert asyncllm.file(b"x", media_type="audio/mp3")["media_type"] == "audio/mpeg"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("https://example.org/a/cat.PNG?size=2", {"media_type": "image/png"}),
        ("HTTP://example.org", {}),
    ],
)
def test_a_url_stays_as_it_is_and_needs_no_media_type(source, expected):
    part = asyncllm.image(source, detail="low")
    assert part == {"type": "image", "source": source, "detail": "low"} | expected
    assert sent(part) == part


@pytest.mark.parametrize(
    ("source", "data", "media_type"),
    [
        ("data:image/png;base64,R0lGODlh", b"GIF89a", "image/png"),
        ("data:;base64,R0lGODlh", b"GIF89a", "image/gif"),
        ("DATA:image/jpg;charset=x;BASE64, R0lG\nODlh", b"GIF89a", "image/jpeg"),
        ("data:image/gif;base64,R0lGODlhMQ%3D%3D", b"GIF89a1", "image/gif"),
        ("data:image/gif;base64,R0lGODlhMQ", b"GIF89a1", "image/gif"),
        ("data:image/svg+xml,%3Csvg/%3E", b"<svg/>", "image/svg+xml"),
    ],
)
def test_a_data_url_is_its_bytes(source, data, media_type):
    expected = {"type": "image", "source": data, "media_type": media_type}
    assert asyncllm.image(source) == expected
    assert sent({"type": "image", "source": source}) == expected


def test_a_file_is_looked_at_at_once_and_read_when_it_is_sent(folder):
    path = written(folder / "cat.png", PNG)
    part = asyncllm.image("cat.png")
    assert part == {"type": "image", "source": path, "media_type": "image/png"}
    assert sent(part) == part | {"source": PNG}
    path.write_bytes(PNG + b"more")
    assert sent(part)["source"] == PNG + b"more"
    assert part["source"] == path
    path.unlink()
    with pytest.raises(ConfigurationError, match=r"^messages\[0\]\.content\[0\]: there is no file"):
        sent(part)


def test_a_part_may_be_written_by_hand_and_keeps_what_else_it_has(folder):
    path = written(folder / "notes.txt", b"Hi")
    part = {"type": "file", "source": path, "cache_control": {"type": "ephemeral"}}
    found = {"source": b"Hi", "media_type": "text/plain", "name": "notes.txt"}
    assert sent(part) == part | found
    assert part["source"] is path


def test_a_path_is_the_same_file_wherever_the_program_goes(folder, monkeypatch):
    written(folder / "cat.png", PNG)
    part = asyncllm.image("cat.png")
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert sent(part)["source"] == PNG


BECAME = [
    (asyncllm.image, "cat.png", PNG, b"\xff\xd8\xff\xe0", "image/jpeg"),
    (asyncllm.image, "cat.heic", PNG, b"?", "image/png"),
    (asyncllm.file, "a.pdf", b"%PDF-1", b"ID3", "application/pdf"),
    (asyncllm.image, "cat.png", PNG, b"%PDF-1", None),
    (asyncllm.file, "a.pdf", b"%PDF-1", PNG, None),
]


@pytest.mark.parametrize(("make", "name", "before", "after", "media_type"), BECAME)
def test_a_file_that_became_another_one_is_sent_as_what_it_is(
    folder, make, name, before, after, media_type
):
    path = written(folder / name, before)
    part = make(path)
    written(path, after)
    if media_type:
        assert sent(part) == part | {"source": after, "media_type": media_type}
    else:
        with pytest.raises(ConfigurationError, match=r"content\[0\]: the source is"):
            sent(part)


def test_a_media_type_that_was_said_of_a_path_holds_when_it_is_read(folder):
    path = written(folder / "cat", PNG)
    assert sent(asyncllm.image(path, media_type="image/heic"))["media_type"] == "image/heic"


@pytest.mark.parametrize(
    ("quoted", "data"),
    [
        ("%41=%3D%3d", b"A==="),
        ("100%", b"100%"),
        ("%4", b"%4"),
        ("%%41=3D", b"%A=3D"),
        ("a%0Ab_ %E2%82%AC\t", "a\nb_ €\t".encode()),
        ("a\n=\nb", b"a\n=\nb"),
        ("€", "€".encode()),
    ],
)
def test_a_data_url_s_percent_signs_are_decoded(quoted, data):
    assert asyncllm.file(f"data:text/plain,{quoted}")["source"] == data


def test_openai_s_own_file_is_not_taken_for_one_of_ours(folder):
    path = written(folder / "secret.txt", b"secret")
    own = {"type": "file", "file": {"file_id": "f"}}
    assert sent(own) == own
    for source in (path, b"%PDF-1", b"", "https://h/x.pdf"):
        with pytest.raises(ConfigurationError, match=r"^messages\[0\]\.content\[0\] has both file"):
            sent(own | {"source": source})


def test_a_str_in_a_part_written_by_hand_reads_no_file(folder):
    written(folder / "secret.txt", b"secret")
    for kind in ("image", "file"):
        with pytest.raises(ConfigurationError, match=rf"source is a str .* asyncllm\.{kind}\("):
            sent({"type": kind, "source": "secret.txt", "media_type": f"{kind}/x"})


def named_pipe(folder):
    os.mkfifo(folder / "pipe")
    return "pipe"


def large(folder):
    with (folder / "large.pdf").open("wb") as file:
        file.truncate(MAX_SOURCE_BYTES + 1)  # of nothing: it takes no room
    return folder / "large.pdf"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("lost.png", "there is no file 'lost.png'"),
        (Path("lost.png"), "there is no file 'lost.png'"),
        (lambda folder: folder, "is a directory"),
        (named_pipe, "'pipe' is not a regular file"),
        (lambda folder: written(folder / "empty.png", b""), "[^:]*empty.png' is empty$"),
        (lambda folder: written(folder / "x.png", b"x") / "y", "can't be read: Not a directory"),
        (large, rf"large.pdf' has {MAX_SOURCE_BYTES + 1} bytes .* at most {MAX_SOURCE_BYTES} can"),
        (
            lambda folder: written(folder / "x.qqq", b"x"),
            "of 'x.qqq' can't be detected: pass media_type=",
        ),
        ("a\0b", "can't be read: .*embedded null"),
        ("QUJD" * 2000, r"can't be read: File name too long"),
        (b"", "the source is empty"),
        (b"x", "the media type can't be detected: pass media_type="),
        ("", "not an empty str"),
        (None, "must be a path, bytes, an http.s. URL or a data: URL, not NoneType"),
        (["cat.png"], "not list"),
        ({"type": "base64"}, "not dict"),
        ("ftp://example.org/cat.png", "a URL must begin with http://, https:// or data:"),
        ("file:///cat.png", "a URL must begin with"),
        ("https://", "and be complete"),
        ("https://[::1/cat.png", "and be complete"),
        ("data:image/png", "has no comma"),
        ("data:image/png;base64,R0l$", "is not valid base64"),
        ("data:image/png;base64,R", "is not valid base64"),
        ("data:image/png;base64,", "is empty"),
        ("data:png;base64,R0lG", "media_type='png' is not a media type"),
        (f"data:{'png' * 2000},R0lG", "media_type='pngpng.* is not a media type"),
    ],
)
@pytest.mark.parametrize("make", [asyncllm.image, asyncllm.file])
def test_a_source_that_can_t_be_sent_is_refused_at_once_and_before_it_is_sent(
    folder, make, source, says
):
    source = source(folder) if callable(source) else source
    with pytest.raises(ConfigurationError, match=says) as refusal:
        make(source)
    assert len(str(refusal.value)) < 400
    if not isinstance(source, str) or ":" in source:
        with pytest.raises(ConfigurationError, match=rf"^messages\[0\]\.content\[0\]: .*{says}"):
            sent({"type": make.__name__, "source": source})


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            lambda: asyncllm.image(b"%PDF-1", media_type="application/pdf"),
            r"use asyncllm\.file\(…\)",
        ),
        (lambda: asyncllm.image("https://example.org/a.pdf"), "the source is application/pdf: use"),
        (lambda: asyncllm.file(PNG), r"the source is image/png: use asyncllm\.image\(…\) for it"),
        (
            lambda: asyncllm.image(PNG, media_type="png"),
            "media_type='png' is not a media type: use",
        ),
        (lambda: asyncllm.image(PNG, media_type=5), "media_type=5 is not a media type"),
        (lambda: asyncllm.image(PNG, detail=5), "detail must be a non-empty str, not 5"),
        (lambda: asyncllm.image(PNG, detail=b"x" * 2000), "not b'x{40,50}$"),
        (lambda: asyncllm.file(b"%PDF-1", name=""), "name must be a non-empty str, not ''"),
    ],
)
def test_an_option_that_does_not_fit_is_refused(make, says):
    with pytest.raises(ConfigurationError, match=says):
        make()
