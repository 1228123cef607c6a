"""What a chat knows: its turns, its settings, and what each line that is typed makes of them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec
import typer

from asyncllm.cli import chat_effects as do
from asyncllm.cli.chat_commands import HELP, Command, Mistake, read_typed, unquoted
from asyncllm.cli.chat_file import SUFFIXES, document
from asyncllm.cli.chat_turn import Turn, question_text
from asyncllm.cli.values import name_and_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from asyncllm.cli.chat_effects import Effect
    from asyncllm.reply import Reply


NOT_PARAMETERS = MappingProxyType(
    {"model": "/model chooses one", "system": "/system sets the message"}
    | {"proxy": "--proxy takes one when the chat begins"}
    | dict.fromkeys(("messages", "self", "keep", "extra"), "it would not be sent")
)


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
            return self._done(typed)
        if isinstance(typed, Mistake):
            return do.Tell(typed.text, is_wrong=True)
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

    def _done(self, command: Command) -> Effect:
        commands: dict[str, Callable[[str], Effect]] = {
            "help": lambda _: do.Tell(HELP),
            "model": self._model,
            "system": self._system,
            "param": self._param,
            "attach": self._attach,
            "retry": self._retry,
            "undo": self._undo,
            "new": self._new,
            "save": self._save,
            "copy": self._copy,
            "reasoning": self._reasoning,
            "quit": lambda _: do.Quit(),
        }
        return commands[command.name](command.argument)

    def _ask(self, text: str) -> Effect:
        if not self._attached:
            return do.Ask({"role": "user", "content": text})
        texts = [part for _, part in self._attached if isinstance(part, str)]
        parts = [part for _, part in self._attached if not isinstance(part, str)]
        content: Any = "\n\n".join([*texts, text])
        return do.Ask({"role": "user", "content": [*parts, _text(content)] if parts else content})

    def _model(self, argument: str) -> Effect:
        return do.Switch(argument) if argument else do.ListModels()

    def _system(self, argument: str) -> Effect:
        if not argument:
            return do.Tell(
                f"The system message is: {self.system} (/system - removes it)"
                if self.system
                else "There is no system message: /system TEXT sets one."
            )
        self.system = None if argument == "-" else argument
        return do.Tell("The system message is set." if self.system else "There is none any more.")

    def _param(self, argument: str) -> Effect:
        if not argument:
            named = ", ".join(f"{name}={value!r}" for name, value in self.params.items())
            return do.Tell(named or "No parameter is set: /param temperature=0.2 sets one.")
        name, equals, value = argument.partition("=")
        if equals and name and not value:
            self.params.pop(name, None)
            return do.Tell(f"{name} is not sent any more.")
        if name.strip() in NOT_PARAMETERS:
            return do.Tell(f"{name} is no parameter: {NOT_PARAMETERS[name.strip()]}", is_wrong=True)
        try:
            name, parsed = name_and_value(argument)
        except typer.BadParameter as error:
            return do.Tell(error.message, is_wrong=True)
        self.params[name] = parsed
        return do.Tell(f"{name} is {parsed!r} from now on; /param {name}= removes it.")

    def _retry(self, _: str) -> Effect:
        if not self.turns:
            return do.Tell("There is no question yet to ask again.", is_wrong=True)
        return do.Ask(self.turns.pop().question)

    def _undo(self, _: str) -> Effect:
        if not self.turns:
            return do.Tell("There is nothing to take back.", is_wrong=True)
        return do.Edit(question_text(self.turns.pop().question))

    def _new(self, _: str) -> Effect:
        self.turns.clear()
        self._attached.clear()
        return do.Tell("A new conversation begins; the model and the settings stay.")

    def _save(self, argument: str) -> Effect:
        path = unquoted("" if argument == "-f" else argument.removeprefix("-f ").strip())
        if not path:
            return do.Tell("Write where: /save chat.md, or /save chat.json.", is_wrong=True)
        if not self.turns:
            return do.Tell("There is nothing to save yet.", is_wrong=True)
        form = document(path, self.turns, system=self.system, params=self.params)
        if form is None:
            return do.Tell(f"The name must end in one of {', '.join(SUFFIXES)}.", is_wrong=True)
        may_replace = path in self._saved or argument.startswith("-f ")
        return do.Save(path, form, may_replace=may_replace)

    def saved(self, path: str) -> None:
        """Remember a file of this chat, which it may replace."""
        self._saved.add(path)

    def _attach(self, argument: str) -> Effect:
        if argument:
            return do.Attach(unquoted(argument))
        if self._attached:
            return do.Tell(f"With the next question go: {', '.join(self.attachments)}.")
        return do.Tell("Write what: /attach picture.png, or a URL.", is_wrong=True)

    def _copy(self, _: str) -> Effect:
        text = next((turn.text for turn in reversed(self.turns) if turn.text), "")
        return do.Copy(text) if text else do.Tell("There is no answer to copy yet.", is_wrong=True)

    def _reasoning(self, _: str) -> Effect:
        text = self.turns[-1].reasoning if self.turns else ""
        return do.Tell(text or "The last answer came without any reasoning.")


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}
