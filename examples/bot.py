"""A chat bot that shows each answer as it arrives, by editing one message of a Telegram chat.

BOT_TOKEN=… python bot.py                with ASYNCLLM_H2O_BASE_URL set to a chat-ui server
"""

import asyncio
import logging
import math
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from asyncllm import AsyncLLMError, H2o, RateLimitError, SessionManager, Stream, Timeouts

API = os.environ.get("BOT_API", "https://api.telegram.org")
POLL = 50  # seconds that the platform may make us wait for updates
EDIT_EVERY = 1.0  # seconds between two calls for one chat, as the platform demands
TRIES = 10  # calls for one chat that may fail in a row
PART = 2048  # characters in one message, which may have 4096 UTF-16 units
MEMORY = 20  # messages of a chat that the model gets
PASSING = {429, *range(500, 600)}  # of the platform's error codes
LIMITS = Timeouts(first_token=60, stall=30, total=600)  # seconds

log = logging.getLogger("bot")


class RefusedError(Exception):
    """The platform refuses: the bot was blocked, the message deleted, or the token is wrong."""


class NotNowError(Exception):
    """The platform may do it in `retry_after` seconds."""

    def __init__(self, retry_after: float, why: str) -> None:
        super().__init__(why)
        self.retry_after = retry_after


class Platform:
    """The platform's HTTP API."""

    def __init__(self, http: aiohttp.ClientSession, token: str) -> None:
        self._http = http
        self._url = f"{API}/bot{token}"

    async def call(self, method: str, **params: object) -> Any:
        """Call a method and return its result."""
        try:
            async with self._http.post(f"{self._url}/{method}", json=params) as response:
                answer = await response.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            why = type(error).__name__  # its text would have the token in it
        else:
            if answer["ok"]:
                return answer["result"]
            why = f"{method}: {answer['error_code']} {answer['description']}"
            if answer["error_code"] not in PASSING:
                raise RefusedError(why)
            raise NotNowError(answer.get("parameters", {}).get("retry_after", 1.0), why)
        raise NotNowError(1.0, why)


class LiveMessage:
    """A growing text: one message that is edited, and more messages when it gets long."""

    def __init__(self) -> None:
        self._text, self._is_final = "…", False
        self._shown: list[str] = []
        self._ids: list[int] = []
        self._news = asyncio.Event()
        self._news.set()

    def show(self, text: str, *, is_final: bool = False) -> None:
        """Set the text to show from now on; the platform takes no empty text."""
        self._text, self._is_final = text.strip() or ("…" if self._ids else ""), is_final
        self._news.set()

    async def keep_up(self, chat: "Chat") -> None:
        """Show the newest text as often as the chat allows, until the final one is shown."""
        while True:
            if (number := self._outdated()) is not None:
                async with chat.turn():
                    await self._write(chat, number)  # what is newest when our turn has come
            elif self._is_final:
                return
            else:
                self._news.clear()
                await self._news.wait()

    def _outdated(self) -> int | None:
        """Return the number of the first part that is not shown as it should be."""
        for number, start in enumerate(range(0, len(self._text), PART)):
            if self._shown[number : number + 1] != [self._text[start : start + PART]]:
                return number
        return None

    async def _write(self, chat: "Chat", number: int) -> None:
        part = self._text[number * PART :][:PART]
        if number == len(self._ids):
            sent = await chat.platform.call("sendMessage", chat_id=chat.id, text=part)
            self._ids.append(sent["message_id"])
            self._shown.append(part)
        else:
            message = {"chat_id": chat.id, "message_id": self._ids[number]}
            await chat.platform.call("editMessageText", **message, text=part)
            self._shown[number] = part


class Chat:
    """One chat: what was said in it, and the answer in progress."""

    def __init__(self, chat_id: int, platform: Platform) -> None:
        self.id = chat_id
        self.platform = platform
        self.said = deque[dict[str, object]](maxlen=MEMORY)
        self.stream: Stream | None = None
        self._lock = asyncio.Lock()
        self._free_at = 0.0
        self._failures = 0

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait until this chat may write; if the platform says to wait, that is not an error."""
        clock = asyncio.get_running_loop().time
        async with self._lock:
            await asyncio.sleep(self._free_at - clock())
            pause = EDIT_EVERY
            try:
                yield
                self._failures = 0
            except NotNowError as error:
                self._failures += 1
                if self._failures == TRIES:
                    raise RefusedError(f"{TRIES} times in a row: {error}") from None
                log.info("chat %s: waiting for %s s: %s", self.id, error.retry_after, error)
                pause = max(EDIT_EVERY, error.retry_after)
            finally:
                self._free_at = clock() + pause

    async def drop(self) -> None:
        """End the answer in progress, if any; the text so far stays."""
        if self.stream is not None:
            await self.stream.aclose()

    async def answer(self, stream: Stream) -> None:
        """Show an answer, whatever becomes of it."""
        message = LiveMessage()
        try:
            async with stream, asyncio.TaskGroup() as tasks:
                tasks.create_task(message.keep_up(self))
                text, note = "", ""
                try:
                    while tokens := await stream.read():
                        text += "".join(tokens)
                        message.show(text)
                except AsyncLLMError as error:
                    log.warning("chat %s: %s: %s", self.id, type(error).__name__, error)
                    note = f"\n\n⚠️ {apology(error)}"
                if stream.reply.finish_reason == "cancelled":
                    note = " …" if text else ""
                elif not note:
                    self.said.append({"role": "assistant", "content": text})
                message.show(text + note, is_final=True)
        except* RefusedError as refusals:
            log.warning("chat %s: %s", self.id, refusals.exceptions[0])


def apology(error: AsyncLLMError) -> str:
    """Return what to tell the user; the error's own text is for the log."""
    match error:
        case RateLimitError(retry_after=float(seconds)):
            return f"Too many questions at once. Please ask again in {math.ceil(seconds)} s."
        case RateLimitError():
            return "Too many questions at once. Please ask again later."
        case TimeoutError():
            return "No answer came in time."
        case _:
            return "The answer broke off."


class Bot:
    """Receives what users write, and answers each chat in a task of its own."""

    def __init__(self, platform: Platform, h2o: H2o, tasks: asyncio.TaskGroup) -> None:
        self._platform, self._h2o, self._tasks = platform, h2o, tasks
        self._chats: dict[int, Chat] = {}

    async def poll(self) -> None:
        """Ask for updates for ever."""
        offset = 0
        wanted = {"timeout": POLL, "allowed_updates": ["message"]}
        while True:
            try:
                updates = await self._platform.call("getUpdates", offset=offset, **wanted)
            except NotNowError as error:
                log.warning("no updates from the platform: %s", error)
                await asyncio.sleep(error.retry_after)
                continue
            for update in updates:
                offset = update["update_id"] + 1
                match update.get("message"):
                    case {"chat": {"id": chat_id}, "text": text} if not text.startswith("/"):
                        await self.hear(chat_id, text)

    async def hear(self, chat_id: int, text: str) -> None:
        """Begin to answer, and drop the answer to the previous message."""
        chat = self._chats.setdefault(chat_id, Chat(chat_id, self._platform))
        await chat.drop()
        chat.said.append({"role": "user", "content": text})
        chat.stream = self._h2o.stream(list(chat.said))
        self._tasks.create_task(chat.answer(chat.stream))

    async def drop_all(self) -> None:
        """End all answers."""
        await asyncio.gather(*(chat.drop() for chat in self._chats.values()))


async def main(token: str) -> int:
    """Run until SIGINT or SIGTERM, and return the exit status."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        async with (
            SessionManager(timeouts=LIMITS) as sessions,
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=POLL + 10)) as http,
            asyncio.TaskGroup() as tasks,  # at its end it waits for the last edits
        ):
            bot = Bot(Platform(http, token), H2o(sessions=sessions), tasks)
            polling = tasks.create_task(bot.poll())
            await stop.wait()
            polling.cancel()
            await bot.drop_all()
    except* RefusedError as refusals:
        log.critical("the platform wants no such bot: %s", refusals.exceptions[0])
        stop.clear()
    return 0 if stop.is_set() else 1


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    if not (token := os.environ.get("BOT_TOKEN")):
        sys.exit("set BOT_TOKEN to the token of your bot")
    sys.exit(asyncio.run(main(token)))
