"""What to type after an error."""

from __future__ import annotations

from asyncllm.cli.known import OPENAI_COMPATIBLE, SANDBOX, key_advice, usual_key_variable
from asyncllm.errors import (
    AsyncLLMError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ContextLengthError,
    NotFoundError,
    ProxyError,
    RateLimitError,
    ServerError,
    StreamTimeout,
    TransportError,
)

_NAMELESS = ("", OPENAI_COMPATIBLE, SANDBOX)
_SECONDS_SHOWN = 120
RIGHT_SERVER = "is it the right server? --base-url says where it is"


def advise(error: AsyncLLMError, provider: str, model: str) -> None:
    """Add to an error, as a note, what to type next, where there is something.

    Args:
        error: what ended an answer.
        provider: who was asked, as `--provider` names it; "" where that is not known.
        model: which of its models was asked.

    """
    if advice := advice_on(error, provider, model):
        error.add_note(advice)


def advice_on(error: AsyncLLMError, provider: str, model: str) -> str:
    """Return what to type after an error, or "".

    Args:
        error: as for `advise`, as what follows it.
        provider: see there.
        model: see there.

    """
    advice = ""
    match error:
        case AuthenticationError():
            has_variable = provider not in _NAMELESS and usual_key_variable(provider)
            advice = key_advice(provider) if has_variable else "--key gives the server's key"
        case ContextLengthError():
            advice = "send less text, or choose a model with a larger context with -m"
        case NotFoundError() | BadRequestError() if _is_of_model(error, model):
            shown = provider if provider not in _NAMELESS else ""
            advice = f"`asyncllm models {shown}".rstrip() + "` lists the models, and -m chooses one"
        case RateLimitError():
            advice = f"try again {_when(error.retry_after)}"
        case ProxyError():
            advice = "--proxy says which proxy to use"
        case TransportError() if provider.startswith("ollama"):
            advice = "does Ollama run? `ollama serve` starts it, and --base-url says where it is"
        case NotFoundError() | TransportError():
            advice = RIGHT_SERVER
        case ConfigurationError() if "takes text only" in str(error):
            advice = "choose one that takes more with -m, such as -m openai"
        case StreamTimeout() | ServerError():
            advice = "the server is slow, busy or broken: try again later"
    return advice


def _is_of_model(error: NotFoundError | BadRequestError, model: str) -> bool:
    """Tell whether a refusal is of the model that was asked for."""
    said = f"{error.message} {error.code} {error.type}".lower()
    is_named = bool(model) and model.lower() in said
    if isinstance(error, NotFoundError):
        return is_named or "model" in said or "deployment" in said
    return "model" in said and (is_named or "model_not_found" in said or "invalid model" in said)


def _when(seconds: float | None) -> str:
    if seconds is None:
        return "later"
    if seconds <= _SECONDS_SHOWN:
        return f"in {max(1, round(seconds))} s"
    return f"in {round(seconds / 60)} minutes"
