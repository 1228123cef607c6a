"""Values of arguments and options, without the library that typer has for checking them.

typer hands every value to pydantic, also where there is none to be checked, and importing pydantic
takes longer than all that most commands do. Here a value that is already what it must be is taken
as it is, and typer sees those that are to be converted, or refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class _LightValue:
    """Stands where typer keeps what checks the values of a parameter.

    Args:
        wanted: the type of a value that is taken as it is, or of each of several.
        build: returns what typer would have here.

    """

    def __init__(self, wanted: type, build: Callable[[], Any]) -> None:
        self._wanted = wanted
        self._build = build

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value of a parameter.

        Args:
            value: what was typed, or the default.
            param: the parameter.
            ctx: where typer is.

        """
        has_several = param.multiple or param.nargs == -1
        if value is None:
            return () if has_several else None
        values = value if has_several and isinstance(value, list | tuple) else (value,)
        if all(type(each) is self._wanted for each in values):
            return value
        return self._build().coerce(value, param=param, ctx=ctx)


def lighten(command: Any, above: Any = None) -> None:
    """Have a command and those below it take values as they are, where they are what they must be.

    A typer that works in another way is left alone: commands then start more slowly.

    Args:
        command: what `typer.main.get_command` returns.
        above: the context of the command that it is one of, if there is one.

    """
    context = command.context_class(command, parent=above, **command.context_settings)
    for param in command.get_params(context):  # with the option --help
        told = getattr(param, "type_descriptor", None)
        if told is None or getattr(told.parameter_info, "parser", None) is not None:
            continue
        wanted = str if told.annotation == list[str] else told.annotation
        param._runtime_param = _LightValue(wanted, _builder(told))  # noqa: SLF001 - see above
    for each in getattr(command, "commands", {}).values():
        lighten(each, context)


def _builder(descriptor: Any) -> Callable[[], Any]:
    def build() -> Any:
        from typer._coercion import build_runtime_param  # noqa: PLC0415 - as above

        return build_runtime_param(descriptor)

    return build
