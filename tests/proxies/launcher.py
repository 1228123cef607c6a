"""Real proxies on loopback: installed where they are missing, started, awaited and ended."""

import contextlib
import fcntl
import functools
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

USER, OTHER_USER = "ann", "bob"
KNOWN_TO_THE_PROXY = "chat.invalid"
PASSWORD = "canary-Pa55.word"  # what tinyproxy's configuration can say; no text may show it

_PACKAGES = {"tinyproxy": "tinyproxy", "microsocks": "microsocks", "danted": "dante-server"}
_WHERE = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"  # danted, for who is not root
_START_SECONDS = 60.0
_STOP_SECONDS = 3.0
_INSTALL_SECONDS = 240
_INSTALLING = Path(tempfile.gettempdir()) / f"asyncllm-tests-installing-{os.getuid()}.lock"


@dataclass(frozen=True)
class RunningProxy:
    """A proxy that listens."""

    scheme: str
    port: int
    process: subprocess.Popen
    wants_credentials: bool = False

    def kill(self):
        """End it as a crash would, with all of its processes."""
        _signal(self.process, signal.SIGKILL)
        self.process.wait()


def unavailable(reason):
    """Skip the test that needs what can't be had; in CI, where everything can, fail it."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextlib.contextmanager
def tinyproxy(directory, users=()):
    """Run an HTTP proxy from Debian."""
    program = _program("tinyproxy")

    def command(port):
        lines = [f"Port {port}", "Listen 127.0.0.1", "Timeout 600", "LogLevel Critical"]
        lines += [f"BasicAuth {user} {PASSWORD}" for user in users]
        config = directory / f"tinyproxy-{port}.conf"
        config.write_text("\n".join([*lines, ""]))
        return [program, "-d", "-c", config]

    with _running("http", command, wants_credentials=bool(users)) as proxy:
        yield proxy


@contextlib.contextmanager
def microsocks(_directory, users=()):
    """Run a SOCKS5 proxy from Debian."""
    program = _program("microsocks")
    credentials = ["-u", users[0], "-P", PASSWORD] if users else []

    def command(port):
        return [program, "-i", "127.0.0.1", "-p", str(port), *credentials]

    with _running("socks5", command, wants_credentials=bool(users)) as proxy:
        yield proxy


@contextlib.contextmanager
def dante(directory):
    """Run a proxy from Debian that speaks SOCKS4, without names, and SOCKS5."""
    program = _program("danted")
    me = pwd.getpwuid(os.getuid()).pw_name

    def command(port):
        config = directory / f"danted-{port}.conf"
        config.write_text(
            f"""
            logoutput: stderr
            internal: 127.0.0.1 port = {port}
            external: lo
            clientmethod: none
            socksmethod: none
            user.privileged: {me}
            user.unprivileged: {"nobody" if me == "root" else me}
            client pass {{
                from: 127.0.0.0/8 to: 0.0.0.0/0
            }}
            socks pass {{
                from: 127.0.0.0/8 to: 0.0.0.0/0
                command: connect
            }}
            """
        )
        return [program, "-f", config, "-p", directory / f"danted-{port}.pid"]

    with _running("socks4", command) as proxy:
        yield proxy


@contextlib.contextmanager
def socks4a(_directory):
    """Run a proxy that speaks SOCKS4 with names, and knows one that nobody else does."""
    program = Path(__file__).with_name("socks4a.py")

    def command(port):
        return [sys.executable, program, str(port), KNOWN_TO_THE_PROXY]

    with _running("socks4a", command) as proxy:
        yield proxy


@contextlib.contextmanager
def proxy_py(directory, certificate, users=()):
    """Run proxy.py from PyPI, an HTTP proxy that is spoken to over TLS."""
    if find_spec("proxy") is None:
        unavailable("proxy.py is not installed: pip install 'asyncllm-sdk[test]'")
    chain, key = directory / "proxy.chain.pem", directory / "proxy.key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(key)
    credentials = ["--basic-auth", f"{users[0]}:{PASSWORD}"] if users else []

    def command(port):
        places = ["--port", str(port), "--data-dir", directory / f"proxy.py-{port}"]
        tls = ["--cert-file", chain, "--key-file", key]
        one = ["--num-workers", "1", "--num-acceptors", "1", "--timeout", "600"]
        log = ["--log-level", "CRITICAL"]
        return [sys.executable, "-m", "proxy", *places, *tls, *one, *log, *credentials]

    with _running("https", command, wants_credentials=bool(users)) as proxy:
        yield proxy


def free_port():
    """Return a port on which nobody listens, and that the system gives to nobody meanwhile."""
    while True:
        port = random.randrange(10_000, 30_000)  # those that the system chooses lie above
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def _running(scheme, command, *, wants_credentials=False):
    port = free_port()
    # coverage follows subprocesses: it has no business in this one.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "COVERAGE_"))}
    process = subprocess.Popen(
        command(port),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # so that its children end with it
    )
    with process, _ended_with_us(process):
        try:
            _wait_until_it_listens(process, port)
            yield RunningProxy(scheme, port, process, wants_credentials)
        finally:
            _signal(process, signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)


@contextlib.contextmanager
def _ended_with_us(process):
    """End a process group when this process ends, in whatever way: a killed run leaves no proxy."""
    script = 'cat; kill -TERM "-$1"'  # the pipe's other end closes with us
    command = ["sh", "-c", script, "sh", str(process.pid)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as watchdog:
        try:
            yield
        finally:
            _signal(watchdog, signal.SIGKILL)


def _wait_until_it_listens(process, port):
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.01)  # none of them says in a common way when it is ready
    pytest.fail(f"{process.args[0]} did not begin to listen (exit status {process.poll()})")


def _signal(process, number):
    # The leader's id names its group until the leader has been waited for.
    if process.poll() is None:
        os.killpg(process.pid, number)


def _program(name):
    path = shutil.which(name, path=_WHERE)
    if path is None:
        reason = _install()
        path = shutil.which(name, path=_WHERE)
        if path is None:
            unavailable(f"{_PACKAGES[name]} is not installed: {reason or 'no such program'}")
    return path


@functools.cache
def _install():
    """Install what is missing of the Debian packages, once; return why that failed, or ""."""
    with _INSTALLING.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests in other processes wait, and find it done
        return _install_alone()


def _install_alone():
    missing = [p for name, p in _PACKAGES.items() if shutil.which(name, path=_WHERE) is None]
    if not missing:
        return ""
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if as_root and not os.environ.get("CI"):
        return f"as root, apt-get install {' '.join(missing)}"
    if shutil.which("apt-get") is None or (as_root and shutil.which("sudo") is None):
        return "there is no apt-get, or no right to use it"
    apt = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    apt += ["-o", "DPkg::Lock::Timeout=120", "-qq"]
    try:
        subprocess.run([*apt, "update"], check=False, capture_output=True, timeout=_INSTALL_SECONDS)
        done = subprocess.run(
            [*apt, "install", "-y", "--no-install-recommends", *missing],
            check=False,
            capture_output=True,
            text=True,
            cwd=Path("/"),
            timeout=_INSTALL_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"apt-get: {error}"
    said = done.stderr.strip() or "apt-get failed"
    return said.splitlines()[-1] if done.returncode else ""
