"""Where a provider's server is: who says so first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asyncllm.errors import ConfigurationError
from asyncllm.http.checks import check_base_url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def chosen_address(
    given: str | None,
    environment: Mapping[str, str],
    own: str,
    *,
    name: str,
    options: Sequence[str] = ("base_url",),
) -> str:
    """Return the base URL: the one that was given, one of the environment, or the provider's own.

    Args:
        given: by the caller.
        environment: what stands in variables, by their names, the first of them first.
        own: the provider's, or "".
        name: what the provider is called, for the error.
        options: of its constructor, any of which says where it is.

    Raises:
        ConfigurationError: there is none, or the one that counts can't be used.

    """
    if given:
        return check_base_url(given)
    for variable, address in environment.items():
        if address:
            return check_base_url(address, name=variable)
    if own:
        return check_base_url(own, name="url")
    raise ConfigurationError(
        f"{name} has no address of its own: pass {'=… or '.join(options)}=…, or set "
        f"{' or '.join(environment)}"
    )


def check_end(base_url: str, ending: str, advice: str = "") -> None:
    """Refuse a base URL that was copied together with what follows it, or is of another wire.

    Args:
        base_url: the URL.
        ending: a regular expression for what must not stand at its end.
        advice: what to do otherwise, for the error.

    Raises:
        ConfigurationError: it ends so.

    """
    found = re.search(rf"(?:{ending})$", base_url)
    if found is not None:
        raise ConfigurationError(
            f"the base URL {base_url!r} ends in {found[0]}, but each request adds its own path: "
            f"write base_url={base_url[: found.start()]!r}{advice and f', or {advice}'}"
        )
