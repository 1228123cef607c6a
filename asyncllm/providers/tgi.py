"""TGI: Hugging Face's text-generation-inference, by its own wire.

Wire facts: TGI's router: `generate_stream` and `get_model_info` of its `server.rs`, the
`GenerateParameters` of `lib.rs`, and what `validation.rs` refuses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from asyncllm.base.ask import Ask
from asyncllm.base.common import on_the_wire
from asyncllm.errors import ConfigurationError
from asyncllm.framing.json import decode
from asyncllm.messages import format_prompt
from asyncllm.providers.own_wire import OwnWire
from asyncllm.wires.loose import as_mapping
from asyncllm.wires.schemas import schema_in
from asyncllm.wires.tgi import TGITranslator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asyncllm.base.request import Request
    from asyncllm.http.http import Http

_NAMES = {  # common parameter: TGI's name for it
    **{name: name for name in ("temperature", "top_p", "top_k", "seed", "stop")},
    "frequency_penalty": "frequency_penalty",
    "max_tokens": "max_new_tokens",
    "max_completion_tokens": "max_new_tokens",
    "top_logprobs": "top_n_tokens",
    # What is translated by its value:
    **{name: name for name in ("logprobs", "response_format")},
}


class _Info(msgspec.Struct):
    model_id: str


_INFO = msgspec.json.Decoder(_Info)


class TGI(OwnWire):
    """A server of text-generation-inference, which serves one model: `/generate_stream`.

    It takes a prompt: a single message is sent as its plain content, several as `Role: content`
    lines with a last line `Assistant:`. If the model wants another form, write `format_prompt` in a
    subclass. There is no public server: pass `base_url`, and `api_key` if it requires one.

    The common parameters are sent in TGI's `parameters`, by its names for them, and all others,
    such as `repetition_penalty`, unchanged.

    Raises:
        ConfigurationError: an option can't be used, or there is no base URL.

    """

    wire = "tgi"
    carries = frozenset({"structured output", "usage"})
    other_ends = r"/generate(?:_stream)?|/v1(?:/chat/completions)?"
    other_way = "use its OpenAI endpoint: OpenAICompatible(base_url=…/v1)"

    format_prompt = staticmethod(format_prompt)

    @override
    def ask(self, request: Request) -> Ask:
        """Return what to send.

        Raises:
            ConfigurationError: a message holds something other than text, or TGI has no place for
                a parameter.

        """
        asked = on_the_wire(request.params, _NAMES, "TGI")
        body = {
            "inputs": self.format_prompt(request.messages),
            "parameters": _parameters(asked),
            "stream": True,
        }
        return Ask("/generate_stream", body)

    @override
    def translator(self, request: Request) -> TGITranslator:
        """Return what reads one answer."""
        stop = request.params.get("stop")
        stops = [stop] if isinstance(stop, str) else stop
        return TGITranslator(
            stops_early=bool(stops),
            stops=[each for each in stops if isinstance(each, str)]
            if isinstance(stops, list | tuple)
            else (),
            has_prompt=bool(request.params.get("return_full_text")),
            tells_logprobs=bool(request.params.get("logprobs")),
        )

    @override
    async def list_models(self) -> list[str]:
        """Return the id of the server's model.

        Raises:
            AsyncLLMError: it could not be read.

        """

        async def question(http: Http) -> list[str]:
            async with http.open("GET", f"{self.base_url}/info") as response:
                return [decode(_INFO, await response.read()).model_id]

        return await self._ask(question)


def _parameters(asked: Mapping[str, object]) -> dict[str, object]:
    """Return TGI's `parameters`.

    What OpenAI has for "as likely as it comes" and for "always the likeliest", TGI refuses as
    numbers, and does where there are none.
    """
    parameters = dict(asked)
    parameters.pop("logprobs", None)  # they are always told
    if parameters.get("temperature") == 0:
        del parameters["temperature"]
        parameters.setdefault("do_sample", False)
    if parameters.get("top_p") == 1:
        del parameters["top_p"]
    if isinstance(stop := parameters.get("stop"), str):
        parameters["stop"] = [stop]
    if (grammar := _grammar(parameters.pop("response_format", None))) is not None:
        parameters.setdefault("grammar", grammar)
    return parameters


def _grammar(asked: object) -> object:
    """Return TGI's `grammar` for a `response_format` as OpenAI has it; None for plain text."""
    form = as_mapping(asked)
    match form.get("type"):
        case "json_schema":
            return {"type": "json", "value": schema_in(form) or {"type": "object"}}
        case "json_object":
            return {"type": "json", "value": {"type": "object"}}
        case "text" | None if asked is None or form:
            return None
        case _:
            raise ConfigurationError(
                'response_format must be a mapping with a type: "json_schema", "json_object" or '
                '"text"; grammar= is sent to TGI as it is'
            )
