"""The task that waits in a read, and who ends that read."""

import asyncio

from asyncllm import StreamTimeout
from asyncllm.stream.reader import Reader

LIMIT = StreamTimeout("stall", 1.0)


async def test_a_limit_that_strikes_while_an_inner_timeout_ends_something_is_not_lost():
    reader = Reader()

    async def read():
        reader.enter()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            reading.uncancel()  # as an inner `asyncio.timeout` does
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            return reader.leave_by(error)

    reading = asyncio.create_task(read())
    await asyncio.sleep(0)
    reading.cancel()
    reader.interrupt(LIMIT)
    async with asyncio.timeout(30):
        assert await reading is False
    assert reader.why is LIMIT


async def test_a_reader_whom_somebody_has_cancelled_stays_cancelled_though_a_limit_strikes():
    reader, seen = Reader(), []

    async def read():
        reader.enter()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            seen.append(reader.leave_by(error))
            raise

    reading = asyncio.create_task(read())
    await asyncio.sleep(0)
    reading.cancel("mine")
    reader.interrupt(LIMIT)
    await asyncio.wait([reading])
    reader.interrupt(LIMIT)  # as the timer does that was set meanwhile
    assert (reading.cancelled(), seen, reader.is_interrupted) == (True, [True], False)
