"""The list of models as Gemini's wire has it, page by page.

Wire facts: Google's reference of `models.list`, of the Gemini API and of Vertex AI's publishers.
"""

from __future__ import annotations

import msgspec

from asyncllm.framing.json import decode
from asyncllm.wires.loose import as_list, as_text

_ANSWERS = "generateContent"


class _Model(msgspec.Struct, rename="camel"):
    name: str
    supported_generation_methods: object = None


class _Page(msgspec.Struct, rename="camel"):
    models: list[_Model] | None = None
    publisher_models: list[_Model] | None = None
    next_page_token: object = None


_PAGE = msgspec.json.Decoder(_Page)


def models_of(body: bytes) -> tuple[list[str], str]:
    """Return the ids of a page's models that answer, and what asks for the next page; "" for none.

    Raises:
        ProtocolError: it is no such page.

    """
    page = decode(_PAGE, body)
    models = [*(page.models or ()), *(page.publisher_models or ())]
    ids = [_id_of(model.name) for model in models if _answers(model)]
    return ids, as_text(page.next_page_token)


def _answers(model: _Model) -> bool:
    methods = as_list(model.supported_generation_methods)  # Vertex AI does not say
    return not methods or _ANSWERS in methods


def _id_of(name: str) -> str:
    """Return "gemini-…" of `models/gemini-…` and of a publisher's; another name as it is."""
    *_, own = name.rpartition("publishers/google/models/")
    return own.removeprefix("models/")
