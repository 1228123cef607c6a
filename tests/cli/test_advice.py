"""What is said to type after an error."""

import pytest

from asyncllm import (
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ContextLengthError,
    NotFoundError,
    ProxyError,
    RateLimitError,
    ServerError,
    StreamInterrupted,
    StreamTimeout,
    TransportError,
)
from asyncllm.cli.advice import advice_on


def of_http(cls, status, message="no", **options):
    return cls("POST", "https://a.example/v1", status=status, message=message, **options)


KEY_OF_OPENAI = "set OPENAI_API_KEY, or type: asyncllm keys set openai"
LISTED = "`asyncllm models groq` lists the models, and -m chooses one"


@pytest.mark.parametrize(
    ("error", "provider", "says"),
    [
        (of_http(AuthenticationError, 401), "openai", KEY_OF_OPENAI),
        (of_http(AuthenticationError, 403), "openai-responses", KEY_OF_OPENAI),
        (of_http(AuthenticationError, 401), "openai-compatible", "--key gives the server's key"),
        (of_http(NotFoundError, 404, "The model `big` does not exist"), "groq", LISTED),
        (of_http(BadRequestError, 400, "Invalid model: big"), "groq", LISTED),
        (of_http(BadRequestError, 400, "temperature is too high"), "groq", ""),
        (of_http(ServerError, 503), "groq", "the server is slow, busy or broken: try again later"),
        (
            of_http(NotFoundError, 404, "big was not found"),
            "",
            "`asyncllm models` lists the models",
        ),
        (of_http(NotFoundError, 404, "no such path"), "h2o", "--base-url says where it is"),
        (
            of_http(ContextLengthError, 400),
            "groq",
            "send less text, or choose a model with a larger context",
        ),
        (of_http(RateLimitError, 429), "groq", "try again later"),
        (of_http(RateLimitError, 429, retry_after=0.2), "groq", "try again in 1 s"),
        (of_http(RateLimitError, 429, retry_after=7200), "groq", "try again in 120 minutes"),
        (TransportError("gone"), "groq", "--base-url says where it is"),
        (TransportError("gone"), "ollama", "`ollama serve` starts it"),
        (ProxyError("gone"), "groq", "--proxy"),
        (StreamTimeout("first_token", 60), "groq", "try again later"),
        (StreamInterrupted("cut off"), "groq", ""),
        (
            ConfigurationError("it is an image, but this provider takes text only"),
            "h2o",
            "-m openai",
        ),
        (ConfigurationError("there is no parameter tempo"), "h2o", ""),
    ],
)
def test_an_error_says_what_to_type_next(error, provider, says):
    advice = advice_on(error, provider, "big")
    assert says in advice
    assert bool(says) is bool(advice)
    assert "\n" not in advice
