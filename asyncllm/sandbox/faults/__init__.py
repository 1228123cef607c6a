"""The faults a sandbox can be told to show.

A fault is frozen; how often it has been used is kept in the `FaultBook`. Every fault takes
`times`: how many requests it applies to, `None` for every one. Faults of one kind (refusals,
breaks, ...) queue up in the order in which they were declared, so that
``[Status(status=429, times=2), Drop(after=3, times=1)]`` is a script: two refusals, one
broken stream, then all is well.
"""

from asyncllm.sandbox.faults.anthropic import (
    PauseTurn,
    RedactedThinking,
    RefusalStop,
)
from asyncllm.sandbox.faults.breaks import (
    BadJson,
    Drop,
    ErrorInStream,
    PingForever,
    Stall,
    Truncate,
)
from asyncllm.sandbox.faults.breaks import Break as Break
from asyncllm.sandbox.faults.chatui import (
    LateTitle,
    LoseSessions,
    NewId,
    NoOrigin,
    ServerRetry,
)
from asyncllm.sandbox.faults.delays import Delay as Delay
from asyncllm.sandbox.faults.delays import (
    Late,
    SlowAnswer,
    SlowCreate,
)
from asyncllm.sandbox.faults.fault import AnyStep as AnyStep
from asyncllm.sandbox.faults.fault import Fault
from asyncllm.sandbox.faults.fault import Step as Step
from asyncllm.sandbox.faults.gemini import (
    BlockedPrompt,
    Continuation,
    EndsWith,
)
from asyncllm.sandbox.faults.habits import (
    BigEvent,
    ChangingIds,
    Citations,
    ContentParts,
    EmptyOutput,
    Fingerprint,
    Framing,
    NoArgumentDeltas,
    NoDone,
    NoFinishReason,
    NullContent,
    PlainJson,
    ReasoningDetails,
    ReasoningField,
    RefusalDeltas,
    ThoughtSignatures,
    ToolIndex,
    Usage,
    UsageDetails,
)
from asyncllm.sandbox.faults.habits import Thinking as Thinking
from asyncllm.sandbox.faults.refusals import (
    DetailError,
    EmptyBody,
    HtmlPage,
    ModelDoesNotExist,
    PlainError,
    RefuseField,
    Status,
)
from asyncllm.sandbox.faults.refusals import Refusal as Refusal

# What can be declared, and `asyncllm.sandbox` offers. The kinds and the steps, which are imported
# "as" themselves, are for code that asks which fault is due.
__all__ = [
    "BadJson",
    "BigEvent",
    "BlockedPrompt",
    "ChangingIds",
    "Citations",
    "ContentParts",
    "Continuation",
    "DetailError",
    "Drop",
    "EmptyBody",
    "EmptyOutput",
    "EndsWith",
    "ErrorInStream",
    "Fault",
    "Fingerprint",
    "Framing",
    "HtmlPage",
    "Late",
    "LateTitle",
    "LoseSessions",
    "ModelDoesNotExist",
    "NewId",
    "NoArgumentDeltas",
    "NoDone",
    "NoFinishReason",
    "NoOrigin",
    "NullContent",
    "PauseTurn",
    "PingForever",
    "PlainError",
    "PlainJson",
    "ReasoningDetails",
    "ReasoningField",
    "RedactedThinking",
    "RefusalDeltas",
    "RefusalStop",
    "RefuseField",
    "ServerRetry",
    "SlowAnswer",
    "SlowCreate",
    "Stall",
    "Status",
    "ThoughtSignatures",
    "ToolIndex",
    "Truncate",
    "Usage",
    "UsageDetails",
]
