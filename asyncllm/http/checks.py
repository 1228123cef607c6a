"""What may be sent: base URLs, headers and ids are refused here if they can't be."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from yarl import URL

from asyncllm.errors import ConfigurationError, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_ID = 200


def check_base_url(base_url: str, *, name: str = "base_url") -> str:
    """Return `base_url` without a slash at its end.

    Args:
        base_url: the URL.
        name: what the caller knows it by, for the error.

    Raises:
        ConfigurationError: it is no http or https URL with a host.

    """
    try:
        url = URL(base_url)
        is_place = (
            url.scheme in ("http", "https") and url.host and not any(map(str.isspace, base_url))
        )
        # What stands in a URL is shown, and what stands behind `?` or `#` would come to stand
        # before the path of a request.
        if is_place and url.user is None and url.password is None and not set("?#") & set(base_url):
            return base_url.rstrip("/")
    except (TypeError, ValueError):
        pass
    raise ConfigurationError(
        f"{name} can't be used: write it as https://host or http://host:port/path, with its "
        "scheme, without user and password (they belong in a header) and without a query"
    )


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return `headers` as a dictionary.

    Raises:
        ConfigurationError: a value can't be sent as a header; the value is not shown.

    """
    for name, value in headers.items():
        if not all(
            isinstance(text, str) and not set("\r\n\0") & set(text) for text in (name, value)
        ):
            raise ConfigurationError(
                f"the {name} header can't be sent: its value (an API key?) must be a str without "
                "line breaks"
            )
    return dict(headers)


def merged_headers(own: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Return headers of both; of one name, in upper or lower case, those that were `given`.

    Raises:
        ConfigurationError: a value can't be sent as a header; the value is not shown.

    """
    checked = check_headers(given)
    names = {name.lower() for name in checked}
    kept = {name: value for name, value in own.items() if name.lower() not in names}
    return {**check_headers(kept), **checked}


def check_id(word: str) -> str:
    """Return an id that a server has given, if it can stand in a URL and in a log.

    Raises:
        ProtocolError: it is empty, too long, a step to another path, or not printable.

    """
    if 0 < len(word) <= _LONGEST_ID and word.isprintable() and word not in {".", ".."}:
        return word
    raise ProtocolError(f"the server gave an id that can't be used: {word[:_LONGEST_ID]!r}")


@lru_cache(maxsize=1024)  # each id of a conversation is asked about three times
def path_segment(word: str) -> str:
    """Return an id that a server has given as one segment of a URL's path, whatever is in it.

    Args:
        word: the id, as the server gave it.

    Raises:
        ProtocolError: it is empty, `.` or `..`, not printable, or longer than 200 characters.

    """
    check_id(word)
    is_plain = word.isascii() and word.isalnum()  # nearly all are, and `quote` takes longer
    return word if is_plain else quote(word, safe="")
