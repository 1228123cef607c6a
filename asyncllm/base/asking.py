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
        """Return the stream of an answer; nothing is sent before it is iterated.

        What is None is left to the server. Its own parameters go to it by their names too, and
        whatever else it may know goes into `extra`.

        Args:
            messages: role/content mappings, or a `str` for one user message.
            model: a short name or a full id; default: the provider's.
            system: a system message to put before them.
            proxy: for this call; comes before the provider's.
            keep: whether its reply keeps the text and the reasoning. Without, an answer may be of
                any length, and an error has no part of its text.
            extra: sent as it is, over all that is said here otherwise.
            temperature: how freely words are chosen, from 0.
            top_p: the share of probability from which they are chosen, up to 1.
            top_k: the number of words from which they are chosen.
            max_tokens: the most tokens of the answer.
            max_completion_tokens: the same, reasoning included, by OpenAI's newer name.
            stop: texts before which the answer ends.
            seed: for the same answer again, as far as the server can.
            presence_penalty: against words that were used, from -2 to 2.
            frequency_penalty: against words for each time that they were used, from -2 to 2.
            logit_bias: token id → what is added to its likelihood.
            logprobs: whether to tell how likely each token was.
            top_logprobs: for how many tokens in the place of each.
            tools: the functions that the model may call, as OpenAI has them.
            tool_choice: "auto", "none", "required", or a function that it must call.
            parallel_tool_calls: whether it may ask for several calls at once.
            response_format: the form of the answer, such as a JSON schema.
            reasoning_effort: how long to think: "low", "medium", "high" or the server's own word.
            n: how many answers: a stream has one.
            user: whom the server may take it to come from.
            params: those that some servers know; see `ProviderParams`.

        Raises:
            ConfigurationError: an argument can't be used, or is no parameter and near to one.

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
        """Return the whole reply, when it is awaited.

        Args:
            messages: role/content mappings, or a `str` for one user message.
            model: a short name or a full id; default: the provider's.
            params: what follows the model is as for `stream`.

        Raises:
            ConfigurationError: an argument can't be used, or is no parameter and near to one.
            AsyncLLMError: the answer can't be had, or not to its end.

        """
        async with self.stream(messages, **named(locals())) as stream:
            return await stream.collect()


_ASKED = inspect.signature(Asking.stream).parameters.keys() - {"self", "messages", "params"}
Asking.elsewhere = dict.fromkeys(
    _ASKED | ProviderParams.__annotations__.keys(), "pass it to stream() or complete()"
)
