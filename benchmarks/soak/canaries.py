"""Secrets that the soak gives to the SDK, and that no text may show, not even in part."""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

_LENGTH = 38
_PART = 8  # characters: a part of a secret that is as long counts as the secret
_ALPHABET = string.ascii_letters + string.digits


class Canaries:
    """The secrets of one run.

    Args:
        dice: what they are drawn with.

    Attributes:
        key: an API key.
        password: a proxy's.
        cookie: the value of a cookie.

    """

    def __init__(self, dice: random.Random) -> None:
        self.key, self.password, self.cookie = (
            "".join(dice.choices(_ALPHABET, k=_LENGTH)) for _ in range(3)
        )
        parts = {
            secret[start : start + _PART]
            for secret in (self.key, self.password, self.cookie)
            for start in range(_LENGTH - _PART + 1)
        }
        self._shown = re.compile("|".join(sorted(parts))).search

    def are_shown(self, text: str) -> bool:
        """Tell whether a text has one of them, or eight characters of one."""
        return self._shown(text) is not None

    def shown_by(self, error: BaseException | None) -> Iterator[str]:
        """Say which texts of an error, and of those that it drags along, show one."""
        while error is not None:
            texts = {"str": str(error), "repr": repr(error), "args": repr(error.args)}
            texts |= {name: repr(value) for name, value in vars(error).items() if name != "reply"}
            if shown := [name for name, text in texts.items() if self.are_shown(text)]:
                yield f"a secret is shown: {type(error).__name__}, by its {', '.join(shown)}"
            error = error.__cause__ or error.__context__
