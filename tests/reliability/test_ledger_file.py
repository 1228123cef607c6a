"""The ledger's file: what is written to it, whose it is, and what happens when it can't be used."""

import asyncio
import contextlib
import gc
import json
import os
import sqlite3
import stat
import subprocess
import sys
import threading

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import asyncllm
from asyncllm import SessionManager
from asyncllm.http.entries import Entry, Step, Way
from asyncllm.http.proxies import parse_proxy
from asyncllm.session import ledger as ledger_module
from asyncllm.session import ledger_file, ledger_owner
from asyncllm.session.ledger import Ledger
from asyncllm.session.ledger_backlog import Backlog
from asyncllm.session.ledger_file import LedgerFile
from asyncllm.session.ledger_owner import is_dead, this_process
from support.waiting import until

ENTRY = Entry("http://h/conversation/1", {"Cookie": "a=b"})
OTHER = Entry("http://h/conversation/2", {})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


def database(path, **options):
    return contextlib.closing(sqlite3.connect(path, isolation_level=None, **options))


def urls(path):
    with database(path) as db:
        return [row[0] for row in db.execute("SELECT key FROM entries ORDER BY key")]


def sign(path, owner):
    with database(path) as db:
        db.execute("UPDATE entries SET owner = ?", (owner,))


async def inherited(path):
    ledger = Ledger(path)
    left = await ledger.take_over()
    again = await ledger.take_over()
    assert again == []
    await ledger.aclose(10)
    return left


async def test_an_entry_comes_back_as_it_was_noted(path):
    way = Way(parse_proxy("http://user:canary@h:1"), has_own_tls=True)
    entry = Entry("http://h/conversation/1", {"Cookie": "a=b"}, (), way, is_session=True)
    ledger = Ledger(path)
    ledger.add(entry)
    await ledger.aclose(10)
    assert await inherited(path) == [entry]


async def test_a_note_is_in_the_file_when_it_returns(path):
    ledger = Ledger(path)
    await ledger.note(ENTRY)
    assert urls(path) == [ENTRY.url]
    ledger.remove(ENTRY.url)
    await ledger.aclose(10)
    assert urls(path) == []


async def test_a_file_that_was_deleted_or_replaced_is_written_anew(path, tmp_path):
    ledger = Ledger(path)
    await ledger.note(ENTRY)
    path.unlink()
    await ledger.note(OTHER)
    assert urls(path) == [ENTRY.url, OTHER.url]
    Ledger(tmp_path / "another")
    (tmp_path / "another").replace(path)
    ledger.remove(OTHER.url)
    await ledger.aclose(10)
    assert urls(path) == [ENTRY.url]


@pytest.mark.parametrize("fault", ["directory", "link", "text"])
async def test_a_file_that_can_not_be_written_any_more_is_warned_of_once(path, fault, caplog):
    ledger = Ledger(path)
    path.unlink()
    if fault == "directory":
        path.mkdir()
    elif fault == "link":
        path.symlink_to(path.with_name("elsewhere"))
    else:
        path.write_text("no database" * 100)
    await ledger.note(ENTRY)
    for number in range(4):
        with pytest.raises(StopIteration):  # it returns at once
            ledger.note(Entry(f"http://h/{number}", {})).send(None)
    assert caplog.text.count("can't be written") == 1
    path.rmdir() if path.is_dir() else path.unlink()
    await ledger.aclose(10)
    assert len(urls(path)) == 5
    assert not path.with_name("elsewhere").exists()


async def test_what_could_not_be_written_is_written_when_the_lock_is_gone(path, caplog):
    caplog.set_level("INFO", "asyncllm")
    ledger = Ledger(path)
    with database(path) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        heir = ledger.take_over()
        await ledger.note(ENTRY)
        ledger.add(OTHER)
        ledger.remove(OTHER.url)
        assert not heir.done()
        lock.execute("ROLLBACK")
    async with asyncio.timeout(60):
        assert await heir == []
        await ledger.note(ENTRY)
        while "is written again" not in caplog.text:
            await asyncio.sleep(0.01)
    assert urls(path) == [ENTRY.url]
    await ledger.aclose(10)


async def test_what_is_left_to_the_next_heir_is_forgotten_and_may_be_taken_at_once(path):
    ledger = Ledger(path)
    await ledger.note(ENTRY)
    ledger.add(OTHER)
    for entry in (ENTRY, OTHER):
        ledger.leave(entry.url)
    await until(lambda: not ledger._backlog.wanted)
    assert sorted(await inherited(path), key=repr) == [ENTRY, OTHER]
    await ledger.aclose(10)
    assert urls(path) == [ENTRY.url, OTHER.url]


async def test_what_is_left_while_the_file_is_locked_is_left_when_the_lock_is_gone(
    path, monkeypatch
):
    monkeypatch.setattr(ledger_module, "_AGAIN_SECONDS", 0.01)
    ledger = Ledger(path)
    await ledger.note(OTHER)
    with database(path) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        await ledger.note(ENTRY)
        ledger.leave(ENTRY.url)
        lock.execute("ROLLBACK")
    await until(lambda: list(ledger._backlog.wanted) == [OTHER.url])
    assert await inherited(path) == [ENTRY]
    ledger.remove(OTHER.url)
    await ledger.aclose(10)


async def test_closing_does_not_wait_for_a_lock_for_ever(path, caplog):
    ledger = Ledger(path)
    await ledger.note(ENTRY)
    with database(path) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        ledger.remove(ENTRY.url)
        await ledger.aclose(0.01)
        assert "can't be written: not written within 0.01 s; it is being closed" in caplog.text
        assert "tried again" not in caplog.text
    while any(thread.name == "asyncllm ledger" for thread in threading.enumerate()):
        await asyncio.sleep(0.01)


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "asyncllm ledger"]


async def test_its_thread_keeps_no_program_and_ends_when_there_is_nothing_to_write(
    path, monkeypatch
):
    monkeypatch.setattr(ledger_module, "_IDLE_SECONDS", 0.01)
    ledger = Ledger(path)
    ledger.add(ENTRY)
    assert [thread.daemon for thread in threads()] == [True]
    await until(lambda: not threads())
    await ledger.note(OTHER)
    assert urls(path) == [ENTRY.url, OTHER.url]


async def test_what_stands_in_the_file_is_not_waited_for_again(path):
    ledger = Ledger(path)
    await ledger.note(ENTRY)
    with pytest.raises(StopIteration):
        ledger.note(ENTRY).send(None)
    await ledger.aclose(10)


async def test_what_failed_amid_a_writing_is_written_later(path, monkeypatch):
    write, failures = LedgerFile.write, [OSError("disk full")]

    def failing_once(file, batch, owner):
        if failures:
            raise failures.pop()
        write(file, batch, owner)

    monkeypatch.setattr(LedgerFile, "write", failing_once)
    monkeypatch.setattr(ledger_module, "_AGAIN_SECONDS", 0.01)
    ledger = Ledger(path)
    ledger.add(ENTRY)
    await until(lambda: urls(path) == [ENTRY.url])
    await ledger.aclose(10)


def test_the_file_is_readable_by_its_owner_only(path):
    path.touch(mode=0o644)
    Ledger(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_entry_does_not_show_its_cookie():
    assert "canary" not in repr(Entry("http://h/conversation/1", {"Cookie": "hf-chat=canary"}))


def text(path):
    path.write_text("no database, and long enough not to look like an empty one" * 20)


def of_a_later_format(path):
    with database(path) as db:
        db.execute("PRAGMA user_version = 99")


def linked(path):
    path.with_name("target").touch(mode=0o644)
    path.symlink_to("target")


def linked_twice(path):
    path.touch(mode=0o644)
    path.with_name("target").hardlink_to(path)


def of_another_user(path):
    path.touch()
    try:
        os.chown(path, os.geteuid() + 1, -1)
    except PermissionError:
        pytest.skip("only root can give a file away")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (text, "not a database"),
        (of_a_later_format, "a newer asyncllm"),
        (lambda path: path.mkdir(), "it is not a file"),
        (os.mkfifo, "it is not a file"),
        (linked, "symbolic link"),
        (lambda path: path.symlink_to("nowhere"), "symbolic link"),
        (linked_twice, "hard link"),
        (of_another_user, "another user"),
    ],
)
def test_a_file_that_is_no_ledger_or_not_ours_alone_is_refused(path, make, reason):
    make(path)
    target = path.with_name("target")
    with pytest.raises(asyncllm.ConfigurationError, match=f"ledger .*{reason}"):
        SessionManager(ledger=path)
    assert not target.exists() or stat.S_IMODE(target.stat().st_mode) == 0o644
    assert not path.with_name("nowhere").exists()
    gc.collect()  # Python 3.13 warns of a database that was not closed


def test_a_ledger_in_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(asyncllm.ConfigurationError, match="No such file"):
        SessionManager(ledger=tmp_path / "missing" / "ledger.db")


async def test_a_locked_file_is_no_reason_to_refuse_it(path):
    Ledger(path)
    with database(path) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        ledger = Ledger(path)
    await ledger.note(ENTRY)
    assert urls(path) == [ENTRY.url]
    await ledger.aclose(10)


HERE = json.loads(this_process())


@pytest.mark.parametrize(
    ("changes", "is_inherited"),
    [
        ({}, False),
        ({"pid": 999999999}, True),
        ({"start": "1"}, True),  # a later process of the same number
        ({"start": ""}, False),
        ({"pid": 999999999, "host": "elsewhere"}, True),  # the same kernel under another name
        ({"pid": 999999999, "namespace": "pid:[1]"}, False),  # a container with numbers of its own
        ({"pid": 999999999, "namespace": ""}, False),
        ({"pid": 999999999, "boot": "another"}, False),  # another machine, of the same name perhaps
        ({"pid": 999999999, "boot": "", "host": "elsewhere"}, False),
        ({"pid": 999999999, "boot": ""}, True),
    ],
)
async def test_only_what_certainly_died_is_inherited(path, changes, is_inherited, monkeypatch):
    monkeypatch.setattr(ledger_owner, "_FIRST_NAMESPACE", "pid:[0]")
    ledger = Ledger(path)
    await ledger.note(ENTRY)
    sign(path, json.dumps(HERE | changes))
    assert await inherited(path) == ([ENTRY] if is_inherited else [])
    ledger.remove(ENTRY.url)
    await ledger.aclose(10)


async def test_what_lives_does_not_hide_what_died(path):
    ledger = Ledger(path)
    await ledger.note(ENTRY)
    await ledger.note(OTHER)
    dead = json.dumps(HERE | {"pid": 999999999})
    with database(path) as db:
        db.execute("UPDATE entries SET owner = ? WHERE key = ?", (dead, OTHER.url))
    assert await inherited(path) == [OTHER]
    ledger.remove(ENTRY.url)
    await ledger.aclose(10)


@pytest.mark.parametrize("machine", ["", "this one"])
def test_a_restart_of_the_machine_itself_has_ended_its_processes(machine, monkeypatch):
    monkeypatch.setattr(ledger_owner, "_FIRST_NAMESPACE", HERE["namespace"])
    text_of = ledger_owner._text_of
    monkeypatch.setattr(
        ledger_owner, "_text_of", lambda p: machine if p == "/etc/machine-id" else text_of(p)
    )
    before = json.loads(this_process()) | {"boot": "another"}
    assert is_dead(json.dumps(before)) == bool(machine)


def test_a_process_in_another_pid_namespace_lives_though_its_number_means_nothing_here(path):
    sign_there = (
        "from asyncllm.session.ledger_owner import this_process as me; print(me()); input()"
    )
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", sign_there]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as there:
        signature = there.stdout.readline().decode()
        there.stdin.close()
    if not signature:
        pytest.skip("no PID namespace can be made here")
    assert json.loads(signature)["pid"] == 1
    assert not is_dead(signature)


OLD = (
    "CREATE TABLE conversations (url TEXT PRIMARY KEY, headers TEXT NOT NULL, owner TEXT NOT NULL)"
)


@pytest.mark.parametrize(
    ("owner", "is_inherited"),
    [
        ("{host} 999999999 1", True),
        ("{host} {pid} 1", True),
        ("{host} {pid} {start}", False),
        ("{host} 1 ?", False),
        ("elsewhere 999999999 1", False),
    ],
)
async def test_a_file_of_the_format_before_is_read(path, owner, is_inherited):
    owner = owner.format(**HERE)
    with database(path) as db:
        db.execute(OLD)
        row = (ENTRY.url, json.dumps(ENTRY.headers), owner)
        db.execute("INSERT INTO conversations VALUES (?, ?, ?)", row)
    assert await inherited(path) == ([ENTRY] if is_inherited else [])
    with database(path) as db:
        left = db.execute("SELECT * FROM conversations").fetchall()
    assert left == ([] if is_inherited else [row])


DEAD = "a dead process"
GOOD = json.dumps({"url": ENTRY.url, "headers": ENTRY.headers})


def row(url, *steps, key=None):
    steps = [{"method": "POST", "url": step} for step in steps]
    return (key or url, json.dumps({"url": url, "headers": {}, "steps": steps}), DEAD)


@pytest.mark.parametrize("table", ["entries", "conversations"])
@pytest.mark.parametrize(
    ("key", "value", "owner"),
    [
        ("k", "{", DEAD),
        ("k", '{"url": 1}', DEAD),
        ("k", "[" * 5000, DEAD),
        ("k", b"\xff\xfe", DEAD),
        (b"\xff", GOOD, DEAD),
        ("k", "{}", "nobody"),
        ("k", "{}", "host -1 1"),
        ("k", "{}", f"host {2**70} 1"),
        ("k", "{}", "{"),
        ("k", "{}", 5.5),
        row("http://h/1", key="http://h/2"),
        row("http://[x/1"),
        row("http://h:99999/1"),
        row("http://h:0/1"),
        row("http:///1"),
        row("ftp://h/1"),
        row("/1"),
        row(f"http://ü{'a' * 70}.x/1"),
        row("http://h/a/../1"),
        row("http://h/a/%2E%2e/1"),
        row("http://h/./1"),
        row("http://h/\n1"),
        row("http://h/1", "http://h/1", "http://h/../2"),
        row("http://h/1", "http://[x/1"),
    ],
)
async def test_a_row_that_can_not_be_read_is_set_aside_and_told_of(
    path, table, key, value, owner, caplog
):
    ledger = Ledger(path)
    await ledger.note(OTHER)
    await ledger.aclose(10)
    if owner == DEAD:
        owner = json.dumps(HERE | {"pid": 999999999})
    with database(path) as db:
        db.execute(OLD)
        db.execute(f"INSERT INTO {table} VALUES (?, ?, ?)", (key, value, owner))
    assert await inherited(path) == [OTHER]
    assert caplog.text.count("was set aside") == 1
    with database(path) as db:
        assert db.execute("SELECT count(*) FROM set_aside").fetchone() == (1,)
        left = db.execute(f"SELECT * FROM {table}").fetchall()
    assert [row for row in left if row[0] != OTHER.url] == []


@pytest.mark.parametrize(
    "entry",
    [
        Entry("http://h:1/conversation/%2E%2E%2Fa", {}),
        Entry("https://[::1]:65535/a..b/.c#d/../e", {}, (Step("POST", "http://h/a?/../b"),)),
        Entry("http://ü.example/ö", {}),
    ],
)
async def test_a_row_that_goes_where_it_says_is_taken_however_odd_it_is(path, entry):
    ledger = Ledger(path)
    ledger.add(entry)
    await ledger.aclose(10)
    assert await inherited(path) == [entry]


async def test_two_heirs_do_not_both_inherit(path, monkeypatch):
    """The second one waits before it looks, as the first has not yet taken what it has seen."""
    ledger = Ledger(path)
    await ledger.note(ENTRY)
    await ledger.aclose(10)
    refusals = []

    def look(signature):
        with database(path, timeout=0) as second:
            try:
                second.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                refusals.append(str(error))
        return is_dead(signature)

    monkeypatch.setattr(ledger_file, "is_dead", look)
    first = Ledger(path)
    assert await first.take_over() == [ENTRY]
    assert refusals == ["database is locked"]
    await first.aclose(10)


class Writing(RuleBasedStateMachine):
    """A backlog, beside the file that it is written to, which fails or is lost at times."""

    def __init__(self):
        super().__init__()
        self.backlog, self.file, self.batch, self.wanted = Backlog(), {}, None, {}
        self.is_new, self.held = False, set()  # the backlog is not told of a loss before it begins

        self.leaving = set()

    keys = st.sampled_from("abc")

    @rule(key=keys, text=st.sampled_from("12"))
    def put(self, key, text):
        self.backlog.put(key, text)
        self.wanted[key] = text
        self.leaving.discard(key)

    @rule(key=keys)
    def drop(self, key):
        self.backlog.drop(key)
        self.wanted.pop(key, None)
        self.leaving.discard(key)

    @rule(key=keys)
    def leave(self, key):
        self.backlog.leave(key)
        self.leaving |= self.wanted.keys() & {key}

    @rule()
    def forget_what_was_left(self):
        if self.batch is None and not self.is_new:
            left = self.backlog.leaving
            assert {*left} == {key for key in self.leaving if self.backlog.is_written(key)}
            self.backlog.forget(left)
            self.leaving -= {*left}
            self.held -= {*left}
            for key in left:
                assert self.file.pop(key) == self.wanted.pop(key)

    @rule(key=keys, text=st.sampled_from("12"))
    def inherit(self, key, text):
        known = self.wanted.keys() | self.file.keys() | self.held
        if self.batch is None and not self.is_new and key not in known:
            self.file[key] = self.wanted[key] = text
            self.held.add(key)
            self.backlog.adopt(key, text)

    @rule()
    def begin(self):
        if self.batch is None:
            self.batch, self.is_new = dict(self.backlog.begin(is_new=self.is_new)), False

    @rule(is_written=st.booleans())
    def end(self, is_written):
        if self.batch is not None:
            for key, text in self.batch.items() if is_written else ():
                self.file[key] = text
                self.held.add(key) if text else self.held.discard(key)
            self.file = {key: text for key, text in self.file.items() if text is not None}
            self.backlog.end(is_written=is_written)
            self.batch = None

    @rule()
    def lose_the_file(self):
        if self.batch is None:
            self.file, self.is_new = {}, True

    @invariant()
    def what_is_said_to_be_written_is(self):
        if not self.is_new:
            for key in "abc":
                if self.backlog.is_written(key):
                    assert self.file[key] == self.wanted[key]

    @invariant()
    def what_need_not_be_written_is_forgotten(self):
        if self.batch is None and not self.is_new:
            pending = self.backlog.begin(is_new=False)
            self.backlog.end(is_written=False)
            assert pending.keys() <= self.wanted.keys() | self.held
            after = {**self.file, **pending}
            assert {key: text for key, text in after.items() if text} == self.wanted


TestWriting = Writing.TestCase
