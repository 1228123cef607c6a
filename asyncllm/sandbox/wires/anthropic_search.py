"""The sandbox's search, as a tool of Anthropic's own server; and sources, as Anthropic has them."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

from asyncllm.sandbox.wires.anthropic_request import blocks_in
from asyncllm.sandbox.wires.body import JSON, list_in, object_in
from asyncllm.sandbox.wires.openai_details import signature_of
from asyncllm.sandbox.wires.openai_errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

_HAS_THE_WORD_SEARCH = re.compile(r"\bsearch\b", re.IGNORECASE).search
_RESULT = "web_search_tool_result"


def wants_search(body: JSON, prompt: str) -> bool:
    """Say whether there is a tool to search with, and the user's text asks for it."""
    kinds = [str(object_in(tool).get("type")) for tool in list_in(body.get("tools"))]
    has_tool = any(kind.startswith("web_search") for kind in kinds)
    return has_tool and _HAS_THE_WORD_SEARCH(prompt) is not None


def search(prompt: str) -> list[JSON]:
    """Search: the call of the server's tool, and what it returns."""
    called = f"srvtoolu_{zlib.crc32(prompt.encode('utf-8', 'replace')):08x}"
    caller = {"type": "direct"}
    return [
        {
            "type": "server_tool_use",
            "id": called,
            "name": "web_search",
            "input": {"query": "asyncllm sandbox"},
            "caller": caller,
        },
        {
            "type": _RESULT,
            "tool_use_id": called,
            "content": [_found(number) for number in (1, 2)],
            "caller": caller,
        },
    ]


def is_paused(messages: Sequence[JSON]) -> bool:
    """Say whether the last message is an answer that is to go on after a search."""
    blocks = blocks_in(messages[-1].get("content"))
    return bool(blocks) and blocks[-1].get("type") == _RESULT


def sources_of(blocks: Sequence[JSON]) -> list[JSON]:
    """Cite what was found among these blocks.

    Raises:
        RequestError: it is not what the server found.

    """
    sources = []
    for block in blocks:
        for found in list_in(block.get("content")) if block.get("type") == _RESULT else []:
            source = object_in(found)
            if source.get("encrypted_content") != signature_of(str(source.get("url"))):
                raise RequestError(f"Invalid `encrypted_content` in `{_RESULT}` block")
            sources.append(
                {
                    "type": "web_search_result_location",
                    "url": source["url"],
                    "title": source["title"],
                    "encrypted_index": signature_of(f"index of {source['url']}"),
                    "cited_text": f"What {source['title']} says.",
                }
            )
    return sources


def document_sources(messages: Sequence[JSON]) -> list[JSON]:
    """Cite the documents that are to be cited, each for its beginning."""
    blocks = [block for each in messages for block in blocks_in(each.get("content"))]
    documents = [block for block in blocks if block.get("type") == "document"]
    return [
        {
            "type": "char_location",
            "cited_text": str(object_in(document.get("source")).get("data", ""))[:20],
            "document_index": number,
            "document_title": document.get("title"),
            "start_char_index": 0,
            "end_char_index": 20,
            "file_id": None,
        }
        for number, document in enumerate(documents)
        if object_in(document.get("citations")).get("enabled") is True
    ]


def _found(number: int) -> JSON:
    url = f"https://example.org/{number}"
    return {
        "type": "web_search_result",
        "url": url,
        "title": f"Source {number}",
        "encrypted_content": signature_of(url),
        "page_age": None,
    }
