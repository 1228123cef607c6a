"""How much memory values are said to take."""

import gc
import tracemalloc

import msgspec
import pytest

from asyncllm import Logprob, Logprobs
from asyncllm.sizes import size_of


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
