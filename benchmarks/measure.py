"""Client processes and what to make of their figures: runs in turn, medians, ratios."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from benchmarks.jobs import Result
    from benchmarks.load import Site
    from benchmarks.setups import Runner

ROOT = Path(__file__).parent.parent
_PATIENCE = 300.0  # seconds for one job
_T = TypeVar("_T")
_Who = TypeVar("_Who", bound="Hashable")


class JobError(Exception):
    """A client process failed; its last words are the message."""


def environment() -> dict[str, str]:
    """Return an environment in which nobody looks for proxies or phones home."""
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return kept | {
        "NO_PROXY": "*",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONHASHSEED": "0",
    }


class Worker:
    """A client process, which does one job at a time; `with` ends it."""

    def __init__(self, runner: Runner, site: Site) -> None:
        self._words = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - as long as it
        setup = runner.setup
        origin = site.https if setup.is_tls else site.http
        command = [sys.executable, "-m", "benchmarks.worker", runner.contender, origin, site.http]
        command += ["--uvloop"] * setup.is_uvloop
        command += ["--sdk", runner.sdk] if runner.sdk else []
        trusting = {"SSL_CERT_FILE": site.authority} if setup.is_tls else {}
        self._process = start(command, self._words, setup.environment() | trusting)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        stop(self._process)
        self._words.close()

    def ask(self, job: str, **arguments: object) -> Result:
        """Have a job done.

        Raises:
            JobError: it failed, or took longer than five minutes.

        """
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None
        assert answers is not None
        impatience = threading.Timer(_PATIENCE, self._process.kill)
        impatience.start()
        try:
            asked.write(json.dumps([job, arguments]) + "\n")
            asked.flush()
            answer = answers.readline()
        except BrokenPipeError:
            answer = ""
        finally:
            impatience.cancel()
        if not answer:
            status = self._process.wait()
            self._words.seek(0)
            raise JobError(f"{job} ended with status {status}: {self._words.read()[-2000:]}")
        result: Result = json.loads(answer)
        return result


def start(
    command: Sequence[str],
    words: IO[str] | None = None,
    variables: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    """Start a process of ours, which ends with its standard input."""
    return subprocess.Popen(  # noqa: S603 - our own
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=words,
        text=True,
        cwd=ROOT,
        env={**environment(), **(variables or {})},
    )


def stop(process: subprocess.Popen[str]) -> None:
    """End a process that `start` gave."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def in_turn(runs: Mapping[_Who, Callable[[], _T]], rounds: int) -> dict[_Who, list[_T]]:
    """Do all `runs` one after the other, and that `rounds` times: A B A B."""
    results: dict[_Who, list[_T]] = {who: [] for who in runs}
    for _ in range(rounds):
        for who, run in runs.items():
            results[who].append(run())
    return results


def ratio(of: Sequence[Result], to: Sequence[Result], figure: str) -> float:
    """Return the median of the ratios of runs that were neighbours."""
    pairs = zip(of, to, strict=True)
    return statistics.median(one[figure] / other[figure] for one, other in pairs)


def median(results: Sequence[Result], figure: str) -> float:
    """Return the median of one figure."""
    return statistics.median(result[figure] for result in results)
