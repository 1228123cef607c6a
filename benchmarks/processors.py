"""Which processors the load server and its clients run on.

Left to itself Linux may put a client on the server's processor, since the one wakes the other, and
leave it there: each token then costs two switches between the processes, twice of what it costs
otherwise, and that by luck.
"""

from __future__ import annotations

import os


def keep_apart(*, is_server: bool) -> None:
    """Keep this process on the first processor if it is the server, otherwise off it."""
    if hasattr(os, "sched_setaffinity"):
        first, *others = sorted(os.sched_getaffinity(0))
        if others:
            os.sched_setaffinity(0, [first] if is_server else others)
