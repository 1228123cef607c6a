"""OpenAI's Responses: what is asked, what goes back with the next turn, and what is taken up."""

import json
import logging
from contextlib import asynccontextmanager

import pytest

import asyncllm
from asyncllm import (
    BadRequestError,
    Citation,
    ConfigurationError,
    NotFoundError,
    OpenAICompatible,
    OpenAIResponses,
    RateLimitError,
    SessionManager,
    StreamInterrupted,
    Usage,
)
from asyncllm.base import Request
from asyncllm.sandbox import (
    ChangingIds,
    Citations,
    Drop,
    EmptyOutput,
    ErrorInStream,
    Framing,
    NoArgumentDeltas,
    PlainJson,
    RefusalDeltas,
    RefuseField,
    Sandbox,
    Status,
    Truncate,
    UsageDetails,
)
from support.policies import ONCE, QUICK

PNG = b"\x89PNG\r\n\x1a\n"
PNG_URL = "data:image/png;base64,iVBORw0KGgo="
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS = [
    {"type": "function", "function": {"name": name, "description": "x", "parameters": SCHEMA}}
    for name in ("weather", "clock")
]
ASKED = {"role": "user", "content": "use the tools"}


@asynccontextmanager
async def served(*faults, model="gpt-5", **options):
    """A sandbox with some faults, and a provider that talks to it."""
    async with Sandbox(faults=faults) as sandbox, SessionManager() as sessions:
        options = {"base_url": f"{sandbox.url}/v1", "api_key": "x", "retry": ONCE, **options}
        yield sandbox, OpenAIResponses(model=model, sessions=sessions, **options)


def sent(sandbox):
    return json.loads(sandbox.requests[-1].body)


def asked(messages="Hi", *, model="gpt-5", **params):
    """Return the body that is sent, without asking anybody."""
    llm = OpenAIResponses(base_url="http://127.0.0.1:1/v1", model=model)
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    extra = params.pop("extra", {})
    request = asyncllm.Request(
        base_url=llm.base_url, model=model, messages=messages, params=params, extra=extra
    )
    return json.loads(llm.encode(request))


def results_of(reply):
    return [
        {"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in reply.tool_calls
    ]


# --- what is asked ------------------------------------------------------------------------------


def test_nothing_is_stored_and_reasoning_is_asked_for_in_encrypted_form():
    assert asked() == {
        "model": "gpt-5",
        "input": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "store": False,
        "stream_options": {"include_obfuscation": False},
        "include": ["reasoning.encrypted_content"],
    }


FLAT = {"type": "function", "name": "f", "parameters": SCHEMA}
FORM = {"type": "json_schema", "name": "City", "schema": SCHEMA, "strict": True}
GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: /a/"}
ASKED_FOR = {  # parameters of a call: what is sent of them
    "limits": ({"max_tokens": 16}, {"max_output_tokens": 16}),
    "the newer limit": ({"max_completion_tokens": 16}, {"max_output_tokens": 16}),
    "sampling": ({"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5, "top_p": 0.9}),
    "effort": (
        {"reasoning_effort": "high"},
        {"reasoning": {"effort": "high", "summary": "auto"}},
    ),
    "no effort": ({"reasoning_effort": "none"}, {"reasoning": {"effort": "none"}}),
    "a summary": (
        {"reasoning_effort": "low", "reasoning": {"summary": "detailed"}},
        {"reasoning": {"effort": "low", "summary": "detailed"}},
    ),
    "no summary": (
        {"reasoning_effort": "low", "reasoning": {"summary": None}},
        {"reasoning": {"effort": "low", "summary": None}},
    ),
    "tools of the chat's shape are as strict as there": (
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {
            "tools": [
                {
                    "type": "function",
                    "name": "f",
                    "strict": False,
                    "parameters": {"type": "object", "properties": {}},
                }
            ]
        },
    ),
    "a strict tool": (
        {
            "tools": [
                {"type": "function", "function": {"name": "f", "strict": True, "parameters": {}}}
            ]
        },
        {"tools": [{"type": "function", "name": "f", "strict": True, "parameters": {}}]},
    ),
    "tools of the API's own shape": (
        {"tools": [FLAT, {"type": "web_search"}]},
        {"tools": [FLAT, {"type": "web_search"}]},
    ),
    "a custom tool": (
        {
            "tools": [
                {
                    "type": "custom",
                    "custom": {
                        "name": "sql",
                        "format": {
                            "type": "grammar",
                            "grammar": {"syntax": "lark", "definition": "start: /a/"},
                        },
                    },
                }
            ]
        },
        {"tools": [{"type": "custom", "name": "sql", "format": GRAMMAR}]},
    ),
    "a choice": (
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"tool_choice": {"type": "function", "name": "f"}},
    ),
    "a choice in a word": ({"tool_choice": "required"}, {"tool_choice": "required"}),
    "allowed tools": (
        {
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [{"type": "function", "function": {"name": "f"}}],
                },
            }
        },
        {
            "tool_choice": {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "f"}],
            }
        },
    ),
    "a schema": (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "City", "schema": SCHEMA, "strict": True},
            }
        },
        {"text": {"format": FORM}},
    ),
    "JSON, and how much of it": (
        {"response_format": {"type": "json_object"}, "verbosity": "low"},
        {"text": {"format": {"type": "json_object"}, "verbosity": "low"}},
    ),
    "log probabilities": (
        {"logprobs": True, "top_logprobs": 2},
        {
            "top_logprobs": 2,
            "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        },
    ),
    "what else is to be included": (
        {"include": ["file_search_call.results"]},
        {"include": ["file_search_call.results", "reasoning.encrypted_content"]},
    ),
    "a stored answer": ({"store": True}, {"store": True, "include": None}),
    "an answer in the background": (
        {"background": True},
        {"background": True, "store": True, "include": None},
    ),
    "one answer": ({"n": 1}, {"n": None}),
    "the API's own": ({"truncation": "auto"}, {"truncation": "auto"}),
    "what is extra": ({"extra": {"include": [], "seed": 3}}, {"include": [], "seed": 3}),
}


@pytest.mark.parametrize("name", ASKED_FOR)
def test_parameters_are_sent_by_the_names_of_the_api(name):
    params, wanted = ASKED_FOR[name]
    body = {**dict.fromkeys(wanted), **asked(**params)}
    assert body == {**asked(), **dict.fromkeys(wanted), **wanted}


@pytest.mark.parametrize(
    "params",
    [
        {"stop": ["\n"]},
        {"seed": 1},
        {"top_k": 3},
        {"presence_penalty": 1.0},
        {"frequency_penalty": 1.0},
        {"logit_bias": {"5": 1}},
    ],
)
async def test_what_the_api_has_no_place_for_is_refused_before_it_is_asked(params):
    [name] = params
    async with served() as (sandbox, llm):
        with pytest.raises(ConfigurationError, match=rf"Responses has no {name}.*extra="):
            await llm.complete("Hi", **params)
        assert not sandbox.requests


@pytest.mark.parametrize(
    "wrong",
    [
        {"reasoning": "high"},
        {"text": "plain"},
        {"response_format": "json"},
        {"include": "file_search_call.results"},
        {"include": [{}]},
    ],
)
def test_a_parameter_of_another_kind_is_refused(wrong):
    [name] = wrong
    with pytest.raises(ConfigurationError, match=f"{name} must be a (mapping|list)"):
        asked(**wrong)


CALLED = {
    "id": "c",
    "type": "function",
    "function": {"name": "f", "arguments": "{}"},
}
RESULT = {"role": "tool", "tool_call_id": "c"}
THOUGHT = {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "gA"}
OWN_CALL = {"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": "{}"}
PLAIN_CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
OWN = {
    "role": "assistant",
    "content": None,
    "tool_calls": [CALLED],
    "responses": {"output": [THOUGHT, OWN_CALL]},
}
CUSTOM = {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "a"}
MESSAGES = {  # a message behind the user's: the input items that it becomes
    "text": ({"role": "assistant", "content": "a"}, [{"role": "assistant", "content": "a"}]),
    "parts of text": (
        {"role": "assistant", "content": [{"type": "text", "text": "a"}, {"text": "b"}]},
        [{"role": "assistant", "content": "ab"}],
    ),
    "a refusal": (
        {"role": "assistant", "content": None, "refusal": "no"},
        [{"role": "assistant", "content": "no"}],
    ),
    "text and a call": (
        {"role": "assistant", "content": "a", "tool_calls": [CALLED]},
        [{"role": "assistant", "content": "a"}, PLAIN_CALL],
    ),
    "a call alone": ({"role": "assistant", "content": "", "tool_calls": [CALLED]}, [PLAIN_CALL]),
    "a custom call": (
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "f", "input": "a"}}],
        },
        [CUSTOM],
    ),
    "an answer of this API's": (OWN, [THOUGHT, OWN_CALL]),
    "one whose text was changed": (
        {**OWN, "content": "changed"},
        [{"role": "assistant", "content": "changed"}, PLAIN_CALL],
    ),
    "one whose calls were changed": (
        {**OWN, "tool_calls": [{**CALLED, "id": "d"}]},
        [{**PLAIN_CALL, "call_id": "d"}],
    ),
    "a result": (
        {**RESULT, "content": "sunny"},
        [{"type": "function_call_output", "call_id": "c", "output": "sunny"}],
    ),
    "a result in parts": (
        {**RESULT, "content": [{"type": "text", "text": "sun"}, {"type": "text", "text": "ny"}]},
        [{"type": "function_call_output", "call_id": "c", "output": "sunny"}],
    ),
    "a result with an image": (
        {**RESULT, "content": [{"type": "image", "source": PNG, "media_type": "image/png"}]},
        [
            {
                "type": "function_call_output",
                "call_id": "c",
                "output": [{"type": "input_image", "image_url": PNG_URL}],
            }
        ],
    ),
    "instructions in between": (
        {"role": "developer", "content": "Be terse"},
        [{"role": "developer", "content": "Be terse"}],
    ),
    "text and images": (
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a"},
                {"type": "image", "source": PNG, "media_type": "image/png", "detail": "low"},
                {"type": "image_url", "image_url": {"url": "https://a/b.png"}},
            ],
        },
        [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "a"},
                    {"type": "input_image", "image_url": PNG_URL, "detail": "low"},
                    {"type": "input_image", "image_url": "https://a/b.png"},
                ],
            }
        ],
    ),
    "files": (
        {
            "role": "user",
            "content": [
                {"type": "file", "source": b"%PDF-", "media_type": "application/pdf", "name": "a"},
                {"type": "file", "source": "https://a/b.pdf", "name": "b.pdf"},
                {"type": "file", "file": {"file_id": "file-1"}},
                {"type": "input_text", "text": "as it is"},
            ],
        },
        [
            {
                "role": "user",
                "content": [
                    {
                        "type": "input_file",
                        "filename": "a",
                        "file_data": "data:application/pdf;base64,JVBERi0=",
                    },
                    {"type": "input_file", "file_url": "https://a/b.pdf"},
                    {"type": "input_file", "file_id": "file-1"},
                    {"type": "input_text", "text": "as it is"},
                ],
            }
        ],
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_become_input_items(name):
    message, wanted = MESSAGES[name]
    first = {"role": "user", "content": "Hi"}
    assert asked([first, message])["input"] == [first, *wanted]


def test_what_the_first_messages_instruct_is_the_instructions_unless_there_are_others():
    system = {"role": "system", "content": "Be terse."}
    developer = {"role": "developer", "content": [{"type": "text", "text": "In verse."}]}
    user = {"role": "user", "content": "Hi"}
    body = asked([system, developer, user])
    assert (body["instructions"], body["input"]) == ("Be terse.\n\nIn verse.", [user])
    body = asked([system, user], instructions="Be long.")
    assert (body["instructions"], body["input"]) == ("Be long.", [system, user])
    assert asked([system])["input"] == [system]  # some input the API wants


def test_the_result_of_a_custom_call_is_of_its_kind():
    own = {"role": "assistant", "content": None, "responses": {"output": [CUSTOM]}}
    called = {**CALLED, "function": {"name": "f", "arguments": "a"}}
    messages = [{**own, "tool_calls": [called]}, {**RESULT, "content": "1"}]
    assert asked(messages)["input"][1]["type"] == "custom_tool_call_output"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            {
                "role": "user",
                "content": [{"type": "file", "source": b"ID3", "media_type": "audio/mpeg"}],
            },
            r"messages\[0\].content\[0\] is a recording",
        ),
        (
            {"role": "assistant", "content": [{"type": "image", "source": PNG}]},
            r"messages\[0\].content\[0\] is an image",
        ),
        ({"role": "assistant", "audio": {"id": "x"}}, r"messages\[0\] has nothing"),
    ],
)
def test_what_the_api_can_not_be_told_is_refused_with_its_place(message, said):
    with pytest.raises(ConfigurationError, match=said):
        asked([message])


# --- where a model or a server has none of it ---------------------------------------------------


async def test_a_model_that_does_not_reason_is_not_asked_for_reasoning():
    async with served(model="gpt-4o") as (sandbox, llm):
        assert (await llm.complete("Hi")).text
        assert "include" not in sent(sandbox)


async def test_what_a_model_refuses_is_left_out_for_it_alone_from_then_on():
    async with served(model="gpt-5") as (sandbox, llm):
        sandbox.add_fault(
            Status(
                status=400, message="Encrypted content is not supported with this model", times=1
            )
        )
        assert (await llm.complete("Hi")).text
        assert "include" not in sent(sandbox)
        await llm.complete("Hi")
        assert "include" not in sent(sandbox)
        await llm.complete("Hi", model="gpt-5-mini")
        assert sent(sandbox)["include"]
        assert len(sandbox.requests) == 4


@pytest.mark.parametrize("field", ["stream_options", "reasoning.summary"])
async def test_what_a_server_refuses_of_what_we_add_is_left_out(field):
    async with served() as (sandbox, llm):
        message = f"Unknown parameter: '{field}'"
        sandbox.add_fault(Status(status=400, message=message, times=1))
        await llm.complete("Hi", reasoning_effort="low")
        assert ("stream_options" in sent(sandbox)) is (field != "stream_options")
        assert ("summary" in sent(sandbox)["reasoning"]) is (field == "stream_options")


async def test_what_the_caller_asks_for_is_not_left_out():
    async with served(RefuseField("stream_options", times=1)) as (sandbox, llm):
        with pytest.raises(BadRequestError, match="stream_options"):
            await llm.complete("Hi", stream_options={"include_obfuscation": True})
        with pytest.raises(BadRequestError, match="could not be verified"):
            own = {"role": "assistant", "content": None, "tool_calls": [CALLED]}
            own["responses"] = {"output": [THOUGHT, OWN_CALL]}
            await llm.complete([ASKED, own, {**RESULT, "content": "1"}])
        assert len(sandbox.requests) == 2


async def test_a_model_that_there_is_not_is_told():
    async with served(model="gpt-none") as (_, llm):
        with pytest.raises(BadRequestError, match="gpt-none") as caught:
            await llm.complete("Hi")
        assert caught.value.code == "model_not_found"


async def test_a_base_url_without_its_version_gets_a_hint_and_one_with_the_path_is_refused():
    async with served() as (sandbox, _):
        with pytest.raises(NotFoundError, match="/v1"):
            await OpenAIResponses(base_url=sandbox.url, model="gpt-5").complete("Hi")
        with pytest.raises(ConfigurationError, match="ends in /responses"):
            OpenAIResponses(base_url=f"{sandbox.url}/v1/responses")
        llm = OpenAIResponses(base_url=f"{sandbox.url}/v1")
        assert "gpt-5" in await llm.list_models()


def test_it_has_the_key_the_account_and_the_address_of_openai(monkeypatch):
    monkeypatch.delenv("ASYNCLLM_OPENAI_BASE_URL", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "canary")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj")
    llm = OpenAIResponses(model="gpt-5")
    assert llm.base_url == "https://api.openai.com/v1"
    assert llm._headers["Authorization"] == "Bearer canary"
    assert llm._headers["OpenAI-Project"] == "proj"
    assert type(asyncllm.provider("openai-responses")) is OpenAIResponses
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        OpenAIResponses(model="gpt-5").stream("Hi")


# --- answers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "habit",
    [
        None,
        EmptyOutput(),
        ChangingIds(),
        NoArgumentDeltas(),
        PlainJson(),
        *map(Framing, ("crlf", "no_space", "multi_line", "comments", "one_byte")),
    ],
    ids=repr,
)
async def test_whatever_the_habit_the_same_is_answered(habit):
    async with served(*([habit] if habit else [])) as (_, llm):
        reply = await llm.complete([ASKED], tools=TOOLS, reasoning_effort="low")
        assert reply.reasoning.startswith("The user writes in English.")
        assert [call.name for call in reply.tool_calls] == ["weather", "clock"]
        assert reply.tool_calls[0].parsed_arguments == {"city": "use the tools"}
        assert reply.finish_reason == "tool_calls"
        assert reply.usage == Usage(3, 15, 18, 0, 0, 13)
        again = await llm.complete([ASKED, reply.message, *results_of(reply)], tools=TOOLS)
        assert again.text.startswith("This is the asyncllm sandbox")
        assert (again.finish_reason, again.raw_finish_reason) == ("stop", "completed")


async def test_a_limit_a_refusal_a_source_and_a_cache_are_told():
    async with served(model="gpt-4o") as (sandbox, llm):
        assert (await llm.complete("Hi", max_tokens=2)).finish_reason == "length"
        sandbox.add_fault(RefusalDeltas(times=1))
        reply = await llm.complete("Hi")
        assert (reply.text, bool(reply.refusal)) == ("", True)
        sandbox.add_fault(Citations(times=1))
        sandbox.add_fault(UsageDetails(times=1))
        reply = await llm.complete("Hi")
        assert reply.citations == (Citation("https://example.org/1", "Source 1", start=0, end=4),)
        assert reply.usage.cached_tokens == 1


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("alone", [False, True])
async def test_a_failure_that_passes_is_tried_again_before_the_first_content_alone(flat, alone):
    failure = {"code": "rate_limit_exceeded", "flat": flat, "alone": alone, "times": 1}
    async with served(ErrorInStream(after=0, **failure), retry=QUICK, model="gpt-4o") as served_by:
        sandbox, llm = served_by
        assert (await llm.complete("Hi")).finish_reason == "stop"
        sandbox.add_fault(ErrorInStream(after=2, **failure))
        with pytest.raises(RateLimitError) as caught:
            await llm.complete("Hi")
        assert caught.value.reply.text == "This is"
        sandbox.add_fault(ErrorInStream(after=0, **{**failure, "code": "insufficient_quota"}))
        with pytest.raises(RateLimitError):
            await llm.complete("Hi")
        assert len(sandbox.requests) == 4


# --- the next turn ------------------------------------------------------------------------------


async def test_reasoning_goes_back_before_its_calls_and_without_it_the_server_refuses():
    async with served() as (sandbox, llm):
        reply = await llm.complete([ASKED], tools=TOOLS, reasoning_effort="low")
        messages = [ASKED, reply.message, *results_of(reply)]
        assert (await llm.complete(messages, tools=TOOLS)).text
        kinds = [item.get("type") for item in sent(sandbox)["input"]]
        assert kinds == [
            None,
            "reasoning",
            *["function_call"] * 2,
            *["function_call_output"] * 2,
        ]
        assert sent(sandbox)["input"][1]["encrypted_content"].startswith("gAAA")
        output = reply.message["responses"]["output"]
        for wrong, said in (
            (output[1:], "without its required 'reasoning' item"),
            ([{**output[0], "encrypted_content": "gAAAx"}, *output[1:]], "not be verified"),
            (output[:1] + output[2:], "No tool call found"),
        ):
            items = [{"role": "user", "content": "x"}, *wrong]
            items += [
                {"type": "function_call_output", "call_id": call.id, "output": "x"}
                for call in reply.tool_calls
            ]
            with pytest.raises(BadRequestError, match=said):
                await llm.complete("x", extra={"input": items})
        with pytest.raises(BadRequestError, match="No tool output found"):
            await llm.complete(messages[:-1], tools=TOOLS)
        nothing_kept = [{"role": "user", "content": "x"}, {**output[0], "encrypted_content": None}]
        with pytest.raises(NotFoundError, match="not persisted"):
            await llm.complete("x", extra={"input": nothing_kept})


async def test_a_long_conversation_goes_back_whole():
    async with served() as (sandbox, llm):
        messages = []
        for _ in range(2):
            messages.append(ASKED)
            reply = await llm.complete(messages, tools=TOOLS)
            messages += [reply.message, *results_of(reply)]
            messages.append((await llm.complete(messages, tools=TOOLS)).message)
        kinds = [item.get("type", item.get("role")) for item in sent(sandbox)["input"]]
        turn = ["user", "reasoning", *["function_call"] * 2, *["function_call_output"] * 2]
        assert kinds == [*turn, "reasoning", "message", *turn]


async def test_a_custom_tool_is_called_and_answered():
    tools = [{"type": "custom", "custom": {"name": "sql"}}]
    async with served() as (sandbox, llm):
        reply = await llm.complete([ASKED], tools=tools)
        assert (await llm.complete([ASKED, reply.message, *results_of(reply)], tools=tools)).text
        assert sent(sandbox)["input"][-1]["type"] == "custom_tool_call_output"


async def test_a_stored_answer_goes_back_by_its_ids():
    async with served() as (sandbox, llm):
        reply = await llm.complete([ASKED], tools=TOOLS, store=True)
        messages = [ASKED, reply.message, *results_of(reply)]
        assert (await llm.complete(messages, tools=TOOLS, store=True)).text
        _, thought, *_ = sent(sandbox)["input"]
        assert thought["type"] == "reasoning"
        assert "encrypted_content" not in thought


async def test_a_message_goes_to_the_chat_wire_and_back_without_what_is_not_for_it(caplog):
    caplog.set_level(logging.DEBUG)
    async with served() as (sandbox, llm):
        reply = await llm.complete([ASKED], tools=TOOLS)
        messages = [ASKED, reply.message, *results_of(reply)]
        chat = OpenAICompatible(base_url=f"{sandbox.url}/v1", model="gpt-4o")
        assert (await chat.complete(messages)).text
        assert "responses" not in sent(sandbox)["messages"][1]
        assert "responses" in caplog.text
        other = await chat.complete([ASKED], tools=TOOLS)
        assert (await llm.complete([ASKED, other.message, *results_of(other)])).text


# --- in the background --------------------------------------------------------------------------


@pytest.mark.parametrize("broken", [Drop, Truncate])
@pytest.mark.parametrize("after", [0, 1, 5])
async def test_an_answer_in_the_background_is_taken_up_where_its_connection_broke(broken, after):
    async with served(broken(after=after, times=1), model="gpt-4o") as (sandbox, llm):
        reply = await llm.complete("Hello there", background=True)
        assert reply.text.count("Hello there") == 1
        assert reply.finish_reason == "stop"
        first, second = sandbox.requests
        assert json.loads(first.body)["store"] is True
        assert (second.method, second.path) == ("GET", f"/v1/responses/{reply.id}")
        assert second.query["stream"] == "true"
        assert int(second.query["starting_after"]) >= 2


async def test_calls_and_reasoning_are_whole_behind_a_break_too():
    async with served(Drop(after=9, times=1)) as (_, llm):
        reply = await llm.complete([ASKED], tools=TOOLS, background=True, reasoning_effort="low")
        assert reply.reasoning.endswith("sandbox.")
        assert [call.parsed_arguments for call in reply.tool_calls] == [
            {"city": "use the tools"}
        ] * 2


async def test_an_answer_that_nobody_asked_to_have_in_the_background_is_not_taken_up():
    async with served(Drop(after=2, times=1), model="gpt-4o") as (sandbox, llm):
        with pytest.raises(StreamInterrupted):
            await llm.complete("Hi", store=True)
        assert len(sandbox.requests) == 1


def test_an_id_leads_nowhere_else():
    llm = OpenAIResponses(model="gpt-5", api_key="x")
    request = Request(
        base_url=llm.base_url, model="gpt-5", messages=[ASKED], params={"background": True}
    )
    translator = llm.translator(request)
    translator.facts.add({"id": "../x?y#z"})
    translator.sequence_number = 0
    following = llm.go_on(request, translator, StreamInterrupted("cut"))
    assert following.ask.path == "/responses/..%2Fx%3Fy%23z"


async def test_what_the_server_does_not_have_any_more_is_an_error():
    lost = Status(status=404, on="resume")
    async with served(Drop(after=2, times=1), lost, model="gpt-4o") as (_, llm):
        with pytest.raises(NotFoundError) as caught:
            await llm.complete("Hi", background=True)
        assert caught.value.reply.text == "This is"


async def test_a_refusal_that_passes_is_asked_once_more_and_a_failed_answer_is_not():
    busy = Status(status=503, on="resume", times=1)
    failing = ErrorInStream(after=2, code="server_error", times=1)
    async with served(Drop(after=2, times=1), busy, model="gpt-4o") as (sandbox, llm):
        assert (await llm.complete("Hi", background=True)).finish_reason == "stop"
        assert len(sandbox.requests) == 3
        sandbox.add_fault(failing)
        with pytest.raises(asyncllm.ServerError):
            await llm.complete("Hi", background=True)
        assert len(sandbox.requests) == 4
