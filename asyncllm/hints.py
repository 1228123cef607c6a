"""What is said to a call whose options are misspelled, or of another kind than they must be."""

from __future__ import annotations

import difflib
import inspect
import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

from asyncllm.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

NEAR, VERY_NEAR = 0.8, 0.9  # of difflib's ratio: "modle" is as near to "model" as 0.8
_SHORTEST = 4  # "top" is near to "stop", and may mean anything
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_OTHERS = inspect.Parameter.VAR_KEYWORD
_LOOKS_LIKE_MODEL = re.compile(
    r"(?:gpt|chatgpt|o\d|claude|gemini|gemma|grok|llama|mi[sx]tral|qwen|deepseek|falcon)\b.*|"
    r"(?:llama|qwen|gemma)\d.*",
    re.IGNORECASE,
)
_BY_PLACE = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)

_LIMITS, _ATTEMPTS = "timeouts=Timeouts(first_token=30)", "retry=Retry(attempts=3)"
_SESSIONS = "sessions=SessionManager(ssl=…)"
OTHER_NAMES: Mapping[str, str] = {
    "timeout": _LIMITS,
    "request_timeout": _LIMITS,
    "retries": _ATTEMPTS,
    "max_retries": _ATTEMPTS,
    "num_retries": _ATTEMPTS,
    "api_base": "base_url=…",
    "url": "base_url=…",
    "host": "base_url=…",
    "key": "api_key=…",
    "token": "api_key=…",
    "default_headers": "headers={…}",
    "extra_headers": "headers={…}",
    "organization": 'headers={"OpenAI-Organization": …}',
    "proxies": "proxy=…",
    "http_client": "sessions=SessionManager(…)",
    "verify": _SESSIONS,
    "ssl": _SESSIONS,
}
"""What other libraries call options, and how they are written here."""


def option_of(written: str) -> str:
    """Return the option's name of what is written as `option=…`."""
    return written.partition("=")[0]


def nearest_match(name: str, known: Iterable[str]) -> str:
    """Return a hint at the known name that is most like `name`, or ""."""
    found = difflib.get_close_matches(name.lower(), known, n=1)
    return f" (did you mean {found[0]!r}?)" if found else ""


def near_miss(name: str, known: Iterable[str], *, cutoff: float = NEAR) -> str:
    """Return the known name of which `name` is a misspelling, or ""."""
    written = name.lower().replace("-", "_")
    found = difflib.get_close_matches(written, known, n=1, cutoff=cutoff)
    return found[0] if found and len(written) >= _SHORTEST else ""


def check_kind(name: str, value: object, kind: type, wanted: str) -> None:
    """Refuse an option of another kind, without showing what may be a secret.

    Args:
        name: the option.
        value: what was given; None is for the default, and always good.
        kind: what it must be.
        wanted: how to say that.

    Raises:
        ConfigurationError: it is of another kind.

    """
    if value is not None and not isinstance(value, kind):
        raise ConfigurationError(f"{name} must be {wanted}, not {type(value).__name__}")


class OptionsByName:
    """A class that says which option was meant, where its constructor has none of that name.

    It holds for subclasses too, with constructors of their own.

    Attributes:
        elsewhere: what to say of a name that is no option of the constructor's, but of other calls.

    """

    elsewhere: ClassVar[Mapping[str, str]] = {}

    if not TYPE_CHECKING:  # type checkers and editors look at `__init__`, which knows the names

        def __new__(cls, *args: object, **options: object) -> Self:
            """Refuse what the constructor does not take."""
            _check_options(cls, args, options, cls.elsewhere)
            return super().__new__(cls)


class Options(NamedTuple):
    """What a constructor takes.

    Attributes:
        names: the names of its options, with those that it passes on, in its order.
        places: how many it takes by their place.
        is_open: whether it may take other names, and it alone knows which.

    """

    names: tuple[str, ...]
    places: float
    is_open: bool


@lru_cache(maxsize=128)  # providers are made for each call of the documented interface
def options_of(cls: type) -> Options:
    """Return what the constructor of a class takes."""
    passed = [each for init in _constructors(cls) for each in init]
    names = {each.name: None for each in passed if each.kind in _BY_NAME}
    is_open = any(each.kind is _OTHERS and "Unpack[" not in str(each.annotation) for each in passed)
    kinds = [each.kind for each in inspect.signature(cls).parameters.values()]
    is_endless = inspect.Parameter.VAR_POSITIONAL in kinds
    places = math.inf if is_endless else sum(kind in _BY_PLACE for kind in kinds)
    return Options(tuple(names), places, is_open)


def _constructors(cls: type) -> Iterator[list[inspect.Parameter]]:
    """Yield what each constructor takes, down to the one that passes no other options on."""
    for owner in cls.__mro__:
        if "__init__" in vars(owner):
            _, *taken = inspect.signature(vars(owner)["__init__"]).parameters.values()
            yield taken
            if all(each.kind is not _OTHERS for each in taken):
                return


def _check_options(
    cls: type, args: tuple[object, ...], options: Iterable[str], elsewhere: Mapping[str, str]
) -> None:
    """Refuse arguments that `cls` takes by name alone, and names that it does not know."""
    known = options_of(cls)
    if len(args) > known.places:
        first = _option_for(args[int(known.places)], known.names)
        example = f"write {cls.__name__}({first}=…); " if first else ""
        raise ConfigurationError(
            f"{cls.__name__} takes its options by name: {example}its options are "
            f"{', '.join(known.names)}"
        )
    if known.is_open:
        return  # it may take out of its options whatever it likes, and alone knows what
    for name in options:
        if name not in known.names:
            hint = elsewhere.get(name) or _instead(name, known.names)
            raise ConfigurationError(f"{cls.__name__} has no option {name}: {hint}")


def _option_for(value: object, names: tuple[str, ...]) -> str:
    """Return the option that was probably meant by a value without a name; "" where there are none.

    The value is not shown, as it may be a key: that is what most people give by its place.
    """
    text = value if isinstance(value, str) else ""
    meant = "api_key"
    if "://" in text:
        meant = "base_url"
    elif _LOOKS_LIKE_MODEL.fullmatch(text):
        meant = "model"
    return meant if meant in names else next(iter(names), "")


def _instead(name: str, names: tuple[str, ...]) -> str:
    """Return what to write in the place of an option that there is not."""
    written = OTHER_NAMES.get(name, "")
    meant = option_of(written)
    if meant not in names:
        written, meant = "", near_miss(name, names)
    if not meant:
        return f"there are {', '.join(names)}"
    example = f" write {written}" if written not in ("", f"{meant}=…") else ""
    return f"did you mean {meant}=…?{example}"
