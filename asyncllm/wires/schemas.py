"""The JSON schema of a `response_format`, for the wires that want it without what is around it.

Wire facts: OpenAI's reference of `POST /chat/completions` has it in `json_schema`, and that of its
Responses beside the type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.errors import ConfigurationError
from asyncllm.wires.loose import as_mapping

if TYPE_CHECKING:
    from collections.abc import Mapping


def schema_in(form: Mapping[str, object]) -> dict[str, object]:
    """Return the schema of a `response_format` with the type "json_schema"; an empty one for none.

    Args:
        form: the `response_format`.

    Raises:
        ConfigurationError: what stands in the schema's place is no mapping.

    """
    around = form.get("json_schema", form)
    schema = around.get("schema", {}) if isinstance(around, dict) else None
    if not isinstance(schema, dict):
        raise ConfigurationError(
            'response_format must be {"type": "json_schema", "json_schema": {"name": …, "schema": '
            "{…}}} with a dict as its schema"
        )
    return as_mapping(schema)
