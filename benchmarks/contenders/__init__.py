"""The contenders: each one's own way to consume one streamed answer.

Each hands every token that it gets to `take`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.contenders.bare import BareProtocol
from benchmarks.contenders.by_hand import ByHand, Floor, RemediedFloor, Requests
from benchmarks.contenders.ours import OTHER_WIRES, Asyncllm, RunSync
from benchmarks.contenders.peers import PEERS

if TYPE_CHECKING:
    from benchmarks.contenders.base import BlockingContender, Contender

_CONTENDERS: tuple[type[Contender | BlockingContender], ...] = (
    Asyncllm,
    Floor,
    RemediedFloor,
    BareProtocol,
    ByHand,
    *PEERS,
    *OTHER_WIRES,
    RunSync,
    Requests,
)

SDK, FLOOR, REMEDIED = Asyncllm.name, Floor.name, RemediedFloor.name
WIRES = tuple(kind.name for kind in OTHER_WIRES)
BARE = BareProtocol.name
BY_HAND, BLOCKING, BLOCKING_BY_HAND = ByHand.name, RunSync.name, Requests.name


def contender(name: str, origin: str) -> Contender | BlockingContender:
    """Return the contender of that name."""
    kind = next(kind for kind in _CONTENDERS if kind.name == name)
    return kind(origin)
