"""Payloads decoded in one go hold what they hold one by one, or are left to be looked at so."""

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asyncllm import Ping, ProtocolError
from asyncllm.framing import NamedEvent
from asyncllm.translation import decode, decode_all

ANYTHING = msgspec.json.Decoder()
OBJECT = msgspec.json.Decoder(dict[str, int])

WORDS = st.sampled_from(
    [
        *(b"{", b"}", b"[", b"]", b'"', b'"a"', b":", b",", b"1", b"-", b"null", b"true", b"\\"),
        *(b'{"a":1}', b"[]", b"\n", b"\r", b"\t", b" ", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xc2"),
    ]
)
DATA = st.lists(WORDS, max_size=6).map(b"".join)
PAYLOADS = st.lists(DATA, max_size=5)
SPECIAL = st.sampled_from([Ping(""), Ping("{}"), NamedEvent("error", b'{"a":1}')])


def decoded_one_by_one(decoder, payloads):
    """Return what each of `payloads` holds, or None where one of them is not good JSON."""
    try:
        return [decode(decoder, payload) for payload in payloads]
    except ProtocolError:
        return None


@pytest.mark.parametrize("decoder", [ANYTHING, OBJECT], ids=["anything", "objects"])
@given(payloads=PAYLOADS)
@example(payloads=[b'{"a":1}\n{"a":2}', b""])
@example(payloads=[b'{"a":1}{"a":2}', b" "])
@example(payloads=[b'{"a":', b'1}{"a":2}'])
@example(payloads=[b'{"a":\n1}', b'{"a":2}'])
@example(payloads=[b'{"a":' + b"[" * 100_000, b"1"])
@example(payloads=[])
def test_what_is_decoded_in_one_go_is_what_each_payload_holds(decoder, payloads):
    assert decode_all(decoder, payloads) == decoded_one_by_one(decoder, payloads)


@given(before=PAYLOADS, special=SPECIAL, after=PAYLOADS)
def test_pings_and_named_events_are_left_to_be_looked_at_one_by_one(before, special, after):
    assert decode_all(ANYTHING, [*before, special, *after]) is None
