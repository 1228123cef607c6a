"""The fixture `asyncllm_sandbox`, loaded by pytest wherever this package is installed.

It is an ordinary fixture, and its sandbox runs on a thread and an event loop of its own: tests
may be blocking, or asynchronous under any plugin and on any loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asyncllm.sandbox.server import Sandbox

MARKER = "asyncllm_sandbox"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(**options): the options of `asyncllm.sandbox.Sandbox` for this test, for "
        "example tokens=100, faults=[Drop(after=3)]",
    )


@pytest.fixture
def asyncllm_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Yield a started `asyncllm.sandbox.Sandbox`, closed after the test.

    `@pytest.mark.asyncllm_sandbox(...)` on the test gives its options.
    """
    # pytest loads this module in every run, and these take time to import.
    from asyncllm.sandbox.background import running_in_background  # noqa: PLC0415
    from asyncllm.sandbox.server import Sandbox  # noqa: PLC0415

    marker = request.node.get_closest_marker(MARKER)
    options: dict[str, Any] = dict(marker.kwargs) if marker is not None else {}
    with running_in_background(Sandbox(**options)) as sandbox:
        yield sandbox
