"""What a chat knows: its turns, its settings, and what each line that is typed makes of them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import typer

from asyncllm.cli.chat_commands import HELP, Command, Mistake, read_typed
from asyncllm.cli.chat_file import SUFFIXES, document
from asyncllm.cli.chat_turn import Turn, question_text
from asyncllm.cli.values import name_and_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from asyncllm.reply import Reply


class Ask(msgspec.Struct, frozen=True):
    """A question is to be sent.

    Attributes:
        message: the user's message.

    """

    message: Mapping[str, object]


class Tell(msgspec.Struct, frozen=True):
    """Something is to be said to whoever types.

    Attributes:
        text: one line or several.
        is_wrong: whether it says that something was typed wrongly.

    """

    text: str
    is_wrong: bool = False


class Switch(msgspec.Struct, frozen=True):
    """Another model is to answer from now on.

    Attributes:
        model: as `-m` takes it.

    """

    model: str


class ListModels(msgspec.Struct, frozen=True):
    """Which model answers is to be said, and which others there are."""


class Save(msgspec.Struct, frozen=True):
    """A file is to be written.

    Attributes:
        path: where.
        text: what.
        may_replace: whether a file that is there may be replaced.

    """

    path: str
    text: str
    may_replace: bool


class Attach(msgspec.Struct, frozen=True):
    """A file is to be read, to go with the next question.

    Attributes:
        source: a path, or a URL.

    """

    source: str


class Copy(msgspec.Struct, frozen=True):
    """A text is to go to the clipboard.

    Attributes:
        text: the text.

    """

    text: str


class Edit(msgspec.Struct, frozen=True):
    """A question is to stand at the prompt again, to be changed.

    Attributes:
        text: what it was.

    """

    text: str


class Quit(msgspec.Struct, frozen=True):
    """The chat is over."""


NOT_PARAMETERS = MappingProxyType(
    {"model": "/model chooses one", "system": "/system sets the message"}
    | {"proxy": "--proxy takes one when the chat begins"}
    | dict.fromkeys(("messages", "self", "keep", "extra"), "it would not be sent")
)

Effect: TypeAlias = Ask | Tell | Switch | ListModels | Save | Attach | Copy | Edit | Quit


class Session:
    """The state of a chat. It does no I/O: what is to be done is what `typed` returns.

    Attributes:
        turns: what was asked, and what came; the last may have no answer.
        system: the system message; None for none.
        params: what is sent with each question.
        label: the provider and the model that answer now.

    """

    def __init__(
        self, *, system: str | None = None, params: Mapping[str, Any] | None = None
    ) -> None:
        self.turns: list[Turn] = []
        self.system = system
        self.params = dict(params or {})
        self.label = ""
        self._attached: list[tuple[str, Any]] = []
        self._saved: set[str] = set()

    def typed(self, line: str) -> Effect | None:
        """Return what is to be done about what was typed; None for nothing.

        Args:
            line: it, with all its lines; a command or a question.

        """
        typed = read_typed(line)
        if isinstance(typed, Command):
            return self._do[typed.name](self, typed.argument)
        if isinstance(typed, Mistake):
            return Tell(typed.text, is_wrong=True)
        return None if typed is None else self._ask(typed.text)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What was said so far, as the next question's messages begin with it.

        A question that got no answer is not among them: many servers want user and assistant to
        take turns.
        """
        found: list[dict[str, Any]] = []
        for turn in self.turns:
            if turn.answer is not None:
                found += [dict(turn.question), dict(turn.answer)]
        return found

    def asked(self, message: Mapping[str, object]) -> list[dict[str, Any]]:
        """Begin a turn, and return the messages to send.

        Args:
            message: the user's message.

        """
        messages = [*self.messages, dict(message)]
        self.turns.append(Turn(message, by=self.label))
        self._attached.clear()
        return messages

    def answered(self, reply: Reply, *, ended: str = "") -> None:
        """End the turn that was begun last.

        Args:
            reply: what came.
            ended: why it is not whole: "stopped", or the error; "" where it is.

        """
        self.turns[-1] = self.turns[-1].with_reply(reply, ended)

    def attached(self, name: str, part: Any) -> None:
        """Keep what goes with the next question.

        Args:
            name: what it is called.
            part: a text, or a part of a message's content.

        """
        self._attached.append((name, part))

    def go_on_with(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """Begin with an earlier conversation.

        Args:
            messages: its messages, without the system message.

        """
        for message in messages:
            if message.get("role") == "user":
                self.turns.append(Turn(message))
            elif message.get("role") == "assistant" and self.turns:
                self.turns[-1] = msgspec.structs.replace(self.turns[-1], answer=message)

    @property
    def attachments(self) -> list[str]:
        """The names of what goes with the next question."""
        return [name for name, _ in self._attached]

    def _ask(self, text: str) -> Effect:
        if not self._attached:
            return Ask({"role": "user", "content": text})
        texts = [part for _, part in self._attached if isinstance(part, str)]
        parts = [part for _, part in self._attached if not isinstance(part, str)]
        content: Any = "\n\n".join([*texts, text])
        return Ask({"role": "user", "content": [*parts, _text(content)] if parts else content})

    def _help(self, _: str) -> Effect:
        return Tell(HELP)

    def _model(self, argument: str) -> Effect:
        return Switch(argument) if argument else ListModels()

    def _system(self, argument: str) -> Effect:
        if not argument:
            return Tell(
                f"The system message is: {self.system} (/system - removes it)"
                if self.system
                else "There is no system message: /system TEXT sets one."
            )
        self.system = None if argument == "-" else argument
        return Tell("The system message is set." if self.system else "There is none any more.")

    def _param(self, argument: str) -> Effect:
        if not argument:
            named = ", ".join(f"{name}={value!r}" for name, value in self.params.items())
            return Tell(named or "No parameter is set: /param temperature=0.2 sets one.")
        name, equals, value = argument.partition("=")
        if equals and name and not value:
            self.params.pop(name, None)
            return Tell(f"{name} is not sent any more.")
        if name.strip() in NOT_PARAMETERS:
            return Tell(f"{name} is no parameter: {NOT_PARAMETERS[name.strip()]}", is_wrong=True)
        try:
            name, parsed = name_and_value(argument)
        except typer.BadParameter as error:
            return Tell(error.message, is_wrong=True)
        self.params[name] = parsed
        return Tell(f"{name} is {parsed!r} from now on; /param {name}= removes it.")

    def _retry(self, _: str) -> Effect:
        if not self.turns:
            return Tell("There is no question yet to ask again.", is_wrong=True)
        return Ask(self.turns.pop().question)

    def _undo(self, _: str) -> Effect:
        if not self.turns:
            return Tell("There is nothing to take back.", is_wrong=True)
        return Edit(question_text(self.turns.pop().question))

    def _new(self, _: str) -> Effect:
        self.turns.clear()
        self._attached.clear()
        return Tell("A new conversation begins; the model and the settings stay.")

    def _save(self, argument: str) -> Effect:
        path = argument.removeprefix("-f ").strip()
        if not path:
            return Tell("Write where: /save chat.md, or /save chat.json.", is_wrong=True)
        if not self.turns:
            return Tell("There is nothing to save yet.", is_wrong=True)
        form = document(path, self.turns, system=self.system, params=self.params)
        if form is None:
            return Tell(f"The name must end in one of {', '.join(SUFFIXES)}.", is_wrong=True)
        return Save(path, form, may_replace=path in self._saved or path != argument)

    def saved(self, path: str) -> None:
        """Remember a file of this chat, which it may replace."""
        self._saved.add(path)

    def _attach(self, argument: str) -> Effect:
        if argument:
            return Attach(argument)
        if self._attached:
            return Tell(f"With the next question go: {', '.join(self.attachments)}.")
        return Tell("Write what: /attach picture.png, or a URL.", is_wrong=True)

    def _copy(self, _: str) -> Effect:
        text = next((turn.text for turn in reversed(self.turns) if turn.text), "")
        return Copy(text) if text else Tell("There is no answer to copy yet.", is_wrong=True)

    def _reasoning(self, _: str) -> Effect:
        text = self.turns[-1].reasoning if self.turns else ""
        return Tell(text or "The last answer came without any reasoning.")

    def _quit(self, _: str) -> Effect:
        return Quit()

    _do: Mapping[str, Callable[[Session, str], Effect]] = {
        "help": _help,
        "model": _model,
        "system": _system,
        "param": _param,
        "attach": _attach,
        "retry": _retry,
        "undo": _undo,
        "new": _new,
        "save": _save,
        "copy": _copy,
        "reasoning": _reasoning,
        "quit": _quit,
    }


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}
