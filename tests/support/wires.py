"""One provider of each wire, for what must hold on all of them."""

import pytest

from asyncllm import (
    TGI,
    Anthropic,
    ChatUI,
    Cohere,
    Gemini,
    Gravityengine,
    H2o,
    Lockchat,
    Ollama,
    OpenAICompatible,
    OpenAIResponses,
)

WIRES = {
    "h2o": (H2o, ""),
    "chatui": (lambda **options: ChatUI(model="sandbox/small", **options), "/chat"),
    "openai": (lambda **options: OpenAICompatible(model="gpt-4o", **options), "/v1"),
    "responses": (lambda **options: OpenAIResponses(model="gpt-4o", **options), "/v1"),
    "gravityengine": (Gravityengine, ""),
    "lockchat": (Lockchat, ""),
    "ollama": (lambda **options: Ollama(model="llama3.2", **options), ""),
    "cohere": (lambda **options: Cohere(model="command-a-03-2025", **options), ""),
    "tgi": (TGI, ""),
    "anthropic": (lambda **options: Anthropic(model="claude-opus-5", **options), ""),
    "gemini": (lambda **options: Gemini(model="gemini-3-pro", **options), ""),
}
CHATUIS = ("h2o", "chatui")
"""Those whose server keeps a conversation for each answer."""

# Those whose errors amid an answer say in words alone what is wrong.
UNTYPED = {*CHATUIS, "ollama", "cohere", "tgi"}
PATHS = {
    "responses": "/v1/responses",
    "ollama": "/api/chat",
    "cohere": "/v2/chat",
    "tgi": "/generate_stream",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/gemini-3-pro:streamGenerateContent",
}
_TGI_EVENT = b'data:{"token":{"text":"x"},"padding":"', b'"}'
_EVENTS = {  # with some text, or what is no text of any length
    "h2o": _TGI_EVENT,
    "chatui": (b'{"type":"stream","padding":"', b'"}'),
    "tgi": _TGI_EVENT,
    "ollama": (b'{"message":{"content":"', b'"},"done":false}'),
    "responses": (b'data: {"type":"response.output_text.delta","delta":"', b'"}'),
    "cohere": (b'data: {"type":"content-delta","delta":{"message":{"content":{"text":"', b'"}}}}'),
    "anthropic": (
        (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
            b'"delta":{"type":"text_delta","text":"'
        ),
        b'"}}',
    ),
    "gemini": (b'data: {"candidates":[{"content":{"parts":[{"text":"', b'"}]}}]}'),
}
_OPENAI_EVENT = b'data: {"choices":[{"delta":{"content":"', b'"}}]}'
_TGI_END = b'data:{"token":{"text":"a"},"generated_text":"a"}\n\n'
_ENDS = {  # of an answer that says "a"
    "h2o": _TGI_END,
    "chatui": b'{"type":"finalAnswer","text":"a"}\n',
    "tgi": _TGI_END,
    "ollama": b'{"message":{"content":"a"},"done":true,"done_reason":"stop"}\n',
    "responses": b"a".join(_EVENTS["responses"])
    + b'\n\ndata: {"type":"response.completed","response":{}}\n\n',
    "cohere": b"a".join(_EVENTS["cohere"])
    + b'\n\ndata: {"type":"message-end","delta":{"finish_reason":"COMPLETE"}}\n\n',
    "anthropic": b"a".join(_EVENTS["anthropic"])
    + b'\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n',
    "gemini": b'data: {"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":1}]}\n\n',
}
# Those that tell of the end before their body has ended.
every_wire_with_an_end = pytest.mark.parametrize(
    "wire", [each for each in WIRES if each != "gemini"]
)
OPENAI_END = (
    b'data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)
TOOL_WIRES = sorted(WIRES.keys() - {*CHATUIS, "tgi", "gravityengine", "lockchat"})
every_wire = pytest.mark.parametrize("wire", WIRES)


def on_wire(wire, url, **options):
    """Make the provider that speaks `wire` with the server at `url`."""
    make, path = WIRES[wire]
    return make(base_url=url + path, **options)


def end_of(wire):
    """Return the bytes of an answer that says "a", to its end."""
    return _ENDS.get(wire, OPENAI_END)


def event_of(wire, size):
    """Return an event whose block, or line, is exactly `size` bytes long."""
    start, end = _EVENTS.get(wire, _OPENAI_EVENT)
    return start + b"x" * (size - len(start) - len(end)) + end
