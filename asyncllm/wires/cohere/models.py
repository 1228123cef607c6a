"""The list of models as Cohere has it: pages, each with a token for the next.

Wire facts: Cohere's reference of `GET /v1/models`.
"""

from __future__ import annotations

import msgspec

from asyncllm.framing.json import decode


class _Model(msgspec.Struct):
    name: str | None = None


class _Page(msgspec.Struct):
    models: list[_Model]
    next_page_token: str | None = None


_PAGE = msgspec.json.Decoder(_Page)


def page_of_models(body: bytes) -> tuple[list[str], str]:
    """Return the names in an answer to `GET /v1/models`, and the next page's token, or "".

    Raises:
        ProtocolError: it is no list of models.

    """
    page = decode(_PAGE, body)
    return [model.name for model in page.models if model.name], page.next_page_token or ""
