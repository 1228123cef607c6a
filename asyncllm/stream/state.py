"""`State`: where an answer is on its way to exactly one of its four ends.

    NEW ───────► READING ◄───────► OPEN ───────► ENDING
     │              │                              │
     └──────────────┴───────────► ENDED ◄──────────┘

- A read leads from NEW or OPEN to READING, and its batch from there to OPEN. One task at a time
  reads; any task may close.
- Whatever ends a read leads from READING to ENDED: the sign that the answer is whole, a failure,
  or a cancellation. Before that, the reading task gives back what the answer holds.
- Closing, and the limit `total`, lead from NEW to ENDED, and from OPEN to ENDING, where a task
  gives back what the answer holds. What is being read is interrupted instead: the reading task
  is cancelled, so that its own read ends it.
- Once ENDING or ENDED, an answer has finished, was closed, was cancelled, or has failed, and that
  never changes.
"""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """Where an answer is; the value says so in a `repr`."""

    NEW = "not started"
    """Nothing has been sent."""

    READING = "being read"
    """A task waits for a batch; after the last one, until all that the answer holds is back."""

    OPEN = "open"
    """It has begun, and no task waits in a read."""

    ENDING = "ending"
    """Nothing more comes, and a task of ours gives back what the answer holds."""

    ENDED = "ended"
    """Nothing more comes, and nothing is held."""
