"""The list of models as Ollama has it.

Wire facts: `ListResponse` of Ollama's `api/types.go`; without models it is null.
"""

from __future__ import annotations

import msgspec

from asyncllm.framing.json import decode


class _Model(msgspec.Struct):
    name: str


class _Models(msgspec.Struct):
    models: list[_Model] | None


_MODELS = msgspec.json.Decoder(_Models)


def model_names(body: bytes) -> list[str]:
    """Return the names in an answer to `GET /api/tags`.

    Raises:
        ProtocolError: it is no list of models.

    """
    return [model.name for model in decode(_MODELS, body).models or []]
