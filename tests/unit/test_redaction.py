"""A secret is found in whatever form a text quotes it, in bounded time, and nothing else is."""

from __future__ import annotations

import html
import json
import re
import time
from functools import reduce
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from asyncllm.http.proxies import parse_proxy
from asyncllm.redaction import MASK, NOT_SHOWN, Mask, excerpt, secrets_in

KEY = "sk-proj-canary+0/1=2=="
ENCODERS = {
    "quote": lambda text: quote(text, safe=""),
    "quote a path": quote,
    "quote twice": lambda text: quote(quote(text, safe=""), safe=""),
    "quote_plus": quote_plus,
    "json": lambda text: json.dumps(text)[1:-1],
    "json as it is": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "json for html": lambda text: json.dumps(text)[1:-1].replace("&", "\\u0026"),
    "html": html.escape,
    "repr": lambda text: repr(text)[1:-1],
    "ascii": lambda text: ascii(text)[1:-1],
}


def encoded(text, encoders):
    return reduce(lambda said, name: ENCODERS[name](said), encoders, text)


# What stands around a secret has no letter of one, and is no half of an escape, which would take
# more of the secret than its first character (`%2` before `b…`) or its name (`&` before `amp;`).
# Nor does it make another escape of a secret's own end (`…%0`, as `…%250`, before `6`).
AROUND = st.text("uvwxyzUVWXYZ6789 %\\&;#\"'<>{}:=+.,é€\U0001f600\n\t\x1b\0")
HALF = re.compile(r"(?:%\w|&[^;]{0,9}|\\[\w\\]*\w)$")
LETTERS = st.text("abcdefABCDEFghijkGHIJK01234", min_size=1, max_size=12)
SIGNS = st.text("-_.~+/= %\\&;:\"'<>{}$#@!ß€\U0001f600", max_size=4)
SECRETS = st.builds(lambda *parts: "".join(parts), LETTERS, SIGNS, LETTERS, SIGNS, LETTERS)
LAYERS = st.lists(st.sampled_from(list(ENCODERS)), max_size=4)


def shown(secret, text):
    """Return the runs of a secret's letters that a text shows; none is in what stands around."""
    return [run for run in re.findall(r"[a-kA-K0-4]{3,}", secret) if run in text]


@given(secret=SECRETS, layers=LAYERS, before=AROUND, behind=AROUND)
def test_no_encoding_of_a_secret_hides_it(secret, layers, before, behind):
    assume(len(secret.replace("\\", "")) >= 8)
    assume(not HALF.search(before))
    assume(not (re.search(r"%\w?$", secret) and re.match(r"\w", behind)))
    assume(not re.search(r"&\w*;|%\w\w|\\[uUx]", secret))  # it seems to be encoded, see below
    said = Mask([secret])(f"{before}{encoded(secret, layers)}{behind}")
    assert shown(secret, said) == []
    assert MASK in said


PRINTABLE = st.characters(categories=["L", "M", "N", "P", "S"], include_characters=" ")


@given(secret=st.text(PRINTABLE, min_size=16, max_size=40), layers=LAYERS)
def test_any_secret_is_found_in_any_encoding(secret, layers):
    assume(not re.search(r"&#?\w+;|%\w\w|\\\\", secret))
    secret += "7Z"  # which makes it no word that this module knows
    assert Mask([secret])(f"<{encoded(secret, layers)}>") == f"<{MASK}>"


@pytest.mark.parametrize(
    "secret",
    [
        "canary%41%2Bcanary",
        "canary&amp;&#x27;canary",
        "canary\\u0041\\ncanary",
        "41canary%2541",
        "n;&lt",
    ],
)
@given(layers=LAYERS)
def test_a_secret_that_looks_encoded_is_found_as_well(secret, layers):
    secret = f"{secret}/canary/"
    assert "canary" not in Mask([secret])(f"<{encoded(secret, layers)}>")


@pytest.mark.parametrize("encoder", ENCODERS)
def test_one_encoding_over_and_over_hides_no_secret(encoder):
    secret = "canary'\"<&>é\U0010ffff/canary"
    assert Mask([secret])(f"<{encoded(secret, [encoder] * 9)}>") == f"<{MASK}>"


@pytest.mark.parametrize(
    ("name", "sign"), [("&apos;", "'"), ("\\a", "\a"), ("\\v", "\v"), ("\\n", "\n")]
)
def test_a_secret_is_found_where_a_sign_of_it_is_written_by_a_name(name, sign):
    assert Mask([f"canary{sign}canary"])(f"<canary{name}canary>") == f"<{MASK}>"


def test_six_encodings_within_each_other_hide_no_secret():
    said = KEY
    for number in range(6):
        form = "%{:02X}" if number % 2 else "&#{};"
        said = re.sub(r"\W", lambda sign, form=form: form.format(ord(sign[0])), said)
        assert Mask([KEY])(f"<{said}>") == f"<{MASK}>"


@pytest.mark.parametrize(
    "number",
    [
        *("&#{};", "&#{:07};", "&#x{:x};", "&#X{:06X};"),
        *("%{:02x}", "\\x{:02x}", "\\u{:04x}", "\\U{:08X}"),
    ],
)
def test_a_secret_is_found_where_each_character_is_written_as_a_number(number):
    text = "".join(number.format(ord(character)) for character in KEY)
    assert Mask([KEY])(f"<{text}>") == f"<{MASK}>"


@pytest.mark.parametrize("before", ["%", "100%", "%25", "\\", "C:\\", "&", "x&"])
@pytest.mark.parametrize(
    "secret",
    [
        *("2b-canary-canary", "nb-canary-canary", "lt;canary-canary", "#39;canary-canary"),
        *("2b/canary&canary", "nb/canary&canary", "lt;/canary&canary"),
    ],
)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_what_stands_before_a_secret_does_not_make_an_escape_of_its_beginning(
    before, secret, encoder
):
    text = f"{before}{encoded(secret, [encoder])} is wrong"
    assert "canary" not in Mask([secret])(text)


@pytest.mark.parametrize(
    "secret", ["canary-canary%", "canary-canary%2", "canary-canary\\", "canary-canary&#3"]
)
@pytest.mark.parametrize("behind", ["5", "9;", "u0041", "n", '"', "%41", "amp;"])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_what_stands_behind_a_secret_does_not_make_an_escape_of_its_end(secret, behind, encoder):
    assert "canary" not in Mask([secret])(f"wrong: {encoded(secret, [encoder])}{behind}")


@given(text=st.text() | AROUND)
def test_a_text_without_a_secret_is_the_same_text(text):
    assert Mask([KEY, "x" * 9])(text) is text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'{{"message":"bad \\"{KEY}\\""}}', '{"message":"bad \\"***\\""}'),
        (f"a\\nb %20{KEY}%20&lt;{KEY}&gt;é", "a\\nb %20***%20&lt;***&gt;é"),
        (f"{KEY}{KEY}", "******"),
        (f"\ud83d{KEY}", "\ud83d***"),
        (f"\\ud83d{KEY}\\udca9", "\\ud83d***\\udca9"),
        *(
            (f"{beyond}{KEY}{beyond}", f"{beyond}***{beyond}")
            for beyond in ("&#1114112;", "&#x110000;", "\\U00110000", "\\UFFFFFFFF")
        ),
        (f"x{quote(KEY)}y", "x***y"),
    ],
)
def test_what_stands_around_a_secret_stays_as_it_is(text, said):
    assert Mask([KEY])(text) == said


# --- what is cut ------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["", "'", '"', "…", "…'", "'…", '"}]', "')\r\n"])
@pytest.mark.parametrize("encoder", [*ENCODERS, "not at all"])
def test_eight_characters_of_a_secret_are_a_secret_where_a_text_ends(encoder, end):
    secret = "canary01-ß😀+&\\canary/canary"
    said = encoded(secret, [encoder] if encoder in ENCODERS else [])
    for size in range(8, len(said)):
        shown = Mask([secret])(f"the key is {said[:size]}{end}")
        assert re.fullmatch(rf"the key is \*\*\*(?:\\|%(?:25)?5C){{0,2}}{re.escape(end)}", shown), (
            said[:size]
        )


@pytest.mark.parametrize(
    "escape",
    ["&quot;", "&#0000034;", "&#x00022;", "\\U00000022", "\\u0022", "\\x22", "%22", "\ufffd-"],
)
def test_a_part_of_an_escape_where_a_text_ends_does_not_hide_what_is_before_it(escape):
    for size in range(1, len(escape)):
        said = Mask(['canary01"canary'])(f"the key is canary01{escape[:size]}")
        assert said == f"the key is {MASK}", size


def test_the_beginning_of_a_secret_is_none_amid_a_text():
    text = "keys begin with sk-proj-, and this one does not"
    assert Mask([KEY])(text) is text


def test_what_is_just_as_long_as_may_be_is_shown_whole():
    assert [excerpt("x" * size, 5) for size in (5, 6)] == ["xxxxx", "xxxxx…"]


# --- what is no secret ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "word", ["x", "8080", "ollama", "lm-studio", "not-needed", "sk-no-key-required", "EMPTY", ""]
)
def test_a_word_that_stands_for_a_key_is_not_masked(word):
    text = f"http://localhost:8080/{word}: x ollama lm-studio 'EMPTY' {word}"
    assert Mask([word])(text) is text


@pytest.mark.parametrize(
    ("proxy", "text", "said"),
    [
        ("http://ann:secret-word@h", "secret-word ann:secret-word@h", "*** ***h"),
        ("http://annabel:pw@h", "pw: http://annabel:pw@h/", "pw: http://***h/"),
        ("http://ann:a%2Fb%40c@h", "http://ann:a%2Fb%40c@h/", "http://***h/"),
        ("http://ann:pass@h", "Basic YW5uOnBhc3M=, pass", "Basic ***, pass"),
    ],
)
def test_a_short_password_of_a_proxy_is_masked_where_it_can_be_told_from_a_word(proxy, text, said):
    assert Mask(parse_proxy(proxy).secrets)(text) == said


@pytest.mark.parametrize(
    ("fields", "secrets"),
    [
        ({"Authorization": "Bearer abc"}, {"Bearer abc", "abc"}),
        ({"Cookie": "theme=dark; sid=a=b"}, {"dark", "a=b"}),
        ({"Cookie": 'sid="abc"; nameless'}, {'"abc"', "abc", "nameless"}),
        ({"X-Request": "abc", "auth": "abc"}, {"abc"}),
    ],
)
def test_the_secrets_of_headers_are_what_they_are_made_of(fields, secrets):
    assert set(secrets_in(fields)) == secrets


@pytest.mark.parametrize(
    "name",
    [
        *("Authorization", "Set-Cookie", "X-Credential", "x-api-key", "PASSWORD", "client_secret"),
        *("X-Session-Id", "X-Signature", "access_token"),
    ],
)
def test_a_field_of_such_a_name_holds_a_secret(name):
    assert set(secrets_in({name: "abc"})) == {"abc"}


# --- bounds -----------------------------------------------------------------------------------

KIB = 1024
COOKIES = [quote(f'{{"id":"{number}","at":"https://a.b/?c=ü d"}}' * 20) for number in range(300)]
HOSTILE = {
    "a cookie of signs, and backslashes": ("!!!!!!!!", "\\"),
    "escaped quotes": (KEY, '\\"'),
    "backslashes before letters": (KEY, "\\" * 90 + "z"),
    "backslashes before an escape": (KEY, "\\" * 30_000 + "%41"),
    "encoded over and over": (KEY, "%25"),
    "more and more": ("%" * 20, "25"),
    "signs in a URL": (KEY, "%2B%C3%A9"),
    "signs in HTML": (KEY, "&amp;&lt;"),
    "halves of characters": (KEY, "\\ud83d"),
    "nearly the secret": ("ab" * 1000 + "c", "ab"),
    "the secret": (KEY, f"{KEY} "),
    "a long cookie": (COOKIES[0][: 4 * KIB], COOKIES[1]),
}


def cpu_seconds(work):
    """Return the least time of this process that `work` takes; others do not count."""
    took = []
    for _ in range(5):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return min(took)


def yardstick():
    """Do a little of what masking does, for a time beside it that knows the machine's speed."""
    re.sub(r"\\(.)", lambda found: found[1], '\\"' * 32 * KIB)


@pytest.mark.parametrize(("secret", "unit"), HOSTILE.values(), ids=list(HOSTILE))
def test_masking_all_that_an_error_may_show_takes_a_moment(secret, unit):
    text = (unit * (64 * KIB // len(unit) + 1))[: 64 * KIB]
    assert cpu_seconds(lambda: Mask([secret])(text)) < 8 * cpu_seconds(yardstick)


def test_the_number_and_the_length_of_secrets_cost_no_more_than_a_moment():
    for cookies in (
        COOKIES[:1],
        COOKIES[:30],
        COOKIES,
        ["!" * 64 * KIB],
        [f"{n:08}" for n in range(9_999)],
    ):
        assert cpu_seconds(lambda cookies=cookies: Mask(cookies)("x" * KIB)) < 8 * cpu_seconds(
            yardstick
        )


@pytest.mark.parametrize(
    ("secrets", "text"),
    [
        (COOKIES, f"bad {COOKIES[7]}"),
        (["!" * 64 * KIB], "!" * 9),
        ([KEY], f"{KEY} " * 2000),
        ([KEY], "x" * 200 * KIB + KEY),
    ],
    ids=["many secrets", "a long one", "many times", "a long text"],
)
def test_what_is_too_much_to_look_through_is_not_shown(secrets, text):
    assert Mask(secrets)(text) == NOT_SHOWN


def test_the_most_that_is_looked_through_is_just_that():
    many, long = [f"{number:08}" for number in range(256)], "canary" + "!" * (32 * KIB - 6)
    for secrets, one_more in ((many, [*many, KEY]), ([long], [f"{long}!"])):
        assert Mask(secrets)(secrets[-1]) == MASK
        assert Mask(one_more)(secrets[-1]) == NOT_SHOWN
    for text, said in (
        (KEY.rjust(128 * KIB, "."), MASK.rjust(128 * KIB - len(KEY) + len(MASK), ".")),
        (f"{KEY} " * 1024, f"{MASK} " * 1024),
    ):
        assert Mask([KEY])(text) == said
        assert Mask([KEY])(f"{text}{KEY}") == NOT_SHOWN
        assert Mask([])(f"{text}{KEY}") == f"{text}{KEY}"


def test_all_texts_of_one_error_are_bounded_together():
    mask = Mask([KEY])
    said = [mask("x" * 30 * KIB) for _ in range(6)]
    assert said == ["x" * 30 * KIB] * 4 + [NOT_SHOWN] * 2


def test_a_secret_whose_first_letter_ends_an_escape_is_masked():
    assert Mask(["1abcdefghijkl"])("x%41abcdefghijkl tail") == f"x%4{MASK} tail"


def test_a_secret_with_half_a_character_in_it_is_masked():
    assert Mask(["key\ud800abcdefghij"])("is key\ud800abcdefghij.") == f"is {MASK}."


def test_a_cookie_in_quotes_is_a_secret_without_them_too():
    assert "Xabcdefgh12345X" in secrets_in({"Cookie": 'a="Xabcdefgh12345X"'})
