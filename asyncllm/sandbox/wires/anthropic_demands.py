"""What Anthropic wants back unchanged: thinking with its signature, and what its tools found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.sandbox.wires.anthropic_request import blocks_in
from asyncllm.sandbox.wires.openai_details import signature_of
from asyncllm.sandbox.wires.openai_errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asyncllm.sandbox.wires.body import JSON

_THINKING = ("thinking", "redacted_thinking")
_KEPT = (*_THINKING, "server_tool_use", "web_search_tool_result")
_MOST = 1000


class Demands:
    """What the newest answers want back, by the ids of their calls; at most 1,000 of these."""

    def __init__(self) -> None:
        self._by_call: dict[str, list[JSON]] = {}
        self._issued: dict[str, None] = {}

    def remember(self, before: Sequence[JSON], calls: Iterable[JSON]) -> None:
        """Remember the blocks that came before the calls of an answer."""
        for block in before:
            if "signature" in block:
                self._issued[str(block["signature"])] = None
        for call in calls:
            self._by_call[str(call["id"])] = [*before]
        for kept in (self._by_call, self._issued):
            for oldest in [*kept][:-_MOST]:
                del kept[oldest]

    def check(self, messages: Sequence[JSON], *, is_thinking: bool) -> None:
        """See that what comes back is as it was sent.

        Raises:
            RequestError: something is missing, or is another than it was.

        """
        for place, message in enumerate(messages):
            blocks = blocks_in(message.get("content"))
            for number, block in enumerate(blocks):
                self._check_signature(block, f"messages.{place}.content.{number}")
                wanted = self._by_call.get(str(block.get("id")), [])
                if block.get("type") == "tool_use" and is_thinking:
                    _compare(wanted, blocks[:number], f"messages.{place}.content")

    def _check_signature(self, block: JSON, where: str) -> None:
        if block.get("type") != "thinking":
            return
        signature = str(block.get("signature"))
        if signature != signature_of(str(block["thinking"])) and (
            block["thinking"] or signature not in self._issued
        ):
            raise RequestError(f"{where}: Invalid `signature` in `thinking` block")


def _compare(wanted: list[JSON], given: list[JSON], where: str) -> None:
    came = [block for block in given if block.get("type") in _KEPT]
    if wanted and not came:
        first = given[0].get("type") if given else "tool_use"
        raise RequestError(
            f"{where}.0.type: Expected `thinking` or `redacted_thinking`, but found `{first}`. "
            "When `thinking` is enabled, a final `assistant` message must start with a thinking "
            "block."
        )
    if came != wanted:
        raise RequestError(
            f"{where}: `thinking` or `redacted_thinking` blocks in the latest assistant message "
            "cannot be modified. These blocks must remain as they were in the original response."
        )
