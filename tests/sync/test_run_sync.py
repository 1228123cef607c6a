"""`run_sync`: blocking callers, in every place in which they stand."""

import asyncio
import contextlib
import contextvars
import gc
import os
import random
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest

import asyncllm
from asyncllm import H2o, OpenAICompatible, Retry, SessionManager, run_sync
from asyncllm.options import environment_accelerates
from asyncllm.sandbox import Drop, Sandbox, Stall
from asyncllm.sandbox.background import running_in_background
from asyncllm.sync.loop import Background
from support.raw_server import HEAD

SEED = 20_230_702
PYTHON = [sys.executable, "-X", "dev", "-W", "error"]


@pytest.fixture
def server():
    with running_in_background(Sandbox()) as sandbox:
        yield sandbox


@pytest.fixture
def h2o(server):
    return H2o(base_url=server.url)


def wait_until(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.001)


# --- what it takes -------------------------------------------------------------------------


def test_an_awaitable_gives_its_result(h2o):
    assert run_sync(h2o.complete("Hello")).finish_reason == "stop"


def test_a_stream_gives_its_tokens_and_keeps_its_reply(h2o, server):
    stream = run_sync(h2o.stream("Hello"))
    tokens = list(stream)
    assert len(tokens) > 5
    assert stream.reply.text == "".join(tokens)
    assert stream.reply.finish_reason == "stop"
    assert list(stream) == []
    assert server.conversations == 0


def test_any_async_iterator_gives_its_items(h2o):
    async def numbers():
        for number in range(100):
            yield number

    assert list(run_sync(numbers())) == list(range(100))
    assert list(run_sync(h2o.stream("Hello").events()))[-1] == asyncllm.Finish("stop")


def test_an_async_context_manager_is_entered_and_left(server):
    with run_sync(SessionManager()) as sessions:
        h2o = H2o(base_url=server.url, sessions=sessions)
        for _ in range(3):
            run_sync(h2o.complete("Hello"))
        assert [request.path for request in server.requests].count("/settings") == 1
    assert server.conversations == 0


@pytest.mark.parametrize("thing", [1, [], print, "x"])
def test_anything_else_is_refused(thing):
    with pytest.raises(asyncllm.ConfigurationError, match="run_sync takes"):
        run_sync(thing)


def test_create_completion_is_blocking_on_every_provider(server):
    options = {"base_url": server.url}
    for cls in (H2o, asyncllm.Gravityengine, asyncllm.Lockchat):
        tokens = list(cls.create_completion("", "Hello", **options))
        assert len(tokens) > 5
        assert list(cls.create_completion("", "Hello", stream=False, **options)) == [
            "".join(tokens)
        ]
    assert server.conversations == 0


# --- how it ends ---------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["break", "close", "with", "exception", "drop"])
def test_every_early_end_closes_the_stream_and_deletes_its_conversation(server, h2o, way):
    server.add_fault(Stall(after=2))
    stream = run_sync(h2o.stream("Hello"))
    if way == "break":
        for _ in stream:
            break
        del stream
    elif way == "close":
        next(stream)
        stream.close()
        assert server.conversations == 0
        assert list(stream) == []
        assert stream.reply.finish_reason == "cancelled"
        stream.close()
    elif way == "with":
        with stream as tokens:
            next(tokens)
        assert server.conversations == 0
    elif way == "exception":
        with pytest.raises(KeyError):
            for _ in run_sync(h2o.stream("Hello")):
                raise KeyError
    else:
        next(stream)
        del stream
        gc.collect()
    wait_until(lambda: (server.conversations, server.generating) == (0, 0))


def test_closing_before_the_start_sends_nothing(server, h2o):
    run_sync(h2o.stream("Hello")).close()
    assert not server.requests


def test_the_same_exception_with_the_traceback_of_the_async_side(server):
    server.add_fault(Drop(after=2))
    stream = run_sync(H2o(base_url=server.url, retry=Retry(attempts=1)).stream("Hello"))
    tokens = []
    with pytest.raises(asyncllm.StreamInterrupted) as caught:
        tokens.extend(stream)
    assert "".join(caught.value.reply.text) == "This is"
    assert "next_batch" in "".join(traceback.format_exception(caught.value))

    async def fail():
        raise KeyError("inside")

    with pytest.raises(KeyError) as caught:
        run_sync(fail())
    assert "in fail" in "".join(traceback.format_exception(caught.value))


def turn_the_loop():
    """Let the loop of `run_sync` do all that is ready to be done."""
    for _ in range(20):
        run_sync(asyncio.sleep(0))


def test_a_consumer_that_stops_reading_stops_the_network():
    """Each read is sent by itself, so that it can be told which have come."""
    token = b'data: {"choices": [{"delta": {"content": "x"}}]}\n\n'
    end = b'data: {"choices": [{"finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        stream = run_sync(OpenAICompatible(base_url=url, model="gpt-4").stream("Hello"))
        first = pool.submit(next, stream)
        connection = listener.accept()[0]
        with connection:
            connection.recv(65_536)
            connection.sendall(HEAD + b"\r\n" + token)
            assert first.result() == "x"
            for count in range(2, 18):  # sixteen more than were taken
                connection.sendall(token)
                wait_until(lambda n=count: len(stream.reply.text) == n)
            connection.sendall(token)
            turn_the_loop()
            assert len(stream.reply.text) == 17
            assert next(stream) == "x"
            wait_until(lambda: len(stream.reply.text) == 18)
            connection.sendall(token * 999 + end)
            assert sum(1 for _ in stream) == 1015


def test_what_is_dropped_as_garbage_while_it_waits_for_its_consumer_is_closed():
    given, closed = [], threading.Event()

    async def flood():
        try:
            while True:
                given.append(None)
                yield len(given)
        finally:
            await asyncio.sleep(0)
            closed.set()

    items = run_sync(flood())
    assert next(items) == 1
    wait_until(lambda: len(given) == 17)
    turn_the_loop()
    cycle = [items]
    cycle.append(cycle)
    del items, cycle
    gc.collect()
    assert closed.wait(30)


# --- where it stands -----------------------------------------------------------------------


def test_context_variables_of_the_caller_are_seen():
    variable = contextvars.ContextVar("variable", default="unset")

    async def look():
        return variable.get()

    async def look_twice():
        yield variable.get()
        yield variable.get()

    variable.set("mine")
    assert run_sync(look()) == "mine"
    assert list(run_sync(look_twice())) == ["mine", "mine"]


async def test_it_works_under_a_running_loop(server, h2o):
    assert run_sync(h2o.complete("Hello")).finish_reason == "stop"
    assert len(list(run_sync(h2o.stream("Hello")))) > 5


def test_the_background_loop_itself_is_told_to_await(h2o):
    async def wrong():
        return run_sync(h2o.complete("Hello"))

    with pytest.raises(asyncllm.ConfigurationError, match="use await"):
        run_sync(wrong())


def test_there_is_one_loop_and_with_the_extra_it_is_uvloop():
    async def loop():
        return asyncio.get_running_loop()

    uvloop = pytest.importorskip("uvloop")
    if not environment_accelerates():
        pytest.skip("this run of the tests does without uvloop")
    assert isinstance(run_sync(loop()), uvloop.Loop)
    assert run_sync(loop()) is run_sync(loop())


@pytest.mark.parametrize("setting", ["0", "off", " False "])
def test_the_environment_keeps_run_sync_from_uvloop(setting):
    script = """
        import asyncio
        from asyncllm import run_sync

        async def module():
            return type(asyncio.get_running_loop()).__module__

        print(run_sync(module()))
    """
    environment = {**os.environ, "ASYNCLLM_ACCELERATE": setting}
    command = [sys.executable, "-c", textwrap.dedent(script)]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.startswith("asyncio.")


def test_a_manager_of_another_loop_is_refused_with_what_to_do(server):
    sessions = SessionManager()

    async def use():
        async with sessions:
            await asyncio.sleep(0)

    asyncio.run(use())
    with pytest.raises(asyncllm.ConfigurationError, match=r"with run_sync\(sessions\)"):
        run_sync(H2o(base_url=server.url, sessions=sessions).complete("Hello"))


def test_fifty_threads_with_twenty_streams_each_lose_and_leave_nothing(server):
    dice = random.Random(SEED)
    plans = [[dice.randrange(3) == 0 for _ in range(20)] for _ in range(50)]
    whole = "".join(run_sync(H2o(base_url=server.url).stream("Hello")))

    with run_sync(SessionManager(grace=30)) as sessions:
        h2o = H2o(base_url=server.url, sessions=sessions)

        def work(breaks):
            for breaks_off in breaks:
                stream, tokens = run_sync(h2o.stream("Hello")), []
                for token in stream:
                    tokens.append(token)
                    if breaks_off:
                        break
                assert "".join(tokens) == ("This" if breaks_off else whole)
            return len(breaks)

        with ThreadPoolExecutor(50) as pool:
            assert sum(pool.map(work, plans)) == 1000
    assert server.conversations == 0


def test_after_a_fork_the_child_has_a_loop_of_its_own(server):
    script = """
        import os, sys
        from asyncllm import H2o, run_sync
        h2o = H2o(base_url=sys.argv[1])
        assert run_sync(h2o.complete("Hello")).finish_reason == "stop"
        stream = run_sync(h2o.stream("Hello"))
        next(stream)
        if not os.fork():
            assert run_sync(h2o.complete("Hello")).finish_reason == "stop"
            stream.close()
            sys.exit(0)
        _, status = os.wait()
        assert status == 0, status
        print(len(list(stream)) > 5)
    """
    done = run_script(script, server.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
    assert server.conversations == 0


def test_a_forked_child_is_told_that_its_parent_s_iterator_is_not_its_own(server):
    script = """
        import os, sys
        from asyncllm import H2o, SessionManager, run_sync
        with run_sync(SessionManager()) as sessions:
            stream = run_sync(H2o(base_url=sys.argv[1], sessions=sessions).stream("Hello"))
            assert next(stream) == "This"
            if is_child := not os.fork():
                try:
                    for token in stream:
                        pass
                except ValueError as error:
                    print(error)
            else:
                print("its status", os.wait()[1])
        print("left", is_child)
    """
    server.add_fault(Stall(after=1))
    done = run_script(script, server.url)
    assert done.stdout.splitlines() == [
        "this iterator belongs to the process that was forked: ask again in the child",
        "left True",
        "its status 0",
        "left False",
    ]
    assert (done.returncode, done.stderr) == (0, "")
    assert server.conversations == 0


def test_a_forked_child_that_asks_nothing_ends_well(server):
    script = """
        import os, sys
        from asyncllm import H2o, run_sync
        run_sync(H2o(base_url=sys.argv[1]).complete("Hello"))
        if not os.fork():
            sys.exit(0)
        print(os.wait()[1])
    """
    by_name = server.url.replace("127.0.0.1", "localhost")
    for url in (server.url, by_name):
        assert run_script(script, url).stdout == "0\n"


def test_it_works_where_gevent_has_patched_everything(server):
    script = """
        from gevent import monkey
        monkey.patch_all()
        import sys, gevent
        from asyncllm import H2o, run_sync
        h2o = H2o(base_url=sys.argv[1])
        asking = [gevent.spawn(lambda: run_sync(h2o.complete("Hello"))) for _ in range(3)]
        print([greenlet.get().finish_reason for greenlet in asking])
        print(len(list(run_sync(h2o.stream("Hello")))) > 5)
    """
    done = run_script(script, server.url, python=[sys.executable])
    assert (done.returncode, done.stdout) == (0, "['stop', 'stop', 'stop']\nTrue\n"), done.stderr
    assert server.conversations == 0


def test_it_works_in_a_notebook_kernel(server):
    pytest.importorskip("ipykernel")
    script = """
        import sys
        from jupyter_client.manager import start_new_kernel
        manager, client = start_new_kernel()
        code = f'''
        import asyncio
        from asyncllm import H2o, run_sync
        asyncio.get_running_loop()  # there is one: this is a notebook
        for token in run_sync(H2o(base_url={sys.argv[1]!r}).stream("Hello")):
            print(token, end="")
        '''
        def show(message):
            if message["msg_type"] in ("stream", "error"):
                print(message["content"].get("text") or message["content"]["traceback"], end="")
        import textwrap
        client.execute_interactive(textwrap.dedent(code), timeout=50, output_hook=show)
        client.stop_channels()
        manager.shutdown_kernel()
    """
    done = run_script(script, server.url, python=[sys.executable])
    assert done.stdout.endswith("about it."), done
    wait_until(lambda: server.conversations == 0)


# --- the end of the process ----------------------------------------------------------------


def run_script(script, *arguments, python=PYTHON):
    done = subprocess.run(
        [*python, "-c", textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    # Under -X dev asyncio says which steps took long; on a busy machine any may.
    said = done.stderr.splitlines(keepends=True)
    done.stderr = "".join(line for line in said if not line.startswith("Executing <"))
    return done


@pytest.mark.parametrize("shared", [False, True])
def test_what_is_left_open_at_exit_is_closed_without_a_word(server, shared):
    script = """
        import sys
        from asyncllm import H2o, SessionManager, run_sync
        sessions = SessionManager(spare_conversations=2) if sys.argv[2:] else None
        h2o = H2o(base_url=sys.argv[1], sessions=sessions)
        left = run_sync(h2o.stream("Hello"))
        print(next(left))
    """
    server.add_fault(Stall(after=1))
    done = run_script(script, server.url, *(["shared"] if shared else []))
    assert (done.returncode, done.stdout, done.stderr) == (0, "This\n", "")
    assert (server.conversations, server.generating) == (0, 0)


@pytest.mark.parametrize("begins", ["before", "after"])
def test_a_thread_may_go_on_when_the_main_one_has_ended(server, begins):
    script = """
        import sys, threading
        from asyncllm import H2o, run_sync
        h2o = H2o(base_url=sys.argv[1])
        if sys.argv[2] == "before":
            run_sync(h2o.complete("Hello"))
        def work():
            threading.main_thread().join()
            for _ in range(3):
                try:
                    print(len(run_sync(h2o.complete("Hello")).text) > 10)
                except ValueError as error:
                    print(error)
        threading.Thread(target=work).start()
    """
    done = run_script(script, server.url, begins)
    if begins == "after" and sys.version_info[:2] == (3, 12):
        assert done.stdout.count("let the main thread join this one") == 3
    else:
        assert done.stdout == "True\n" * 3
    assert (done.returncode, done.stderr) == (0, "")


BLOCKED = """
    import sys, time
    import asyncllm.sync.loop
    from asyncllm import run_sync
    asyncllm.sync.loop._BLOCKED_SECONDS = float(sys.argv[1])
    async def block():
        print("blocked", flush=True)
        time.sleep(1000)
    run_sync(block())
"""


@pytest.mark.parametrize(
    ("seconds", "interruptions", "why"), [(1, 1, "blocks the event loop"), (1000, 9, "interrupted")]
)
def test_a_blocked_loop_is_left_at_exit_after_a_while_or_by_a_second_ctrl_c(
    seconds, interruptions, why
):
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(BLOCKED), str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "blocked\n"
        said = ""
        try:
            for _ in range(interruptions):  # more than two, as those of one moment are one
                process.send_signal(signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    _, said = process.communicate(timeout=30 if interruptions == 1 else 1)
                    break
        finally:
            process.kill()
    assert process.returncode in (-signal.SIGINT, 1)
    assert why in said
    assert "conversations may be left" in said


def test_ctrl_c_while_the_loop_is_made_leaves_one_loop_or_none(monkeypatch):
    background, started = Background(), []

    def start_interrupted(thread, start=threading.Thread.start):
        started.append(thread)
        start(thread)
        raise KeyboardInterrupt

    with background._making, monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start_interrupted)
        with pytest.raises(KeyboardInterrupt):
            background.open()
        with pytest.raises(KeyboardInterrupt):
            background.open()
    background.open()
    assert background.start(asyncio.sleep(0, "works")).result(60) == "works"
    background.close()
    assert len(started) == 2
    assert not any(is_alive(thread) for thread in started)


def is_alive(thread):
    """Tell whether `thread` is still there after what a busy machine takes to end it."""
    thread.join(10)
    return thread.is_alive()


def test_a_loop_that_is_closed_before_it_is_made_is_never_made():
    background, before = Background(), set(threading.enumerate())
    background.close()
    background.open()
    assert not any(is_alive(thread) for thread in set(threading.enumerate()) - before)


INTERRUPTED = """
    import faulthandler, signal, sys
    from asyncllm import H2o, run_sync
    faulthandler.register(signal.SIGUSR1)
    h2o = H2o(base_url=sys.argv[1])
    print("ready", flush=True)
    while True:
        for token in run_sync(h2o.stream("Hello")):
            pass
        run_sync(h2o.complete("Hello"))
"""


def interrupt_after(delay, script):
    """Return what a script that streams did on a SIGINT after `delay` seconds."""
    with running_in_background(Sandbox(rtt=0.01, token_rate=200)) as sandbox:
        with subprocess.Popen(
            [sys.executable, "-W", "error", script, sandbox.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            process.stdout.readline()
            time.sleep(delay)
            said, took = interrupt(process)
            if process.returncode is None and FORGOTTEN.search(said):
                said, took = interrupt(process)
            if process.returncode is None:
                process.send_signal(signal.SIGUSR1)  # where does each of its threads wait?
                time.sleep(1)
                process.kill()
                _, said = process.communicate()
        said = FORGOTTEN.sub("", CUT_IMPORT.sub("", said))
        return process.returncode, said.splitlines(), took, sandbox.conversations


def interrupt(process):
    """Return what `process` has said until it ended, or for 15 s, and how long that took."""
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    try:
        _, said = process.communicate(timeout=15)
    except subprocess.TimeoutExpired as error:
        said = (error.stderr or b"").decode()
    return said, time.monotonic() - start


# What Python says of itself where the SIGINT strikes while it reads the file of a module.
CUT_IMPORT = re.compile(
    r"Exception ignored in: <_io\.FileIO name='[^'\n]*\.pyc?'.*\n(?:.*\n)*?"
    r"ResourceWarning: unclosed file <_io\.FileIO name='[^'\n]*\.pyc?'.*\n"
)

# What it says where the SIGINT strikes while it tidies up after a weak reference, such as the one
# that asyncio has to each task: it has forgotten the SIGINT then, and the script runs on.
FORGOTTEN = re.compile(
    r"Exception ignored in: <function WeakSet.*\n(?:.*\n)*?\n?KeyboardInterrupt: ?\n"
)


@pytest.mark.reliability
def test_ctrl_c_at_fifty_random_moments_leaves_nothing_and_ends_at_once(tmp_path):
    script, dice = tmp_path / "script.py", random.Random(SEED)
    script.write_text(textwrap.dedent(INTERRUPTED))
    with ThreadPoolExecutor(4) as pool:
        moments = [dice.uniform(0, 0.5) for _ in range(50)]
        ends = list(pool.map(lambda moment: interrupt_after(moment, script), moments))
    for returncode, said, took, conversations in ends:
        # Python forgets that it was a SIGINT when code is compiled at exit, by an import say.
        assert returncode in (-signal.SIGINT, 1), said
        assert conversations == 0
        assert said[0].startswith("Traceback"), said
        assert said[-1] == "KeyboardInterrupt", said
        assert not any("Error" in line or "ignored" in line for line in said), said
        assert took < 5 + 10  # the default grace, and what a busy machine takes to start Python
