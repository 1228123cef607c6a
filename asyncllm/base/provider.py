"""`Provider`: whoever can be asked, and what its users call."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from asyncllm.base.documented import Documented
from asyncllm.base.request import Question
from asyncllm.errors import ConfigurationError
from asyncllm.hints import check_kind
from asyncllm.http.proxies import parse_proxy
from asyncllm.messages import check_messages
from asyncllm.options import MAX_REPLY_BYTES, STANDARD, Timeouts, check_policies
from asyncllm.session import SessionManager
from asyncllm.stream import Begun, Stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from typing import TypeAlias

    from asyncllm.messages import Messages

    Begin: TypeAlias = Callable[[], Awaitable[Begun]]


class Provider(Documented):
    """Something that you can ask: a server, or something that asks other providers.

    Subclasses write `prepare`, and nothing else.

    Attributes:
        url: the address of the public server, if there is one.
        model: the full id of the model for calls that name none; "" if others decide.
        models: short name → full id; empty if the server knows its models itself.
        wire: the name of the API's format, if it has one.
        supports_stream: whether answers arrive piece by piece; true for every provider here.
        needs_auth: whether the public server requires a key.
        carries: what its format carries besides text, such as "tools"; see the table in the docs.
        default_timeouts: limits that fit its models; they apply if nobody has set any.
        secrets: what no error of its streams may show.

    Args:
        sessions: the session manager that ends its streams when it is closed.
        timeouts: the limits of its streams; default: the session manager's.

    Raises:
        ConfigurationError: an option can't be used, or there is no option of that name.

    """

    url: str = ""
    model: str = ""
    models: ClassVar[Mapping[str, str]] = {}
    wire: ClassVar[str] = ""
    supports_stream: ClassVar[bool] = True
    needs_auth: ClassVar[bool] = False
    carries: ClassVar[frozenset[str]] = frozenset()
    default_timeouts: ClassVar[Timeouts] = STANDARD

    def __init__(
        self, *, sessions: SessionManager | None = None, timeouts: Timeouts | None = None
    ) -> None:
        check_kind("sessions", sessions, SessionManager, "a SessionManager")
        check_policies(timeouts=timeouts)
        self._sessions = sessions
        self._timeouts = timeouts
        self.secrets: Sequence[str] = ()

    @abstractmethod
    def prepare(self, question: Question) -> Callable[[], Awaitable[Begun]]:
        """Refuse at once what can't be answered, and return what begins the answer.

        The returned function returns with the first batch. Until then the answer may be tried
        again, or elsewhere.

        Args:
            question: what is asked.

        Raises:
            ConfigurationError: the question can't be asked as it is.

        """

    @override
    def _stream(
        self,
        messages: Messages,
        *,
        model: str | None,
        system: str | None,
        proxy: str | None,
        keep: bool,
        params: dict[str, object],
        extra: Mapping[str, object],
    ) -> Stream:
        sessions = self._sessions
        check_kind("model", model, str, "a str")
        question = Question(
            messages=check_messages(messages, system=system),
            model=self.resolve_model(model) if model else self.model,
            params=params,
            extra=extra,
            proxy=parse_proxy(proxy),
        )
        return Stream(
            self.prepare(question),
            name=self._label,
            model=question.model,
            timeouts=self._limits(sessions),
            owner=sessions,
            secrets=self.secrets,
            keep=keep,
            max_reply_bytes=sessions.max_reply_bytes if sessions else MAX_REPLY_BYTES,
        )

    async def list_models(self) -> list[str]:
        """Return the ids of the models that you can ask.

        Raises:
            ConfigurationError: there is no list of models.
            AsyncLLMError: the list could not be read.

        """
        if self.models:
            return list(self.models.values())
        raise ConfigurationError(
            f"{self._label} can't list its models: its API offers no list of them"
        )

    def _limits(self, sessions: SessionManager | None) -> Timeouts:
        """Return the limits that hold with `sessions`."""
        given = self._timeouts or (sessions.timeouts if sessions is not None else STANDARD)
        return given.filled(self.default_timeouts)

    @property
    def name(self) -> str:
        """The name of this provider in the environment and the registry."""
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
