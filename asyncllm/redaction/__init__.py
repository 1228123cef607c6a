"""What no text may show."""

from asyncllm.redaction.mask import MASK, NOT_SHOWN, Mask
from asyncllm.redaction.one_line import excerpt, in_one_line
from asyncllm.redaction.secrets import is_secret, secrets_in
from asyncllm.redaction.values import masked

__all__ = [
    "MASK",
    "NOT_SHOWN",
    "Mask",
    "excerpt",
    "in_one_line",
    "is_secret",
    "masked",
    "secrets_in",
]
