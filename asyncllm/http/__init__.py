"""Asking and being answered: the one folder that knows aiohttp."""

from asyncllm.http.checks import path_segment
from asyncllm.http.entries import Entry, Step, Way
from asyncllm.http.http import Http, RefusedField
from asyncllm.http.plain_http import warn_of_plain_http
from asyncllm.http.proxies import Proxy
from asyncllm.http.response import Response

__all__ = [
    "Entry",
    "Http",
    "Proxy",
    "RefusedField",
    "Response",
    "Step",
    "Way",
    "path_segment",
    "warn_of_plain_http",
]
