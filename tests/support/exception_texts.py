"""All that an exception could ever show: where tests look for secrets."""

import traceback


def texts_of(error):
    """Return everything that an exception, and each one that it drags along, could ever show."""
    texts, left, seen = [], [error], set()
    while left:
        error = left.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        texts += [str(error), repr(error), repr(error.args), repr(vars(error))]
        texts += [str(value) for value in vars(error).values()]
        texts += traceback.format_exception(error)
        texts += getattr(error, "__notes__", [])
        left += [error.__cause__, error.__context__, *getattr(error, "exceptions", ())]
        left += [each for each in (*error.args, *vars(error).values()) if is_exception(each)]
    return texts


def is_exception(value):
    return isinstance(value, BaseException)
