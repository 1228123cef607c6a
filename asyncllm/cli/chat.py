"""`asyncllm chat`: its options."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asyncllm.cli.options import (  # noqa: TC001 - typer reads the annotations
    BaseURL,
    Continue,
    EnvFile,
    Key,
    Model,
    Param,
    Provider,
    Proxy,
    System,
)
from asyncllm.cli.values import name_and_value

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from asyncllm.cli.chat_answer import Answering
    from asyncllm.cli.chat_session import Session
    from asyncllm.cli.choosing import Choice


def chat(  # noqa: PLR0917 - typer's way to declare options
    model: Model = None,
    system: System = None,
    attach: Annotated[
        list[str] | None,
        typer.Option(
            "--attach",
            "-a",
            metavar="FILE|URL",
            help="A file or a URL to send with the first question.",
        ),
    ] = None,
    param: Param = None,
    go_on: Continue = False,  # noqa: FBT002 - typer's way
    plain: Annotated[  # noqa: FBT002 - as above
        bool, typer.Option("--plain", help="Print answers as they are, and not as Markdown.")
    ] = False,
    stats: Annotated[  # noqa: FBT002 - as above
        bool, typer.Option("--stats", help="Say after each answer how fast it was.")
    ] = False,
    provider: Provider = None,
    base_url: BaseURL = None,
    key: Key = None,
    env_file: EnvFile = None,
    proxy: Proxy = None,
) -> None:
    """Chat with a model. /help lists the commands, Ctrl-D leaves.

    Where standard input is no terminal, each of its lines is a question or a command.
    """
    from asyncllm.cli.chat_answer import Answering  # noqa: PLC0415 - heavy, as all of these
    from asyncllm.cli.chat_session import Session  # noqa: PLC0415
    from asyncllm.cli.chat_view import can_draw  # noqa: PLC0415
    from asyncllm.cli.choosing import Choice  # noqa: PLC0415
    from asyncllm.cli.env_file import read_env_file  # noqa: PLC0415
    from asyncllm.cli.running import run  # noqa: PLC0415

    params = dict(name_and_value(text) for text in param or [])
    _check_params(params)
    choice = Choice.typed(model=model, provider=provider, base_url=base_url, key=key, proxy=proxy)

    def work() -> Coroutine[object, object, None]:
        _check_standard_streams()
        if env_file is not None:
            read_env_file(Path(env_file))
        session = Session(system=system, params=params)
        first = _going_on(session, choice) if go_on else choice
        answering = Answering(
            is_plain=plain or not can_draw(sys.stdout),
            stats=stats,
            secrets=(key or "", proxy or ""),
        )
        return _chat(session, first, answering, attach or [])

    run(work)


def _check_standard_streams() -> None:
    from asyncllm.cli.home import refused  # noqa: PLC0415

    for stream, name in ((sys.stdin, "input"), (sys.stdout, "output"), (sys.stderr, "error")):
        if stream is None:
            raise refused(f"standard {name} is closed: a chat needs it")


def _check_params(params: dict[str, object]) -> None:
    from asyncllm.cli.chat_session import NOT_PARAMETERS  # noqa: PLC0415

    for name in NOT_PARAMETERS & params.keys():
        raise typer.BadParameter(f"{name} can't be given by --param; --help lists the options")


def _going_on(session: Session, choice: Choice) -> Choice:
    """Have the last conversation in the chat, and return who answers then."""
    import msgspec  # noqa: PLC0415

    from asyncllm.cli.home import refused  # noqa: PLC0415
    from asyncllm.cli.last import load_last  # noqa: PLC0415

    last = load_last()
    if last is None:
        raise refused("there is no conversation to continue yet: begin without -c")
    session.go_on_with(last.messages)
    if session.system is None:
        session.system = last.system
    return msgspec.structs.replace(choice, last=last)


async def _chat(
    session: Session, choice: Choice, answering: Answering, attached: Sequence[str]
) -> None:
    from asyncllm.cli.chat_loop import Chat  # noqa: PLC0415
    from asyncllm.cli.chat_terminal import Lines, has_prompt, quiet_keyboard  # noqa: PLC0415

    talk = Chat(session, choice, answering, is_alive=sys.stdin.isatty())
    if has_prompt():
        from asyncllm.cli.chat_prompt import Prompt  # noqa: PLC0415

        with quiet_keyboard():
            await talk.run(Prompt(talk.models), attached)
    else:
        await talk.run(Lines("> " if sys.stdin.isatty() else ""), attached)
