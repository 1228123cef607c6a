"""Thousands of streams under faults, cancellations and restarts, and a look at what is left.

`python -m benchmarks.soak --seconds 60` starts streams of every wire against a sandbox that shows
random faults and is restarted at random, ends them in every way there is, and checks of each one
that it ended in one of the four ways with its own text, once, in order, and whole where it says
so; of all of them, that nothing is left. `--cancel-only 10000` only cancels and closes, at random
moments. The exit status is 0 if all is well. It needs `/proc`.
"""
