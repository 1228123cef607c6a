"""The files of the command line are private from the start, and replaced whole."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from asyncllm import ConfigurationError
from asyncllm.cli import home as homes
from asyncllm.cli.aliases import aliases, remove_alias, store_alias
from asyncllm.cli.keys_file import keys_path, remove_key, store_key, stored_key, stored_keys

LONG = "sk-0123456789-0123456789"


def mode(path):
    return path.stat().st_mode & 0o777


def python(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_folder_is_the_systems_own_unless_it_is_named(monkeypatch, tmp_path):
    assert homes.home() == tmp_path / "home"
    monkeypatch.delenv("ASYNCLLM_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert homes.home().name == "asyncllm"


WITHOUT_A_CHMOD = """
import os, sys
os.umask(0)
sys.addaudithook(lambda name, _: os._exit(7) if name == "os.chmod" else None)
from asyncllm.cli.keys_file import store_key
from asyncllm.cli.log_file import switch
store_key("openai", "sk-1")
switch(on=True)
"""


def test_folder_and_files_are_their_owners_alone_from_the_start_whatever_the_umask(home):
    done = python(WITHOUT_A_CHMOD)
    assert (done.returncode, done.stderr) == (0, "")
    assert mode(home) == 0o700
    assert {path.name: mode(path) for path in home.iterdir()} == dict.fromkeys(
        ("keys.json", ".keys.json.lock", "logs.db", "logs-on"), 0o600
    )


def test_a_file_that_others_can_read_is_mended_and_that_is_said(capsys):
    store_key("openai", LONG)
    keys_path().chmod(0o644)
    assert stored_key("openai") == LONG
    assert mode(keys_path()) == 0o600
    assert capsys.readouterr().err == (
        f"asyncllm: other users could read {keys_path()}: now only you can\n"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else for a moment")
def test_a_file_that_others_can_read_and_that_is_not_ours_is_refused():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder, "keys.json")
        path.write_text("{}")
        path.chmod(0o644)
        os.seteuid(65_534)
        try:
            with pytest.raises(ConfigurationError, match=f"type chmod 600 {path}"):
                homes.read_private(path)
        finally:
            os.seteuid(0)


def test_a_link_stays_one_and_its_file_is_replaced(home, tmp_path):
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text("{}")
    elsewhere.chmod(0o600)
    home.mkdir()
    (home / "keys.json").symlink_to(elsewhere)
    store_key("openai", "sk-1")
    assert (home / "keys.json").is_symlink()
    assert json.loads(elsewhere.read_text()) == {"openai": "sk-1"}


WITH_A_FULL_DISK = """
import resource, signal, sys
from asyncllm.cli.keys_file import store_key
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
store_key("groq", "sk-" + "x" * 100)
"""


def test_what_can_not_be_written_leaves_the_file_as_it_was(home):
    store_key("openai", LONG)
    done = python(WITH_A_FULL_DISK)
    assert "cannot write" in done.stderr
    assert stored_keys() == {"openai": LONG}
    assert {path.name for path in home.iterdir()} == {"keys.json", ".keys.json.lock"}


MANY_KEYS = """
import sys
from asyncllm.cli.keys_file import store_key
for number in range(20):
    store_key(f"{sys.argv[1]}{number}", "sk-1")
"""


def test_two_processes_that_write_at_once_lose_nothing():
    both = [subprocess.Popen([sys.executable, "-c", MANY_KEYS, name]) for name in "ab"]
    assert [each.wait(60) for each in both] == [0, 0]
    assert len(stored_keys()) == 40


def test_a_lock_that_another_process_keeps_is_an_error_in_the_end():
    with (
        homes.locked(keys_path()),
        pytest.raises(ConfigurationError, match="another asyncllm is changing"),
        homes.locked(keys_path(), patience=0.05),
    ):
        pytest.fail("it was locked twice")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"openai": "sk-1"\n"groq"}', "is not valid JSON (line 2)"),
        ("not json", "is not valid JSON (line 1)"),
        (b"\xff\xfe{", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ("[]", 'must hold {"name": "text", …}'),
        ('{"openai": 1}', 'must hold {"name": "text", …}'),
    ],
)
def test_a_broken_file_is_one_line_that_names_it(home, text, says):
    home.mkdir()
    keys_path().write_bytes(text if isinstance(text, bytes) else text.encode())
    keys_path().chmod(0o600)
    with pytest.raises(ConfigurationError) as caught:
        stored_keys()
    assert says in str(caught.value)
    assert str(caught.value).startswith(str(keys_path()))
    assert "\n" not in str(caught.value)
    assert "sk-1" not in str(caught.value)


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_file_holds_nothing(home, text):
    home.mkdir(mode=0o700)
    keys_path().write_text(text)
    keys_path().chmod(0o600)
    assert stored_keys() == {}


def test_a_folder_that_can_not_be_made_is_said_with_what_to_do(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    for place in ("file", "file/within"):
        monkeypatch.setenv("ASYNCLLM_HOME", str(tmp_path / place))
        with pytest.raises(ConfigurationError, match="ASYNCLLM_HOME can name another one"):
            store_key("openai", "sk-1")


def test_a_key_goes_by_the_name_of_its_provider_in_any_case(home):
    home.mkdir(mode=0o700)
    keys_path().write_text('{"OpenAI": "sk-1", "groq": ""}')
    keys_path().chmod(0o600)
    assert stored_keys() == {"openai": "sk-1"}
    store_key("OPENAI", "sk-2")
    assert json.loads(keys_path().read_text()) == {"openai": "sk-2", "groq": ""}
    assert remove_key("OpenAI")
    assert not remove_key("openai")


def test_an_alias_of_an_alias_is_what_that_one_stands_for():
    assert store_alias("fast", "groq/llama") == "groq/llama"
    assert store_alias("f", "fast") == "groq/llama"
    assert store_alias("openai", "openai") == "openai"
    assert remove_alias("fast")
    assert not remove_alias("fast")
    assert aliases() == {"f": "groq/llama", "openai": "openai"}


def test_without_a_home_folder_an_answer_comes_and_the_rest_says_what_to_set(cli, monkeypatch):
    monkeypatch.setenv("ASYNCLLM_HOME", "~nobody-of-that-name/x")
    done = cli("ask", "-m", "sandbox", "hello")
    assert (done.status, "hello" in done.out) == (0, True)
    assert done.err == (
        "asyncllm: -c can't continue this conversation: there is no home folder for "
        "~nobody-of-that-name/x: set ASYNCLLM_HOME to another folder\n"
    )
    for command in (("keys", "path"), ("logs", "path"), ("logs", "on"), ("keys", "set", "groq")):
        done = cli(*command, given=b"sk-1")
        assert (done.status, "set ASYNCLLM_HOME to another folder" in done.err) == (2, True)
