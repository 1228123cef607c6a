"""What is asked of Gemini: messages and parameters in its own form, or refused at once."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncllm import ConfigurationError, file, image
from asyncllm.messages import check_messages
from asyncllm.wires.gemini import gemini_contents, gemini_parameters

PNG = b"\x89PNG\r\n\x1a\n"
DATA = base64.b64encode(PNG).decode()
OLD, NEW = "gemini-2.5-flash", "gemini-3-pro"
SKIP = "skip_thought_signature_validator"


def user(*parts):
    return {"role": "user", "parts": [{"text": p} if isinstance(p, str) else p for p in parts]}


def model(*parts):
    return {**user(*parts), "role": "model"}


def calls(*ids, name="f", arguments="{}"):
    function = {"name": name, "arguments": arguments}
    listed = [{"id": each, "type": "function", "function": function} for each in ids]
    return {"role": "assistant", "content": None, "tool_calls": listed}


def call(call_id="x", **more):
    named = {"id": call_id} if call_id else {}
    return {"functionCall": {**named, "name": "f", "args": {}}, **more}


def result(content="{}", call_id="x"):
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def answered(response, call_id="x", **more):
    named = {"id": call_id} if call_id else {}
    return {"functionResponse": {**named, "name": "f", "response": response, **more}}


STORED = {"fileData": {"fileUri": "gs://a/b.pdf", "mimeType": "application/pdf"}}
HI = {"role": "user", "content": "Hi"}
MESSAGES = {  # messages: the contents, and the system instruction
    "a text": ([HI], [user("Hi")], None),
    "system messages, wherever they stand": (
        [
            {"role": "system", "content": "a"},
            HI,
            {"role": "developer", "content": [{"type": "text", "text": "b"}]},
        ],
        [user("Hi")],
        {"parts": [{"text": "a"}, {"text": "b"}]},
    ),
    "turns": (
        [HI, {"role": "assistant", "content": "Yes?"}, HI],
        [user("Hi"), model("Yes?"), user("Hi")],
        None,
    ),
    "turns of one role": ([HI, HI], [user("Hi", "Hi")], None),
    "an empty answer": (
        [HI, {"role": "assistant", "content": ""}, HI],
        [user("Hi", "Hi")],
        None,
    ),
    "a refusal of another's": (
        [HI, {"role": "assistant", "content": None, "refusal": "No."}, HI],
        [user("Hi"), model("No."), user("Hi")],
        None,
    ),
    "images and files, of ours and OpenAI's": (
        [
            {
                "role": "user",
                "content": [
                    image(PNG),
                    image("https://h.example/a.png"),
                    file(b"%PDF-", name="a.pdf"),
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}},
                    {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}},
                ],
            }
        ],
        [
            user(
                {"inlineData": {"mimeType": "image/png", "data": DATA}},
                {"fileData": {"mimeType": "image/png", "fileUri": "https://h.example/a.png"}},
                {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}},
                {"inlineData": {"mimeType": "image/png", "data": DATA}},
                {"inlineData": {"mimeType": "audio/mpeg", "data": "aGk="}},
            )
        ],
        None,
    ),
    "a file in Google Cloud Storage": (
        [{"role": "user", "content": [{"type": "fileData", **STORED}]}],
        [user(STORED)],
        None,
    ),
    "calls and their results": (
        [HI, calls("x", "y"), result("sunny"), result('{"t": 5}', "y"), HI],
        [
            user("Hi"),
            model(call(), call("y")),
            user(answered({"result": "sunny"}), answered({"t": 5}, "y")),
            user("Hi"),
        ],
        None,
    ),
    "a result with an image": (
        [HI, calls("x"), result([{"type": "text", "text": "a"}, image(PNG)])],
        [
            user("Hi"),
            model(call()),
            user(
                answered(
                    {"result": "a"},
                    parts=[{"inlineData": {"mimeType": "image/png", "data": DATA}}],
                )
            ),
        ],
        None,
    ),
    "a result whose call is not there, by its name": (
        [{**result("a"), "name": "f"}],
        [user(answered({"result": "a"}))],
        None,
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_are_said_in_gemini_s_form(name):
    messages, contents, system = MESSAGES[name]
    assert gemini_contents(check_messages(messages), OLD) == (contents, system)


WRONG = [
    ([{"role": "system", "content": "a"}], "only system messages"),
    ([{"role": "critic", "content": "a"}], "role 'critic'"),
    ([{"role": "system", "content": [image(PNG)]}], r"messages\[0\].content\[0\] is an image"),
    ([{"role": "user", "content": [{"type": "hologram"}]}], "a 'hologram' part"),
    ([{"role": "user", "content": [{"type": "fileData"}]}], "a 'fileData' part"),
    ([HI, calls("x", arguments="[1]")], "arguments must be a JSON object"),
    ([HI, result("a")], "no message before it asks for: 'x'"),
    (
        [HI, {"role": "assistant", "content": None, "tool_calls": [{"id": "x", "type": "custom"}]}],
        "not a function call",
    ),
]


@pytest.mark.parametrize(("messages", "says"), WRONG)
def test_what_can_t_be_said_is_refused_by_its_place(messages, says):
    with pytest.raises(ConfigurationError, match=says):
        gemini_contents(check_messages(messages), OLD)


# --- what goes back ------------------------------------------------------------------------------

PARTS = [
    {"part": {"text": "hm", "thought": True, "thoughtSignature": "s0"}},
    {"text": 2},
    {"text": 1, "signature": "s1"},
    {"call": "x", "signature": "s2", "unnamed": True},
    {"call": "y"},
]
OWN = {**calls("x", "y"), "content": "abc", "gemini": {"parts": PARTS}}


def said(message, asked=NEW, *more):
    contents, _ = gemini_contents(check_messages([HI, message, *more]), asked)
    return contents[1]["parts"]


def test_an_own_answer_goes_back_as_it_lay_with_each_signature_on_its_part():
    message, *results = [OWN, result("1"), result("2", "y")]
    contents, _ = gemini_contents(check_messages([HI, message, *results]), NEW)
    assert contents[1:] == [
        model(
            {"text": "hm", "thought": True, "thoughtSignature": "s0"},
            {"text": "ab"},
            {"text": "c", "thoughtSignature": "s1"},
            call(None, thoughtSignature="s2"),
            call("y"),
        ),
        user(answered({"result": "1"}, None), answered({"result": "2"}, "y")),
    ]


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"content": "edited"}, [{"text": "edited"}, call(None, thoughtSignature="s2"), call("y")]),
        (
            {"tool_calls": calls("x")["tool_calls"]},
            [{"text": "abc"}, call(None, thoughtSignature="s2")],
        ),
        ({"tool_calls": calls("z")["tool_calls"]}, [{"text": "abc"}, call("z")]),
        (
            {"content": [{"type": "text", "text": "abc"}], "tool_calls": None},
            [{"text": "abc"}],
        ),
    ],
)
def test_an_answer_that_was_edited_goes_back_as_it_is_with_the_calls_signatures(changes, parts):
    assert said({**OWN, **changes}, OLD) == parts


def test_an_edit_that_leaves_the_lengths_keeps_the_layout_and_says_what_is_there_now():
    parts = said({**OWN, "content": "xyz"})
    assert [part["text"] for part in parts[1:3]] == ["xy", "z"]


@pytest.mark.parametrize("asked", [NEW, "gemini-flash-latest", "publishers/google/models/gemini-4"])
def test_of_another_s_calls_the_first_passes_without_a_signature(asked):
    assert said(calls("x", "y"), asked) == [call(thoughtSignature=SKIP), call("y")]
    assert said({**OWN, "gemini": {"parts": PARTS[1:3]}}, asked)[1] == call(thoughtSignature=SKIP)


@pytest.mark.parametrize("asked", [OLD, "gemini-1.5-pro", "gemma-3-27b-it"])
def test_models_that_sign_nothing_are_sent_no_signature(asked):
    assert said(calls("x", "y"), asked) == [call(), call("y")]


junk = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 5) | st.sampled_from(["x", "y", "ab", ""]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["parts", "text", "call", "signature", "unnamed"]), inner)
    ),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None)
@given(
    kept=junk
    | st.fixed_dictionaries({"parts": st.lists(st.sampled_from(PARTS) | junk, max_size=7)})
)
def test_whatever_stands_under_the_key_text_and_calls_go_back_once(kept):
    parts = said({**OWN, "gemini": kept})
    raw = [
        part
        for part in parts
        if part.get("thought") or part.keys() - {"text", "functionCall", "thoughtSignature"}
    ]
    own = [part for part in parts if part not in raw]
    assert "".join(part["text"] for part in own if "text" in part) == "abc"
    assert sum("functionCall" in part for part in own) == 2


# --- parameters ----------------------------------------------------------------------------------

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
FUNCTION = {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True}
DECLARED = {"name": "f", "description": "d", "parametersJsonSchema": SCHEMA}
SEARCH = {"googleSearch": {}}


def mode(mode, **more):
    return {"toolConfig": {"functionCallingConfig": {"mode": mode, **more}}}


def config(**fields):
    return {"generationConfig": fields}


def thinking(**fields):
    return config(thinkingConfig=fields)


PARAMETERS = [  # what the caller gives, what is sent
    ({}, {}),
    (
        {
            "temperature": 0.5,
            "top_p": 0.9,
            "top_k": 4,
            "max_tokens": 9,
            "seed": 1,
            "presence_penalty": 0.1,
            "frequency_penalty": 0.2,
            "stop": "x",
            "n": 1,
            "parallel_tool_calls": True,
        },
        config(
            temperature=0.5,
            topP=0.9,
            topK=4,
            maxOutputTokens=9,
            seed=1,
            presencePenalty=0.1,
            frequencyPenalty=0.2,
            stopSequences=["x"],
        ),
    ),
    (
        {"max_completion_tokens": 8, "stop": ["x", "y"]},
        config(maxOutputTokens=8, stopSequences=["x", "y"]),
    ),
    ({"logprobs": True}, config(responseLogprobs=True)),
    ({"top_logprobs": 3}, config(responseLogprobs=True, logprobs=3)),
    ({"response_format": {"type": "text"}}, {}),
    ({"response_format": {"type": "json_object"}}, config(responseMimeType="application/json")),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
        config(responseMimeType="application/json", responseJsonSchema=SCHEMA),
    ),
    (
        {"response_format": {"type": "json_schema", "schema": SCHEMA}},
        config(responseMimeType="application/json", responseJsonSchema=SCHEMA),
    ),
    *[
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": said}}]},
         {"tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": said}]}]})
        for said in ({"type": "object", "additionalProperties": {"type": "string"}},
                     {"$ref": "#/$defs/a", "$defs": {"a": SCHEMA}})
    ],
    ({"tools": [{"type": "function", "function": {"name": "f", "parameters":
        {"type": "object", "properties": {}, "required": [], "additionalProperties": False}}}]},
     {"tools": [{"functionDeclarations": [{"name": "f"}]}]}),
    ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}, SEARCH]},
     {"tools": [{"functionDeclarations": [{"name": "f"}]}, SEARCH]}),
    ({"tools": [{"type": "function", "function": FUNCTION}] * 2},
     {"tools": [{"functionDeclarations": [DECLARED, DECLARED]}]}),
    ({"tool_choice": "auto"}, mode("AUTO")),
    ({"tool_choice": "none"}, mode("NONE")),
    ({"tool_choice": "required"}, mode("ANY")),
    (
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        mode("ANY", allowedFunctionNames=["f"]),
    ),
    (
        {
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [{"function": {"name": "f"}}]},
            }
        },
        mode("VALIDATED", allowedFunctionNames=["f"]),
    ),
    ({"tool_choice": {"mode": "VALIDATED"}}, mode("VALIDATED")),
    ({"tool_choice": mode("ANY")["toolConfig"]}, mode("ANY")),
    ({"safetySettings": [{"category": "c"}]}, {"safetySettings": [{"category": "c"}]}),
    ({"safety_settings": []}, {"safety_settings": []}),
    ({"cachedContent": "c"}, {"cachedContent": "c"}),
    (
        {"responseModalities": ["IMAGE"], "media_resolution": "LOW", "max_output_tokens": 3},
        config(responseModalities=["IMAGE"], mediaResolution="LOW", maxOutputTokens=3),
    ),
    (
        {"generationConfig": {"topK": 2, "thinkingConfig": {"thinkingBudget": 5}},
         "reasoning_effort": "low"},
        config(topK=2, thinkingConfig={"includeThoughts": True, "thinkingBudget": 5}),
    ),
    ({"thinking_budget": 7}, thinking(thinkingBudget=7)),
]  # fmt: skip


@pytest.mark.parametrize(("given", "sent"), PARAMETERS, ids=[str([*g]) for g, _ in PARAMETERS])
def test_parameters_are_sent_by_gemini_s_names(given, sent):
    assert gemini_parameters(given, OLD) == sent


EFFORTS = [
    (OLD, "none", {"thinkingBudget": 0}),
    (OLD, "minimal", {"includeThoughts": True, "thinkingBudget": 1024}),
    (OLD, "medium", {"includeThoughts": True, "thinkingBudget": 8192}),
    (OLD, "xhigh", {"includeThoughts": True, "thinkingBudget": 24576}),
    (NEW, "none", {"thinkingBudget": 0}),
    (NEW, "low", {"includeThoughts": True, "thinkingLevel": "LOW"}),
    (NEW, "max", {"includeThoughts": True, "thinkingLevel": "XHIGH"}),
    ("gemini-flash-latest", "high", {"includeThoughts": True, "thinkingLevel": "HIGH"}),
]


@pytest.mark.parametrize(("asked", "effort", "sent"), EFFORTS)
def test_an_effort_is_a_budget_for_older_models_and_a_level_for_others(asked, effort, sent):
    assert gemini_parameters({"reasoning_effort": effort}, asked) == thinking(**sent)


@pytest.mark.parametrize(
    "wrong",
    [
        {"logit_bias": {"1": 2}},
        {"user": "me"},
        {"parallel_tool_calls": False},
        {"response_format": {"type": "grammar"}},
        {"response_format": {"type": "json_schema", "json_schema": "{}"}},
        {"generationConfig": [1]},
        {"thinkingConfig": "low"},
        {"tool_choice": "sometimes"},
        {"tool_choice": {"type": "custom"}},
    ],
    ids=str,
)
def test_a_common_parameter_without_a_place_is_refused_by_its_name(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        gemini_parameters(wrong, OLD)
