"""A chat as it runs: questions are read, answers shown, and commands done."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, assert_never

import typer

from asyncllm.cli import INTERRUPTED
from asyncllm.cli import chat_effects as effects
from asyncllm.cli.asked import attachment
from asyncllm.cli.chat_current import Answerer
from asyncllm.cli.chat_terminal import blocking_interrupts, copy, heard_interrupts
from asyncllm.cli.chat_view import tell
from asyncllm.cli.known import provider_names
from asyncllm.cli.running import FAILED, described
from asyncllm.cli.text import say, write
from asyncllm.errors import AsyncLLMError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from asyncllm.cli.chat_answer import Answering
    from asyncllm.cli.chat_effects import Effect
    from asyncllm.cli.chat_session import Session
    from asyncllm.cli.choosing import Choice

_MOST_LISTED = 40
_HOW_TO_LEAVE = "Ctrl-D or /quit leaves."


class Reader(Protocol):
    """Where questions come from."""

    async def read(self, before: str = "") -> str:
        """Return the next; see `Prompt` and `Lines`."""
        ...

    def interrupt(self) -> None:
        """Do what Ctrl-C does while the next one is typed."""


class Chat:
    """A chat, from its first question to its last.

    Args:
        session: what it knows.
        choice: who answers first, as it was typed.
        answering: shows answers and keeps them.
        is_alive: whether somebody types: then an error ends neither the chat nor its exit status.

    """

    def __init__(
        self, session: Session, choice: Choice, answering: Answering, *, is_alive: bool
    ) -> None:
        self._session, self._answering = session, answering
        self._answerer = Answerer(choice)
        self._is_alive = is_alive
        self._work: asyncio.Task[None] | None = None
        self._reader: Reader | None = None
        self._has_failed = self._was_interrupted = False

    async def run(self, reader: Reader, attached: Sequence[str] = ()) -> None:
        """Chat until there are no more questions.

        Args:
            reader: where they come from.
            attached: files and URLs that go with the first one.

        Raises:
            AsyncLLMError: it can't be told who is to answer, or a file can't be sent.
            Exit: an answer failed or was stopped, and nobody was there to see.

        """
        self._reader = reader
        try:
            with heard_interrupts(self._interrupt):
                if not await self._until_stopped(self._begin()):
                    raise typer.Exit(INTERRUPTED)
                for source in attached:
                    self._attach(source)
                self._greet()
                await self._converse(reader)
        finally:
            await self._answerer.aclose()
        if self._was_interrupted and not self._is_alive:
            raise typer.Exit(INTERRUPTED)
        if self._has_failed and not self._is_alive:
            raise typer.Exit(FAILED)

    async def models(self) -> list[str]:
        """Return what `/model` takes: the provider's models, and the providers."""
        return [*await self._answerer.models(), *provider_names()]

    async def _converse(self, reader: Reader) -> None:
        before = ""
        while not (self._was_interrupted and not self._is_alive):
            try:
                line = await reader.read(before)
            except EOFError:
                return
            except KeyboardInterrupt:
                if not self._is_alive:
                    raise typer.Exit(INTERRUPTED) from None
                tell(_HOW_TO_LEAVE)
                continue
            before = ""
            effect = self._session.typed(line)
            if isinstance(effect, effects.Quit):
                return
            if isinstance(effect, effects.Edit):
                before = effect.text
                self._answering.keep_last(self._answerer.now, self._session)
                tell("Taken back.")
            elif effect is not None:
                await self._perform(effect)

    async def _perform(self, effect: Effect) -> None:
        match effect:
            case effects.Ask(message):
                await self._ask(message)
            case effects.Switch(model):
                await self._try(self._switch(model))
            case effects.ListModels():
                await self._try(self._list_models())
            case effects.Attach(source):
                self._try_to_attach(source)
            case effects.Save():
                self._save(effect)
            case effects.Copy(text):
                tell(copy(text))
            case effects.Tell(text, is_wrong):
                self._complain(text) if is_wrong else tell(text)
            case effects.Edit() | effects.Quit():
                pass
            case _:
                assert_never(effect)

    async def _ask(self, message: Any) -> None:
        work = self._answering.answer(self._answerer.now, self._session, message)
        if not await self._until_stopped(self._note_failure(work)):
            self._was_interrupted = True
        if self._is_alive:
            write("\n", sys.stderr)

    async def _note_failure(self, work: Coroutine[object, object, bool]) -> None:
        self._has_failed |= not await work

    async def _try(self, work: Coroutine[object, object, None]) -> None:
        """Do what asks a server, and say in a line what went wrong."""
        try:
            if not await self._until_stopped(work):
                tell("Stopped.")
        except AsyncLLMError as error:
            self._complain(described(error))

    async def _until_stopped(self, work: Coroutine[object, object, None]) -> bool:
        """Do it, and tell whether it came to its end; Ctrl-C stops it."""
        self._work = task = asyncio.ensure_future(work)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task])
            raise
        finally:
            self._work = None
        if task.cancelled():
            return False
        task.result()
        return True

    def _interrupt(self) -> None:
        if self._work is not None:
            self._work.cancel()
        elif self._reader is not None:
            self._reader.interrupt()

    async def _begin(self) -> None:
        await self._answerer.begin()
        self._session.label = self._answerer.label

    async def _switch(self, model: str) -> None:
        await self._answerer.switch(model)
        self._session.label = self._answerer.label
        tell(f"{self._session.label} answers from now on.")

    async def _list_models(self) -> None:
        models = await self._answerer.models(tell)
        shown = [f"{self._session.label} answers now; /model NAME, or PROVIDER/NAME, changes that."]
        shown += [f"  {model}" for model in models[:_MOST_LISTED]]
        if len(models) > _MOST_LISTED:
            shown.append(f"  and {len(models) - _MOST_LISTED} more: asyncllm models lists them")
        tell("\n".join(shown))

    def _attach(self, source: str) -> None:
        with blocking_interrupts():  # a pipe to which nobody writes can't be waited for by a loop
            parts = attachment(source)
        for part in parts:
            self._session.attached(source, part)

    def _try_to_attach(self, source: str) -> None:
        try:
            self._attach(source)
        except AsyncLLMError as error:
            self._complain(str(error))
        except KeyboardInterrupt:
            if not self._is_alive:
                raise
            tell("Stopped.")
        else:
            tell(f"With the next question go: {', '.join(self._session.attachments)}.")

    def _save(self, effect: effects.Save) -> None:
        path = Path(effect.path)
        try:
            path = path.expanduser()
            with path.open("w" if effect.may_replace else "x", encoding="utf-8") as file:
                file.write(effect.text)
        except FileExistsError:
            self._complain(f"{path} is there already: /save -f {effect.path} replaces it")
        except (OSError, ValueError, RuntimeError) as error:  # no name of a file, no such user
            reason = error.strerror if isinstance(error, OSError) else error
            self._complain(f"{path} can't be written: {reason}")
        else:
            self._session.saved(effect.path)
            tell(f"Saved as {path}.")

    def _complain(self, text: str) -> None:
        self._has_failed = True
        say(f"asyncllm: {text}")

    def _greet(self) -> None:
        if not self._is_alive:
            return
        tell(f"{self._session.label}: Enter sends, /help lists the commands, Ctrl-D leaves.")
        if self._session.turns:
            count = len(self._session.turns)
            tell(f"The last conversation goes on, after {count} question{'s' * (count > 1)}.")
        if self._session.attachments:
            tell(f"With the first question go: {', '.join(self._session.attachments)}.")
