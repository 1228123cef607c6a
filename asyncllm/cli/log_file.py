"""The log of questions and answers: a SQLite file of ours, written where its owner wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from asyncllm.reply import Reply


def log_answer(
    reply: Reply,
    *,
    messages: Sequence[Mapping[str, object]],
    provider: str,
    model: str = "",
    system: str | None = None,
    error: BaseException | None = None,
    secrets: Iterable[str] = (),
) -> None:
    """Keep an answer in the log, where logs are on; call it once for each answer, at its end.

    It never fails an answer: where the log can't be written, a line on standard error says so. What
    is kept holds no keys: those of the environment and of the keys file are masked, and `secrets`.

    Args:
        reply: the answer, as far as it came; its times and its finish reason are those of the log.
        messages: what was asked, without the system message.
        provider: the name of the provider that answered.
        model: the model that was asked, where the reply does not name the one that answered.
        system: the system message, if there was one.
        error: how it failed, if it did; also an interruption, such as Ctrl-C.
        secrets: what the log must not show besides, such as `provider.secrets` and a proxy's URL.

    """
