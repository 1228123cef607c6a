"""Secrets, found where a request holds them, and masked in whatever form a text quotes them."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

MASK = "***"
_SECRET_NAME = re.compile(
    "auth|cookie|credential|key|passw|secret|session|signature|token", re.IGNORECASE
)
_LEAST_COOKIE = 8  # shorter ones are themes and languages, and words of any message


def is_secret(name: str) -> bool:
    """Tell whether a header or a query field of this name holds a secret."""
    return _SECRET_NAME.search(name) is not None


def secrets_in(fields: Mapping[str, str]) -> Iterator[str]:
    """Yield the secrets of headers or of query fields: values, and what they are made of."""
    for name, value in fields.items():
        if not is_secret(name):
            continue
        yield value
        if "cookie" in name.lower():
            pairs = [pair.partition("=") for pair in value.split(";")]
            yield from (text.strip() for _, _, text in pairs if len(text) >= _LEAST_COOKIE)
        else:
            yield value.rpartition(" ")[2]  # what follows `Bearer`, say


def masking(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return a function that puts `***` for each of `secrets`, as given or encoded."""
    wanted = sorted(filter(None, set(secrets)), key=len, reverse=True)  # one may hold another
    if not wanted:
        return str
    pattern = re.compile("|".join("".join(map(_in_any_form, secret)) for secret in wanted))
    return lambda text: pattern.sub(MASK, text)


def _in_any_form(character: str) -> str:
    """Return a pattern for a character as URLs, JSON, HTML and Python's `repr` write it."""
    if character.isascii() and character.isalnum():
        return character
    utf8 = character.encode("utf-8", "surrogatepass")
    percent = "".join(f"%(?:25)*{byte:02x}" for byte in utf8)  # also encoded over and over
    units = character.encode("utf-16-be", "surrogatepass").hex()
    json = "".join(rf"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
    forms = [rf"\\*{re.escape(character)}", f"(?i:{percent})", f"(?i:{json})"]
    forms += [re.escape(escape(character))] if escape(character) != character else []
    forms += ["[ +]"] if character in " +" else []  # in a query they stand for each other
    return f"(?:{'|'.join(forms)})"
