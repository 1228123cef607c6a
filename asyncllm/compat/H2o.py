"""The documented module `H2o`."""

from typing_extensions import override

from asyncllm.compat._documented import documented
from asyncllm.messages import format_instruction
from asyncllm.providers import h2o


class _H2o(h2o.H2o):
    """H2o with the prompt of its documented synchronous form."""

    format_prompt = staticmethod(format_instruction)

    @property
    @override
    def name(self) -> str:
        """What the environment calls this provider."""
        return "h2o"


url, model, models, supports_stream, needs_auth, params, _create_completion = documented(
    __name__, _H2o
)
