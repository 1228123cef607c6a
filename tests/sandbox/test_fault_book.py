"""Faults are due in the order of their kind, as often as declared, and are then forgotten."""

import gc
import time
import weakref

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncllm.sandbox import Drop, Sandbox, Stall, Status
from asyncllm.sandbox.faults import Break, Fault, Refusal, RefuseField
from asyncllm.sandbox.faults.book import FaultBook

TIMES = st.none() | st.integers(0, 3)
FAULTS = st.one_of(
    st.builds(Drop, times=TIMES),
    st.builds(Stall, times=TIMES),
    st.builds(Status, times=TIMES, on=st.sampled_from(["stream", "create", "any"])),
    st.builds(RefuseField, name=st.sampled_from(["tools", "user"]), times=TIMES),
)
ASKED = st.tuples(
    st.sampled_from([Drop, Break, Refusal, Fault]),
    st.sampled_from(["stream", "create", "delete"]),
    st.frozensets(st.sampled_from(["tools", "user"])),
)


class Ledger:
    """What the book says, told by one that forgets nothing."""

    def __init__(self):
        self.faults, self.uses = [], []

    def take(self, kind, step, fields):
        for number, fault in enumerate(self.faults):
            is_due = fault.times is None or self.uses[number] < fault.times
            is_meant = isinstance(fault, kind) and fault.step in {step, "any"}
            if is_due and is_meant and (fault.body_field is None or fault.body_field in fields):
                self.uses[number] += 1
                return fault
        return None


@given(declared=st.lists(FAULTS, max_size=4), then=st.lists(FAULTS | ASKED, max_size=20))
def test_each_request_gets_the_fault_of_a_book_that_forgets_nothing(declared, then):
    book, ledger = FaultBook(declared), Ledger()
    ledger.faults, ledger.uses = [*declared], [0] * len(declared)
    for step in then:
        if isinstance(step, Fault):
            book.add(step)
            ledger.faults.append(step)
            ledger.uses.append(0)
        else:
            assert book.take(*step) is ledger.take(*step)


@pytest.mark.parametrize("times", [0, 1, 3])
def test_a_fault_that_is_used_up_is_forgotten(times):
    fault = Drop(times=times)
    book, kept = FaultBook([fault]), weakref.ref(fault)
    del fault
    for left in reversed(range(times)):
        assert book.take(Drop, "stream") is not None
        assert (kept() is None) == (left == 0)
    assert kept() is None
    assert book.take(Drop, "stream") is None


def test_a_fault_for_every_request_is_kept():
    book = FaultBook([Drop()])
    assert all(book.take(Drop, "stream") for _ in range(1000))


def test_a_book_may_be_cleared_while_a_fault_is_taken_from_it():
    book = FaultBook([RefuseField(name="tools", times=1)])

    class Fields:
        def __contains__(self, name):
            book.clear()  # as another thread may, at any time
            return name == "tools"

    assert book.take(Refusal, "stream", Fields()) is not None
    assert book.take(Refusal, "stream", Fields()) is None


def test_a_long_life_with_many_faults_does_not_slow_a_book_down():
    def seconds_for(count):
        start = time.process_time()
        for _ in range(count):
            book.add(Drop(times=1))
            assert book.take(Drop, "stream") is not None
        return time.process_time() - start

    book = FaultBook()
    first = seconds_for(2000)
    seconds_for(10_000)
    # Past thousands of faults that were kept it would take many times as long, each time.
    assert any(seconds_for(2000) < 5 * max(first, 0.001) for _ in range(3))


async def test_a_sandbox_forgets_the_faults_that_it_has_shown():
    async with Sandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        kept = []
        for _ in range(5):
            sandbox.add_fault(fault := Status(status=503, on="models", times=1))
            kept.append(weakref.ref(fault))
            del fault
            async with http.get("/v1/models") as answer:
                assert answer.status == 503
        async with http.get("/v1/models") as answer:
            assert answer.status == 200
        gc.collect()
        assert [fault() for fault in kept] == [None] * 5
