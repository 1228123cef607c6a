"""A server's session is for the one whom it knows by it, and for nobody else."""

import asyncllm
from asyncllm.http.http import Http


def cookies_sent(sandbox, of):
    """Return the session cookies that were sent by those with a header `X-User` of `of`."""
    requests = [request for request in sandbox.requests if request.headers.get("x-user") == of]
    assert requests
    return {request.headers["cookie"] for request in requests if "cookie" in request.headers}


async def test_who_asks_with_other_headers_or_another_key_has_cookies_of_their_own(
    sandbox, sessions
):
    asking = [
        {"headers": {"X-User": "a"}},
        {"headers": {"X-User": "b"}},
        {"headers": {"X-User": "a"}},
        {"headers": {"X-User": "c"}, "api_key": "key-of-one"},
        {"headers": {"X-User": "c"}, "api_key": "key-of-another"},
    ]
    for options in asking * 2:
        provider = asyncllm.H2o(base_url=sandbox.url, sessions=sessions, **options)
        assert await provider.complete("Hello")
    a, b, c = (cookies_sent(sandbox, user) for user in "abc")
    assert [len(a), len(b), len(c)] == [1, 1, 2]
    assert len(a | b | c) == 4


async def test_a_cookie_of_the_callers_own_is_never_replaced(sandbox, sessions):
    mine = {"X-User": "me", "cookie": "theme=dark; hf-chat=mine"}
    sessions.connections.cookies.jar_of(None).keep(["hf-chat=ours"], sandbox.url)
    provider = asyncllm.H2o(base_url=sandbox.url, sessions=sessions, headers=mine)
    for _ in range(2):
        assert await provider.complete("Hello")
    http = Http(sessions.connections, headers=mine)
    assert http.entry(sandbox.url).headers["cookie"] == "theme=dark; hf-chat=mine"
    async with http.open("GET", f"{sandbox.url}/", accept=range(600)):
        pass
    assert cookies_sent(sandbox, "me") == {"theme=dark; hf-chat=mine"}
