"""How an heir deletes what an entry stands for: by the requests that are noted in it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from asyncllm.errors import AsyncLLMError, NotFoundError, ProtocolError
from asyncllm.http.entries import Step
from asyncllm.http.http import Http
from asyncllm.session.limit import in_time

if TYPE_CHECKING:
    from asyncllm.http.connections import ConnectionPool
    from asyncllm.http.entries import Entry
    from asyncllm.http.proxies import Proxy

log = logging.getLogger("asyncllm")

_DONE = range(200, 400)
_OPTIONAL_SECONDS = 5.0  # for a step that the next one need not wait for


async def clean_up(
    entry: Entry, connections: ConnectionPool, *, proxy: Proxy | None, connect: float | None
) -> None:
    """Send what `entry` says, with its cookies and over its proxy, and not with ours.

    Args:
        entry: what to delete.
        connections: say how to verify servers; none of them is used.
        proxy: the proxy for an entry that does not say how it goes.
        connect: seconds to a usable connection, or None.

    Raises:
        ConfigurationError: this session manager can't go that way.
        AsyncLLMError: it was not deleted.

    """
    pool = connections.heirs(entry.way)
    http = Http(pool, proxy=entry.way.proxy if entry.way else proxy, connect=connect)
    try:
        for step in entry.steps or (Step("DELETE", entry.url),):
            if step.may_fail:
                await _try(http, step, entry)
            else:
                await _send(http, step, entry)
    finally:
        await pool.aclose()


async def _try(http: Http, step: Step, entry: Entry) -> None:
    try:
        await in_time(_send(http, step, entry), _OPTIONAL_SECONDS)
    except (AsyncLLMError, TimeoutError) as error:
        log.info("%s %s: %s", step.method, step.url, error)


async def _send(http: Http, step: Step, entry: Entry) -> None:
    headers, accept = dict(entry.headers), {*_DONE, *step.gone}
    try:
        async with http.open(step.method, step.url, form=step.form, headers=headers, accept=accept):
            return
    except NotFoundError as error:
        failure = ProtocolError(f"the server can't do that: {error}")
    raise failure  # a 404 from a path that it does not know says nothing of what is there
