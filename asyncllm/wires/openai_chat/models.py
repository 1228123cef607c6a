"""The list of models as OpenAI's wire has it.

Wire facts: OpenAI's reference of `GET /models`; Together writes the bare list, and Ollama without
models `"data": null`.
"""

from __future__ import annotations

import msgspec

from asyncllm.framing.json import decode


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model] | None


_MODELS = msgspec.json.Decoder(_Models | list[_Model])


def model_ids(body: bytes) -> list[str]:
    """Return the ids in an answer to `GET /models`.

    Raises:
        ProtocolError: it is no list of models.

    """
    told = decode(_MODELS, body)
    models = told if isinstance(told, list) else told.data or []
    return [model.id for model in models]
