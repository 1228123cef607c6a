"""The parameters of a call as Ollama has them: beside the messages, or among its `options`.

Wire facts: `ChatRequest` and `Options` of Ollama's `api/types.go`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.errors import ConfigurationError
from asyncllm.wires.loose import as_mapping, as_text
from asyncllm.wires.schemas import schema_in

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = {  # common parameter: Ollama's name for it
    **{name: name for name in ("temperature", "top_p", "top_k", "seed", "stop")},
    **{name: name for name in ("presence_penalty", "frequency_penalty")},
    "max_tokens": "num_predict",
    "max_completion_tokens": "num_predict",
    **{name: name for name in ("logprobs", "top_logprobs", "tools")},
    # What is translated by its value:
    **{name: name for name in ("tool_choice", "parallel_tool_calls", "response_format")},
    "reasoning_effort": "reasoning_effort",
}
"""Where the common parameters go; Ollama has no place for others."""

_OPTIONS = frozenset(
    {
        *("temperature", "top_p", "top_k", "min_p", "typical_p", "tfs_z", "seed", "stop"),
        *("presence_penalty", "frequency_penalty", "repeat_penalty", "repeat_last_n"),
        *("penalize_newline", "mirostat", "mirostat_eta", "mirostat_tau"),
        *("num_predict", "num_ctx", "num_keep", "num_batch", "num_gpu", "main_gpu"),
        *("num_thread", "use_mmap"),
    }
)
_LEVELS: dict[str, bool | str] = {"none": False, "minimal": "low", "xhigh": "max"}


def ollama_fields(asked: Mapping[str, object]) -> dict[str, object]:
    """Return the fields of a request that parameters make.

    Args:
        asked: the parameters, by the names of `NAMES` and Ollama's own.

    Raises:
        ConfigurationError: one says what Ollama has no place for.

    """
    fields = {name: value for name, value in asked.items() if name not in _OPTIONS}
    options = {name: value for name, value in asked.items() if name in _OPTIONS}
    if isinstance(stop := options.get("stop"), str):
        options["stop"] = [stop]
    given = fields.pop("options", {})
    if not isinstance(given, dict):
        raise ConfigurationError(f"options must be a dict, not {type(given).__name__}")
    if options := {**options, **as_mapping(given)}:
        fields["options"] = options
    if (effort := fields.pop("reasoning_effort", None)) is not None:
        fields.setdefault("think", _LEVELS.get(as_text(effort), effort))
    if (form := _format(fields.pop("response_format", None))) is not None:
        fields.setdefault("format", form)
    if not _may_call(fields.pop("tool_choice", None)):
        fields.pop("tools", None)
    if fields.pop("parallel_tool_calls", None) is False:
        raise ConfigurationError(
            "Ollama can't be limited to one call at a time: leave out parallel_tool_calls"
        )
    return fields


def _format(asked: object) -> object:
    """Return Ollama's `format` for a `response_format` as OpenAI has it; None for plain text."""
    form = as_mapping(asked)
    match form.get("type"):
        case "json_schema":
            return schema_in(form) or "json"
        case "json_object":
            return "json"
        case "text" | None if asked is None or form:
            return None
        case _:
            raise ConfigurationError(
                'response_format must be a mapping with a type: "json_schema", "json_object" or '
                '"text"; format= is sent to Ollama as it is'
            )


def _may_call(choice: object) -> bool:
    """Tell whether tools may be called; a model that has none calls none."""
    if choice in (None, "auto"):
        return True
    if choice == "none":
        return False
    raise ConfigurationError(
        'Ollama can\'t be made to call a tool: leave out tool_choice, or make it "auto" or "none"'
    )
