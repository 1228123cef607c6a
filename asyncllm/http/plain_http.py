"""Plain http, which keeps a secret only on its way within this machine."""

from __future__ import annotations

import warnings
from functools import lru_cache
from ipaddress import ip_address

from yarl import URL

_warned_of: set[str] = set()


def warn_of_plain_http(base_url: str) -> None:
    """Warn, once for each base URL, that a secret goes over plain http to another machine."""
    url = URL(base_url)
    if url.scheme == "http" and not is_loopback(url.host) and base_url not in _warned_of:
        _warned_of.add(base_url)
        warnings.warn(
            f"credentials are sent to {base_url} unencrypted: use https:// where you can",
            stacklevel=4,
        )


@lru_cache
def is_loopback(host: str | None) -> bool:
    """Tell whether `host` is this machine: localhost, a name under it, or a loopback address."""
    if not host:
        return False
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
