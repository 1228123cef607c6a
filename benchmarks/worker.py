"""A client process: one contender, asked for one job after the other, a JSON line each."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import sys
from typing import TYPE_CHECKING

from benchmarks.contenders import contender
from benchmarks.contenders.base import Contender
from benchmarks.jobs import BlockingJobs, Jobs
from benchmarks.processors import keep_apart

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from benchmarks.contenders.base import BlockingContender
    from benchmarks.jobs import Result

    AnyContender = Contender | BlockingContender
    Do = Callable[..., Result]


def main() -> None:
    """Do the jobs that come on standard input until it ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("contender")
    parser.add_argument("origin", help="where its streams are")
    parser.add_argument("http", help="the load server's origin in plain HTTP")
    parser.add_argument("--uvloop", action="store_true")
    parser.add_argument("--sdk", help="a folder to import asyncllm from")
    options = parser.parse_args()
    if options.sdk:
        sys.path.insert(0, options.sdk)
    keep_apart(is_server=False)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # Whatever a library prints must not be taken for a result.
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    found = contender(options.contender, options.origin)
    with _jobs(found, options.http, is_uvloop=options.uvloop) as do:
        for line in sys.stdin:
            job, arguments = json.loads(line)
            replies.write(json.dumps(do(job, arguments)) + "\n")
            replies.flush()


@contextlib.contextmanager
def _jobs(found: AnyContender, http: str, *, is_uvloop: bool) -> Generator[Do]:
    """Give a function that does a job."""
    if not isinstance(found, Contender):
        blocking = BlockingJobs(found)
        yield lambda job, arguments: getattr(blocking, job)(**arguments)
        return
    new_loop = asyncio.new_event_loop
    if is_uvloop:
        import uvloop  # noqa: PLC0415 - an extra

        new_loop = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_enter(found))
        jobs = Jobs(found, http)
        yield lambda job, arguments: runner.run(getattr(jobs, job)(**arguments))
        runner.run(jobs.close())
        runner.run(_leave(found))


async def _enter(found: Contender) -> None:
    await found.__aenter__()


async def _leave(found: Contender) -> None:
    await found.__aexit__(None, None, None)


if __name__ == "__main__":
    main()
