"""The two calls of every provider, with the parameters that editors complete and checkers check."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Unpack

from asyncllm.base.completion import completion
from asyncllm.base.given import for_the_server, named
from asyncllm.base.params import ProviderParams
from asyncllm.hints import OptionsByName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asyncllm.messages import Messages
    from asyncllm.reply import Reply
    from asyncllm.stream import Stream


class Asking(OptionsByName, ABC):
    """What can be asked.

    The common parameters stand in both signatures, each by itself, as editors complete no others.
    """

    @abstractmethod
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
        """Return the stream of an answer; what is for the server is in `params` and `extra`."""

    def stream(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        system: str | None = None,
        proxy: str | None = None,
        keep: bool = True,
        extra: Mapping[str, object] | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        top_k: int | None = None,
        max_tokens: int | None = None,
        max_completion_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        seed: int | None = None,
        presence_penalty: float | None = None,
        frequency_penalty: float | None = None,
        logit_bias: Mapping[str, float] | None = None,
        logprobs: bool | None = None,
        top_logprobs: int | None = None,
        tools: Sequence[Mapping[str, object]] | None = None,
        tool_choice: str | Mapping[str, object] | None = None,
        parallel_tool_calls: bool | None = None,
        response_format: Mapping[str, object] | None = None,
        reasoning_effort: str | None = None,
        n: int | None = None,
        user: str | None = None,
        **params: Unpack[ProviderParams],
    ) -> Stream:
        """Return the stream of an answer; nothing is sent until you iterate over it.

        Parameters that are None are left to the server. You can also pass the server's own
        parameters by their names; put anything else that it may know into `extra`.

        Args:
            messages: role/content mappings, or a `str` for one user message.
            model: a short name or a full id; default: the provider's.
            system: a system message to put before the messages.
            proxy: for this call; takes precedence over the provider's.
            keep: whether the reply keeps the text and the reasoning. With False, an answer may have
                any length, and an error has no part of its text.
            extra: sent unchanged; overrides everything else here.
            temperature: how freely the model chooses its words, from 0.
            top_p: the share of probability from which it chooses them, up to 1.
            top_k: the number of words from which it chooses.
            max_tokens: the maximum number of tokens in the answer.
            max_completion_tokens: the same, including the reasoning; OpenAI's newer name.
            stop: texts at which the answer ends; they are not part of it.
            seed: asks for the same answer each time, as far as the server can.
            presence_penalty: discourages words that were used, from -2 to 2.
            frequency_penalty: discourages words by how often they were used, from -2 to 2.
            logit_bias: token id → what to add to its likelihood.
            logprobs: whether to report how likely each token was.
            top_logprobs: for how many alternatives to each token.
            tools: the functions that the model may call, in OpenAI's form.
            tool_choice: "auto", "none", "required", or a function that it must call.
            parallel_tool_calls: whether it may ask for several calls at once.
            response_format: the form of the answer, such as a JSON schema.
            reasoning_effort: how long to think: "low", "medium", "high" or the server's own word.
            n: how many answers; a stream has only one.
            user: an id of your user, for the server.
            params: parameters that only some servers know; see `ProviderParams`.

        Raises:
            ConfigurationError: an argument can't be used, or looks like a misspelled parameter.

        """
        asked = for_the_server(locals())
        return self._stream(
            messages,
            model=model,
            system=system,
            proxy=proxy,
            keep=keep,
            params=asked,
            extra=extra or {},
        )

    @completion
    async def complete(  # noqa: D417 - what stands in `stream` too is described there
        self,
        messages: Messages,
        *,
        model: str | None = None,
        system: str | None = None,
        proxy: str | None = None,
        extra: Mapping[str, object] | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        top_k: int | None = None,
        max_tokens: int | None = None,
        max_completion_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        seed: int | None = None,
        presence_penalty: float | None = None,
        frequency_penalty: float | None = None,
        logit_bias: Mapping[str, float] | None = None,
        logprobs: bool | None = None,
        top_logprobs: int | None = None,
        tools: Sequence[Mapping[str, object]] | None = None,
        tool_choice: str | Mapping[str, object] | None = None,
        parallel_tool_calls: bool | None = None,
        response_format: Mapping[str, object] | None = None,
        reasoning_effort: str | None = None,
        n: int | None = None,
        user: str | None = None,
        **params: Unpack[ProviderParams],
    ) -> Reply:
        """Wait for the whole answer, and return its reply.

        Args:
            messages: role/content mappings, or a `str` for one user message.
            model: a short name or a full id; default: the provider's.
            params: the other parameters are those of `stream`.

        Raises:
            ConfigurationError: an argument can't be used, or looks like a misspelled parameter.
            AsyncLLMError: there is no answer, or not a complete one.

        """
        async with self.stream(messages, **named(locals())) as stream:
            return await stream.collect()


_ASKED = inspect.signature(Asking.stream).parameters.keys() - {"self", "messages", "params"}
Asking.elsewhere = dict.fromkeys(
    _ASKED | ProviderParams.__annotations__.keys(), "pass it to stream() or complete()"
)
