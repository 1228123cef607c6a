"""What every contender is, and the question that all of them ask."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Take: TypeAlias = Callable[[str], object]

MODEL = "gpt-4o-mini"
QUESTION = "How fast is it?"
MESSAGES = [{"role": "user", "content": QUESTION}]
KEY = "none"
BODY = {"model": MODEL, "messages": MESSAGES, "stream": True}
NO_LIMIT = 600.0  # seconds; paced streams rest while others have their turn


class Contender(ABC):
    """One way to stream; `async with` opens and closes what its streams share.

    Args:
        origin: where the load server is.

    Attributes:
        name: how it is called in tables.
        needs: the module without which it can't run.

    """

    name: ClassVar[str]
    needs: ClassVar[str]

    def __init__(self, origin: str) -> None:
        self._origin = origin

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:  # noqa: B027 - most share nothing
        pass

    @abstractmethod
    async def consume(self, program: str, take: Take) -> None:
        """Hand every token of the answer at `program`, a path of the load server, to `take`."""


class BlockingContender(ABC):
    """One way to stream without an event loop."""

    name: ClassVar[str]
    needs: ClassVar[str]

    def __init__(self, origin: str) -> None:
        self._origin = origin

    @abstractmethod
    def consume(self, program: str, take: Take) -> None:
        """Hand every token of the answer at `program`, a path of the load server, to `take`."""
