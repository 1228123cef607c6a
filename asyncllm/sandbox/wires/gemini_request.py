"""What a request of Gemini's wire asks for, and what Google refuses in one."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING

from asyncllm.sandbox.generation import ToolCall, asks_for_tools, call_of
from asyncllm.sandbox.wires.body import JSON, list_in, object_in
from asyncllm.sandbox.wires.gemini_errors import RequestError
from asyncllm.sandbox.wires.openai_details import signature_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WORDS = re.compile(r"\w+").findall
_BODY = frozenset(
    _WORDS(
        "contents systemInstruction generationConfig tools toolConfig safetySettings "
        "cachedContent labels serviceTier store model continuationToken"
    )
)
_CONFIG = frozenset(
    _WORDS(
        "maxOutputTokens temperature topP topK stopSequences seed responseMimeType responseSchema "
        "responseJsonSchema thinkingConfig presencePenalty frequencyPenalty responseLogprobs "
        "logprobs candidateCount responseModalities speechConfig mediaResolution "
        "continuationToken imageConfig"
    )
)
_PART = frozenset(
    _WORDS(
        "text inlineData fileData functionCall functionResponse executableCode "
        "codeExecutionResult toolCall toolResponse"
    )
)
_BESIDE = frozenset({"thought", "thoughtSignature", "videoMetadata", "mediaResolution"})
_FIELDS = {
    "inlineData": {"mimeType", "data"},
    "fileData": {"mimeType", "fileUri"},
    "functionCall": {"id", "name", "args"},
    "functionResponse": {"id", "name", "response", "parts"},
}
_TOOL = frozenset(_WORDS("functionDeclarations googleSearch codeExecution urlContext"))
_FUNCTION = frozenset(_WORDS("name description parameters parametersJsonSchema response"))
_NO_SIGNATURE_NEEDED = "skip_thought_signature_validator"
_IS_OLD = re.compile(r"gemini-[12]\.").match


def signs(model: str) -> bool:
    """Say whether a model signs its calls and wants the signatures back."""
    return _IS_OLD(model) is None


def signature_of_call(name: str, arguments: object) -> str:
    """Sign a call; the same call has the same signature each time."""
    return signature_of(f"{name} {json.dumps(arguments, sort_keys=True)}")


def check_body(body: JSON, model: str) -> None:
    """Refuse what Google would refuse.

    Raises:
        RequestError: a field is unknown, a part is broken, results do not answer the calls, or a
            signature is missing.

    """
    body = camel(body)
    _check_names(body, _BODY, "")
    config = config_of(body)
    _check_names(config, _CONFIG, " at 'generation_config'")
    _check_thinking(object_in(config.get("thinkingConfig")), model)
    for place, tool in enumerate(map(object_in, list_in(body.get("tools")))):
        _check_names(tool, _TOOL, f" at 'tools[{place}]'")
        for function in map(object_in, list_in(camel(tool).get("functionDeclarations"))):
            _check_names(function, _FUNCTION, f" at 'tools[{place}].function_declarations'")
    contents = [object_in(each) for each in list_in(body.get("contents"))]
    if not contents:
        raise RequestError("* GenerateContentRequest.contents: contents is not specified")
    for place, content in enumerate(contents):
        _check_content(content, f"contents[{place}]")
    _check_results(contents)
    if signs(model):
        _check_signatures(contents)


def camel(value: JSON) -> JSON:
    """Spell an object's names as JSON does; Google takes both spellings."""
    return {_camel(name): each for name, each in value.items()}


def config_of(body: JSON) -> JSON:
    """Read the `generationConfig`."""
    return camel(object_in(camel(body).get("generationConfig")))


def last_user_text(body: JSON) -> str:
    """Read what the user said last."""
    said = [text for content in _contents(body) if (text := _text_of(content))]
    return said[-1] if said else ""


def texts_of(body: JSON) -> list[str]:
    """Read all texts, the system's too."""
    contents = [object_in(body.get("systemInstruction")), *_contents(body)]
    return [str(part["text"]) for each in contents for part in _parts(each) if "text" in part]


def limit_of(body: JSON) -> int | None:
    """Read how many tokens the answer may have at most."""
    limit = config_of(body).get("maxOutputTokens")
    return limit if isinstance(limit, int) and limit > 0 else None


def calls_of_tools(body: JSON, prompt: str) -> list[ToolCall]:
    """Call every function of a request once, in their order, if the last user text asks for tools.

    Not if the mode is NONE, nor behind the results of calls.

    Raises:
        RequestError: the functions are not declared as they should be.

    """
    choice = camel(object_in(object_in(body.get("toolConfig")).get("functionCallingConfig")))
    contents = _contents(body)
    is_answered = bool(contents) and any("functionResponse" in p for p in _parts(contents[-1]))
    if choice.get("mode") == "NONE" or is_answered or not asks_for_tools(prompt):
        return []
    allowed = list_in(choice.get("allowedFunctionNames"))
    calls: list[ToolCall] = []
    for tool in map(object_in, list_in(body.get("tools"))):
        for declared in list_in(camel(tool).get("functionDeclarations")):
            function = camel(object_in(declared))
            name = str(function.get("name"))
            schema = function.get("parametersJsonSchema") or function.get("parameters")
            properties = object_in(object_in(schema).get("properties"))
            if not allowed or name in allowed:
                calls.append(_call(name, properties, prompt, len(calls)))
    return calls


def structured(body: JSON, prompt: str) -> str | None:
    """Write JSON by the schema that is asked for; `None` where text is."""
    config = config_of(body)
    if config.get("responseMimeType") != "application/json":
        return None
    schema = object_in(config.get("responseJsonSchema") or config.get("responseSchema"))
    return _call("answer", object_in(schema.get("properties")), prompt, 0).arguments


def has_tool(body: JSON, name: str) -> bool:
    """Say whether a tool of the server's own may be used."""
    return any(name in camel(object_in(tool)) for tool in list_in(body.get("tools")))


def _call(name: str, properties: JSON, prompt: str, number: int) -> ToolCall:
    try:
        return call_of(name, properties, prompt, number)
    except (AttributeError, LookupError, TypeError, UnicodeError):
        raise RequestError("the function's parameters are no JSON schema") from None


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


def _contents(body: JSON) -> list[JSON]:
    return [object_in(content) for content in list_in(body.get("contents"))]


def _parts(content: JSON) -> list[JSON]:
    return [object_in(part) for part in list_in(content.get("parts"))]


def _text_of(content: JSON) -> str:
    if content.get("role", "user") != "user":
        return ""
    return "\n".join(str(part["text"]) for part in _parts(content) if "text" in part)


def _check_names(value: JSON, known: Iterable[str], where: str) -> None:
    for name in value:
        if _camel(name) not in known:
            raise RequestError(
                f'Invalid JSON payload received. Unknown name "{name}"{where}: Cannot find field.'
            )


def _check_thinking(thinking: JSON, model: str) -> None:
    thinking = camel(thinking)
    _check_names(
        thinking,
        {"includeThoughts", "thinkingBudget", "thinkingLevel"},
        " at 'generation_config.thinking_config'",
    )
    if "thinkingBudget" in thinking and "thinkingLevel" in thinking:
        raise RequestError("You can only set only one of thinking budget and thinking level.")
    if "thinkingLevel" in thinking and not signs(model):
        raise RequestError("Thinking level is not supported for this model.")


def _check_content(content: JSON, where: str) -> None:
    if content.get("role", "user") not in ("user", "model"):  # which may be of any kind
        raise RequestError("Please use a valid role: user, model.")
    parts = _parts(content)
    if not parts:
        raise RequestError(
            f"* GenerateContentRequest.{where}.parts: contents.parts must not be empty"
        )
    for number, part in enumerate(parts):
        place = f"{where}.parts[{number}]"
        _check_names(part, _PART | _BESIDE, f" at '{place}'")
        kinds = [name for name in part if name in _PART]
        if len(kinds) != 1:
            raise RequestError(
                f"* GenerateContentRequest.{place}.data: required oneof field 'data'"
            )
        kind = kinds[0]
        value = object_in(part[kind])
        _check_names(value, _FIELDS.get(kind, value), f" at '{place}.{kind}'")
        if kind == "inlineData":
            _check_base64(value.get("data"), place)
        elif kind in {"functionCall", "functionResponse"} and not value.get("name"):
            raise RequestError(f"* GenerateContentRequest.{place}: Name cannot be empty.")
        elif kind == "functionResponse" and not isinstance(value.get("response"), dict):
            raise RequestError(f"Invalid value at '{place}.function_response.response'")


def _check_base64(data: object, where: str) -> None:
    try:
        is_fine = isinstance(data, str) and bool(base64.b64decode(data, validate=True))
    except binascii.Error:
        is_fine = False
    if not is_fine:
        raise RequestError(f"Invalid value at '{where}.inline_data.data' (TYPE_BYTES)")


def _check_results(contents: Sequence[JSON]) -> None:
    """See that the calls of a turn have their results, all in the next one."""
    awaited: list[JSON] = []
    for content in [*contents, {}]:
        parts = _parts(content)
        results = [
            object_in(part["functionResponse"]) for part in parts if "functionResponse" in part
        ]
        if len(results) != len(awaited):
            raise RequestError(
                "Please ensure that the number of function response parts is equal to the number "
                "of function call parts of the function call turn."
            )
        for call, result in zip(awaited, results, strict=True):
            if any(call.get(name) != result.get(name) for name in ("id", "name")):
                raise RequestError(
                    "Please ensure that function responses match the function calls."
                )
        awaited = [object_in(part["functionCall"]) for part in parts if "functionCall" in part]


def _check_signatures(contents: Sequence[JSON]) -> None:
    """See that the first call of each step of the current turn is signed."""
    begins = max((place for place, each in enumerate(contents) if _text_of(each)), default=0)
    for place, content in enumerate(contents[begins:], begins):
        calls = [part for part in _parts(content) if "functionCall" in part]
        if not calls:
            continue
        call, signature = object_in(calls[0]["functionCall"]), calls[0].get("thoughtSignature")
        if signature is None:
            raise RequestError(
                f"Function call `default_api:{call.get('name')}` in the {place + 1}. content block "
                "is missing a `thought_signature`."
            )
        wanted = signature_of_call(str(call.get("name")), call.get("args") or {})
        # As bytes, which base64 has two alphabets for.
        if str(signature).replace("-", "+").replace("_", "/") not in {
            wanted,
            _NO_SIGNATURE_NEEDED.replace("_", "/"),
        }:
            raise RequestError("Thought signature is not valid.")
