"""The list of models as Anthropic's wire has it, a page at a time.

Wire facts: Anthropic's reference of `GET /v1/models`.
"""

from __future__ import annotations

import msgspec

from asyncllm.framing.json import decode


class _Model(msgspec.Struct):
    id: str


class ModelPage(msgspec.Struct):
    """A page of the list.

    Attributes:
        data: the models on it.
        has_more: whether there is another page.
        last_id: the id to ask for the next page with; None or "" where there is none.

    """

    data: list[_Model] | None
    has_more: bool | None = False
    last_id: str | None = None

    @property
    def ids(self) -> list[str]:
        """The ids of the models on it."""
        return [model.id for model in self.data or ()]


_PAGE = msgspec.json.Decoder(ModelPage)


def page_of(body: bytes) -> ModelPage:
    """Return the page that is the answer to `GET /v1/models`.

    Raises:
        ProtocolError: it is none.

    """
    return decode(_PAGE, body)
