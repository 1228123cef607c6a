"""How much memory values are said to take."""

import gc
import tracemalloc

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncllm import Logprob, Logprobs
from asyncllm.sizes import bound_of, size_of

SAID = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers(-99, 9**17) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
)


@pytest.mark.parametrize(
    "make",
    [
        lambda: "x" * 1_000_000,
        lambda: [[] for _ in range(10_000)],
        lambda: [{str(number): [number + 0.5]} for number in range(10_000)],
        lambda: Logprobs(tuple(Logprob(str(n), -n / 2, bytes(n)) for n in range(1000, 2000))),
    ],
    ids=["text", "lists", "objects", "structs"],
)
def test_a_value_takes_about_what_it_is_said_to_take(make):
    gc.collect()
    tracemalloc.start()
    try:
        value = make()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.7 * taken < size_of(value) < 1.5 * taken


def test_a_value_of_any_depth_has_a_size():
    deep: object = []
    for _ in range(100_000):
        deep = [deep]
    assert size_of(deep) > 5_000_000


def test_a_struct_is_counted_with_what_its_fields_hold():
    kind = msgspec.defstruct("Kind", [("a", str), ("b", list)])
    assert size_of(kind("x" * 5000, ["y" * 5000])) > 10_000


@given(SAID)
def test_a_small_value_takes_at_most_its_bound(said):
    value = msgspec.json.decode(msgspec.json.encode([said]))
    bound = bound_of(value)
    assert bound is None or bound >= 0.8 * size_of(value)


@pytest.mark.parametrize(
    "value",
    ["x" * 3000, [[[[]]]] * 10, "\ud800", ["\ud800"]],
    ids=["long", "deep or broad", "half a character", "half of one in a list"],
)
def test_what_may_be_large_or_deep_has_no_bound(value):
    assert bound_of(value, most_levels=8) is None
