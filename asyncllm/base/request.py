"""What is asked of a provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

import msgspec

from asyncllm.errors import ConfigurationError
from asyncllm.framing.json import encode_json
from asyncllm.hints import check_kind
from asyncllm.http.proxies import Proxy  # noqa: TC001 - the reference reads the annotations
from asyncllm.messages import placed
from asyncllm.options import check_policies

if TYPE_CHECKING:
    from collections.abc import Callable

    from asyncllm.options import Retry, Timeouts
    from asyncllm.session.manager import SessionManager


class ProviderOptions(TypedDict, total=False):
    """The options of every provider's constructor; see `AsyncGeneratorProvider`."""

    base_url: str | None
    api_key: str | None
    model: str | None
    sessions: SessionManager | None
    proxy: str | None
    timeouts: Timeouts | None
    retry: Retry | None
    headers: Mapping[str, str] | None


def check_given(texts: Mapping[str, object], headers: object, retry: object) -> None:
    """Refuse what a constructor was given of another kind; None is for the default.

    Args:
        texts: options that must be a `str`, by their names.
        headers: the headers.
        retry: the policy.

    Raises:
        ConfigurationError: one of them is of another kind; the message says how to write it.

    """
    for name, text in texts.items():
        check_kind(name, text, str, "a str")
    check_kind("headers", headers, Mapping, 'a mapping such as {"X-Team": "blue"}')
    check_policies(retry=retry)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, no matter who answers.

    Attributes:
        messages: the messages, checked, each with its role and content.
        model: a short name or a full id; "" for the default of the provider that answers.
        params: the other parameters of the call.
        extra: what is sent unchanged, and overrides `params`.
        proxy: the proxy for this question alone, or None.

    """

    messages: list[dict[str, object]]
    model: str = ""
    params: dict[str, object] = {}
    extra: Mapping[str, object] = {}
    proxy: Proxy | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a server, checked.

    Attributes:
        base_url: the server's address, without a slash at its end.
        model: the full id of the model.
        messages: the messages, each with its role and content.
        params: the other parameters of the call, for the server.
        extra: what is sent unchanged, and overrides everything else in the body; `ServerProvider`
            merges it.
        body: what the provider's `encode` made of all this.
        conversation_id: the conversation to answer in, if the provider keeps conversations.
        without: the names of optional fields that this server has refused.

    """

    base_url: str
    model: str
    messages: list[dict[str, object]]
    params: dict[str, object]
    extra: Mapping[str, object] = {}
    body: bytes = b""
    conversation_id: str = ""
    without: frozenset[str] = frozenset()

    @property
    def given(self) -> dict[str, object]:
        """What the caller gave besides, whichever way: for wires that know but one."""
        return {**self.params, **self.extra} if self.extra else self.params


# Of what other libraries take as functions and classes, the form that goes over a wire.
_FORMS = {
    "tools": 'write {"type": "function", "function": {"name": …, "parameters": …}} for each',
    "response_format": 'write {"type": "json_schema", "json_schema": {"name": …, "schema": …}}',
}


def with_body(request: Request, encode: Callable[[Request], bytes]) -> Request:
    """Return `request` with the body that `encode` makes of it.

    Raises:
        ConfigurationError: it can't be made; where a message or a parameter has no JSON form, the
            text names it.

    """
    try:
        return msgspec.structs.replace(request, body=encode(request))
    except ConfigurationError as error:
        refusal = error
    try:
        for name, value in [*placed(request.messages), *request.given.items()]:
            encode_json(value, name=name, instead=_FORMS.get(name, ""))
        raise refusal
    finally:
        del refusal  # its traceback holds this frame: they would be a cycle of garbage
