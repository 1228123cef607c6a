"""The soak's report: what was done, what is left, and every kind of violation."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.soak.ledger import Ledger
    from benchmarks.soak.left import Left

_SHOWN = 20  # violations


def report(ledger: Ledger, left: Left, seconds: float, seed: int) -> str:
    """Return the table and the summary."""
    before, after = left.descriptors
    warm, last = left.memory
    rows: list[tuple[str, object]] = [
        ("streams", ledger.ends),
        ("failures", ledger.failures),
        ("requests", ledger.steps),
        ("faults declared", ledger.faults),
        ("the server", ledger.events),
        ("trials", ledger.trials),
        ("conversations left", f"{left.conversations}, never deleted {left.undeleted}"),
        ("tasks left", f"{left.tasks}, streams {left.streams}, generations {left.generating}"),
        ("the loop", f"stood still for {left.standstill:.3f} s at the longest"),
        ("descriptors", f"{before} before, {after} after"),
        ("memory", f"{'never' if warm is None else f'{warm:.1f} MiB when'} warm, {last:.1f} MiB"),
    ]
    lines = [f"{name:<20}{_words(value)}" for name, value in rows]
    kinds = Counter(words.partition(": ")[0] for words in ledger.violations)
    lines += [f"VIOLATION, {number} times: {kind}" for kind, number in kinds.most_common()]
    lines += [f"    {words}" for words in ledger.violations[:_SHOWN]]
    verdict = f"{len(ledger.violations)} violations" if ledger.violations else "all is well"
    streams = sum(ledger.ends.values())
    lines.append(f"{streams} streams in {seconds:.0f} s, seed {seed}: {verdict}")
    return "\n".join([*lines, ""])


def _words(value: object) -> str:
    if isinstance(value, Counter):
        return f"{value.total()}: {', '.join(f'{n} {name}' for name, n in value.most_common())}"
    return str(value)
