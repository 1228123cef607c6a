"""The files that the command line keeps: where they are, and how they are read and replaced.

All of them stand in one folder, which nobody but its owner can enter: keys, aliases, the log, the
last conversation. A file is replaced in one step, so that whoever reads it finds the old one or the
new one, and it is readable by its owner only from its first byte on.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from asyncllm.cli.text import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from asyncllm.errors import ConfigurationError

VARIABLE = "ASYNCLLM_HOME"
_FOLDER, _FILE = 0o700, 0o600
_OTHERS = 0o077
_POLL_SECONDS = 0.02
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


def home() -> Path:
    """Return the folder of our files: `ASYNCLLM_HOME`, or what is usual on this system.

    Raises:
        ConfigurationError: nobody knows a home of the user, as in some containers.

    """
    folder = _folder()
    if folder is None:
        what = os.environ.get(VARIABLE) or "asyncllm's files"
        raise refused(f"there is no home folder for {what}: set {VARIABLE} to another folder")
    return folder


def has_home() -> bool:
    """Tell whether there is a place for our files, so that there may be some."""
    return _folder() is not None


def _folder() -> Path | None:
    try:
        if told := os.environ.get(VARIABLE):
            return Path(told).expanduser().absolute()
        import platformdirs  # noqa: PLC0415 - not needed by --help

        return Path(platformdirs.user_data_path("asyncllm", appauthor=False))
    except RuntimeError:  # there is no such user, or none at all
        return None


def made_home() -> Path:
    """Return the folder of our files, which is there from now on.

    Raises:
        ConfigurationError: it can't be made.

    """
    folder = home()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=_FOLDER)
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    except OSError as error:
        raise refused(
            f"cannot make the folder {folder}: {error.strerror}; {VARIABLE} can name another one"
        ) from None
    return folder


def refused(text: str) -> ConfigurationError:
    """Return the error that says why a file of ours can't be used."""
    from asyncllm.errors import ConfigurationError  # noqa: PLC0415 - it brings aiohttp

    return ConfigurationError(text)


def read_private(path: Path) -> bytes | None:
    """Return what a file of ours holds; None where there is none.

    Where others could read it, it is made private again, and a line on standard error says so.

    Raises:
        ConfigurationError: it can't be read, or others can read it and that can't be mended.

    """
    try:
        keep_private(path)
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise refused(f"cannot read {path}: {error.strerror}") from None


def replace_private(path: Path, data: bytes) -> None:
    """Put `data` in the place of what a file of ours holds, readable by its owner only.

    Raises:
        ConfigurationError: it can't be written.

    """
    import tempfile  # noqa: PLC0415 - not needed by --help

    made_home()
    try:
        path = path.resolve()  # a link stays one, and its file is replaced
        # mkstemp opens it with mode 0600 from the start, and under a name that nobody can guess.
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise refused(f"cannot write {path}: {error.strerror}") from None


@contextlib.contextmanager
def locked(path: Path, *, patience: float = 10.0) -> Iterator[None]:
    """Keep other processes of ours from changing a file within the block.

    Where the folder is on a file system without locks, nobody is kept out.

    Args:
        path: the file.
        patience: seconds to wait for another process to be done with it.

    Raises:
        ConfigurationError: another process was not done with it, or it can't be locked.

    """
    lock = made_home() / f".{path.name}.lock"
    try:
        number = os.open(lock, os.O_RDWR | os.O_CREAT, _FILE)
    except OSError as error:
        raise refused(f"cannot write {lock}: {error.strerror}") from None
    with os.fdopen(number, "rb"):  # closing it unlocks it
        deadline = time.monotonic() + patience
        while not _is_locked(number):
            if time.monotonic() > deadline:
                raise refused(f"another asyncllm is changing {path}: try again when it is done")
            time.sleep(_POLL_SECONDS)
        yield


def _is_locked(number: int) -> bool:
    """Lock an open file, unless another process has done so."""
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - of this system alone

            msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - as above

            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        return error.errno in _NO_LOCKS
    return True


def read_texts(path: Path) -> dict[str, str]:
    """Return the names and texts of a JSON file of ours; none where there is no file.

    Raises:
        ConfigurationError: it can't be read, or holds something else.

    """
    data = read_private(path)
    if data is None or not data.strip():
        return {}
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        line = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise refused(f"{path} is not valid JSON{line}: correct it, or delete it") from None
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise refused(f'{path} must hold {{"name": "text", …}}: correct it, or delete it')
    return {str(name): text for name, text in found.items()}


def change_texts(path: Path, change: Callable[[dict[str, str]], object]) -> None:
    """Change the names and texts of a JSON file of ours, while no other process does.

    Args:
        path: the file.
        change: is given what it holds, and changes that.

    Raises:
        ConfigurationError: it can't be read or written, or holds something else.

    """
    with locked(path):
        texts = read_texts(path)
        before = texts.copy()
        change(texts)
        if texts != before:
            replace_private(path, _as_json(texts))


def _as_json(texts: Mapping[str, str]) -> bytes:
    return json.dumps(texts, indent=2, ensure_ascii=False, sort_keys=True).encode() + b"\n"


def keep_private(path: Path) -> None:
    """Make a file private again where it is not, and say so in a line on standard error.

    Raises:
        ConfigurationError: it can't be made private.
        OSError: it is not there.

    """
    if sys.platform == "win32":  # whose modes say nothing of other users
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if not mode & _OTHERS:
        return
    try:
        path.chmod(mode & ~_OTHERS)
    except OSError:
        raise refused(f"other users can read {path}: type chmod 600 {path}") from None
    say(f"asyncllm: other users could read {path}: now only you can")
