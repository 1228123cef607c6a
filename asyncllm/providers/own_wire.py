"""What services have in common that are spoken to by wires of their own, with a bearer token."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Unpack

from typing_extensions import override

from asyncllm.base.address import check_end
from asyncllm.base.wire import ServerProvider
from asyncllm.wires.failures import explained

if TYPE_CHECKING:
    from asyncllm.base.request import ProviderOptions, Request
    from asyncllm.errors import AsyncLLMError


class OwnWire(ServerProvider):
    """A provider whose service has other endpoints too, for which its base URL may be mistaken.

    Attributes:
        other_ends: a regular expression for the ends of base URLs that are not this wire's.
        other_way: how to ask those other endpoints, for the error.

    """

    other_ends: ClassVar[str]
    other_way: ClassVar[str]

    def __init__(self, **options: Unpack[ProviderOptions]) -> None:
        super().__init__(**options)
        check_end(self.base_url, self.other_ends, self.other_way)

    @override
    def explain(self, request: Request, error: AsyncLLMError) -> AsyncLLMError:
        """Return a refusal as the error that its body says, such as `ContextLengthError`."""
        return explained(error)

    @override
    def _own_headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}
