"""What a chat makes of what is typed, without a terminal and without a model."""

import json
import stat

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncllm import Reply, ToolCall, Usage
from asyncllm.cli import chat_effects as do
from asyncllm.cli.chat_commands import (
    COMMANDS,
    HELP,
    OTHER_NAMES,
    Command,
    Mistake,
    Question,
    goes_on,
    joined,
    read_typed,
)
from asyncllm.cli.chat_history import MOST, ChatHistory, history_path
from asyncllm.cli.chat_session import Session
from asyncllm.cli.chat_turn import STOPPED
from asyncllm.messages import check_messages


def chatted(*answers, **options):
    """Return a session in which questions were asked, and answered so."""
    session = Session(**options)
    for number, answer in enumerate(answers):
        effect = session.typed(f"question {number}")
        session.asked(effect.message)
        session.answered(answer if isinstance(answer, Reply) else Reply(answer))
    return session


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


# --- what is typed ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        ("Hello", Question("Hello")),
        ("  indented\n  code  ", Question("  indented\n  code  ")),
        ("", None),
        (" \n\t", None),
        ("/help", Command("help", "")),
        ("  /Model  openai/gpt ", Command("model", "openai/gpt")),
        ("/system Be brief.\nVery.", Command("system", "Be brief.\nVery.")),
        ('/system """\nBe brief.\n"""', Command("system", "Be brief.")),
        ("/q", Command("quit", "")),
        ("/bye", Command("quit", "")),
        ("exit", Command("quit", "")),
        ("quit", Command("quit", "")),
        ("exit now", Question("exit now")),
        ("/?", Command("help", "")),
        ("/etc/hosts: what is it?", Question("/etc/hosts: what is it?")),
        ("/usr", Mistake("")),
        ("/retyr", Mistake("did you mean /retry?")),
        ("/modl x", Mistake("did you mean /model?")),
        ("/", Mistake("/help lists them")),
        ("//retry is a command", Question("/retry is a command")),
        ('"""\none\n\ntwo\n"""', Question("one\n\ntwo")),
        ('"""one line"""', Question("one line")),
        ('"""Doc."""\nimport os\n', Question('"""Doc."""\nimport os')),
    ],
)
def test_what_is_typed_is_a_question_or_a_command_or_a_mistake(line, typed):
    found = read_typed(line)
    assert type(found) is type(typed)
    if isinstance(typed, Mistake):
        assert typed.text in found.text
    else:
        assert found == typed


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("Hello", False),
        ("Hello \\", True),
        ("Hello \\\nthere", False),
        ('"""', True),
        ('"""one\ntwo', True),
        ('"""one\ntwo"""', False),
        ('"""Doc."""\ncode', False),
        ('say """', False),
        ('/system """one', True),
        ('/system """one"""', False),
    ],
)
def test_enter_begins_a_line_after_a_backslash_and_in_a_block(text, more):
    assert goes_on(text) is more


def test_lines_that_were_typed_one_by_one_are_joined_without_their_backslashes():
    assert joined(["one \\", "two\\", "three\\"]) == "one \ntwo\nthree\\"


@given(st.text(max_size=40))
def test_anything_may_be_typed(text):
    effect = Session().typed(text)
    assert effect is None or isinstance(effect, msgspec.Struct)
    goes_on(text)


def test_every_command_is_in_the_help_and_does_something():
    for name, (argument, _) in COMMANDS.items():
        assert f"/{name} {argument}".rstrip() in HELP
        assert Session().typed(f"/{name}") is not None
    assert max(map(len, HELP.splitlines())) < 80
    assert set(OTHER_NAMES.values()) <= set(COMMANDS)
    assert not set(OTHER_NAMES) & set(COMMANDS)


# --- the conversation -----------------------------------------------------------------------------


def test_what_was_said_goes_with_the_next_question():
    session = chatted("one", "two")
    messages = session.asked(user("three?"))
    assert [each["content"] for each in messages] == [
        "question 0", "one", "question 1", "two", "three?",
    ]  # fmt: skip
    assert check_messages(messages)


def test_an_answer_that_was_stopped_is_kept_and_marked():
    session = Session()
    session.asked(user("a"))
    session.answered(Reply("half of", opaque={"thinking_blocks": ["x"]}), ended=STOPPED)
    assert session.messages == [user("a"), assistant("half of")]
    assert session.turns[0].ended == "stopped"
    assert "*(stopped)*" in session.typed("/save x.md").text


CALL = ToolCall("i", "f", "{}")


@pytest.mark.parametrize("reply", [Reply(), Reply(reasoning="hm"), Reply(tool_calls=(CALL,))])
def test_a_question_without_an_answer_is_not_sent_again_but_by_retry(reply):
    session = Session()
    session.asked(user("a"))
    session.answered(reply, ended=STOPPED)
    assert session.messages == []
    assert session.typed("/retry") == do.Ask(user("a"))
    assert session.turns == []


def test_a_call_that_nobody_answers_is_not_sent_back():
    session = chatted(Reply("Wait.", tool_calls=(CALL,)))
    assert session.messages[-1] == assistant("Wait.")


def test_what_a_server_wants_back_goes_back():
    session = chatted(Reply("x", opaque={"signature": "s"}))
    assert session.messages[-1] == {**assistant("x"), "signature": "s"}


def test_retry_asks_the_last_question_in_the_place_of_the_first_time():
    session = chatted("one", "two")
    effect = session.typed("/retry")
    assert effect == do.Ask(user("question 1"))
    assert len(session.asked(effect.message)) == 3


def test_undo_gives_the_question_back_to_be_changed():
    session = chatted("one", "two")
    assert session.typed("/undo") == do.Edit("question 1")
    assert session.messages == [user("question 0"), assistant("one")]


def test_new_keeps_the_settings():
    session = chatted("one", system="Be brief.", params={"seed": 1})
    session.typed("/new")
    assert (session.messages, session.system, session.params) == ([], "Be brief.", {"seed": 1})


def test_an_earlier_conversation_goes_on():
    session, before = Session(), chatted("one", "two")
    session.go_on_with(before.messages)
    assert session.messages == before.messages
    assert session.typed("/undo") == do.Edit("question 1")


# --- settings -------------------------------------------------------------------------------------


def test_the_system_message_is_set_shown_and_removed():
    session = Session()
    assert "no system message" in session.typed("/system").text
    session.typed("/system Be brief.")
    assert session.system == "Be brief."
    assert "Be brief." in session.typed("/system").text
    session.typed("/system -")
    assert session.system is None


def test_a_parameter_is_set_shown_and_removed():
    session = Session()
    session.typed("/param temperature=0.2")
    session.typed('/param stop=["a"]')
    assert session.params == {"temperature": 0.2, "stop": ["a"]}
    assert "temperature=0.2" in session.typed("/param").text
    session.typed("/param stop=")
    assert session.params == {"temperature": 0.2}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("/param temperature", "name=value"),
        ("/param model=x", "/model"),
        ("/param system=x", "/system"),
        ("/param messages=[]", "no parameter"),
        ("/retry", "no question"),
        ("/undo", "nothing to take back"),
        ("/save", "/save chat.md"),
        ("/save x.md", "nothing to save"),
        ("/attach", "/attach picture.png"),
        ("/copy", "no answer"),
    ],
)
def test_what_can_not_be_done_says_why(line, says):
    effect = Session().typed(line)
    assert effect.is_wrong
    assert says in effect.text


@pytest.mark.parametrize(
    ("line", "effect"),
    [
        ("/model openai/gpt", do.Switch("openai/gpt")),
        ("/model", do.ListModels()),
        ("/models", do.ListModels()),
        ("/attach cat.png", do.Attach("cat.png")),
        ("/copy", do.Copy("one")),
        ("/reasoning", do.Tell("hm")),
        ("/quit", do.Quit()),
    ],
)
def test_a_command_says_what_is_to_be_done(line, effect):
    assert chatted(Reply("one", reasoning="hm")).typed(line) == effect


# --- attachments ----------------------------------------------------------------------------------

IMAGE = {"type": "image", "source": b"\x89PNG", "media_type": "image/png"}


def test_what_is_attached_goes_with_the_next_question_alone():
    session = Session()
    session.attached("cat.png", IMAGE)
    session.attached("a.txt", "<file>a</file>")
    assert "cat.png, a.txt" in session.typed("/attach").text
    effect = session.typed("What is it?")
    text = {"type": "text", "text": "<file>a</file>\n\nWhat is it?"}
    assert effect == do.Ask({"role": "user", "content": [IMAGE, text]})
    session.asked(effect.message)
    assert session.typed("next") == do.Ask(user("next"))
    assert session.attachments == []


def test_attached_text_alone_leaves_the_question_a_text():
    session = Session()
    session.attached("a.txt", "A")
    assert session.typed("B") == do.Ask(user("A\n\nB"))


# --- files ----------------------------------------------------------------------------------------


def test_a_chat_is_saved_as_markdown():
    session = chatted("one\n\n```py\nx\n```", system="Be brief.")
    session.asked({"role": "user", "content": [IMAGE, {"type": "text", "text": "and this?"}]})
    session.answered(Reply("half"), ended=STOPPED)
    saved = session.typed("/save chat.md")
    assert saved == do.Save(
        "chat.md",
        "# Chat\n\n**System message:** Be brief.\n\n## You\n\nquestion 0\n\n## Assistant\n\n"
        "one\n\n```py\nx\n```\n\n## You\n\n(an image)\n\nand this?\n\n## Assistant\n\nhalf\n\n"
        "*(stopped)*\n",
        may_replace=False,
    )


def test_a_chat_is_saved_as_json_that_can_be_sent_again():
    reply = Reply("one", usage=Usage(completion_tokens=3))
    session = chatted(reply, system="S", params={"seed": 1})
    saved = json.loads(session.typed("/save chat.JSON").text)
    assert saved["messages"] == [{"role": "system", "content": "S"}, *session.messages]
    assert saved["params"] == {"seed": 1}
    assert saved["turns"][0]["usage"] == {"completion_tokens": 3}


def test_a_file_is_replaced_where_it_is_this_chats_or_that_was_said():
    session = chatted("one")
    assert not session.typed("/save a.md").may_replace
    session.saved("a.md")
    assert session.typed("/save a.md").may_replace
    assert session.typed("/save -f b.md") == msgspec.structs.replace(
        session.typed("/save b.md"), may_replace=True
    )
    assert ".json" in session.typed("/save a.pdf").text


# --- history --------------------------------------------------------------------------------------


def entries():
    return list(ChatHistory().load_history_strings())


def test_the_history_is_kept_for_its_owner_alone():
    history = ChatHistory()
    for text in ("one", "two\nlines", "\x1b[31m 漢字 \udc80"):
        history.store_string(text)
    assert entries() == ["\x1b[31m 漢字 ?", "two\nlines", "one"]
    assert stat.S_IMODE(history_path().stat().st_mode) == 0o600
    assert stat.S_IMODE(history_path().parent.stat().st_mode) == 0o700


def test_the_history_does_not_grow_for_ever():
    history = ChatHistory()
    history.store_string("x")
    history_path().write_text("".join(f'"{n}"\n' for n in range(3 * MOST)))
    assert entries()[:2] == [str(3 * MOST - 1), str(3 * MOST - 2)]
    assert history_path().read_bytes().count(b"\n") == MOST
    history.store_string("y" * 100_000)
    assert len(entries()) == MOST


def test_a_history_that_is_no_history_loses_only_what_is_none():
    ChatHistory().store_string("one")
    with history_path().open("ab") as file:
        file.write(b'{"a": 1}\nnonsense\n\xff\n"two"\n"half')
    assert entries() == ["two", "one"]


def test_a_home_that_can_not_be_written_costs_the_history_alone(monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ASYNCLLM_HOME", str(tmp_path / "file" / "home"))
    history = ChatHistory()
    history.store_string("one")
    history.store_string("two")
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "this chat has no history" in err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# --- paths --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "path"),
    [
        ('/save "a b.md"', "a b.md"),
        ("/save -f 'a b.md'", "a b.md"),
        (r"/save a\ b.md", "a b.md"),
        ("/save -f", None),
    ],
)
def test_a_path_is_taken_as_a_shell_takes_it(typed, path):
    effect = chatted("answer").typed(typed)
    assert (effect.path if isinstance(effect, do.Save) else None) == path
    if path is not None:
        assert effect.may_replace == ("-f" in typed)


def test_an_attached_file_may_stand_in_quotes():
    assert Session().typed("/attach 'my file.png'") == do.Attach("my file.png")
