"""What a translator makes of payloads does not depend on how many come with one read."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asyncllm import AsyncLLMError, Finish, Ping
from asyncllm.framing import NamedEvent
from asyncllm.providers.h2o import _TGITranslator
from asyncllm.providers.openai_chunks import ChatTranslator

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
            b'{"choices":' + b"[" * 100_000,
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
TRANSLATORS = [ChatTranslator, lambda: _TGITranslator(stops_early=False)]


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
    end = [WHOLE["chat"], b"[DONE]"] if make is ChatTranslator else [WHOLE["tgi"]]
    assert read(make(), [[*end, b"{"]]) == read(make(), [end]) == (["a", Finish("stop")], None)
