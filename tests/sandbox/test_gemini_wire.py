"""The sandbox's Gemini: what it answers over plain HTTP, and what it refuses as Google does."""

import json

import aiohttp
import pytest

from asyncllm.sandbox import BlockedPrompt, ErrorInStream, Sandbox, Status

OLD, NEW = "gemini-2.5-flash", "gemini-3-pro"
HI = {"contents": [{"parts": [{"text": "Hi"}]}]}
USER = {"role": "user", "parts": [{"text": "use a tool"}]}
TOOLS = [{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}]
CALLS = {"role": "model", "parts": [{"functionCall": {"name": name}} for name in "fg"]}
PLACES = {
    "v1beta": "/v1beta/models",
    "v1": "/v1/models",
    "vertex": "/v1beta1/projects/p/locations/eu/publishers/google/models",
}


async def ask(sandbox, body, model=OLD, place="v1beta", method="streamGenerateContent", **options):
    """Return the status, the media type and the text of an answer."""
    url = f"{sandbox.url}{PLACES[place]}/{model}:{method}"
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, json=body, **options) as response,
    ):
        return response.status, response.content_type, (await response.read()).decode()


def result(name, **more):
    return {"functionResponse": {"name": name, "response": {}, **more}}


def results(*parts):
    return {"role": "user", "parts": [*parts]}


@pytest.mark.parametrize("place", PLACES)
async def test_it_answers_with_events_that_end_in_crlf_and_without_alt_with_an_array(place):
    async with Sandbox() as sandbox:
        status, kind, text = await ask(sandbox, HI, place=place, params={"alt": "sse"})
        assert (status, kind) == (200, "text/event-stream")
        assert text.count("\r\n") == text.count("\n")
        events = [json.loads(block[6:]) for block in text.split("\r\n\r\n") if block]
        status, kind, text = await ask(sandbox, HI, place=place)
        assert (status, kind) == (200, "application/json")
        elements = json.loads(text)
        for told in (events, elements):
            assert told[-1]["candidates"][0]["finishReason"] == "STOP"
            assert ("usageMetadata" in told[0]) is (place != "vertex")
        _, _, text = await ask(sandbox, HI, place=place, method="generateContent")
        whole = json.loads(text)["candidates"][0]["content"]["parts"][0]["text"]
        said = [part["text"] for e in events for part in e["candidates"][0]["content"]["parts"]]
        assert "".join(said) == whole


REFUSED = [  # a body: what is said of it
    ({}, OLD, "contents is not specified"),
    ({"contents": [{"parts": []}]}, OLD, "must not be empty"),
    ({"contents": [{"role": "system", "parts": [{"text": "x"}]}]}, OLD, "valid role"),
    ({"contents": [{"role": [], "parts": [{"text": "x"}]}]}, OLD, "valid role"),
    ({"contents": [{"parts": [{"thought": True}]}]}, OLD, "required oneof field"),
    ({"contents": [{"parts": [{"words": "x"}]}]}, OLD, 'Unknown name "words"'),
    ({"contents": [{"parts": [{"inlineData": {"data": "?"}}]}]}, OLD, "TYPE_BYTES"),
    ({"contents": [USER, CALLS]}, OLD, "is equal to the number"),
    ({"contents": [USER, CALLS, results(result("f"))]}, OLD, "is equal to the number"),
    ({"contents": [USER, CALLS, results(result("f"), result("h"))]}, OLD, "match the function"),
    ({"contents": [USER, CALLS, results(result("f"), result("g"))]}, NEW, "thought_signature"),
    ({**HI, "temperature": 1}, OLD, 'Unknown name "temperature"'),
    ({**HI, "generationConfig": {"user": 1}}, OLD, 'Unknown name "user"'),
    ({**HI, "tools": [{"function": {}}]}, OLD, 'Unknown name "function"'),
    ({**HI, "generationConfig": {"continuationToken": "?"}}, OLD, "continuation_token"),
    (
        {**HI, "generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}},
        OLD,
        "not supported for this model",
    ),
    (
        {
            **HI,
            "generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW", "thinkingBudget": 1}},
        },
        NEW,
        "only one of",
    ),
]


@pytest.mark.parametrize(("body", "model", "says"), REFUSED)
async def test_it_refuses_what_google_refuses(body, model, says):
    async with Sandbox() as sandbox:
        status, _, text = await ask(sandbox, body, model)
        error = json.loads(text)["error"]
        assert (status, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
        assert says in error["message"]


async def test_it_takes_both_spellings_and_a_dummy_signature():
    signed = {**CALLS, "parts": [{**CALLS["parts"][0]}, CALLS["parts"][1]]}
    signed["parts"][0]["thoughtSignature"] = "skip_thought_signature_validator"
    answered = results(result("f"), result("g"))
    body = {
        "contents": [USER, signed, answered],
        "generation_config": {"max_output_tokens": 2, "thinking_config": {"thinking_budget": 0}},
        "tools": [{"function_declarations": [{"name": "f", "parameters_json_schema": {}}]}],
    }
    async with Sandbox() as sandbox:
        status, _, text = await ask(sandbox, body, NEW)
        assert status == 200
        assert json.loads(text)[-1]["candidates"][0]["finishReason"] == "MAX_TOKENS"


async def test_an_error_amid_the_stream_stands_bare_over_several_lines():
    async with Sandbox(faults=[ErrorInStream(after=1, status=503)]) as sandbox:
        _, _, text = await ask(sandbox, HI, params={"alt": "sse"})
        event, _, rest = text.partition("\r\n\r\n")
        assert event.startswith("data: ")
        assert json.loads(rest)["error"]["status"] == "UNAVAILABLE"
        assert rest.count("\r\n") > 3
        _, _, text = await ask(sandbox, HI)
        assert json.loads(text)[-1]["error"]["code"] == 503


async def test_a_refusal_says_in_its_body_how_long_to_wait():
    async with Sandbox(faults=[Status(status=429, retry_after=7)]) as sandbox:
        status, _, text = await ask(sandbox, HI)
        error = json.loads(text)["error"]
        assert (status, error["status"]) == (429, "RESOURCE_EXHAUSTED")
        assert error["details"][-1]["retryDelay"] == "7s"


async def test_a_blocked_prompt_has_a_reason_and_no_candidate():
    async with Sandbox(faults=[BlockedPrompt("OTHER")]) as sandbox:
        for params in ({}, {"alt": "sse"}):
            _, _, text = await ask(sandbox, HI, params=params)
            assert '"blockReason": "OTHER"' in text
            assert "candidates" not in text


async def test_each_wants_its_own_kind_of_key():
    async with Sandbox(api_key="k") as sandbox:
        for place, header, value in (
            ("v1beta", "x-goog-api-key", "k"),
            ("vertex", "Authorization", "Bearer k"),
        ):
            assert (await ask(sandbox, HI, place=place, headers={header: value}))[0] == 200
            assert (await ask(sandbox, HI, place=place))[0] in (400, 401)
