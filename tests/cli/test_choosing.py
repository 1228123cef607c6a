"""Which provider answers, and with which model."""

import json

import pytest

from asyncllm import ConfigurationError, TransportError
from asyncllm.cli import known
from asyncllm.cli.aliases import store_alias
from asyncllm.cli.choosing import Choice, chosen
from asyncllm.cli.keys_file import store_key
from asyncllm.cli.last import Conversation
from asyncllm.providers.services import SERVICES
from asyncllm.registry import key_variables, provider, provider_classes

KEY = "sk-of-nobody-0123456789"
NO_SERVER = {"llamacpp"}  # it runs in this process
NAMES = [name for name in known.provider_names() if name not in NO_SERVER]
IN_THE_VARIABLES = {"openai-responses": "openai"}  # of the others by their own name
# At paths of their own; the rest are at the sandbox's root, or speak OpenAI's format.
PATHS = {"chatui": "/chat", "openai-responses": "/v1", "azure": "/v1"}


def address(name, url):
    """Return the variable that leads a provider to the sandbox, and its value."""
    path = PATHS.get(name, "/v1" if name in SERVICES else "")
    called = IN_THE_VARIABLES.get(name, name).upper().replace("-", "_")
    return f"ASYNCLLM_{called}_BASE_URL", url + path


def key_variable(name):
    """Return the variable that gives a key to this provider and to no other before it."""
    variables = key_variables()[name]
    return variables[0] if name in known.VARIANTS else known.usual_key_variable(name)


async def choose(**typed):
    async with chosen(Choice(**typed)) as found:
        return found


# --- one key, and nothing else ------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in NAMES if name != "openai-responses"])
async def test_with_one_providers_key_alone_it_answers(name, sandbox, monkeypatch):
    monkeypatch.setenv(*address(name, sandbox.url))
    if key_variables()[name]:
        monkeypatch.setenv(key_variable(name), KEY)
    typed = Choice(model="azure/gpt-4o" if name == "azure" else "")
    async with chosen(typed) as found:
        reply = await found.provider.complete("Hello", model=found.model)
    assert found.name == name
    assert "Hello" in reply.text


async def test_another_endpoint_of_a_vendor_answers_where_it_is_named(sandbox, monkeypatch):
    monkeypatch.setenv(*address("openai-responses", sandbox.url))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    async with chosen(Choice(model="openai-responses/gpt-5")) as found:
        assert "Hello" in (await found.provider.complete("Hello", model=found.model)).text
    assert (await choose()).name == "openai"


@pytest.mark.parametrize("name", [name for name in NAMES if known.needs_key(name)])
async def test_without_a_key_one_line_names_the_variable_and_the_command(name):
    with pytest.raises(ConfigurationError) as raised:
        await choose(model=f"{name}/some-model")
    assert "\n" not in str(raised.value)
    if name != "azure":  # which has no address of its own either
        assert known.usual_key_variable(name) in str(raised.value)
        assert f"asyncllm keys set {known.VARIANTS.get(name, name)}" in str(raised.value)


@pytest.mark.parametrize("name", sorted(known.DEFAULT_MODELS))
async def test_at_home_a_model_that_its_vendor_documents_answers(name, monkeypatch):
    monkeypatch.setenv(key_variable(name), KEY)
    found = await choose(model=name)
    assert (found.name, found.model) == (name, known.DEFAULT_MODELS[name])


def test_every_default_is_of_a_provider_that_there_is():
    assert known.DEFAULT_MODELS.keys() <= {*NAMES}
    assert {*known.VARIANTS, *known.VARIANTS.values()} <= {*NAMES}
    assert all(
        name in provider_classes() or SERVICES[name].needs_auth for name in known.DEFAULT_MODELS
    )


# --- the order ----------------------------------------------------------------------------------


def everything(monkeypatch, url):
    """Have every way to choose a provider be there."""
    monkeypatch.setenv("ASYNCLLM_MODEL", "anthropic/claude-opus-5")
    monkeypatch.setenv("ASYNCLLM_H2O_BASE_URL", url)
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GROQ_API_KEY"):
        monkeypatch.setenv(variable, KEY)


LAST = Conversation(messages=[], model="big", provider="cerebras", base_url="https://c.example/v1")


@pytest.mark.parametrize(
    ("typed", "name", "model", "url"),
    [
        ({"model": "groq/llama-3.3"}, "groq", "llama-3.3", None),
        ({"model": "GROQ/llama-3.3"}, "groq", "llama-3.3", None),
        ({"model": "openrouter/meta-llama/x"}, "openrouter", "meta-llama/x", None),
        ({"model": "groq"}, "groq", "openai/gpt-oss-120b", None),
        ({"provider": "Groq", "model": "groq/compound"}, "groq", "groq/compound", None),
        ({"provider": "h2o"}, "h2o", "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v1", None),
        ({"base_url": "https://a.example/v1", "model": "x"}, "openai-compatible", "x", ""),
        ({"base_url": "https://a.example/v1/", "model": "o/x"}, "openai-compatible", "o/x", ""),
        ({"base_url": "https://a.example", "model": "falcon-7b"}, "h2o", "falcon-7b", ""),
        ({"base_url": "https://a.example", "model": "groq/x"}, "groq", "x", ""),
        ({"last": LAST}, "cerebras", "big", "https://c.example/v1"),
        ({"last": LAST, "model": "small"}, "cerebras", "small", "https://c.example/v1"),
        ({"last": LAST, "model": "groq/x"}, "groq", "x", None),
        ({}, "anthropic", "claude-opus-5", None),
        ({"model": "claude-haiku-4-5"}, "anthropic", "claude-haiku-4-5", None),
    ],
)
async def test_who_answers_is_the_first_that_was_typed(
    typed, name, model, url, sandbox, monkeypatch
):
    everything(monkeypatch, sandbox.url)
    for each in ("CEREBRAS_API_KEY", "OPENROUTER_API_KEY"):
        monkeypatch.setenv(each, KEY)
    found = await choose(**typed)
    assert (found.name, found.model) == (name, model)
    if url is not None:
        assert found.provider.base_url == (url or typed["base_url"].rstrip("/"))


async def test_then_comes_what_the_environment_says(sandbox, monkeypatch):
    everything(monkeypatch, sandbox.url)
    monkeypatch.setenv("ASYNCLLM_MODEL", "some-model")
    with pytest.raises(ConfigurationError, match="H2o has no model 'some-model'"):
        found = await choose()
        found.provider.stream("Hello", model=found.model)
    monkeypatch.delenv("ASYNCLLM_MODEL")
    assert (await choose()).name == "h2o"
    monkeypatch.delenv("ASYNCLLM_H2O_BASE_URL")
    with pytest.raises(ConfigurationError, match="several providers could answer") as raised:
        await choose(model="x")
    for said in ("openai, anthropic, groq", "-m openai/x", "ASYNCLLM_MODEL=openai/x"):
        assert said in str(raised.value)


async def test_a_gguf_file_is_llamacpps(tmp_path, monkeypatch):
    pytest.importorskip("xllamacpp")
    for name in ("model.gguf", "model"):
        (tmp_path / name).write_bytes(b"GGUF" + bytes(20))
        found = await choose(model=str(tmp_path / name))
        assert (found.name, found.model) == ("llamacpp", str(tmp_path / name))
    monkeypatch.setenv("ASYNCLLM_MODEL", str(tmp_path / "model.gguf"))
    assert (await choose()).name == "llamacpp"


async def test_an_alias_stands_for_anything_that_m_takes(monkeypatch):
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    store_alias("fast", "groq/llama-3.3")
    found = await choose(model="fast")
    assert (found.name, found.model) == ("groq", "llama-3.3")
    assert (await choose(provider="groq", model="fast")).model == "groq/llama-3.3"


async def test_a_stored_key_comes_after_the_environment(monkeypatch):
    store_key("groq", KEY)
    found = await choose()
    assert found.name == "groq"
    assert KEY in found.provider.secrets
    monkeypatch.setenv("GROQ_API_KEY", KEY + "-of-the-environment")
    assert KEY not in (await choose()).provider.secrets
    monkeypatch.delenv("GROQ_API_KEY")
    monkeypatch.setenv("MISTRAL_API_KEY", KEY)
    assert (await choose()).name == "mistral"


async def test_a_stored_key_is_for_the_vendors_other_endpoints_too():
    store_key("openai", KEY)
    assert KEY in (await choose(model="openai-responses/gpt-5")).provider.secrets


async def test_a_typed_key_comes_first(monkeypatch):
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    assert "sk-typed" in (await choose(key="sk-typed")).provider.secrets


async def test_a_key_of_openais_is_not_shown_to_another_server(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    found = await choose(base_url="https://a.example/v1", model="x")
    assert KEY not in found.provider.secrets


async def test_two_variables_of_one_vendor_are_one_provider(monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    assert (await choose()).name == "gemini"


async def test_ollama_host_says_that_ollama_is_there(sandbox, monkeypatch, capsys):
    monkeypatch.setenv("OLLAMA_HOST", sandbox.url)
    found = await choose()
    assert (found.name, found.model) == ("ollama", "llama3.2:latest")
    assert "llama3.2:latest answers, the first model of ollama" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "ASYNCLLM_OPENAI_BASE_URL"])
async def test_an_address_alone_says_who_answers_there_where_nobody_has_a_key(
    name, sandbox, monkeypatch, capsys
):
    monkeypatch.setenv(name, f"{sandbox.url}/v1")
    async with chosen(Choice()) as found:
        assert "Hello" in (await found.provider.complete("Hello", model=found.model)).text
    assert found.name == "openai"
    assert "no API key" not in capsys.readouterr().err
    store_key("groq", KEY)
    assert (await choose()).name == "groq"


# --- nobody, or nobody who could ----------------------------------------------------------------


async def test_with_nothing_the_sandbox_answers_and_one_line_says_what_to_type(capsys):
    async with chosen(Choice()) as found:
        assert "Hello" in (await found.provider.complete("Hello")).text
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    for advice in ("sandbox", "asyncllm keys set openai", "OPENAI_API_KEY", "asyncllm -m ollama"):
        assert advice in said
    assert found.name == "sandbox"


async def test_the_sandbox_can_be_asked_by_its_name(capsys):
    assert (await choose(model="sandbox/falcon-7b")).model == "falcon-7b"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"model": "gpt-5"}, "write -m PROVIDER/gpt-5"),
        ({"model": "antropic"}, "no provider 'antropic': did you mean anthropic?"),
        ({"model": "openia/gpt-5"}, "no provider 'openia': did you mean openai?"),
        ({"key": KEY}, "whose key is it"),
        (
            {"model": "qwen3", "base_url": "http://localhost:11434"},
            "write --base-url http://localhost:11434/v1; for another one name it, such as --prov",
        ),
        ({"provider": "h20"}, "did you mean 'h2o'"),
        ({"provider": "github"}, "was retired"),
        ({"model": "azure", "base_url": "https://a.example"}, "-m azure/DEPLOYMENT"),
    ],
)
async def test_what_nobody_could_answer_is_refused_with_what_to_type(typed, says, monkeypatch):
    if typed.get("model") == "azure":
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    with pytest.raises(ConfigurationError, match=r".") as raised:
        await choose(**typed)
    assert says.lower() in str(raised.value).lower()
    assert KEY not in str(raised.value)


async def test_a_server_that_is_not_there_is_told_before_a_model_is_asked_for(monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    with pytest.raises(TransportError, match=r"127\.0\.0\.1:9") as raised:
        await choose()
    assert "`ollama serve` starts it" in raised.value.__notes__[0]


def test_the_first_model_that_can_chat_is_taken():
    models = ["nomic-embed-text", "whisper-large", "gpt-image-1", "tts-1", "qwen3:8b", "llama3"]
    assert known.first_chat_model(models) == "qwen3:8b"
    assert known.first_chat_model(models[:4]) == ""
    documented = [*known.DEFAULT_MODELS.values(), *provider("gravityengine").models.values()]
    assert all(known.first_chat_model([model]) for model in documented)


def test_a_conversation_of_last_time_is_kept_as_json(home):
    from asyncllm.cli.last import load_last, save_last

    assert load_last() is None
    save_last(LAST)
    assert load_last() == LAST
    assert json.loads((home / "last.json").read_text())["provider"] == "cerebras"
    assert (home / "last.json").stat().st_mode & 0o777 == 0o600
