"""One provider of each wire, for what must hold on all of them."""

import pytest

from asyncllm import ChatUI, Gravityengine, H2o, Lockchat, OpenAICompatible

WIRES = {
    "h2o": (H2o, ""),
    "chatui": (lambda **options: ChatUI(model="sandbox/small", **options), "/chat"),
    "openai": (lambda **options: OpenAICompatible(model="gpt-4o", **options), "/v1"),
    "gravityengine": (Gravityengine, ""),
    "lockchat": (Lockchat, ""),
}
CHATUIS = ("h2o", "chatui")
"""Those whose server keeps a conversation for each answer."""

every_wire = pytest.mark.parametrize("wire", WIRES)


def on_wire(wire, url, **options):
    """Make the provider that speaks `wire` with the server at `url`."""
    make, path = WIRES[wire]
    return make(base_url=url + path, **options)
