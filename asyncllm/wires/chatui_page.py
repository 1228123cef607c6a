"""chat-ui's page: which models it offers.

Wire facts: chat-ui 0.3.0 (July 2023), whose `+layout.server.ts` puts `models` into the page as
SvelteKit writes data: JavaScript, with names of fields bare or quoted.
"""

from __future__ import annotations

import json
import re

from asyncllm.errors import ProtocolError

_LIST = re.compile(r'\bmodels"?:\s?\[')
_MODEL = re.compile(r'\{"?id"?:\s?("[^"]{1,500}"),\s?"?name"?:')
_OTHERS = re.compile(r'\boldModels"?:')  # which come after, and answer nobody


def models_of(page: bytes) -> list[str]:
    """Return the ids of the models that a page of chat-ui offers, in its order.

    Args:
        page: the page, HTML.

    Raises:
        ProtocolError: there is no list of models in it.

    """
    _, *rest = _LIST.split(page.decode(errors="replace"), maxsplit=1)
    offered = _OTHERS.split(rest[0], maxsplit=1)[0] if rest else ""
    found = dict.fromkeys(map(_text_of, _MODEL.findall(offered)))
    if not found:
        raise ProtocolError(
            "the page at / has no list of models, which chat-ui of 2023 writes as "
            "`models:[{id:…,name:…}]`; for a newer one use asyncllm.ChatUI"
        )
    return list(found)


def _text_of(literal: str) -> str:
    """Return what a literal of JavaScript says, where it is one of JSON too; else its letters."""
    try:
        return str(json.loads(literal))
    except ValueError:
        return literal.strip('"')
