"""Answers as bytes, read by a translator in reads of any size, and what is made of them."""

import itertools
import json

from hypothesis import strategies as st

from asyncllm import AsyncLLMError, Finish, Ping
from asyncllm.events import parts_of
from asyncllm.framing.body import BodyDecoder
from asyncllm.stream.partial_reply import PartialReply


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def json_lines(*events):
    return b"".join(compact(event) + b"\n" for event in events)


def named_events(*events):
    """Return server-sent events, each with the name that its `type` is."""
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), compact(event)) for event in events
    )


def plain_events(*events):
    return b"".join(b"data:%b\n\n" % compact(event) for event in events)


def items_of(body, translator, framing="sse", cuts=()):
    """Return the items of a body that is cut at `cuts`, and the error that ended it, if one did."""
    decoder, items = BodyDecoder("", 2**24, framing), []
    reads = [body[a:b] for a, b in itertools.pairwise([0, *sorted(cuts), len(body)]) if a < b]
    try:
        for read in reads:
            if translator.is_done:
                break
            if payloads := (decoder.events or decoder).feed(read):
                translator.feed(payloads, items)
        if not translator.is_done:
            if payloads := decoder.close():
                translator.feed(payloads, items)
            items += [] if translator.is_done else translator.close()
    except AsyncLLMError as error:
        return items, error
    return items, None


def reply_of(items):
    """Return the reply that items give, and why the answer ended."""
    partial = PartialReply("asked", 2**30, keep=True)
    partial.add([item for item in items if not isinstance(item, Ping)])
    return partial.reply()


def joined(items):
    """Return items with their texts joined: reads may cut them anywhere."""
    text, events = parts_of([item for item in items if not isinstance(item, Ping)])
    return text, events


def cuts_of(body):
    return st.lists(st.integers(min_value=1, max_value=len(body) - 1), max_size=8)


def truncations_that_finish(body, make, framing="sse"):
    """Return the lengths at which a body that is cut off there is taken for a whole answer."""
    return [
        size
        for size in range(len(body))
        if (found := items_of(body[:size], make(), framing))[1] is None
        or any(isinstance(item, Finish) for item in found[0])
    ]
