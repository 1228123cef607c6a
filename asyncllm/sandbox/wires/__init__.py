"""The wires as a server speaks them: each one's routes, what they read and what they write."""

from asyncllm.sandbox.wires.every import Wires

__all__ = ["Wires"]
