"""One provider of each wire, for what must hold on all of them."""

import pytest

from asyncllm import Gemini, Gravityengine, H2o, Lockchat, OpenAICompatible

WIRES = {
    "h2o": (H2o, ""),
    "openai": (lambda **options: OpenAICompatible(model="gpt-4o", **options), "/v1"),
    "gravityengine": (Gravityengine, ""),
    "lockchat": (Lockchat, ""),
    "gemini": (lambda **options: Gemini(model="gemini-3-pro", **options), ""),
}
every_wire = pytest.mark.parametrize("wire", WIRES)


def on_wire(wire, url, **options):
    """Make the provider that speaks `wire` with the server at `url`."""
    make, path = WIRES[wire]
    return make(base_url=url + path, **options)
