"""The same for callers that block."""

from asyncllm.sync.bridge import SyncIterator, SyncStream, run_sync

__all__ = ["SyncIterator", "SyncStream", "run_sync"]
