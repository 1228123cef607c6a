"""Proxies: their addresses checked, their credentials kept out of every URL and text."""

from __future__ import annotations

import base64
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import msgspec
from typing_extensions import override
from yarl import URL

from asyncllm.errors import ConfigurationError

if TYPE_CHECKING:
    from aiohttp import BaseConnector

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks4": 1080, "socks4a": 1080, "socks5": 1080}
_SOCKS_CREDENTIAL_BYTES = 255


class Proxy(msgspec.Struct, frozen=True):
    """A proxy.

    Attributes:
        scheme: "http", "https", "socks4", "socks4a" or "socks5".
        host: its name or address, in the form that requests use: an international name is encoded.
        port: its port.
        user: for authentication, or None.
        password: for authentication, or None.

    """

    scheme: str
    host: str
    port: int
    user: str | None = None
    password: str | None = None

    @override
    def __repr__(self) -> str:
        return f"Proxy({self.scheme}://{self.host}:{self.port})"

    @override
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
        return {"Proxy-Authorization": f"Basic {self._basic}"}

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no text may show: the password alone, behind its user in a URL, and in a header.

        A short password, which may be any word, is masked in the last two only.
        """
        if not self.password:
            return ()
        in_url = f"{self.user or ''}:{self.password}@"
        return (self.password, in_url, self._basic)

    def forwards(self, url: str) -> bool:
        """Tell whether a request to `url` is forwarded by this proxy, without a tunnel."""
        return not self.is_socks and URL(url).scheme == "http"

    def request_options(self) -> dict[str, Any]:
        """Return what aiohttp's `request` takes to go through this proxy; for SOCKS, nothing.

        The credentials are told with CONNECT only: a request that is forwarded must carry them.
        """
        if self.is_socks:
            return {}
        url = URL.build(scheme=self.scheme, host=self.host, port=self.port)
        return {"proxy": url, "proxy_headers": self.credentials}

    def connector(self, **options: Any) -> BaseConnector:
        """Return a connector that tunnels through this SOCKS proxy, with the `options` of others.

        Raises:
            ConfigurationError: the extra that brings SOCKS is not installed.

        """
        if find_spec("aiohttp_socks") is None:
            raise ConfigurationError(
                "SOCKS proxies need an extra: pip install 'asyncllm-sdk[socks]'"
            )
        from aiohttp_socks import ProxyType  # noqa: PLC0415 - an extra

        from asyncllm.http.socks import SocksConnector  # noqa: PLC0415 - needs that extra

        return SocksConnector(
            proxy_type=ProxyType.SOCKS5 if self.scheme == "socks5" else ProxyType.SOCKS4,
            host=self.host,
            port=self.port,
            username=self.user,
            password=self.password,
            rdns=self.scheme != "socks4",  # in SOCKS4 without the "a" there are no names
            **options,
        )

    @property
    def _basic(self) -> str:
        return base64.b64encode(f"{self.user or ''}:{self.password or ''}".encode()).decode()


def parse_proxy(proxy: str | None, *, variable: str = "") -> Proxy | None:
    """Return the proxy that a URL names; None for none.

    The names of servers are resolved by the proxy; with `socks4`, which knows no names, by this
    machine. So `socks5h` means the same as `socks5` here.

    Args:
        proxy: as `scheme://user:password@host:port`, with the scheme `http`, `https`, `socks5`,
            `socks5h`, `socks4` or `socks4a`. Without a port it is 80, 443 or, for SOCKS, 1080.
            A SOCKS4 proxy is told the user alone.
        variable: where in the environment it stands, for the error.

    Raises:
        ConfigurationError: the URL names no proxy that can be used.

    """
    if proxy is None or proxy == "":
        return None
    source = f"the proxy URL in {variable}" if variable else "the proxy URL"
    try:
        url = URL(proxy)
        scheme = "socks5" if url.scheme == "socks5h" else url.scheme
        port = _DEFAULT_PORTS.get(scheme) if url.explicit_port is None else url.explicit_port
        if scheme in _DEFAULT_PORTS and url.raw_host and port:
            found = Proxy(scheme, url.raw_host, port, url.user, url.password)
            if not found.is_socks or all(map(_is_socks_text, (found.user, found.password))):
                return found
            source += " (a SOCKS user or password is ASCII, at most 255 characters)"
    except (TypeError, ValueError):
        pass
    # The URL itself is not shown: it may hold a password.
    raise ConfigurationError(
        f"{source} can't be used: write it as scheme://user:password@host:port with the scheme "
        "http, https, socks5, socks5h, socks4 or socks4a"
    )


def _is_socks_text(text: str | None) -> bool:
    # The SOCKS library finds out only while connecting, with errors that quote the text.
    return text is None or (text.isascii() and len(text) <= _SOCKS_CREDENTIAL_BYTES)
