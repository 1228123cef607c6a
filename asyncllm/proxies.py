"""Proxies: their addresses checked, their credentials kept out of every URL."""

from __future__ import annotations

import base64
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import msgspec
from yarl import URL

from asyncllm.errors import ConfigurationError

if TYPE_CHECKING:
    import ssl

    from aiohttp import BaseConnector

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks4": 1080, "socks5": 1080}


class Proxy(msgspec.Struct, frozen=True):
    """A proxy to go through.

    Attributes:
        scheme: "http", "https", "socks4" or "socks5".
        host: its name or address.
        port: its port.
        user: for authentication, or None.
        password: for authentication, or None.

    """

    scheme: str
    host: str
    port: int
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"Proxy({self.scheme}://{self.host}:{self.port})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # msgspec's own would show the password.
        return [("scheme", self.scheme), ("host", self.host), ("port", self.port)]

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS rather than HTTP."""
        return self.scheme.startswith("socks")

    @property
    def credentials(self) -> dict[str, str]:
        """The header that authenticates to an HTTP proxy; empty where no user is given."""
        if self.user is None and self.password is None:
            return {}
        pair = f"{self.user or ''}:{self.password or ''}".encode()
        return {"Proxy-Authorization": f"Basic {base64.b64encode(pair).decode()}"}

    def request_options(self) -> dict[str, Any]:
        """Return what aiohttp's `request` takes to go through this HTTP proxy.

        The credentials are told with CONNECT only: a request without a tunnel must carry them.
        """
        url = URL.build(scheme=self.scheme, host=self.host, port=self.port)
        return {"proxy": url, "proxy_headers": self.credentials}

    def connector(self, *, ssl: ssl.SSLContext | bool) -> BaseConnector:
        """Return an aiohttp connector that tunnels through this SOCKS proxy.

        Raises:
            ConfigurationError: the extra that brings SOCKS is not installed.

        """
        if find_spec("aiohttp_socks") is None:
            raise ConfigurationError("SOCKS proxies need an extra: pip install 'asyncllm[socks]'")
        from aiohttp_socks import ProxyConnector, ProxyType  # noqa: PLC0415 - an extra

        return ProxyConnector(
            proxy_type=ProxyType[self.scheme.upper()],
            host=self.host,
            port=self.port,
            username=self.user,
            password=self.password,
            rdns=True,
            ssl=ssl,
            limit=0,
        )


def parse_proxy(proxy: str | None) -> Proxy | None:
    """Return the proxy that a URL names; None for none.

    `socks5h` means the same as `socks5` here: host names are always resolved by the proxy.

    Raises:
        ConfigurationError: the URL names no proxy that can be used.

    """
    if proxy is None or proxy == "":
        return None
    try:
        url = URL(proxy)
        scheme = {"socks5h": "socks5", "socks4a": "socks4"}.get(url.scheme, url.scheme)
        port = _DEFAULT_PORTS.get(scheme) if url.explicit_port is None else url.explicit_port
        if scheme in _DEFAULT_PORTS and url.host and port:
            return Proxy(scheme, url.host, port, url.user, url.password)
    except (TypeError, ValueError):
        pass
    # The URL itself is not shown: it may hold a password.
    raise ConfigurationError(
        "the proxy URL can't be used: write it as scheme://user:password@host:port with the scheme "
        "http, https, socks5, socks5h or socks4"
    )
