"""What many streams share: connections, conversations, and what is left of them."""

from asyncllm.session.conversations import ConversationServer
from asyncllm.session.manager import SessionManager

__all__ = ["ConversationServer", "SessionManager"]
