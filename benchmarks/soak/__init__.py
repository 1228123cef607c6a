"""Thousands of streams under faults, cancellations and restarts, and a look at what is left.

`python -m benchmarks.soak --seconds 60` (or `--streams 100000`) starts streams of every wire
against a sandbox that shows random faults and is restarted at random, and ends them in every way
there is. Beside them run the `trials`: faults that need seconds or a server of their own, such as a
proxy that dies, a server that is away, a ledger that is locked, and ids and answers that are
attacks.

It checks of each stream that it ended in one of the four ways with its own text, once, in order,
and whole where it says so; of all of them, that nothing is left, neither on a server, nor in the
ledger, nor in memory; that no request left its path; that no error and no log line shows a secret;
and that the event loop never stood still for longer than the machine did.

`--cancel-only 10000` only cancels and closes, at random moments. `--uvloop`, `--eager`, `--ledger`
and `--tls` say what it runs on and with, `--trials NAME …` which trials there are. The exit status
is 0 if all is well. It needs `/proc` and the extra `test`.
"""
