"""What type checkers must make of the public face; checked by them, never run."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import assert_type

from asyncllm import (
    FilePart,
    H2o,
    ImagePart,
    Item,
    Message,
    Ollama,
    Payload,
    PullProgress,
    Reply,
    Response,
    Retry,
    SessionManager,
    Stream,
    TextPart,
    Timeouts,
    file,
    image,
    provider,
    text,
)
from asyncllm.sandbox import Drop, Sandbox


async def services() -> None:
    async with SessionManager(
        timeouts=Timeouts(first_token=30), retry=Retry(attempts=2)
    ) as sessions:
        h2o = H2o(sessions=sessions, base_url="https://chat.example.org", model="falcon-7b")
        async with h2o.stream("Hello", temperature=0.7) as stream:
            assert_type(stream, Stream)
            async for token in stream:
                assert_type(token, str)
            async for item in stream.events():
                assert_type(item, Item)
        assert_type(stream.reply, Reply)
        assert_type(stream.reply.finish_reason, str | None)
        assert_type(await h2o.complete([{"role": "user", "content": "Hello"}]), Reply)


async def documented() -> None:
    tokens = H2o.create_async_generator(
        "falcon-40b", [{"role": "user", "content": "x"}], proxy=None
    )
    assert_type(tokens, AsyncIterator[str])
    assert_type(await H2o.create_async("falcon-40b", "x"), str)
    assert_type(await provider("h2o").complete("x"), Reply)
    assert_type(H2o.params, str)


async def parts(h2o: H2o) -> None:
    assert_type(text("x"), TextPart)
    assert_type(image(b"x", media_type="image/png", detail="low"), ImagePart)
    assert_type(file(Path("x.pdf")), FilePart)
    await h2o.complete([{"role": "user", "content": [text("x"), image("x.png")]}])
    by_hand: ImagePart = {"type": "image", "source": Path("x.png")}
    message: Message = {"role": "user", "content": [by_hand]}
    await h2o.complete([message])
    image(5)  # type: ignore[arg-type]


async def pulled() -> None:
    async for progress in Ollama(base_url="http://localhost:11434").pull("llama3.2"):
        assert_type(progress, PullProgress)


async def sandboxed() -> None:
    async with Sandbox(token_rate=10, faults=[Drop(after=3)]) as sandbox:
        assert_type(sandbox.conversations, int)
        assert_type(sandbox.url, str)


async def called_by_their_former_names(response: Response) -> None:
    assert_type(await response.next_events(), list[Payload])  # type: ignore[deprecated]
    async for payloads in response.events():  # type: ignore[deprecated]
        assert_type(payloads, list[Payload])
