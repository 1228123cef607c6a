"""The prompt of a chat on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.filters import completion_is_selected, is_searching
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.key_binding.bindings.search import abort_search
from prompt_toolkit.output import create_output
from prompt_toolkit.styles import Style
from typing_extensions import override

from asyncllm.cli.chat_commands import COMMANDS, goes_on
from asyncllm.cli.chat_history import ChatHistory

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence

    from prompt_toolkit.key_binding.key_processor import KeyPressEvent
    from prompt_toolkit.output import Output

_STYLE = Style.from_dict({"prompt": "bold ansicyan", "more": "ansibrightblack"})
_TAKE_FILES = {"save", "attach"}


class Prompt:
    """Asks for what to send: several lines, with history, search and completion.

    Whatever a terminal would obey in what was typed, pasted or kept, prompt_toolkit shows as `^[`.

    Args:
        models: returns what `/model` completes.
        output: the terminal; default: that of standard output, or else of standard error.

    """

    def __init__(
        self, models: Callable[[], Awaitable[Sequence[str]]], output: Output | None = None
    ) -> None:
        self._session: PromptSession[str] = PromptSession(
            history=ChatHistory(),
            completer=_Commands(models),
            complete_while_typing=False,
            multiline=True,
            prompt_continuation=lambda width, *_: [("class:more", "… ".rjust(width))],
            key_bindings=_bindings(),
            enable_open_in_editor=True,
            enable_suspend=True,
            enable_history_search=True,
            output=output or create_output(always_prefer_tty=True),
            style=_STYLE,
            erase_when_done=False,
        )

    async def read(self, before: str = "") -> str:
        """Return what was typed.

        Args:
            before: what stands at the prompt already.

        Raises:
            KeyboardInterrupt: Ctrl-C, and nothing was typed.
            EOFError: Ctrl-D, and nothing was typed.

        """
        return await self._session.prompt_async(
            [("class:prompt", "> ")], default=before, handle_sigint=False
        )

    def interrupt(self) -> None:
        """Do what Ctrl-C does, as a signal that another process sent means the same."""
        app = self._session.app
        if app.is_running:
            app.key_processor.send_sigint()


def _bindings() -> KeyBindings:
    bindings = KeyBindings()

    @bindings.add("enter", filter=~is_searching & ~completion_is_selected)
    def _send(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if goes_on(buffer.text) and buffer.document.is_cursor_at_the_end:
            if buffer.text.endswith("\\"):
                buffer.delete_before_cursor()
            buffer.newline(copy_margin=False)
        elif buffer.text.strip():
            buffer.validate_and_handle()
        else:
            buffer.reset()

    @bindings.add("enter", filter=completion_is_selected)
    def _take_completion(event: KeyPressEvent) -> None:
        event.current_buffer.complete_state = None

    @bindings.add("escape", "enter")
    @bindings.add("c-j")
    def _new_line(event: KeyPressEvent) -> None:
        event.current_buffer.newline(copy_margin=False)

    bindings.add("c-c", filter=is_searching)(abort_search)
    bindings.add("<sigint>", filter=is_searching)(abort_search)

    @bindings.add("c-c", filter=~is_searching)
    @bindings.add("<sigint>", filter=~is_searching)
    def _clear(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt())

    return bindings


class _Commands(Completer):
    """Completes commands, and what some of them take."""

    def __init__(self, models: Callable[[], Awaitable[Sequence[str]]]) -> None:
        self._models = models
        self._paths = PathCompleter(expanduser=True)

    @override
    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        text = document.text_before_cursor
        if not text.startswith("/") or "\n" in text:
            return
        name, space, argument = text[1:].partition(" ")
        if not space:
            for command, how in COMMANDS.items():
                if command.startswith(name):
                    end = " " if how.argument else ""
                    yield Completion(command + end, -len(name), display_meta=how.meaning)
        elif name in _TAKE_FILES:
            yield from self._paths.get_completions(Document(argument), complete_event)

    @override
    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        text = document.text_before_cursor
        name, space, argument = text.partition(" ")
        if name != "/model" or not space:
            for completion in self.get_completions(document, complete_event):
                yield completion
            return
        # What is typed may stand anywhere in a name, as names begin with who made a model.
        for model in await self._models():
            if argument.strip().lower() in model.lower():
                yield Completion(model, -len(argument))
