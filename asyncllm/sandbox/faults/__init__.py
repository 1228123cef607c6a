"""The faults a sandbox can be told to show.

A fault is frozen; how often it has been used is kept in the `FaultBook`. Every fault takes
`times`: how many requests it applies to, `None` for every one. Faults of one kind (refusals,
breaks, ...) queue up in the order in which they were declared, so that
``[Status(status=429, times=2), Drop(after=3, times=1)]`` is a script: two refusals, one
broken stream, then all is well.
"""

from asyncllm.sandbox.faults.breaks import (
    BadJson,
    Break,
    Drop,
    ErrorInStream,
    PingForever,
    Stall,
    Truncate,
)
from asyncllm.sandbox.faults.chatui import (
    LoseSessions,
    NewId,
    NoOrigin,
)
from asyncllm.sandbox.faults.delays import (
    Delay,
    Late,
    SlowAnswer,
    SlowCreate,
)
from asyncllm.sandbox.faults.fault import (
    AnyStep,
    Fault,
    Step,
)
from asyncllm.sandbox.faults.habits import (
    BigEvent,
    Framing,
    NoDone,
    NoFinishReason,
    NullContent,
    PlainJson,
    ReasoningField,
    ToolIndex,
    Usage,
)
from asyncllm.sandbox.faults.refusals import (
    DetailError,
    EmptyBody,
    HtmlPage,
    ModelDoesNotExist,
    PlainError,
    Refusal,
    RefuseField,
    Status,
)

__all__ = [
    "AnyStep",
    "BadJson",
    "BigEvent",
    "Break",
    "Delay",
    "DetailError",
    "Drop",
    "EmptyBody",
    "ErrorInStream",
    "Fault",
    "Framing",
    "HtmlPage",
    "Late",
    "LoseSessions",
    "ModelDoesNotExist",
    "NewId",
    "NoDone",
    "NoFinishReason",
    "NoOrigin",
    "NullContent",
    "PingForever",
    "PlainError",
    "PlainJson",
    "ReasoningField",
    "Refusal",
    "RefuseField",
    "SlowAnswer",
    "SlowCreate",
    "Stall",
    "Status",
    "Step",
    "ToolIndex",
    "Truncate",
    "Usage",
]
