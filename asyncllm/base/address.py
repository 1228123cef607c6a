"""Where a provider's server is: who says so first."""

from __future__ import annotations

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
        f"{name} has no address of its own, and base_url is missing: "
        f"give {'=… or '.join(options)}=…, or set {' or '.join(environment)}"
    )
