"""Options that are misspelled, misplaced or of another kind: what a new user is told."""

import copy
import inspect
import pickle

import pytest

import asyncllm
from asyncllm import (
    AsyncGeneratorProvider,
    AzureOpenAI,
    ConfigurationError,
    Fallback,
    Finish,
    H2o,
    Lockchat,
    OpenAI,
    OpenAICompatible,
    ProviderParams,
    Retry,
    SessionManager,
    Timeouts,
)

KEY = "sk-canary"


class Echo(AsyncGeneratorProvider):
    """Tells what it was asked."""

    url = "https://echo.example"

    async def generate(self, request, http):
        yield [str(request.given), Finish("stop")]


class Named(Echo):
    """As users write them: with an option of its own, by its place too."""

    def __init__(self, team="", **options):
        self.team, self.color = team, options.pop("color", "")
        super().__init__(**options)


class Closed(Echo):
    """With a constructor that passes nothing on."""

    def __init__(self):
        super().__init__(base_url="https://closed.example")


async def asked(**params):
    return (await Echo().complete("x", **params)).text


# --- calls ------------------------------------------------------------------------------------

ANYWAY = ' (extra={"%s": …} sends it anyway)'
STREAMING = "stream() gives the answer piece by piece, and complete() gives it whole"
IMAGES = 'put asyncllm.image(…) into the content of a message: {"role": …, "content": [part, …]}'
CALLS = {
    "temperatur": "did you mean temperature?",
    "tempreture": "did you mean temperature?",
    "Temperature": "did you mean temperature?",
    "max_token": "did you mean max_tokens?",
    "maxTokens": "did you mean max_tokens?",
    "top-p": "did you mean top_p?",
    "responseformat": "did you mean response_format?",
    "tool_choise": "did you mean tool_choice?",
    "repetition_penality": "did you mean repetition_penalty?",
    "sytem": "did you mean system?",
    "modle": "did you mean model?",
    "tempreature": "did you mean temperature?",
    "temprature": "did you mean temperature?",
    "stops": "did you mean stop?",
    "temp": "did you mean temperature?",
    "prompt": "it is the first argument, messages",
    "stream": STREAMING,
    "streaming": STREAMING,
    "image": IMAGES,
    "images": IMAGES,
}
# What is an option of ours goes to no server, as it may be a secret.
OURS = {
    "timeout": "to set limits, pass timeouts=Timeouts(…) to the constructor or the session manager",
    "timeouts": "to set limits, pass timeouts=Timeouts(…) to the constructor or the session "
    "manager",
    "time_outs": "to set limits, pass timeouts=Timeouts(…) to the constructor or the session "
    "manager",
    "max_retries": "to set retries, pass retry=Retry(…) to the constructor or the session manager",
    "retry": "to set retries, pass retry=Retry(…) to the constructor or the session manager",
    "api_key": "pass api_key=… to the constructor",
    "apikey": "pass api_key=… to the constructor",
    "base_url": "pass base_url=… to the constructor",
    "headers": "pass headers=… to the constructor",
    "extra_headers": "pass headers={…} to the constructor",
    "extra_body": "pass extra={…} with what to add to the request",
    "sessions": "pass sessions=… to the constructor",
    "max_event_bytes": "pass max_event_bytes=… to the SessionManager",
    "default_headers": "pass headers={…} to the constructor",
    "proxies": "write proxy=…",
    "retries": "to set retries, pass retry=Retry(…) to the constructor or the session manager",
}


@pytest.mark.parametrize(("name", "says"), [*CALLS.items(), *OURS.items()])
async def test_a_call_is_told_which_parameter_was_meant(name, says):
    told = f"there is no parameter {name}: {says}" + ("" if name in OURS else ANYWAY % name)
    with pytest.raises(ConfigurationError) as caught:
        Echo().stream("x", **{name: KEY})
    assert str(caught.value) == told
    with pytest.raises(ConfigurationError) as caught:
        await Echo().complete("x", **{name: KEY})
    assert str(caught.value) == told
    assert await asked(extra={name: 1}) == str({name: 1})


# Of servers that nobody here knows, or too few: what is near to nothing is theirs.
UNKNOWN = """
    voice persona num_gpu num_thread num_keep tenant k p bot_id lang top style user_id
    username model_id conversation_id chat_id thread_id reasoning_budget max_reasoning_tokens
    max_prompt_tokens max_input_tokens min_output_tokens response_type return_citations
    search_type image_format image_size quality context history language tool_resources
    assistant_id character output dynamic_temperature smoothing_factor presence_window n_ctx
    n_batch token_healing guidance_scale negative_prompt prompt_template prompt_id max_steps
    agent memory stream_interval return_logprobs include_usage json_mode strict seed_offset
    sampler_order rep_pen rep_pen_range
"""


@pytest.mark.parametrize("name", [*UNKNOWN.split(), *ProviderParams.__annotations__])
async def test_a_server_s_own_parameter_passes(name):
    assert await asked(**{name: 1}) == str({name: 1})


def test_what_a_call_and_some_server_both_know_stands_once():
    common = inspect.signature(OpenAI.stream).parameters.keys()
    assert not common & ProviderParams.__annotations__.keys()


def test_the_two_calls_take_the_same():
    stream, complete = (
        dict(inspect.signature(call).parameters) for call in (H2o.stream, H2o.complete)
    )
    del stream["keep"]
    assert stream == complete


def test_complete_is_an_async_def_to_editors():
    written = inspect.unwrap(H2o.complete)
    assert inspect.iscoroutinefunction(written)
    assert inspect.signature(H2o.complete).return_annotation == "Reply"


async def test_what_is_none_is_left_to_the_server():
    assert await asked(temperature=None, tools=None, system=None, extra=None) == "{}"
    assert await asked(min_p=None, tenant=None, n=None) == "{}"
    assert await asked(temperature=0, stop=[], logprobs=False) == str(
        {"temperature": 0, "stop": [], "logprobs": False}
    )


async def test_a_completion_keeps_what_it_returns():
    with pytest.raises(TypeError, match=r"keep: write `provider\.stream\(…, keep=False\)`"):
        await Echo().complete("x", keep=False)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("given", [lambda value: value, lambda value: {"temperature": value}])
def test_a_number_that_json_has_no_form_for_is_refused_by_its_name(value, given):
    wrong = given(value)
    params = {"extra": wrong} if isinstance(wrong, dict) else {"temperature": wrong}
    with pytest.raises(ConfigurationError, match="temperature must be a finite number, not"):
        Echo().stream("x", **params)


def test_a_stream_has_one_answer_whoever_is_asked():
    for params in ({"n": 2}, {"extra": {"n": 2}}):
        with pytest.raises(ConfigurationError, match="one answer: leave out n, or make it 1"):
            Echo().stream("x", **params)


async def test_extra_goes_over_what_was_given():
    given = await asked(temperature=1, min_p=0.1, extra={"temperature": None, "x": 2})
    assert given == str({"temperature": None, "min_p": 0.1, "x": 2})


async def test_a_system_message_comes_first():
    class Telling(Echo):
        async def generate(self, request, http):
            yield [str(request.messages), Finish("stop")]

    expected = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "x"}]
    assert (await Telling().complete("x", system="Be brief.")).text == str(expected)


async def test_the_documented_class_methods_are_told_too():
    with pytest.raises(ConfigurationError, match="did you mean temperature"):
        await Echo.create_async(None, "x", temperatur=1)
    with pytest.raises(ConfigurationError, match=r"timeouts=Timeouts\(…\)"):
        await Echo.create_async(None, "x", timeout=5)
    with pytest.raises(ConfigurationError, match="did you mean temperature"):
        list(Echo.create_completion(None, "x", temperatur=1))
    assert await Echo.create_async(None, "x", api_key=KEY, timeouts=Timeouts(), seed=1) == str(
        {"seed": 1}
    )
    assert await Named.create_async(None, "x", team="blue", seed=1) == str({"seed": 1})
    assert await Echo.create_async(None, "x", stream=True) == "{}"


# --- constructors -----------------------------------------------------------------------------

LIMITS = "timeouts must be Timeouts(…), such as Timeouts(first_token=30), not int"
ATTEMPTS = "retry must be Retry(…), such as Retry(attempts=3), not int"
OPTIONS = "base_url, api_key, model, sessions, proxy, timeouts, retry, headers"
RETRY = "did you mean retry=…? write retry=Retry(attempts=3)"
HEADERS = "did you mean headers=…? write headers={…}"
SESSIONS = "did you mean sessions=…? write sessions=SessionManager(ssl=…)"
CONSTRUCTORS = [
    (
        OpenAI,
        (KEY,),
        {},
        "OpenAI takes its options by name: write OpenAI(api_key=…); its options are",
    ),
    (
        H2o,
        ("https://h",),
        {},
        f"H2o takes its options by name: write H2o(base_url=…); its options are {OPTIONS}",
    ),
    (
        Named,
        ("blue", KEY),
        {},
        "Named takes its options by name: write Named(api_key=…); its options are",
    ),
    (Closed, (KEY,), {}, "Closed takes its options by name: its options are "),
    (
        SessionManager,
        (5,),
        {},
        "SessionManager takes its options by name: write SessionManager(proxy=…)",
    ),
    (OpenAI, (), {"api_kye": KEY}, "OpenAI has no option api_kye: did you mean api_key=…?"),
    (Lockchat, (), {"auths": KEY}, "Lockchat has no option auths: did you mean auth=…?"),
    (OpenAI, (), {"max_retries": 5}, f"OpenAI has no option max_retries: {RETRY}"),
    (OpenAI, (), {"retries": 5}, f"OpenAI has no option retries: {RETRY}"),
    (SessionManager, (), {"retries": 5}, f"SessionManager has no option retries: {RETRY}"),
    (OpenAI, (), {"api_base": 5}, "OpenAI has no option api_base: did you mean base_url=…?"),
    (OpenAI, (), {"url": 5}, "OpenAI has no option url: did you mean base_url=…?"),
    (OpenAI, (), {"key": KEY}, "OpenAI has no option key: did you mean api_key=…?"),
    (OpenAI, (), {"token": KEY}, "OpenAI has no option token: did you mean api_key=…?"),
    (OpenAI, (), {"default_headers": {}}, f"OpenAI has no option default_headers: {HEADERS}"),
    (OpenAI, (), {"proxies": {}}, "OpenAI has no option proxies: did you mean proxy=…?"),
    (OpenAI, (), {"verify": 0}, f"OpenAI has no option verify: {SESSIONS}"),
    (OpenAI, (), {"ssl": 0}, f"OpenAI has no option ssl: {SESSIONS}"),
    (
        OpenAI,
        (),
        {"organization": "o"},
        'OpenAI has no option organization: did you mean headers=…? write headers={"OpenAI-Organi',
    ),
    (
        AzureOpenAI,
        (),
        {"azure_endpoint": "e"},
        "AzureOpenAI has no option azure_endpoint: write endpoint=…",
    ),
    (
        AzureOpenAI,
        (),
        {"azure_deployment": "d"},
        "AzureOpenAI has no option azure_deployment: write deployment=…",
    ),
    (
        AzureOpenAI,
        (),
        {"azure_ad_token": KEY},
        'AzureOpenAI has no option azure_ad_token: write headers={"Authorization": "Bearer …"}',
    ),
    (
        AzureOpenAI,
        (),
        {"azure_ad_token_provider": KEY},
        'AzureOpenAI has no option azure_ad_token_provider: write headers={"Authorization": "Bea',
    ),
    (OpenAI, ("gpt-canary",), {}, "OpenAI takes its options by name: write OpenAI(model=…); "),
    (OpenAI, (), {"timeout": 5}, "OpenAI has no option timeout: did you mean timeouts=…?"),
    (
        OpenAI,
        (),
        {"temperature": 1},
        "OpenAI has no option temperature: pass it to stream() or complete()",
    ),
    (OpenAI, (), {"min_p": 1}, "OpenAI has no option min_p: pass it to stream() or complete()"),
    (H2o, (), {"tenant": 1}, f"H2o has no option tenant: there are {OPTIONS}"),
    (
        AzureOpenAI,
        (),
        {"deploymant": "d"},
        "AzureOpenAI has no option deploymant: did you mean deployment=…?",
    ),
    (
        SessionManager,
        (),
        {"timeout": 5},
        "SessionManager has no option timeout: did you mean timeouts=…?",
    ),
    (
        Fallback,
        (H2o(),),
        {"timeout": 5},
        "Fallback has no option timeout: did you mean timeouts=…?",
    ),
    (OpenAI, (), {"timeouts": 5}, LIMITS),
    (OpenAI, (), {"retry": 3}, ATTEMPTS),
    (Named, (), {"timeouts": 5}, LIMITS),
    (Fallback, (H2o(),), {"timeouts": 5}, LIMITS),
    (SessionManager, (), {"timeouts": 5}, LIMITS),
    (SessionManager, (), {"retry": 3}, ATTEMPTS),
    (OpenAI, (), {"sessions": 5}, "sessions must be a SessionManager, not int"),
    (Fallback, (H2o(),), {"sessions": {}}, "sessions must be a SessionManager, not dict"),
    (
        OpenAI,
        (),
        {"headers": [KEY]},
        'headers must be a mapping such as {"X-Team": "blue"}, not list',
    ),
    (OpenAI, (), {"api_key": KEY.encode()}, "api_key must be a str, not bytes"),
    (OpenAI, (), {"model": 5}, "model must be a str, not int"),
    (OpenAI, (), {"base_url": 5}, "base_url must be a str, not int"),
    (OpenAI, (), {"proxy": 5}, "proxy must be a str, not int"),
    (
        Fallback,
        ("openai",),
        {},
        "Fallback takes providers, as in Fallback(OpenAI(), H2o()); argument 0 is of",
    ),
    (
        OpenAICompatible,
        (),
        {},
        "OpenAICompatible has no address of its own: pass base_url=…, or",
    ),
]


@pytest.mark.parametrize(("cls", "args", "options", "says"), CONSTRUCTORS)
def test_a_constructor_says_what_to_write_and_shows_no_value(cls, args, options, says):
    with pytest.raises(ConfigurationError) as caught:
        cls(*args, **options)
    assert str(caught.value).startswith(says)
    assert "canary" not in str(caught.value)


def test_a_constructor_of_a_user_s_own_may_take_what_it_likes():
    named = Named("blue", color="red", timeouts=Timeouts(), retry=Retry())
    assert (named.team, named.color) == ("blue", "red")
    for name in ("tenant", "api_kye"):
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
            Named(**{name: 1})


def test_a_constructor_of_a_user_s_own_sees_all_names_before_anybody_refuses_one():
    class Older(Echo):
        def __init__(self, **options):
            seconds = options.pop("timeout", 30)
            self.seed, self.header = options.pop("seed", None), options.pop("header", None)
            super().__init__(timeouts=Timeouts(first_token=seconds), **options)

    older = Older(timeout=5, seed=1, header="x")
    assert (older._timeouts.first_token, older.seed, older.header) == (5, 1, "x")


def test_a_model_of_a_call_that_is_no_str_is_refused():
    with pytest.raises(ConfigurationError, match="model must be a str, not int"):
        Echo().stream("x", model=5)


@pytest.mark.parametrize("extra", [5, ["x"], "x"])
def test_extra_that_is_no_mapping_is_refused(extra):
    with pytest.raises(ConfigurationError, match=r"extra must be a mapping such as .* not"):
        Echo().stream("x", extra=extra)


def test_a_class_s_signature_is_its_constructor_s():
    assert list(inspect.signature(H2o).parameters) == OPTIONS.split(", ")
    assert list(inspect.signature(Named).parameters) == ["team", "options"]
    assert list(inspect.signature(SessionManager).parameters)[:2] == ["proxy", "trust_env"]


def test_a_provider_is_copied_as_any_object_is():
    assert copy.copy(H2o(model="falcon-7b")).model == H2o.models["falcon-7b"]
    assert pickle.loads(pickle.dumps(H2o(model="falcon-7b"))).model == H2o.models["falcon-7b"]


# --- streams ----------------------------------------------------------------------------------


def iterated(stream):
    for _ in stream:
        pass


def entered(stream):
    with stream:
        pass


async def awaited(stream):
    await stream


async def iterated_over(completion):
    async for _ in completion:
        pass


STREAMS = [
    (
        iterated,
        (
            "iterate over a stream with `async for token in stream`, or in blocking code with "
            "`for token in run_sync(stream)`"
        ),
    ),
    (
        entered,
        (
            "enter a stream with `async with provider.stream(…) as stream:`, or in blocking code "
            "with `with run_sync(provider.stream(…)) as tokens:`"
        ),
    ),
    (
        awaited,
        (
            "a stream can't be awaited: write `async with provider.stream(…) as stream:`, or "
            "`reply = await provider.complete(…)` for the whole reply"
        ),
    ),
]


@pytest.mark.parametrize(("use", "says"), STREAMS)
async def test_a_stream_says_how_it_is_used(use, says):
    with pytest.raises(TypeError) as caught:
        if (waiting := use(Echo().stream("x"))) is not None:
            await waiting
    assert str(caught.value) == says


async def entered_later(completion):
    async with completion:
        pass


COMPLETIONS = [
    (iterated_over, "or iterate over `provider.stream(…)`"),
    (iterated, "or in blocking code `reply = run_sync(provider.complete(…))`"),
    (entered_later, "or `async with provider.stream(…) as stream:`"),
]


@pytest.mark.parametrize(("use", "says"), COMPLETIONS)
async def test_a_completion_says_how_it_is_used(use, says):
    with pytest.raises(TypeError) as caught:
        if (waiting := use(Echo().complete("x"))) is not None:
            await waiting
    assert str(caught.value) == (
        "complete() must be awaited, and returns the whole reply: write `reply = await "
        f"provider.complete(…)`, {says}"
    )


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Echo().stream("x"), "not Stream: `await stream.collect..` gives its reply, to"),
        (lambda: Echo().complete("x"), "not Completion: await it, and write"),
    ],
)
def test_an_answer_to_come_is_no_messages(make, says):
    answer = make()
    with pytest.raises(ConfigurationError, match=says):
        Echo().stream(answer)
    if hasattr(answer, "close"):
        answer.close()


@pytest.mark.parametrize("name", ["text", "usage", "message", "cost"])
def test_a_completion_has_nothing_of_its_reply_before_it_is_awaited(name):
    with pytest.raises(AttributeError) as caught:
        getattr(Echo().complete("x"), name)
    assert str(caught.value) == (
        f"await complete() first, then its reply has {name}: write `reply = await "
        "provider.complete(…)`"
    )


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_completion_is_not_copied(copied):
    completion = Echo().complete("x")
    with pytest.raises(TypeError, match="can't be copied"):
        copied(completion)
    completion.close()


def test_a_service_that_was_retired_says_so():
    with pytest.raises(ConfigurationError) as caught:
        asyncllm.provider("GitHub")
    assert str(caught.value) == (
        "there is no provider 'GitHub': GitHub Models was retired on 30 July 2026, and no longer "
        "responds"
    )
