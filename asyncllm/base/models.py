"""The names of models: what users may write for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.errors import ConfigurationError
from asyncllm.hints import nearest_match

if TYPE_CHECKING:
    from collections.abc import Mapping


def full_id(model: str, known: Mapping[str, str], provider: str) -> str:
    """Return the full id of a model named shortly or fully.

    Args:
        model: the name; an empty one is returned as it is.
        known: short name → full id; where it is empty any name will do, as the server knows.
        provider: whose models they are, for the error.

    Raises:
        ConfigurationError: it is neither a known name nor a full id with a slash in it.

    """
    if not (model and known) or model in known.values() or "/" in model:
        return model
    if model in known:
        return known[model]
    raise ConfigurationError(
        f"{provider} has no model {model!r}{nearest_match(model, known)}; it has "
        f"{', '.join(known)}, and takes any full id with a slash in it"
    )
