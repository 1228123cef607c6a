"""The documented module `Gravityengine`."""

from asyncllm.compat._documented import documented
from asyncllm.providers.gravityengine import Gravityengine as _Gravityengine

url, model, models, supports_stream, needs_auth, params, _create_completion = documented(
    __name__, _Gravityengine
)
