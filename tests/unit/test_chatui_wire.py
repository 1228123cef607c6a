"""Today's chat-ui, without a server: what is asked of it, and what its updates say."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import asyncllm
from asyncllm import Citation, Finish, Ping, Reasoning, Restart, ToolResult
from asyncllm.errors import AsyncLLMError, StreamInterrupted
from asyncllm.events import About
from asyncllm.framing.body import BodyDecoder
from asyncllm.messages import check_messages
from asyncllm.wires.chatui import ChatUITranslator
from asyncllm.wires.chatui_form import (
    Place,
    completed,
    form_of,
    media_type_of,
    preprompt_of,
)

STARTED = {"type": "status", "status": "started"}
KEEP_ALIVE = {"type": "status", "status": "keepAlive"}
FINISHED = {"type": "status", "status": "finished"}
TITLE = {"type": "title", "title": "Of tea"}
TEA = [{"type": "stream", "token": token} for token in ("Tea", " is", " hot\u2028\U0001f375")]
TOOL_RESULT = {"status": "success", "outputs": [{"content": "hot"}]}
TEXT = "Tea is hot\u2028\U0001f375"


def final(text=TEXT, *, interrupted=False):
    return {"type": "finalAnswer", "text": text, "interrupted": interrupted}


def error(message, status=None):
    code = {} if status is None else {"statusCode": status}
    return {"type": "status", "status": "error", "message": message, **code}


def as_lines(*updates):
    """Write updates as chat-ui does: tokens padded, and filler behind the whole text."""
    body = b""
    for each in updates:
        update = each
        if "token" in update and update["type"] == "stream":
            units = len(update["token"].encode("utf-16-le", "surrogatepass")) // 2
            update = {**update, "token": update["token"] + "\0" * max(0, 16 - units)}
        # A half of a character is escaped, as JavaScript does it.
        body += json.dumps(update, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"
        body += b" " * 4096 if update["type"] == "finalAnswer" else b""
    return body


def as_events(*updates, end="completed"):
    events = [f"event: update\ndata: {json.dumps(each)}\n\n" for each in updates]
    return "".join([*events, f'event: end\ndata: {{"status":"{end}"}}\n\n']).encode()


def read(*chunks, media_type="application/jsonl", translator=None):
    """Return the items of a body, the error that ended it or None, and what has read it."""
    body = BodyDecoder(media_type, 2**24, "json_lines")
    translator, items = translator or ChatUITranslator(), []
    try:
        for chunk in [*filter(None, chunks), b""]:
            decoder = body.events or body
            payloads = decoder.feed(chunk) if chunk else body.close()
            translator.feed(payloads, items)
            if translator.is_done:
                break
            if not chunk:
                items += translator.close()
    except AsyncLLMError as failure:
        return items, failure, translator
    return items, None, translator


def said(items):
    return [item for item in items if not isinstance(item, (str, Ping))]


def text_of(items):
    return "".join(item for item in items if isinstance(item, str))


BODIES = {
    "plain": as_lines(STARTED, KEEP_ALIVE, *TEA, KEEP_ALIVE, TITLE, final(), FINISHED),
    "late title": as_lines(STARTED, *TEA, final(), TITLE, FINISHED),
    "early title": as_lines(STARTED, TITLE, *TEA, final(), FINISHED),
    "doubled": as_lines(STARTED, *TEA[:2], *TEA, final(), FINISHED),
    "stopped": as_lines(STARTED, KEEP_ALIVE, TITLE, final("", interrupted=True), FINISHED),
    "only whole": as_lines(STARTED, final(), FINISHED),
    "unknown": as_lines(
        STARTED, {"type": "new", "token": 3, "text": [], "status": {}}, *TEA, final()
    ),
}


@pytest.mark.parametrize(
    ("name", "items"),
    [
        ("plain", [About(extra={"title": "Of tea"}), Finish("stop")]),
        ("late title", [Finish("stop")]),
        ("early title", [About(extra={"title": "Of tea"}), Finish("stop")]),
        ("doubled", [Restart("Tea isTea is hot\u2028\U0001f375"), Finish("stop")]),
        ("stopped", [About(extra={"title": "Of tea"}), Finish("interrupted")]),
        ("only whole", [Finish("stop")]),
        ("unknown", [Finish("stop")]),
    ],
)
def test_each_body_is_its_text_and_what_is_told_beside_it(name, items):
    found, failure, _ = read(BODIES[name])
    assert failure is None
    assert said(found) == items
    restarts = [n for n, item in enumerate(found) if isinstance(item, Restart)]
    wanted = "" if name == "stopped" else TEXT
    assert text_of(found[restarts[-1] + 1 :] if restarts else found) == wanted
    assert "\0" not in text_of(found)


@given(st.sampled_from(sorted(BODIES)), st.lists(st.integers(0, 5000), max_size=6))
def test_a_body_gives_the_same_however_it_is_cut_into_reads(name, cuts):
    body = BODIES[name]
    places = [0, *sorted(cut % len(body) for cut in cuts), len(body)]
    reads = [body[a:b] for a, b in pairwise(places)]
    (one, _, _), (other, _, _) = read(body), read(*reads)
    assert said(one) == said(other)
    assert text_of(one) == text_of(other)


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_cut_off_before_its_whole_text_never_finishes(name):
    body = BODIES[name]
    end = body.index(b'"finalAnswer"')
    end = body.index(b"}", body.index(b"interrupted", end))
    for size in range(end + 1):
        items, failure, translator = read(body[:size])
        assert isinstance(failure, StreamInterrupted), body[:size]
        assert not translator.was_told_its_end
        assert not [item for item in items if isinstance(item, Finish)]


@pytest.mark.parametrize(
    ("update", "kind", "is_passing"),
    [
        (error("401 said the model server", 401), asyncllm.AuthenticationError, False),
        (error("429 said the model server", 429), asyncllm.RateLimitError, True),
        (error("500 said the model server", 500), asyncllm.ServerError, True),
        (error("terminated"), asyncllm.ProviderError, False),
        (error("odd", "no number"), asyncllm.ProviderError, False),
        (error("odd", 7), asyncllm.ProviderError, False),
        (error("odd", "\ud800"), asyncllm.ProviderError, False),
        (FINISHED, StreamInterrupted, False),
    ],
)
def test_what_went_wrong_is_told_inside_the_answer(update, kind, is_passing):
    items, failure, translator = read(as_lines(STARTED, *TEA[:2], update))
    assert type(failure) is kind
    assert failure.is_passing is is_passing
    assert update.get("message", "finalAnswer") in str(failure)
    assert text_of(items) == "Tea is"
    assert translator.was_told_its_end


def test_before_the_first_content_nothing_is_given_out():
    items, _, _ = read(as_lines(STARTED, KEEP_ALIVE, KEEP_ALIVE, TITLE, KEEP_ALIVE))
    assert items == []
    items, _, _ = read(as_lines(STARTED, KEEP_ALIVE, TITLE, *TEA[:1], KEEP_ALIVE))
    assert items == [About(extra={"title": "Of tea"}), "Tea", Ping("keepAlive")]


def test_reasoning_tools_routes_and_files_are_told_as_they_are():
    call = {"name": "look_up", "parameters": {"word": "tea"}}
    updates = [
        {"type": "routerMetadata", "route": "chat", "model": "org/model", "provider": "org"},
        {"type": "reasoning", "subtype": "status", "status": "Thinking"},
        {"type": "reasoning", "subtype": "stream", "token": "Hm"},
        {"type": "tool", "subtype": "call", "uuid": "1", "call": call},
        {"type": "tool", "subtype": "eta", "uuid": "1", "eta": 3},
        {"type": "tool", "subtype": "result", "uuid": "1", "result": TOOL_RESULT},
        {"type": "tool", "subtype": "call", "uuid": "2", "call": call},
        {"type": "tool", "subtype": "error", "uuid": "2", "message": "no such word"},
        {"type": "file", "name": "tea.png", "mime": "image/png", "sha": "ab"},
        {"type": "elicitation", "subtype": "request"},
        *TEA,
        final(),
    ]
    items, failure, _ = read(as_lines(*updates))
    assert failure is None
    assert said(items) == [
        About(model="org/model", provider="org", extra={"route": "chat"}),
        Reasoning("Hm"),
        ToolResult("1", "look_up", "hot"),
        ToolResult("2", "look_up", "no such word", is_error=True),
        About(extra={"files": [{"name": "tea.png", "mime": "image/png", "sha": "ab"}]}),
        Finish("stop"),
    ]
    assert not [item for item in items if isinstance(item, Citation)]


@pytest.mark.parametrize("output", ["\ud800", {"deep": "\udfff"}])
def test_what_a_tool_returns_that_has_no_json_form_does_not_cost_the_answer(output):
    outputs = {"status": "success", "outputs": [{"odd": output}]}
    update = {"type": "tool", "subtype": "result", "uuid": "1", "result": outputs}
    items, failure, _ = read(as_lines(*TEA, update, final()))
    assert failure is None
    assert said(items) == [ToolResult("1", "", ""), Finish("stop")]


def test_files_that_are_too_many_to_be_kept_leave_the_first_of_them():
    files = [{"type": "file", "name": f"{n}" * 9000, "mime": "", "sha": ""} for n in range(9)]
    items, failure, _ = read(as_lines(*TEA, *files, *files, final()))
    told = [item.extra["files"] for item in items if isinstance(item, About)]
    assert failure is None
    assert 0 < len(told) < 9
    assert [file["name"][0] for file in told[-1]] == [str(n) for n in range(len(told))]


@given(st.integers(0, 3), st.integers(0, 3))
def test_an_answer_that_is_followed_after_a_break_is_told_once(first, second):
    tool = {"type": "tool", "subtype": "error", "uuid": "1", "message": "no"}
    merged = [tool, {"type": "stream", "token": "Tea is"}, *TEA[2:], final()]
    items, _, translator = read(as_lines(STARTED, tool, *TEA[:first]))
    events = merged[:second]
    more, failure, translator = read(
        as_events(*events, end="error").partition(b"event: end")[0],
        media_type="text/event-stream",
        translator=translator.go_on(),
    )
    assert isinstance(failure, StreamInterrupted)
    rest, failure, _ = read(
        as_events(*merged), media_type="text/event-stream", translator=translator.go_on()
    )
    assert failure is None
    assert text_of([*items, *more, *rest]) == TEXT
    assert said([*items, *more, *rest]) == [
        ToolResult("1", "", "no", is_error=True),
        Finish("stop"),
    ]


def test_what_is_taken_back_has_no_half_of_a_character():
    half, rest = {"type": "stream", "token": "\ud83c"}, {"type": "stream", "token": "\udf75"}
    items, _, translator = read(as_lines(*TEA[:1], half))
    more, failure, _ = read(as_lines(half, final("Coffee")), translator=translator.go_on())
    assert (text_of(items), failure) == ("Tea", None)
    assert said(more)[0].discarded.isprintable()
    items, failure, _ = read(as_lines(half, rest, final("🍵")))
    assert (text_of(items), said(items), failure) == ("🍵", [Finish("stop")], None)


@pytest.mark.parametrize("end", ["gone", "error", "interrupted", "completed"])
def test_the_end_of_what_is_followed_is_no_finish(end):
    _, failure, translator = read(as_events(*TEA, end=end), media_type="text/event-stream")
    assert isinstance(failure, StreamInterrupted)
    assert end in str(failure)
    assert translator.was_told_its_end


def test_how_often_in_a_row_an_answer_was_taken_up_again_is_counted():
    _, _, translator = read(as_lines(*TEA[:1]))
    again = translator.go_on()
    assert (again.tries, again.go_on().tries) == (1, 2)
    _, _, again = read(as_lines(*TEA[:2]), translator=again.go_on())
    assert again.go_on().tries == 1


# --- what is asked ---------------------------------------------------------------------------


def sent(messages, **fields):
    form = form_of(check_messages(messages), fields)
    body = completed(form, {"id": "p"})
    boundary = media_type_of(form).partition("boundary=")[2].encode()
    *parts, end = body.split(b"--" + boundary)
    assert end == b"--\r\n"
    return parts[1:]


def test_a_question_is_one_text_and_the_system_s_message_is_the_conversation_s():
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": "Tea?"},
    ]
    assert preprompt_of(check_messages(messages)) == "Be brief.\n\nBe kind."
    (data,) = sent(messages, timezone="Europe/Oslo")
    head, _, said_ = data.partition(b"\r\n\r\n")
    assert head == b'\r\nContent-Disposition: form-data; name="data"'
    assert json.loads(said_) == {"timezone": "Europe/Oslo", "inputs": "Tea?", "id": "p"}


def test_several_messages_are_one_text_in_which_each_has_its_role():
    turns = [("user", "Tea?"), ("assistant", "Yes."), ("system", "Hm."), ("user", "Hot?")]
    messages = [{"role": role, "content": content} for role, content in turns]
    assert preprompt_of(check_messages(messages)) == ""
    (data,) = sent(messages)
    inputs = json.loads(data.partition(b"\r\n\r\n")[2])["inputs"]
    assert inputs == "User: Tea?\nAssistant: Yes.\nSystem: Hm.\nUser: Hot?\nAssistant:"


def test_images_and_files_go_into_the_form_by_their_names():
    image = asyncllm.image(b"\x89PNG\r\n\x1a\n.")
    name = 'te"a\r\n é.txt'
    file = asyncllm.file(b"hot", media_type="text/plain", name=name)
    content = [asyncllm.text("Look"), image, file]
    picture, document, data = sent([{"role": "user", "content": content}])
    assert b'name="files"; filename="base64;image.png"\r\nContent-Type: image/png' in picture
    assert picture.endswith(b"\r\n\r\niVBORw0KGgou\r\n")
    assert 'filename="base64;te%22a%0D%0A é.txt"\r\nContent-Type: text/plain'.encode() in document
    assert document.endswith(b"\r\n\r\naG90\r\n")
    assert b'"inputs":"Look"' in data


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([asyncllm.image(b"\x89PNG\r\n\x1a\n.")], "needs a user message"),
        ([asyncllm.image("https://example.com/a.png")], r"content\[0\] is a file with a URL"),
        ([{"type": "video", "video": "x"}], "takes text only"),
    ],
)
def test_what_a_form_can_t_hold_is_refused(content, words):
    with pytest.raises(asyncllm.ConfigurationError, match=words):
        form_of(check_messages([{"role": "user", "content": content}]), {})


def test_a_place_is_read_out_of_its_name():
    place = Place("a#b", "c")
    assert Place.read(place.name) == place
