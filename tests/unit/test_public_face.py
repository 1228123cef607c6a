"""What `import asyncllm` gives, and what it costs."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
from packaging.version import Version

import asyncllm

PUBLIC = [
    "About",
    "Anthropic",
    "Ask",
    "AsyncGeneratorProvider",
    "AsyncLLMError",
    "AuthenticationError",
    "AzureOpenAI",
    "Gemini",
    "BadRequestError",
    "Begun",
    "ChatUI",
    "Citation",
    "Cohere",
    "ConfigurationError",
    "ContentFilterError",
    "ContextLengthError",
    "ConversationProvider",
    "ConversationServer",
    "Entry",
    "Event",
    "Fallback",
    "file",
    "FilePart",
    "Finish",
    "format_prompt",
    "Gravityengine",
    "H2o",
    "Http",
    "HTTPStatusError",
    "image",
    "ImagePart",
    "Item",
    "JSONTranslator",
    "LlamaCpp",
    "Lockchat",
    "Logprob",
    "Logprobs",
    "Media",
    "Message",
    "Messages",
    "Mistral",
    "NamedEvent",
    "Next",
    "NotFoundError",
    "Ollama",
    "OpenAI",
    "OpenAICompatible",
    "OpenAIResponses",
    "path_segment",
    "Payload",
    "Ping",
    "ProtocolError",
    "provider",
    "Provider",
    "ProviderError",
    "ProviderOptions",
    "ProviderParams",
    "Proxy",
    "ProxyError",
    "PullProgress",
    "Question",
    "RateLimitError",
    "Reasoning",
    "Refusal",
    "Reply",
    "ReplyTooLargeError",
    "Request",
    "Response",
    "Restart",
    "Retry",
    "run_sync",
    "ServerError",
    "ServerProvider",
    "Service",
    "SessionManager",
    "Step",
    "Stream",
    "StreamInterrupted",
    "StreamTimeout",
    "SyncIterator",
    "SyncStream",
    "TGI",
    "text",
    "TextPart",
    "Timeouts",
    "ToolCall",
    "ToolResult",
    "Translator",
    "TransportError",
    "Usage",
    "Way",
]
DOCUMENTED = [
    name
    for name in PUBLIC
    if inspect.isclass(getattr(asyncllm, name)) or inspect.isroutine(getattr(asyncllm, name))
]


def python(code: str) -> str:
    """Run `code` in a fresh interpreter and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_public_names_are_these_and_no_others():
    assert sorted(asyncllm.__all__) == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_resolves(name):
    assert getattr(asyncllm, name) is not None
    assert getattr(asyncllm, name) is getattr(asyncllm, name)


def test_a_star_import_gives_them_all():
    code = "from asyncllm import *; print(sorted(n for n in globals() if not n.startswith('__')))"
    assert python(code) == str(sorted(PUBLIC))


def test_dir_has_every_public_name_before_any_was_used():
    code = "import asyncllm; print(sorted(set(asyncllm.__all__) - set(dir(asyncllm))))"
    assert python(code) == "[]"
    assert set(PUBLIC) <= set(dir(asyncllm))


def test_any_other_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'asyncllm' has no attribute 'H3o'"):
        _ = asyncllm.H3o
    assert not hasattr(asyncllm, "__path_to_nowhere__")


def test_the_version_is_one():
    assert str(Version(asyncllm.__version__)) == asyncllm.__version__


def test_importing_asyncllm_imports_no_provider_and_no_session():
    code = (
        "import sys, asyncllm; print(sorted(m for m in sys.modules"
        " if m.startswith(('asyncllm.providers', 'asyncllm.session.manager'))))"
    )
    assert python(code) == "[]"


@pytest.mark.parametrize("used", ["H2o", "AsyncGeneratorProvider", "SessionManager", "Stream"])
def test_provider_is_the_function_whatever_was_used_before_it(used):
    code = f"import asyncllm; asyncllm.{used}; print(asyncllm.provider('h2o'))"
    assert "H2o" in python(code)


def test_provider_stays_callable_after_a_provider_was_used():
    code = "import asyncllm; asyncllm.provider; asyncllm.H2o; print(callable(asyncllm.provider))"
    assert python(code) == "True"


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_public_class_and_function_has_a_docstring(name):
    assert (getattr(asyncllm, name).__doc__ or "").strip()


@pytest.mark.parametrize("name", [n for n in DOCUMENTED if inspect.isclass(getattr(asyncllm, n))])
def test_every_public_method_and_property_has_a_docstring(name):
    cls = getattr(asyncllm, name)
    without = []
    for member, value in vars(cls).items():
        function = getattr(value, "__func__", value)
        if not member.startswith("_") and isinstance(function, property | type(python)):
            without += [] if (function.__doc__ or "").strip() else [member]
    assert without == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("openai", ": did you mean asyncllm.OpenAI?"),
        ("Openai", ": did you mean asyncllm.OpenAI?"),
        ("ollama", ": did you mean asyncllm.Ollama?"),
        ("AsyncOpenAI", ": did you mean asyncllm.OpenAI?"),
        ("AsyncAzureOpenAI", ": did you mean asyncllm.AzureOpenAI?"),
        ("Groq", ": if it is a provider, write asyncllm.provider('groq')"),
        ("__wrapped__", ""),
    ],
)
def test_a_name_that_there_is_not_says_what_may_be_meant(name, says):
    with pytest.raises(AttributeError) as caught:
        getattr(asyncllm, name)
    assert str(caught.value) == f"module 'asyncllm' has no attribute {name!r}{says}"


@pytest.mark.parametrize(
    ("module", "library", "extra"),
    [
        ("langchain", "langchain_core", "langchain"),
        ("pydantic_ai", "pydantic_ai", "pydantic-ai"),
        ("llama_index", "llama_index", "llama-index"),
    ],
)
def test_an_adapter_without_its_framework_says_what_to_install(module, library, extra):
    code = (
        f"import sys; sys.modules[{library!r}] = None\n"
        f"try: import asyncllm.compat.{module}\n"
        "except ImportError as error: print(error)"
    )
    assert f"pip install 'asyncllm-sdk[{extra}]'" in python(code)
