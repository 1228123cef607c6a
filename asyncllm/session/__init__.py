"""What many streams share: connections, conversations, and what is left of them."""

from asyncllm.session.manager import SessionManager
from asyncllm.session.server import ConversationServer

__all__ = ["ConversationServer", "SessionManager"]
