"""The programs of examples/, run as their users run them: copied, changed a little, started."""

import asyncio
import os
import re
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def copy(name, folder, **settings):
    """Copy a program, with other values for some of the settings at its top."""
    source = (EXAMPLES / name).read_text(encoding="utf-8")
    for setting, value in settings.items():
        source, count = re.subn(
            rf"^{setting} = [^\n]*$", f"{setting} = {value}", source, flags=re.MULTILINE
        )
        assert count == 1, f"{name} has no setting {setting}"
    path = Path(folder) / name
    path.write_text(source, encoding="utf-8")
    return path


def environment(server, **more):
    return {**os.environ, "ASYNCLLM_H2O_BASE_URL": server.url, "PYTHONUNBUFFERED": "1", **more}


@asynccontextmanager
async def started(*arguments, cwd, env):
    """Run `python arguments…` in a process of its own; what it says is in `process.said`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        *map(str, arguments),
        cwd=cwd,
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    running = Process(process)
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await running.ended()


class Process:
    def __init__(self, process):
        self.said = ""
        self._process = process
        self._listening = asyncio.create_task(self._listen())

    def interrupt(self):
        self._process.send_signal(signal.SIGINT)

    def terminate(self):
        self._process.terminate()

    @property
    def is_running(self):
        return self._process.returncode is None

    async def says(self, pattern):
        """Wait until it has said something, and return the match."""
        async with asyncio.timeout(30):
            while not (found := re.search(pattern, self.said)):
                assert not self._listening.done(), self.said
                await asyncio.sleep(0.01)
        return found

    async def ended(self):
        """Wait for its end, and return its exit status."""
        await self._listening
        return await self._process.wait()

    async def _listen(self):
        while part := await self._process.stdout.read(65536):
            self.said += part.decode()
