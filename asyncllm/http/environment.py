"""The proxies that the environment names.

That is not left to aiohttp, which knows no ALL_PROXY, and reads `.netrc` for each request.
"""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING

from yarl import URL

from asyncllm.http.proxies import parse_proxy

if TYPE_CHECKING:
    from asyncllm.http.proxies import Proxy


class EnvironmentProxies:
    """The proxies that the environment names, as it was when this was made.

    HTTP_PROXY, HTTPS_PROXY, ALL_PROXY (also with a SOCKS proxy) and NO_PROXY are read as
    `urllib.request` reads them: the lower-case name comes first, HTTP_PROXY is not believed in a
    CGI script, and NO_PROXY lists hosts, domains, `host:port` pairs, or `*`. Nothing else is
    read: neither `.netrc` nor the settings of the system.
    """

    def __init__(self) -> None:
        self._urls = urllib.request.getproxies_environment()

    def proxy_for(self, url: str) -> Proxy | None:
        """Return the proxy to go through to `url`, or None.

        Raises:
            ConfigurationError: the variable that decides names no proxy that can be used.

        """
        target = URL(url)
        kind = target.scheme if target.scheme in self._urls else "all"
        if self._is_excepted(target):
            return None
        proxy = self._urls.get(kind, "")
        if proxy and "://" not in proxy:
            proxy = f"http://{proxy}"  # customary there
        return parse_proxy(proxy, variable=f"{kind.upper()}_PROXY")

    def _is_excepted(self, target: URL) -> bool:
        excepts = urllib.request.proxy_bypass_environment  # type: ignore[attr-defined] # typeshed lacks it
        names = (target.host or "", f"{target.host_subcomponent}:{target.port}")
        return any(excepts(name, self._urls) for name in names)
