"""Services by name: where they are, whose key goes where, and what the environment says of it."""

import os
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

import asyncllm
from asyncllm import (
    AzureOpenAI,
    ConfigurationError,
    NotFoundError,
    OpenAI,
    OpenAICompatible,
    provider,
)
from asyncllm.providers.openai import hint_of_404
from asyncllm.providers.services import SERVICES, url_of_host
from support.policies import ONCE
from support.raw_server import HEAD, raw_server

ANSWER = (
    b'data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)
CUSTOMARY = ("_API_KEY", "_BASE_URL", "_ENDPOINT", "_HOST", "_TOKEN", "_VERSION")


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch):
    for name in os.environ:
        if name.endswith(CUSTOMARY) or name.startswith(("OPENAI_", "ASYNCLLM_")):
            monkeypatch.delenv(name)


@asynccontextmanager
async def recording():
    """Serve an answer at every path, and a model at every GET; give the URL and the requests."""
    requests = []

    async def handle(request):
        requests.append((request.method, request.path_qs, dict(request.headers)))
        if request.method == "GET":
            return web.json_response({"data": [{"id": "mine"}]})
        await request.read()
        return web.Response(body=ANSWER, content_type="text/event-stream")

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}", requests
    finally:
        await runner.cleanup()


# --- keys and addresses -----------------------------------------------------------------------

KEYS = [(name, key) for name, each in SERVICES.items() for key in each.key_variables]


@pytest.mark.parametrize(("name", "variable"), KEYS)
def test_a_service_takes_its_key_from_each_of_its_variables(name, variable, monkeypatch):
    monkeypatch.setenv(variable, "k-1")
    assert provider(name)._headers["Authorization"] == "Bearer k-1"


def test_the_first_variable_comes_first_and_asyncllm_s_before_it(monkeypatch):
    for variable, key in (("GOOGLE_API_KEY", "b"), ("GEMINI_API_KEY", "a")):
        monkeypatch.setenv(variable, key)
        assert provider("gemini-openai")._headers["Authorization"] == f"Bearer {key}"
    monkeypatch.setenv("ASYNCLLM_GEMINI_OPENAI_API_KEY", "ours")
    assert provider("gemini-openai")._headers["Authorization"] == "Bearer ours"


@pytest.mark.parametrize("name", SERVICES)
def test_no_key_goes_to_a_service_that_it_is_not_of(name, monkeypatch):
    own = SERVICES[name].key_variables
    for variable in {key for _, key in KEYS} - {*own}:
        monkeypatch.setenv(variable, "sk-canary")
    assert "canary" not in str(provider(name)._headers)
    assert "canary" not in str(OpenAICompatible(base_url="https://h")._headers)


def test_a_missing_key_is_asked_for_by_all_its_names():
    with pytest.raises(ConfigurationError, match="set CO_API_KEY or COHERE_API_KEY"):
        provider("cohere-openai", model="command").stream("x")


def test_openai_s_address_comes_from_its_customary_variable_after_ours(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "https://gateway.example/v1/")
    assert OpenAI().base_url == "https://gateway.example/v1"
    monkeypatch.setenv("ASYNCLLM_OPENAI_BASE_URL", "https://ours.example/v1")
    assert OpenAI().base_url == "https://ours.example/v1"
    assert OpenAI(base_url="https://given.example/v1").base_url == "https://given.example/v1"
    assert provider("groq").base_url == SERVICES["groq"].base_url


def test_a_subclass_s_own_address_is_not_openai_s_to_change(monkeypatch):
    class Mine(OpenAI):
        url = "https://mine.example/v1"

    monkeypatch.setenv("OPENAI_BASE_URL", "https://gateway.example/v1")
    assert Mine().base_url == "https://mine.example/v1"


def test_openai_s_key_stays_away_from_a_subclass_s_own_address(monkeypatch):
    class Mine(OpenAI):
        url = "https://mine.example/v1"

    class AtGateway(OpenAI):
        def __init__(self, **options):
            super().__init__(base_url="https://gateway.example/v1", **options)

    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    assert "canary" not in f"{Mine(model='m')._headers}{Mine(model='m').secrets}"
    assert Mine(api_key="k")._headers == {"Authorization": "Bearer k"}
    Mine().stream("x")  # the server says what it wants
    assert AtGateway()._headers == {"Authorization": "Bearer sk-canary"}
    monkeypatch.setenv("ASYNCLLM_OPENAI_API_KEY", "sk-canary")
    assert "canary" not in f"{Mine(model='m')._headers}"
    monkeypatch.setenv("ASYNCLLM_MINE_API_KEY", "k-2")
    assert Mine()._headers == {"Authorization": "Bearer k-2"}


def test_an_address_of_the_environment_that_can_not_be_used_is_told_by_its_variable(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "gateway.example")
    with pytest.raises(ConfigurationError, match="OPENAI_BASE_URL can't be used"):
        OpenAI()


def test_the_account_is_told_to_openai_alone(monkeypatch):
    monkeypatch.setenv("OPENAI_ORGANIZATION", "org-2")
    assert OpenAI()._headers["OpenAI-Organization"] == "org-2"
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    told = {"OpenAI-Organization": "org-1", "OpenAI-Project": "proj-1"}
    assert told.items() <= OpenAI()._headers.items()
    assert OpenAI(headers={"openai-project": "x"})._headers["openai-project"] == "x"
    elsewhere = [
        OpenAI(base_url="https://h/v1"),
        provider("groq"),
        OpenAICompatible(base_url="https://h"),
    ]
    assert not any(told.keys() & each._headers.keys() for each in elsewhere)


HOSTS = [
    ("gpu", "http://gpu:11434/v1"),
    ("gpu:8080", "http://gpu:8080/v1"),
    (":8080", "http://127.0.0.1:8080/v1"),
    ("0.0.0.0", "http://127.0.0.1:11434/v1"),
    ("0.0.0.0:8080", "http://127.0.0.1:8080/v1"),
    ("[::]:8080", "http://[::1]:8080/v1"),
    ("[::1]", "http://[::1]:11434/v1"),
    ("http://gpu", "http://gpu/v1"),
    ("https://gpu.example/", "https://gpu.example/v1"),
    ("https://gpu.example:444/ollama/", "https://gpu.example:444/ollama/v1"),
    ("http://gpu:11434/v1", "http://gpu:11434/v1"),
    (" gpu ", "http://gpu:11434/v1"),
    ('"gpu"', "http://gpu:11434/v1"),
    ("'gpu:8080'", "http://gpu:8080/v1"),
    ("::1", "http://[::1]:11434/v1"),
    ("::", "http://[::1]:11434/v1"),
    ("gpu:99999", "http://gpu:11434/v1"),
    ("http://gpu:99999", "http://gpu/v1"),
    ("[::1]:99999", "http://[::1]:11434/v1"),
]


@pytest.mark.parametrize(("host", "url"), HOSTS)
def test_ollama_s_host_is_read_as_ollama_reads_it(host, url, monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", host)
    assert provider("ollama-openai").base_url == url
    assert provider("ollama").base_url == url.removesuffix("/v1")
    assert provider("vllm").base_url == SERVICES["vllm"].base_url


@pytest.mark.parametrize("host", ["gpu:port", "user:sk-canary@gpu", "http://gpu/?a=1", "gpu#x"])
def test_a_host_that_can_not_be_used_is_told_by_its_variable(host, monkeypatch):
    assert url_of_host(host, "http://localhost:11434/v1") == host
    monkeypatch.setenv("OLLAMA_HOST", host)
    for name in ("ollama", "ollama-openai"):
        with pytest.raises(ConfigurationError, match="OLLAMA_HOST can't be used") as caught:
            provider(name)
        assert "canary" not in str(caught.value)


# --- a 404 ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "base_url",
    [
        "https://h/v1",
        "https://h/openai/v1",
        "https://h/v1beta/openai",
        "https://h/api/v3/x",
        "https://h/openai/deployments/d",
    ],
)
def test_a_base_url_with_a_version_lacks_none(base_url):
    assert hint_of_404(base_url) == ""


@pytest.mark.parametrize("base_url", ["http://h:8000", "https://v1.example/api", "https://h/very"])
def test_a_base_url_without_a_version_may_lack_it(base_url):
    assert hint_of_404(base_url).endswith(f"try base_url='{base_url}/v1'")


WHOLE_URLS = [
    (OpenAICompatible, "https://h/v1/chat/completions", "https://h/v1"),
    (OpenAICompatible, "https://h/v1/chat/completions/", "https://h/v1"),
    (OpenAICompatible, "https://h/v1/completions", "https://h/v1"),
    (OpenAICompatible, "https://h/v1/models", "https://h/v1"),
    (asyncllm.Lockchat, "https://h/x/v1/chat/completions", "https://h/x"),
    (AzureOpenAI, "https://h/openai/deployments/d/chat/completions", None),
]


@pytest.mark.parametrize(("cls", "base_url", "write"), WHOLE_URLS)
def test_a_base_url_with_the_path_of_requests_is_refused(cls, base_url, write):
    with pytest.raises(ConfigurationError, match="each request adds its own path") as caught:
        cls(base_url=base_url)
    write = write or base_url.removesuffix("/chat/completions")
    assert str(caught.value).endswith(f"write base_url={write!r}")


def test_a_base_url_that_only_looks_like_a_path_of_requests_stays(monkeypatch):
    assert OpenAICompatible(base_url="https://h/models").base_url == "https://h/models"
    monkeypatch.setenv("OPENAI_BASE_URL", "https://h/v1/chat/completions")
    with pytest.raises(ConfigurationError, match="write base_url='https://h/v1'"):
        OpenAI()


@pytest.mark.parametrize("options", [{}, {"api_version": "2024-10-21"}])
async def test_a_404_of_azure_is_about_the_deployment(sandbox, options):
    azure = AzureOpenAI(endpoint=sandbox.url, deployment="d", api_key="k", **options)
    for asked in (azure.complete("x"), azure.list_models()):
        with pytest.raises(NotFoundError) as caught:
            await asked
        assert "may lack" not in str(caught.value)


@pytest.mark.parametrize("ask", [lambda llm: llm.complete("x"), lambda llm: llm.list_models()])
async def test_a_404_without_v1_says_so(sandbox, ask):
    llm = OpenAICompatible(base_url=sandbox.url, model="gpt-4o")
    with pytest.raises(NotFoundError) as caught:
        await ask(llm)
    assert caught.value.status == 404
    assert f"404 the base URL may lack /v1: try base_url='{sandbox.url}/v1': " in (
        str(caught.value)
    )


async def test_a_404_with_v1_says_what_the_server_said(sandbox):
    llm = OpenAICompatible(base_url=f"{sandbox.url}/v1/x", model="gpt-4o")
    with pytest.raises(NotFoundError) as caught:
        await llm.complete("x")
    assert "may lack" not in str(caught.value)


def test_a_service_s_own_address_lacks_nothing():
    request = asyncllm.Request(base_url="", model="m", messages=[], params={})
    for llm in (provider("perplexity"), OpenAICompatible(base_url="https://api.perplexity.ai")):
        error = NotFoundError("POST", llm.base_url, status=404, message="Not Found")
        is_at_home = llm.service is not None
        assert ("may lack" in str(llm.explain(request, error))) != is_at_home


def test_a_404_that_is_about_the_model_stays_as_it_is():
    request = asyncllm.Request(base_url="", model="m", messages=[], params={})
    error = NotFoundError("POST", "http://h", status=404, message="The Model m is unknown")
    told = OpenAICompatible(base_url="http://h").explain(request, error)
    assert "may lack" not in str(told)


async def test_an_error_of_404_inside_an_answer_is_not_one_of_its_address():
    body = b'data: {"error":{"message":"Not Found","code":404}}\n\n'
    async with raw_server([HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body]) as (url, _):
        with pytest.raises(NotFoundError) as caught:
            await OpenAICompatible(base_url=url, retry=ONCE).complete("x")
    assert "may lack" not in str(caught.value)


# --- Azure ------------------------------------------------------------------------------------


async def test_azure_is_asked_at_its_api_v1():
    async with recording() as (url, requests):
        azure = AzureOpenAI(endpoint=f"{url}/", deployment="my gpt", api_key="k-1")
        assert (await azure.complete("x")).text == "Hi"
        assert await azure.list_models() == ["mine"]
    assert [each[:2] for each in requests] == [
        ("POST", "/openai/v1/chat/completions"),
        ("GET", "/openai/v1/models"),
    ]
    for *_, headers in requests:
        assert headers["api-key"] == "k-1"
        assert "Authorization" not in headers


async def test_azure_is_asked_at_a_deployment_where_a_date_is_given():
    async with recording() as (url, requests):
        azure = AzureOpenAI(
            endpoint=url, model="gpt-4o", api_version="2024-10-21", api_key="k-1", retry=ONCE
        )
        await azure.complete("x")
        await azure.complete("x", model="my gpt/2")
        await azure.list_models()
    version = "api-version=2024-10-21"
    assert [path for _, path, _ in requests] == [
        f"/openai/deployments/gpt-4o/chat/completions?{version}",
        f"/openai/deployments/my%20gpt%2F2/chat/completions?{version}",
        f"/openai/models?{version}",
    ]


@pytest.mark.parametrize(
    "endpoint", ["https://a.example", "https://a.example/openai/", "https://a.example/openai/v1"]
)
def test_azure_s_endpoint_is_taken_whichever_part_of_it_was_copied(endpoint):
    azure = AzureOpenAI(endpoint=endpoint)
    assert azure.base_url == "https://a.example/openai/v1"
    assert AzureOpenAI(endpoint=endpoint, api_version="x").base_url == "https://a.example/openai"


def test_azure_is_told_all_by_the_environment(monkeypatch):
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://a.example")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "k-1")
    azure = provider("azure", model="d")
    assert (type(azure), azure.base_url) == (AzureOpenAI, "https://a.example/openai/v1")
    assert azure._headers == {"api-key": "k-1"}
    azure.stream("x")
    monkeypatch.setenv("OPENAI_API_VERSION", "2024-10-21")
    assert provider("azure").base_url == "https://a.example/openai"
    monkeypatch.setenv("ASYNCLLM_AZURE_BASE_URL", "https://b.example/x")
    assert provider("azure").base_url == "https://b.example/x"
    assert provider("azure", endpoint="https://c.example").base_url == "https://c.example/openai"


AZURE = "https://a.example"
REFUSED = [
    ({}, "no address of its own: .* or AZURE_OPENAI_ENDPOINT"),
    ({}, "pass endpoint=… or base_url=…, or set ASYNCLLM_AZURE_BASE_URL or AZURE_OPENAI_ENDPOINT"),
    (
        {"endpoint": f"{AZURE}/openai/deployments/my%20gpt/chat/completions?api-version=2024-1"},
        "write AzureOpenAI.endpoint='https://a.example', deployment='my gpt', api_version='2024-1'",
    ),
    (
        {"endpoint": f"{AZURE}/openai/v1/chat/completions"},
        "write AzureOpenAI.endpoint='https://a.example'.$",
    ),
    ({"endpoint": f"{AZURE}?a=1"}, "write it as https://NAME.openai.azure.com"),
    ({"endpoint": AZURE, "base_url": AZURE}, "pass endpoint= or base_url=, not both"),
    ({"endpoint": AZURE, "deployment": "d", "model": "m"}, "deployment= or model=, not both"),
    ({"endpoint": f"{AZURE}/openai/v1/responses"}, "endpoint is more than the resource"),
    ({"endpoint": AZURE, "api_version": "preview"}, "api_version must be a date .* leave it out"),
    ({"endpoint": 5}, "endpoint must be a str, not int"),
    ({"endpoint": AZURE, "api_version": 5}, 'api_version must be a str such as "2024-10-21"'),
    ({"endpoint": AZURE, "model": "m"}, "Azure needs an API key: .*AZURE_OPENAI_API_KEY"),
    ({"endpoint": AZURE, "api_key": "k"}, "Azure needs a deployment"),
]


@pytest.mark.parametrize(("options", "says"), REFUSED)
def test_azure_says_what_is_missing(options, says):
    with pytest.raises(ConfigurationError, match=says):
        AzureOpenAI(**options).stream("x")


@pytest.mark.parametrize("headers", [{"authorization": "Bearer t"}, {"API-Key": "k"}])
def test_azure_takes_a_token_in_place_of_a_key(headers):
    AzureOpenAI(endpoint=AZURE, deployment="d", headers=headers).stream("x")


@pytest.mark.parametrize("given", [{"endpoint": AZURE}, {"base_url": AZURE}, {}])
def test_the_environment_s_endpoint_counts_where_none_is_given(monkeypatch, given):
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", f"{AZURE}/openai/deployments/d/chat/completions")
    if given:
        AzureOpenAI(**given)
        return
    with pytest.raises(ConfigurationError, match="AZURE_OPENAI_ENDPOINT is more than"):
        AzureOpenAI()


def test_azure_is_shown_a_token_alone(monkeypatch):
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "k-1")
    token = {"Authorization": "Bearer t"}
    assert AzureOpenAI(endpoint=AZURE, headers=token)._headers == token


async def test_a_base_url_of_azure_is_taken_as_it_is_whatever_the_environment_says(monkeypatch):
    monkeypatch.setenv("OPENAI_API_VERSION", "2024-10-21")
    async with recording() as (url, requests):
        await AzureOpenAI(base_url=f"{url}/openai/v1", deployment="d", api_key="k").complete("x")
        dated = AzureOpenAI(base_url=f"{url}/gw", deployment="d", api_key="k", api_version="x")
        await dated.complete("x")
    assert [path for _, path, _ in requests] == [
        "/openai/v1/chat/completions",
        "/gw/deployments/d/chat/completions?api-version=x",
    ]


# --- models -----------------------------------------------------------------------------------

PAGE = (
    '<html><script>const data = [{type:"data",data:{conversations:[{id:"1",title:"models:[]"}],'
    'settings:{activeModel:"a/b"},models:[{id:"a/b",name:"a/b",parameters:{stop:["x"]}},'
    '{"id": "c\\u003Cd", "name":"c"},{id:"a/b",name:"again"}],oldModels:[{id:"old",name:"o"}]}}]'
    "</script></html>"
)


@pytest.mark.parametrize(
    ("body", "models"),
    [
        (b'{"data": [{"id": "a"}, {"id": "b", "object": "model"}]}', ["a", "b"]),
        (b'[{"id": "a"}, {"id": "b"}]', ["a", "b"]),
        (b'{"object": "list", "data": null}', []),
        (b"[]", []),
    ],
)
async def test_a_list_of_models_is_read_as_servers_write_it(body, models):
    head = HEAD.replace(b"text/event-stream", b"application/json")
    async with raw_server([head + b"Content-Length: %d\r\n\r\n" % len(body) + body]) as (url, _):
        assert await OpenAICompatible(base_url=url, retry=ONCE).list_models() == models


async def models_at(text):
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n"
    body = text.encode()
    async with raw_server([head % len(body) + body]) as (url, _):
        return await asyncllm.H2o(base_url=url, retry=ONCE).list_models()


async def test_h2o_s_models_are_those_of_its_page():
    assert await models_at(PAGE) == ["a/b", "c<d"]


async def test_h2o_s_models_can_be_asked_for(sandbox, h2o):
    for model in await h2o.list_models():
        assert (await h2o.complete("Hello", model=model)).model == model
    assert {*h2o.models.values()} <= {*await h2o.list_models()}


@pytest.mark.parametrize("page", ["", "<html></html>", "models:[]", 'models:[{name:"x"}]'])
async def test_a_page_without_models_says_what_was_looked_for(page):
    with pytest.raises(asyncllm.ProtocolError, match=r"`models:\[\{id:…,name:…\}\]`"):
        await models_at(page)


async def test_a_provider_that_can_not_list_its_models_says_why():
    class Silent(asyncllm.AsyncGeneratorProvider):
        url = "https://h.example"

        async def generate(self, request, http):
            yield []

    with pytest.raises(ConfigurationError, match="Silent can't list its models: its API"):
        await Silent().list_models()
    Silent.models = {"short": "full/id"}
    assert await Silent().list_models() == ["full/id"]


async def test_where_a_server_has_no_list_the_provider_s_own_is_given(sandbox):
    gravityengine = asyncllm.Gravityengine(base_url=sandbox.url)
    assert await gravityengine.list_models() == list(asyncllm.Gravityengine.models)
    assert "gpt-4o" in await asyncllm.Lockchat(base_url=sandbox.url).list_models()


async def test_a_fallback_s_models_are_those_of_the_first_that_can_say(sandbox):
    silent = OpenAICompatible(base_url=f"{sandbox.url}/none/v1", retry=ONCE)
    telling = OpenAICompatible(base_url=f"{sandbox.url}/v1")
    assert "gpt-4o" in await asyncllm.Fallback(silent, telling, silent).list_models()
    with pytest.raises(NotFoundError):
        await asyncllm.Fallback(silent, silent).list_models()
