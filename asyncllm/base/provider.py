"""`Provider`: whoever can be asked, and what its users call."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from asyncllm.base.documented import Documented
from asyncllm.base.request import Question
from asyncllm.http.proxies import parse_proxy
from asyncllm.messages import check_messages
from asyncllm.options import MAX_REPLY_BYTES, Timeouts
from asyncllm.stream import Begun, Stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from typing import TypeAlias

    from asyncllm.messages import Messages
    from asyncllm.reply import Reply
    from asyncllm.session.manager import SessionManager

    Begin: TypeAlias = Callable[[], Awaitable[Begun]]


class Provider(Documented):
    """Whoever can be asked: a server, or something that asks other providers.

    Subclasses write `prepare`, and nothing else.

    Attributes:
        url: where the public server is, if it is one.
        model: the full id of the model for calls that name none; "" where others decide.
        models: short name → full id; empty where the server knows its models itself.
        wire: what the wire is called, if it has one.
        supports_stream: whether answers come piece by piece; true of every provider here.
        needs_auth: whether the public server answers nobody without a key.
        secrets: what no error of its streams may show.

    Args:
        sessions: the session manager that ends its streams when it is closed.
        timeouts: the limits of its streams; default: the session manager's.

    """

    url: str = ""
    model: str = ""
    models: ClassVar[Mapping[str, str]] = {}
    wire: ClassVar[str] = ""
    supports_stream: ClassVar[bool] = True
    needs_auth: ClassVar[bool] = False

    def __init__(
        self, *, sessions: SessionManager | None = None, timeouts: Timeouts | None = None
    ) -> None:
        self._sessions = sessions
        self._timeouts = timeouts
        self.secrets: Sequence[str] = ()

    @abstractmethod
    def prepare(self, question: Question) -> Callable[[], Awaitable[Begun]]:
        """Refuse now what can't be answered, and return what begins to answer it.

        What begins returns with the first batch: until then it may be tried again, or elsewhere.

        Args:
            question: what is asked.

        Raises:
            ConfigurationError: it can't be asked as it is.

        """

    @override
    def stream(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        proxy: str | None = None,
        keep: bool = True,
        **params: object,
    ) -> Stream:
        """Return the stream of an answer; nothing is sent before it is iterated.

        Args:
            messages: role/content mappings, or a `str` for one user message.
            model: a short name or a full id; default: the provider's.
            proxy: for this call; comes before the provider's.
            keep: whether its reply keeps the text and the reasoning. Without, an answer may be of
                any length, and an error has no part of its text.
            params: for the wire, such as temperature, max_tokens, top_p, stop or seed.

        Raises:
            ConfigurationError: an argument can't be used.

        """
        sessions = self._sessions
        question = Question(
            messages=check_messages(messages),
            model=self.resolve_model(model) if model else self.model,
            params=params,
            proxy=parse_proxy(proxy),
        )
        return Stream(
            self.prepare(question),
            name=self._label,
            model=question.model,
            timeouts=self._timeouts or (sessions.timeouts if sessions else Timeouts()),
            owner=sessions,
            secrets=self.secrets,
            keep=keep,
            max_reply_bytes=sessions.max_reply_bytes if sessions else MAX_REPLY_BYTES,
        )

    async def complete(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        proxy: str | None = None,
        **params: object,
    ) -> Reply:
        """Return the whole reply.

        Args:
            messages: role/content mappings, or a `str` for one user message.
            model: a short name or a full id; default: the provider's.
            proxy: for this call; comes before the provider's.
            params: for the wire, as for `stream`.

        Raises:
            ConfigurationError: an argument can't be used.
            AsyncLLMError: the answer can't be had, or not to its end.

        """
        whole = self.stream(messages, model=model, proxy=proxy, keep=True, **params)
        async with whole as stream:
            return await stream.collect()

    @property
    def name(self) -> str:
        """What the environment and the registry call this provider."""
        return type(self).__name__.lower()

    @property
    def _label(self) -> str:
        """What logs call it."""
        return type(self).__name__

    def resolve_model(self, model: str) -> str:
        """Return the full id of a model; default: what was given.

        Args:
            model: a short name or a full id.

        Raises:
            ConfigurationError: there is no such model.

        """
        return model
