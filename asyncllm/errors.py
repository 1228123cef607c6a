"""What can go wrong: one root, `AsyncLLMError`, and a subclass for each thing a caller can do."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Self

from aiohttp import ClientResponseError, RequestInfo
from multidict import CIMultiDict, CIMultiDictProxy
from typing_extensions import override
from yarl import URL

from asyncllm.redaction import Mask, excerpt, in_one_line, masked

if TYPE_CHECKING:
    import builtins  # an error has an attribute `type`
    from collections.abc import Iterable, Mapping

    from asyncllm.reply import Reply

_MASKED_CHARACTERS = 16 * 1024  # of what is shown the beginning of
_SECRET_RESPONSE_HEADERS = frozenset({"set-cookie", "set-cookie2"})


class AsyncLLMError(Exception):
    """The base class of every error that asyncllm raises on purpose.

    Attributes:
        reply: what had arrived of the answer, if the error ended a stream that had started;
            otherwise None.
        most_characters: how much of its text is shown: at most 1,000 characters.
        is_passing: whether the same request may succeed a little later, so that it is retried
            before the first event of a stream. Providers may know better, and set it.
        was_resent: whether the request was sent twice, because a kept connection had been closed:
            the server may have carried out the first one.

    """

    reply: Reply | None = None
    is_passing: bool = False
    was_resent: bool = False
    most_characters: int = 1000
    _sought: frozenset[int] = frozenset()  # hashes of what was masked
    _masked_texts: int | None = None  # a hash of what was left of the texts

    @override
    def __str__(self) -> str:
        return in_one_line(super().__str__())

    def redact(self, secrets: Iterable[str]) -> None:
        """Make this error safe to show.

        It masks `secrets`, in whatever form, in the text and the attributes. In the text, control
        characters are escaped, and then it is shortened: a text that was cut first could end in a
        part of a secret.

        Args:
            secrets: what no text may show, in plain form; encoded forms are found too.

        """
        told = list(secrets)
        sought = frozenset(map(hash, told))
        # An error leaves several hands, and to look through it takes a while.
        if sought <= self._sought and self._masked_texts == hash(self._texts()):
            return
        self._mask(Mask(told))
        self._sought, self._masked_texts = sought, hash(self._texts())

    def _texts(self) -> tuple[str, ...]:
        return tuple(each for each in (*self.args, *vars(self).values()) if isinstance(each, str))

    def _mask(self, mask: Mask) -> None:
        self.args = tuple(
            excerpt(mask(value[:_MASKED_CHARACTERS]), self.most_characters)
            if isinstance(value, str)
            else value
            for value in self.args
        )
        vars(self).update({name: masked(value, mask) for name, value in vars(self).items()})

    @override
    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions are rebuilt from their args by default, which fails for keyword-only ones.
        return _rebuild, (type(self), self.args, vars(self))


def _rebuild(
    cls: type[AsyncLLMError], args: tuple[object, ...], state: dict[str, object]
) -> object:
    error = cls.__new__(cls)
    error.args = args
    vars(error).update(state)
    return error


def let_go(error: BaseException | None) -> None:
    """Drop what the frames hold through which an error came that nobody will see.

    Tasks and errors among it hold the error in turn, and it what called them: a cycle, in which
    a stream that began after a failure would wait for the garbage collector when it is dropped.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__


class ConfigurationError(AsyncLLMError, ValueError):
    """The call can't work as it is written; the message says what to change. Nothing was sent."""


class TransportError(AsyncLLMError, OSError):
    """The server could not be reached, or it closed the connection before it answered.

    Attributes:
        was_sent: whether the server may have read the request.

    """

    was_sent = True

    is_passing = True


class ProxyError(TransportError):
    """The proxy could not be reached, refused the request, or could not reach the server."""

    is_passing = False


class StreamTimeout(AsyncLLMError, TimeoutError):  # noqa: N818 - the field's own name for it
    """A limit of `Timeouts` was reached.

    Attributes:
        phase: which one: "connect", "first_token", "stall" or "total".
        limit: the limit, in seconds.

    """

    def __init__(self, phase: str, limit: float) -> None:
        super().__init__(f"{_PHASES[phase]} within {limit:g} s (Timeouts.{phase})")
        self.phase = phase
        self.limit = limit


_PHASES = {
    "connect": "no connection",
    "first_token": "no first token",
    "stall": "no further content",
    "total": "no complete answer",
}


class ProviderError(AsyncLLMError):
    """The server said, inside a successful response, that generation failed, but not why.

    If it says why, the error is the `HTTPStatusError` that fits. `code`, `type` and
    `failed_generation` are as in that class.
    """

    code = type = failed_generation = ""


class ProtocolError(AsyncLLMError):
    """The server sent something that its format does not allow."""


class StreamInterrupted(AsyncLLMError):  # noqa: N818 - the field's own name for it
    """The answer was cut off: it broke, or ended without its end marker."""


class ReplyTooLargeError(AsyncLLMError):
    """The answer would take more memory than a reply may; `reply` holds what had arrived."""


class HTTPStatusError(AsyncLLMError, ClientResponseError):
    """The server answered with an error status, or reported such an error inside an answer.

    The failure may pass if the status is 408, 409, 425, 429 or 5xx, unless the server says
    otherwise in its header `x-should-retry`.

    It is also an `aiohttp.ClientResponseError`, without anything that could hold a secret: the URL
    has no query and no user, and request headers and response cookies are left out.

    Attributes:
        method: the request's HTTP method; "" for an error inside an answer.
        url: the address of the request, a `yarl.URL`; empty for an error inside an answer.
        status: the HTTP status; for an error inside an answer, the one that fits.
        message: what the server said about it, from its body if that could be read; at most 200
            characters (`most_characters`), in one line.
        body: the beginning of the body as text, at most 64 KiB.
        headers: the response's headers.
        retry_after: the seconds that the server asked us to wait, or None.
        code: the server's own name or number for the problem; "" if it gives none.
        type: the server's own name for the kind of problem; "" if it gives none.
        failed_generation: what the model wrote that could not be used, or "".

    """

    most_characters = 200
    code: str = ""  # type: ignore[assignment] # aiohttp has it as an old name of `status`
    type = failed_generation = ""

    def __init__(
        self,
        method: str,
        url: str,
        *,
        status: int,
        message: str,
        body: str = "",
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        # The base's own __init__ would keep a RequestInfo, which does not pickle.
        Exception.__init__(self)
        self.method = method
        self.url = URL(url).with_query(None).with_user(None) if url else URL()
        self.status = status
        self.message = message
        self.body = body
        self.retry_after = retry_after
        self.history = ()
        self.headers = CIMultiDict(
            (name, value)
            for name, value in (headers or {}).items()
            if name.lower() not in _SECRET_RESPONSE_HEADERS
        )
        wish = self.headers.get("x-should-retry", "").strip().lower()
        self.is_passing = wish == "true" or (wish != "false" and status in _PASSING_STATUSES)

    @override
    def _mask(self, mask: Mask) -> None:
        self.message = self.message[:_MASKED_CHARACTERS]
        super()._mask(mask)  # of body and headers, which are data, nothing is escaped
        self.message = excerpt(self.message, self.most_characters)

    @property
    @override
    def request_info(self) -> RequestInfo:  # type: ignore[override] # not set, as it is made
        """The request's method and URL, as aiohttp describes them, without its headers."""
        nothing = CIMultiDictProxy(CIMultiDict[str]())
        return RequestInfo(self.url, self.method, nothing, self.url)

    @override
    def __str__(self) -> str:
        asked = f"{self.method} {self.url}" if self.method else "generation failed"
        return in_one_line(f"{asked}: {self.status} {self.message}")

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    @classmethod
    def class_for(cls, status: int) -> builtins.type[Self | HTTPStatusError]:
        """Return the subclass that stands for an HTTP status.

        Args:
            status: from 400.

        """
        other = ServerError if status >= _FIRST_SERVER_ERROR else HTTPStatusError
        return _BY_STATUS.get(status, other)


class AuthenticationError(HTTPStatusError):
    """401 or 403, or Google's 400 for a wrong key: the server requires other credentials."""


class RateLimitError(HTTPStatusError):
    """429: too many requests; `retry_after` is how long the server asks you to wait, in seconds."""


class NotFoundError(HTTPStatusError):
    """404: there is no such model, conversation or path."""


class BadRequestError(HTTPStatusError):
    """400, 413 or 422: the server understood the request and refuses it."""


class ContextLengthError(BadRequestError):
    """The messages, together with the answer, are longer than the model accepts."""


class ContentFilterError(BadRequestError):
    """A content filter of the server refused the messages or the answer."""


class ServerError(HTTPStatusError):
    """5xx: the server failed."""


_FIRST_SERVER_ERROR = 500
_PASSING_STATUSES = frozenset({408, 409, 425, 429, *range(500, 600)})
_BY_STATUS: dict[int, type[HTTPStatusError]] = {
    **dict.fromkeys((400, 413, 422), BadRequestError),
    **dict.fromkeys((401, 403), AuthenticationError),
    404: NotFoundError,
    429: RateLimitError,
}
