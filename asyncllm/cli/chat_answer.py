"""An answer in a chat: asked for, shown while it comes, kept and logged."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from typing import TYPE_CHECKING

from asyncllm.cli.advice import advise
from asyncllm.cli.chat_turn import STOPPED
from asyncllm.cli.chat_view import PlainView, TerminalView, tell
from asyncllm.cli.last import Conversation, save_last
from asyncllm.cli.log_file import log_answer
from asyncllm.cli.running import described
from asyncllm.cli.spinner import Spinner
from asyncllm.cli.text import say, shown
from asyncllm.errors import AsyncLLMError, ConfigurationError
from asyncllm.events import Citation, Media, Reasoning, Refusal, Restart, ToolCall
from asyncllm.reply import Reply

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from asyncllm.cli.chat_session import Session
    from asyncllm.cli.chat_view import View
    from asyncllm.cli.choosing import Chosen
    from asyncllm.events import Item


_MEASURABLE_SECONDS = 0.05  # what came in one read has no speed
_NOTICES = {
    "length": "the answer stopped at the most tokens it may have; /param max_tokens=N allows more",
    "content_filter": "a content filter of the server stopped the answer",
}


class Answering:
    """Gets answers, and shows and keeps them.

    Args:
        is_plain: whether answers are written as they are; otherwise as Markdown.
        stats: whether to say how fast each came.
        secrets: what the log must not show besides the provider's own.

    """

    def __init__(self, *, is_plain: bool, stats: bool, secrets: tuple[str, ...] = ()) -> None:
        self._is_plain, self._stats, self._secrets = is_plain, stats, secrets
        self._has_complained = False

    async def answer(self, found: Chosen, session: Session, message: Mapping[str, object]) -> bool:
        """Ask, show the answer while it comes, and keep what came; tell whether it is whole.

        Being cancelled stops the answer: what has come of it is kept, and marked.

        Args:
            found: who is asked.
            session: the chat, of which this is the next turn.
            message: the user's message.

        """
        messages = session.asked(message)
        reply = Reply()
        error: AsyncLLMError | asyncio.CancelledError | None = None
        try:
            stream = found.provider.stream(
                messages, model=found.model or None, system=session.system, **session.params
            )
            try:
                async with stream, self._view(session.label) as view:
                    async for item in stream.events():
                        _show(item, view)
            finally:
                reply = stream.reply
        except AsyncLLMError as failure:
            advise(failure, found.name, found.model)
            error = failure
        except asyncio.CancelledError as stopped:
            error = stopped
        self._end(session, reply, error)
        if not isinstance(error, ConfigurationError):  # which nobody was asked with
            self._keep(found, session, messages, reply, error)
        if isinstance(error, asyncio.CancelledError):
            raise error
        return error is None

    @contextlib.asynccontextmanager
    async def _view(self, label: str) -> AsyncGenerator[View]:
        if self._is_plain:
            async with Spinner(f"waiting for {shown(label)}") as spinner:
                plain = PlainView(sys.stdout, spinner.stop)
                try:
                    yield plain
                finally:
                    plain.end()
            return
        drawn = TerminalView(sys.stdout, label)
        async with drawn.drawn():
            yield drawn

    def _end(self, session: Session, reply: Reply, error: BaseException | None) -> None:
        """Keep the turn, and say what its text does not."""
        is_partial = bool(reply.text or reply.refusal)
        if isinstance(error, AsyncLLMError):
            session.answered(reply, ended=f"cut short: {type(error).__name__}")
            kept = "what came is kept; " if is_partial else ""
            told = re.sub(r"(?<!\S)-m(?!\S)", "/model", described(error))  # as it is called here
            say(f"asyncllm: {told}; {kept}/retry asks again")
        elif error is not None:
            session.answered(reply, ended=STOPPED)
            kept = "what came is kept" if is_partial else "nothing had come"
            tell(f"(stopped: {kept}; /retry asks again)")
        else:
            session.answered(reply)
            for notice in _notices(reply):
                tell(f"({notice})")
        if self._stats:
            tell(_stats(reply))

    def _keep(
        self,
        found: Chosen,
        session: Session,
        messages: list[dict[str, object]],
        reply: Reply,
        error: BaseException | None,
    ) -> None:
        log_answer(
            reply,
            messages=messages,
            provider=found.name,
            model=found.model,
            system=session.system,
            error=error,
            secrets=(*found.provider.secrets, *self._secrets),
        )
        self.keep_last(found, session)

    def keep_last(self, found: Chosen, session: Session) -> None:
        """Keep the conversation for `-c`; where that can't be, a line says so, once.

        Args:
            found: who answers.
            session: the chat.

        """
        conversation = Conversation(
            messages=session.messages,
            model=found.model,
            provider=found.name,
            base_url=found.base_url,
            system=session.system,
        )
        try:
            if conversation.messages:
                save_last(conversation)
        except ConfigurationError as problem:
            if not self._has_complained:
                say(f"asyncllm: -c can't continue this conversation: {problem}")
            self._has_complained = True


def _show(item: Item, view: View) -> None:
    match item:
        case str():
            view.text(item)
        case Refusal(text):
            view.text(text)
        case Reasoning(text):
            view.reasoning(text)
        case ToolCall(name=name, arguments=arguments):
            view.note(f"(it asks to call {name} with {arguments}; nothing is called here)")
        case Media(media_type=kind, url=url, data=data):
            view.note(f"({kind}: {url or f'{len(data)} bytes'})")
        case Citation(url=url, title=title) if url:
            view.source(url, title)
        case Restart():
            view.restart()
        case _:
            pass


def _notices(reply: Reply) -> list[str]:
    """Return what is to be said of a whole answer besides its text."""
    told = ["the model refused to answer"] if reply.refusal else []
    if reply.finish_reason in _NOTICES:
        told.append(_NOTICES[reply.finish_reason])
    if not (told or reply.text or reply.tool_calls or reply.media):
        told.append("the answer is empty; /retry asks again")
    return told


def _stats(reply: Reply) -> str:
    first, duration = reply.time_to_first_token, reply.duration or 0.0
    usage = reply.usage
    told = [] if first is None else [f"first token {first:.2f} s"]
    if usage is not None and usage.output_tokens is not None:
        told.append(f"{usage.output_tokens} tokens")
        if (seconds := duration - (first or 0.0)) > _MEASURABLE_SECONDS:
            told.append(f"{usage.output_tokens / seconds:.0f} tokens/s")
    if usage is not None and usage.input_tokens is not None:
        told.append(f"{usage.input_tokens} tokens read")
    if reply.cost is not None:
        told.append(f"${reply.cost:.4f}")
    return f"({', '.join([*told, f'{duration:.2f} s in all'])})"
