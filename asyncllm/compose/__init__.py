"""Providers made of providers; none of them is named here."""

from asyncllm.compose.fallback import Fallback

__all__ = ["Fallback"]
