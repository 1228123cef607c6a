"""What is asked: the prompt, what is piped, and what is attached."""

import io
import os
import sys
import threading

import pytest

from asyncllm import ConfigurationError
from asyncllm.cli.asked import content_of
from asyncllm.cli.standard_input import MOST_BYTES, as_text

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
PDF = b"%PDF-1.7\n\xff\xfe binary"


@pytest.fixture
def piped(monkeypatch):
    def give(data):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))

    give(b"")
    return give


def asked(*words, attached=(), system=None):
    return content_of(words, attached, system=system)


@pytest.mark.parametrize(
    ("words", "given", "expected"),
    [
        (["Hello"], b"", "Hello"),
        (["Hello", "there"], b" \n", "Hello there"),
        (["Sum"], b"text\n\n", "text\n\nSum"),
        ([], b"text\n", "text"),
        (["-"], b"text", "text"),
        (["Sum"], b"\xef\xbb\xbfa BOM", "a BOM\n\nSum"),
        (["Sum"], "of PowerShell".encode("utf-16"), "of PowerShell\n\nSum"),
        (["Sum"], b"Windows\r\nline\rends\r\n", "Windows\nline\nends\n\nSum"),
        (["Sum"], "Привет 🦆".encode(), "Привет 🦆\n\nSum"),
    ],
)
def test_what_is_piped_comes_before_the_prompt(words, given, expected, piped):
    piped(given)
    assert asked(*words) == expected


def test_a_file_that_is_but_a_word_of_the_prompt_is_told(piped, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("text")
    assert asked("summarise", "notes.txt") == "summarise notes.txt"
    assert "notes.txt is sent as a word; -a notes.txt sends the file" in capsys.readouterr().err
    asked("summarise", "notes.txt", attached=["notes.txt"])
    asked("summarise notes.txt")
    asked("summarise", "others.txt")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "system", "says"),
    [
        ([], None, "standard input is empty, and there is no prompt: say what to ask"),
        (["-"], None, "standard input is empty"),
        ([], "Be brief", "asyncllm -s 'Be brief' 'Hello'"),
        ([" "], None, "say what to ask"),
    ],
)
def test_nothing_to_ask_is_wrong_usage(words, system, says, piped):
    with pytest.raises(ConfigurationError) as raised:
        asked(*words, system=system)
    assert says in str(raised.value)


@pytest.mark.parametrize("given", [PNG, PDF + bytes(3), "чужая кодировка".encode("cp1251")])
def test_what_is_no_text_is_refused_with_the_way_to_send_it(given, piped):
    piped(given)
    with pytest.raises(
        ConfigurationError, match="not UTF-8 text: attach .* with -a -, and .*iconv"
    ):
        asked("What is this?")


def test_a_few_broken_bytes_are_replaced_and_a_line_says_so(piped, capsys):
    piped(b"a long line of a log, and then one byte: \xff")
    assert asked("Why?") == "a long line of a log, and then one byte: \ufffd\n\nWhy?"
    assert "not UTF-8: 1 of them" in capsys.readouterr().err


def test_a_replacement_character_of_the_authors_own_is_no_broken_byte(capsys):
    assert as_text("what is \ufffd in a long enough text?".encode(), "it", "") != ""
    assert capsys.readouterr().err == ""


def test_standard_input_is_bounded(monkeypatch):
    class Endless(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, buffer):
            buffer[:] = b"y" * len(buffer)
            return len(buffer)

    endless = io.TextIOWrapper(io.BufferedReader(Endless()), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", endless)
    with pytest.raises(ConfigurationError, match=f"more than {MOST_BYTES >> 20} MiB"):
        asked("Summarise")


# --- attachments --------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a file of each kind."""
    for name, data in {
        "cat.png": PNG,
        "cat-without-a-name": PNG,
        "paper.pdf": PDF,
        "notes.txt": b"milk\n",
        "main.rs": b"fn main() {}\r\n",
        "table.csv": b"a,b\n",
        "word.docx": b"PK\x03\x04" + bytes(8),
        "cat.heic": b"\0\0\0\x18ftypheic",
        "empty.txt": b"",
    }.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_images_and_documents_are_parts_before_the_text(folder, piped):
    piped(b"piped\n")
    *parts, text = asked(
        "Compare", attached=["cat.png", "cat-without-a-name", "paper.pdf", "word.docx"]
    )
    assert [part["type"] for part in parts] == ["image", "image", "file", "file"]
    assert [part["source"].name for part in parts] == [
        "cat.png", "cat-without-a-name", "paper.pdf", "word.docx",
    ]  # fmt: skip
    assert parts[2]["media_type"] == "application/pdf"
    assert text == {"type": "text", "text": "piped\n\nCompare"}


def test_text_files_are_text_with_their_names(folder, piped):
    assert asked("Review", attached=["notes.txt", "main.rs", "table.csv"]) == (
        '<file name="notes.txt">\nmilk\n</file>\n\n<file name="main.rs">\nfn main() {}\n</file>\n\n'
        '<file name="table.csv">\na,b\n</file>\n\nReview'
    )


def test_an_attachment_alone_is_enough_to_ask(folder, piped):
    assert [part["type"] for part in asked(attached=["cat.png"])] == ["image"]


@pytest.mark.parametrize(("given", "kind"), [(PNG, "image"), (PDF, "file")])
def test_standard_input_can_be_attached(given, kind, piped):
    piped(given)
    part, text = asked("What is this?", attached=["-"])
    assert (part["type"], part["source"]) == (kind, given)
    assert text["text"] == "What is this?"


def test_text_that_is_attached_from_standard_input_is_not_asked_twice(piped):
    piped(b"fn main() {}")
    said = asked("Review", attached=["-"])
    assert said == '<file name="standard input">\nfn main() {}\n</file>\n\nReview'


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://a.example/x/cat.png?size=2", "image"),
        ("https://a.example/x.PDF", "file"),
        ("data:image/png;base64,iVBORw0KGgo=", "image"),
    ],
)
def test_a_url_is_a_part_for_the_server_to_fetch(url, kind, piped):
    part, _ = asked("What is this?", attached=[url])
    assert part["type"] == kind


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_of_the_shells_can_be_attached(folder, piped):
    os.mkfifo("diff")
    writing = threading.Thread(target=lambda: (folder / "diff").write_bytes(b"+ a line\n"))
    writing.start()
    assert asked("Review", attached=["diff"]) == '<file name="diff">\n+ a line\n</file>\n\nReview'
    writing.join()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("none.png", "there is no file 'none.png'"),
        ("folder", "'folder' is a directory"),
        ("empty.txt", "'empty.txt' is empty"),
        ("cat.heic", "cat.heic is not UTF-8 text, and no image, PDF, recording or Office document"),
        ("https://a.example/cat", "fetch it, such as with curl -L"),
        ("ftp://a.example/cat.png", "must begin with http://"),
        ("-", "standard input is empty, and -a - attaches it"),
        ("a\0b", "can't be read"),
    ],
)
def test_what_can_not_be_attached_is_refused_with_the_reason(name, says, folder, piped):
    with pytest.raises(ConfigurationError) as raised:
        asked("What is this?", attached=[name])
    assert says in str(raised.value)


def test_an_image_goes_to_the_server(folder, cli, server):
    done = cli(
        "-a", "cat.png", "What is this?", "--base-url", f"{server.url}/v1", "-m", "gpt-4o"
    )  # fmt: skip
    assert done.status == 0
    assert b'"image_url"' in server.requests[-1].body


def test_a_server_that_takes_no_images_is_told_of_before_it_is_asked(folder, cli, server):
    done = cli("-a", "cat.png", "What is this?", "--base-url", server.url)
    assert (done.status, done.out) == (2, "")
    assert "image" in done.err
    assert not [request for request in server.requests if request.method == "POST"]
