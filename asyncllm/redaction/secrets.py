"""Where a request holds secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SECRET_NAME = re.compile(
    "auth|cookie|credential|key|passw|secret|session|signature|token", re.IGNORECASE
)


def is_secret(name: str) -> bool:
    """Tell whether a header or a query field of this name holds a secret."""
    return _SECRET_NAME.search(name) is not None


def secrets_in(fields: Mapping[str, str]) -> Iterator[str]:
    """Yield the secrets of headers or of query fields: values, and what they are made of."""
    for name, value in fields.items():
        if not is_secret(name):
            continue
        if "cookie" in name.lower():
            for pair in value.split(";"):
                said = pair[pair.find("=") + 1 :].strip()  # all of it where it has no name
                yield from (said, said.strip('"'))
        else:
            yield value
            yield value.rpartition(" ")[2]  # what follows `Bearer`, say
