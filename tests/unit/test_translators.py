"""What a translator makes of payloads: however many come with one read, however text is cut."""

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asyncllm import AsyncLLMError, Finish, Ping, ProviderError, Reasoning, Refusal, ToolCall
from asyncllm.framing.sse import NamedEvent
from asyncllm.framing.surrogates import Joiner
from asyncllm.wires.openai_chat import ChatTranslator
from asyncllm.wires.tgi import TGITranslator

WHOLE = {
    "chat": b'{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}',
    "tgi": b'{"token":{"text":"a"},"generated_text":"a","details":{"finish_reason":"eos_token"}}',
}
PAYLOADS = st.lists(
    st.sampled_from(
        [
            *WHOLE.values(),
            b'{"choices":[{"delta":{"content":"b"}}]}',
            b'{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"f"}}]}}]}',
            b'{"token":{"text":"b"}}',
            b'{"error":"overloaded"}',
            b"[DONE]",
            b"null",
            b'{"choices":"\xff"}',
            b'{"detail":' + b"[" * 100_000,
            b"",
            Ping("still there"),
            NamedEvent("error", b"in words"),
            NamedEvent("error", b'{"error":"named"}'),
            NamedEvent("delta", b'{"choices":[{"delta":{"content":"c"}}]}'),
        ]
    ),
    min_size=1,
    max_size=6,
)
TRANSLATORS = [ChatTranslator, lambda: TGITranslator(stops_early=False)]


def read(translator, reads):
    """Return the items that come of `reads`, and what failed, with what it was raised from."""
    items = []
    try:
        for payloads in reads:
            translator.feed(payloads, items)
            if translator.is_done:
                return items, None
        items += translator.close()
    except AsyncLLMError as error:
        return items, (repr(error), error.__context__)
    return items, None


@pytest.mark.parametrize("make", TRANSLATORS, ids=WHOLE)
@given(payloads=PAYLOADS)
@example(payloads=[WHOLE["chat"], b"[DONE]", b"{"])
@example(payloads=[WHOLE["tgi"], b"{"])
def test_payloads_of_one_read_say_what_they_say_one_by_one(make, payloads):
    assert read(make(), [payloads]) == read(make(), [[payload] for payload in payloads])


@pytest.mark.parametrize("make", TRANSLATORS, ids=WHOLE)
@given(payloads=PAYLOADS)
def test_no_error_is_raised_from_one_that_may_quote_what_must_be_masked(make, payloads):
    _, failure = read(make(), [payloads])
    assert failure is None or failure[1] is None


@pytest.mark.parametrize("make", TRANSLATORS, ids=WHOLE)
def test_what_comes_behind_the_end_is_no_part_of_the_answer(make):
    is_chat = make is ChatTranslator
    end = [WHOLE["chat"], b"[DONE]"] if is_chat else [WHOLE["tgi"]]
    finish = Finish("stop", "" if is_chat else "eos_token")
    assert read(make(), [[*end, b"{"]]) == read(make(), [end]) == (["a", finish], None)


# --- tool calls ---------------------------------------------------------------------------------


def calls_of(*deltas):
    return json.dumps({"choices": [{"delta": {"tool_calls": deltas}}]}).encode()


@pytest.mark.parametrize(
    ("payload", "adds"),
    [
        (calls_of({"index": 0, "function": {"arguments": "1"}}), True),
        (calls_of({"index": 1, "id": "y"}), True),
        (b'{"choices":[{"delta":{"function_call":{"arguments":"1"}}}]}', True),
        (calls_of({"index": 0, "function": {"arguments": ""}}), False),
        (calls_of({"index": 0, "id": "x"}), False),
        (calls_of({"index": 0, "id": "x", "function": {"name": "f"}}), False),
        (calls_of({"index": 0, "id": "x", "function": {}}), False),
        (calls_of(), False),
        (b'{"choices":[{"delta":{"content":""}}]}', False),
        (b'{"choices":[{"delta":{}}]}', False),
        (b'{"choices":[]}', False),
        (b'{"usage":{"total_tokens":1}}', False),
        (Ping(), False),
    ],
    ids=repr,
)
def test_only_what_adds_to_a_tool_call_counts_as_content(payload, adds):
    translator, batch = ChatTranslator(), []
    translator.feed([calls_of({"index": 0, "id": "x", "function": {"name": "f"}})], batch)
    assert translator.is_building
    translator.feed([payload], batch)
    assert translator.is_building is adds


@given(
    calls=st.lists(st.tuples(st.sampled_from("xy"), st.lists(st.text("01"), min_size=1))),
    data=st.data(),
)
def test_pieces_of_calls_in_any_order_are_put_together_whoever_shares_an_id(calls, data):
    left = {index: [*pieces] for index, (_, pieces) in enumerate(calls)}
    deltas, order = [], []
    while left:
        index = data.draw(st.sampled_from(sorted(left)))
        if index not in order:
            order.append(index)
        function = {"name": f"f{index}", "arguments": left[index].pop(0)}
        deltas.append({"index": index, "id": calls[index][0], "function": function})
        left = {index: pieces for index, pieces in left.items() if pieces}
    payloads = [calls_of(delta) for delta in deltas]
    items, _ = read(ChatTranslator(), [[*payloads, WHOLE["chat"], b"[DONE]"]])
    whole = [ToolCall(calls[i][0], f"f{i}", "".join(calls[i][1])) for i in order]
    assert [item for item in items if isinstance(item, ToolCall)] == whole


# --- characters cut in two ----------------------------------------------------------------------


def as_javascript(value):
    """Return the JSON that JavaScript makes: of strings of UTF-16, halves of pairs as escapes."""
    text = json.dumps(value, ensure_ascii=False)
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text).encode()


def units(text):
    """Return the units of UTF-16 of which `text` is made."""
    data = text.encode("utf-16-le", "surrogatepass")
    return [data[i : i + 2] for i in range(0, len(data), 2)]


def in_one(pieces):
    return b"".join(pieces).decode("utf-16-le", "surrogatepass")


def well_formed(text):
    """Return what `String.prototype.toWellFormed` makes of a text."""
    return re.sub("[\ud800-\udfff]", "\ufffd", in_one(units(text)))


def delta(**fields):
    return {"choices": [{"delta": fields}]}


def calling(arguments):
    return delta(tool_calls=[{"index": 0, "id": "x", "function": {"arguments": arguments}}])


CHAT_END = [b'{"choices":[{"delta":{},"finish_reason":"stop"}]}', b"[DONE]"]
TEXTS = {  # kind: what makes a translator, the event of a piece, what it comes out as
    "content": (ChatTranslator, lambda s: delta(content=s), str),
    "refusal": (ChatTranslator, lambda s: delta(refusal=s), Refusal),
    "reasoning": (ChatTranslator, lambda s: delta(reasoning=s), Reasoning),
    "reasoning_content": (ChatTranslator, lambda s: delta(reasoning_content=s), Reasoning),
    "arguments": (ChatTranslator, calling, ToolCall),
    "tgi": (TRANSLATORS[1], lambda s: {"token": {"text": s}}, str),
}
CUTS = st.tuples(
    st.text(st.characters(exclude_categories=()) | st.sampled_from("😀🏽\ud83c\udffd\ufeff")),
    st.sets(st.integers(0, 40)),
    st.booleans(),
)


def text_of(item):
    return getattr(item, "arguments", getattr(item, "text", item))


@pytest.mark.parametrize("kind", TEXTS)
@given(cut=CUTS)
@example(cut=("👋🏽 a", {1, 2, 3}, True))
@example(cut=("a👋b", {2}, False))
@example(cut=("\ud83c", set(), False))
@example(cut=("a\ud83cb\udffd", {2, 3}, True))
@example(cut=("\U00010000\U0010ffff", {1, 3}, False))
def test_a_text_cut_anywhere_as_javascript_cuts_it_is_the_same_text(kind, cut):
    make, event, comes_as = TEXTS[kind]
    text, places, is_one_read = cut
    pieces, marks = units(text), sorted(places)
    spans = zip([0, *marks], [*marks, None], strict=True)
    payloads = [as_javascript(event(in_one(pieces[i:j]))) for i, j in spans]
    if make is ChatTranslator:
        payloads += CHAT_END
    else:
        payloads.append(as_javascript({"generated_text": text}))
    items, failure = read(make(), [payloads] if is_one_read else [[one] for one in payloads])
    assert failure is None
    said = "".join(text_of(item) for item in items if isinstance(item, comes_as))
    assert said == well_formed(text)


def test_halves_are_joined_within_their_kind_and_in_the_order_of_the_rest():
    half = [as_javascript(delta(content="a\ud83c")), as_javascript(delta(reasoning="b\ud83d"))]
    other = [Ping(), as_javascript(delta(role="assistant")), as_javascript(delta(content=""))]
    rest = [as_javascript(delta(reasoning="\ude00c")), as_javascript(delta(content="\udffdd"))]
    items, failure = read(ChatTranslator(), [half, other, rest, CHAT_END])
    assert failure is None
    assert [item for item in items if not isinstance(item, Ping)] == [
        *("a", Reasoning("b"), Reasoning("😀c"), "🏽d", Finish("stop"))
    ]


def test_of_a_half_that_waits_nothing_is_given_out_and_of_what_passes_it_nothing_is_lost():
    joiner = Joiner()
    assert joiner.join(["\ud83c", Ping("a"), Reasoning("\ud83d")]) == [Ping("a")]
    rest = [Finish("stop"), "b", Reasoning("c")]
    assert joiner.join(rest) == [Reasoning("\ufffd"), "\ufffd", *rest]


def test_halves_may_be_written_in_capitals():
    event = b'{"choices":[{"delta":{"content":"%b"}}]}'
    reads = [[event % half] for half in (rb"\uD83D", rb"\uDE00")]
    assert read(ChatTranslator(), [*reads, CHAT_END]) == (["😀", Finish("stop")], None)


def test_no_half_leaves_by_another_way():
    cut = as_javascript({"error": {"message": "no \ud83c"}})
    with pytest.raises(ProviderError, match="no \ufffd"):
        ChatTranslator().feed([cut], [])
    call = {"id": "\ud83c", "function": {"name": "\ud83d\ude00", "arguments": {"\ud83c": "\udffd"}}}
    whole = {"message": {"tool_calls": [call]}, "finish_reason": "\udffd"}
    items, _ = read(ChatTranslator(), [[as_javascript({"choices": [whole]}), b"[DONE]"]])
    assert items == [ToolCall("\ufffd", "😀", '{"\ufffd":"\ufffd"}'), Finish("\ufffd")]


@pytest.mark.parametrize("payload", [rb'{"choices":"\ud83c"}', rb'{"choices":[],"x":"\ud83c"'])
def test_what_is_wrong_otherwise_stays_so_beside_a_half(payload):
    _, failure = read(ChatTranslator(), [[payload]])
    assert failure is not None
    assert re.match(r"ProtocolError\(.* does not allow: \w+ \w+", failure[0])
