"""The process that signs a ledger's rows: whether it is certainly gone."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec

NOBODY = ""  # signs what a session manager has left behind at its end
_FIRST_NAMESPACE = "pid:[4026531836]"  # Linux gives it this number at every start
_STARTED = 19  # of the fields of `/proc/…/stat` behind the name, which may hold anything


class Owner(msgspec.Struct, frozen=True):
    """A process, described so that none is taken for it that only has the same number.

    What the system does not say is "".

    Attributes:
        host: the name of its machine or container.
        pid: its number.
        start: when it was started.
        namespace: the PID namespace, outside of which `pid` means another process.
        boot: the number of this start of the kernel, which containers of one machine share.
        machine: the number that its system was installed with.

    """

    host: str
    pid: Annotated[int, msgspec.Meta(ge=1, lt=2**31)]
    start: str = ""
    namespace: str = ""
    boot: str = ""
    machine: str = ""


def this_process() -> str:
    """Return how this process signs; not remembered, as a forked child is another one."""
    return msgspec.json.encode(_me()).decode()


def is_dead(signature: str) -> bool:
    """Tell whether the process that signs so is certainly gone; in doubt it is not.

    Raises:
        ValueError: nobody signs so.

    """
    if signature == NOBODY:
        return True
    owner, me = _read(signature), _me()
    if owner.boot and owner.boot != me.boot:
        return _was_before_a_restart(owner, me)
    # Outside of its namespace, in another container say, a number means another process.
    if owner.boot:
        is_near = bool(owner.namespace) and owner.namespace == me.namespace
    else:
        is_near = owner.host == me.host
    if not is_near:
        return False
    try:
        os.kill(owner.pid, 0)
    except OSError as error:
        return isinstance(error, ProcessLookupError)
    now = _start_of(owner.pid)
    return bool(now and owner.start) and now != owner.start


def _was_before_a_restart(owner: Owner, me: Owner) -> bool:
    """Tell a restart of this machine from another machine with the same file.

    Containers may be copies with the same names and numbers; only of the machine itself, with its
    processes in the first namespace, this is certain.
    """
    if not owner.machine or owner.namespace != _FIRST_NAMESPACE:
        return False
    return (owner.machine, owner.host, owner.namespace) == (me.machine, me.host, me.namespace)


def _me() -> Owner:
    pid = os.getpid()
    namespace = ""
    with suppress(OSError):
        namespace = Path("/proc/self/ns/pid").readlink().name
    return Owner(
        host=socket.gethostname(),
        machine=_text_of("/etc/machine-id"),
        boot=_text_of("/proc/sys/kernel/random/boot_id"),
        namespace=namespace,
        pid=pid,
        start=_start_of(pid),
    )


def _read(signature: str) -> Owner:
    try:
        if signature.startswith("{"):
            return msgspec.json.decode(signature, type=Owner)
        # As it was written before; "?" stands for what was not known.
        host, pid, start = signature.rsplit(" ", 2)
        known = {"host": host, "pid": int(pid), "start": start.strip("?")}
        return msgspec.convert(known, type=Owner)
    except ValueError:
        pass
    raise ValueError("it has no owner")


def _start_of(pid: int) -> str:
    """Return what tells a process from a later one of the same number, where the system says."""
    fields = _text_of(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return fields[_STARTED] if len(fields) > _STARTED else ""


def _text_of(path: str) -> str:
    with suppress(OSError):
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    return ""
