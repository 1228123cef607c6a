"""The common parameters of a call, by the names that a wire of its own has for them."""

from __future__ import annotations

from collections.abc import Sized
from typing import TYPE_CHECKING

from asyncllm.base.asking import Asking
from asyncllm.base.given import NOT_SENT
from asyncllm.base.params import ProviderParams
from asyncllm.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMON = frozenset(Asking.elsewhere) - ProviderParams.__annotations__.keys() - NOT_SENT
"""The parameters that stand in the signature of every call, by their names."""

_ANSWERS = "n"  # which is 1, or would have been refused before


def on_the_wire(
    params: Mapping[str, object], names: Mapping[str, str], server: str
) -> dict[str, object]:
    """Return the parameters of a call by the names that a wire has for them.

    What is no common parameter goes as it is: it is the server's own. Where two of them have one
    name on the wire, the later of `names` counts.

    Args:
        params: what the caller gave by name; those that ask for nothing, such as an empty list of
            tools, are left out where the wire has no place for them.
        names: common parameter → the wire's own name.
        server: what the caller knows the server by, for the error.

    Raises:
        ConfigurationError: the wire has no place for one of them.

    """
    for name in sorted(COMMON & params.keys() - names.keys()):
        if name != _ANSWERS and not _asks_nothing(params[name]):
            raise ConfigurationError(
                f'{server} has no {name}: leave it out (extra={{"{name}": …}} sends it anyway)'
            )
    own = {name: value for name, value in params.items() if name not in COMMON}
    return {names[name]: params[name] for name in names if name in params} | own


def _asks_nothing(value: object) -> bool:
    return value is False or (isinstance(value, Sized) and not value)
