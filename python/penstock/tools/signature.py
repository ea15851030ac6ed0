"""What a function's signature says about the tool: parameters in order, Context, extras.

A tool's arguments always arrive by name, whatever the kind of its parameters: `fields` is the
signature that pydantic sees, where every parameter is keyword-only, the Context and what a
`functools.partial` has already bound are gone, and annotations are resolved.
"""

import functools
import inspect
import itertools
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from inspect import Parameter
from types import FrameType

from penstock.errors import ConfigError
from penstock.tools.context import is_context

_WORD = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a tool, read once.

    Attributes:
        parameters: names in the order of the signature, without Context and `**extras`.
        positional_only: how many of the first of them cannot be passed by name.
        keyword_only: how many of the last of them must be passed by name: those declared so, and
            those behind the Context, whose place a value passed by position would take.
        extras: whether names beyond them are accepted (`**extras`).
        context: the name of the parameter that receives the Context.
        hidden: names that no caller may pass: the Context and what a partial has bound.
        fields: the signature for pydantic.
    """

    parameters: tuple[str, ...]
    positional_only: int
    keyword_only: int
    extras: bool
    context: str | None
    hidden: frozenset[str]
    fields: inspect.Signature


def read(function: Callable[..., object], tool: str, names: Mapping[str, object]) -> Signature:
    """Read the signature of `function`.

    Args:
        function: anything callable.
        tool: the name of the tool, for errors.
        names: what the code around the function can see beside its module, for annotations that
            are strings.

    Raises:
        ConfigError: a parameter that no JSON object can fill; the author of the tool acts.
        NameError: an annotation names something that does not exist, or not yet.
    """
    found = resolved(function, names)
    context = _context(found, tool)
    bound = frozenset(function.keywords) if isinstance(function, functools.partial) else frozenset()
    hidden = bound | {context} if context else bound
    kept = [parameter for parameter in found if parameter.name not in hidden]
    named = [parameter for parameter in kept if parameter.kind is not Parameter.VAR_KEYWORD]
    for parameter in kept:
        _check(parameter, tool)
    return Signature(
        parameters=tuple(parameter.name for parameter in named),
        positional_only=sum(parameter.kind is Parameter.POSITIONAL_ONLY for parameter in named),
        keyword_only=len(named) - _positional(found, context),
        extras=len(kept) > len(named),
        context=context,
        hidden=hidden,
        fields=inspect.Signature([_by_name(parameter) for parameter in kept]),
    )


def resolved(function: Callable[..., object], names: Mapping[str, object]) -> list[Parameter]:
    """Return the parameters of `function` with annotations that are no strings any more."""
    parameters = list(inspect.signature(function).parameters.values())
    annotations = {
        parameter.name: parameter.annotation
        for parameter in parameters
        if parameter.annotation is not Parameter.empty
    }
    module = getattr(innermost(function), "__globals__", {})
    hints = typing.get_type_hints(
        _holder(annotations), globalns=module, localns={**module, **names}, include_extras=True
    )
    return [
        parameter.replace(annotation=hints.get(parameter.name, typing.Any))
        for parameter in parameters
    ]


def visible_names(function: Callable[..., object], frame: FrameType) -> dict[str, object]:
    """Return the local names of `frame` that the annotations of `function` mention.

    Needed for string annotations of a function made inside another; nothing else is kept alive.
    """
    inner = innermost(function)
    if frame.f_locals is frame.f_globals or frame.f_globals is not getattr(
        inner, "__globals__", None
    ):
        return {}
    local = frame.f_locals
    words = {
        word
        for hint in getattr(inner, "__annotations__", {}).values()
        for word in _WORD.findall(str(hint))
    }
    return {word: local[word] for word in words if word in local}


def innermost(function: Callable[..., object]) -> Callable[..., object]:
    """Return the plain function inside partials, bound methods, wrappers and callable objects."""
    return list(layers(function))[-1]


def layers(function: Callable[..., object]) -> Iterator[Callable[..., object]]:
    """Yield `function`, then what each partial, bound method, wrapper or object in it calls."""
    while True:
        yield function
        if isinstance(function, functools.partial):
            function = function.func
        elif inspect.ismethod(function):
            function = function.__func__
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        elif not inspect.isroutine(function) and not isinstance(function, type):
            function = type(function).__call__  # a callable object
        else:
            return


def unbound(function: Callable[..., object]) -> str | None:
    """Return the first parameter of a method that nobody has bound: `self` or `cls`."""
    qualified = getattr(function, "__qualname__", "").rpartition("<locals>.")[2]
    if "." not in qualified or inspect.ismethod(function):
        return None
    first = next(iter(inspect.signature(function).parameters), "")
    return first if first in ("self", "cls") else None


def _holder(annotations: dict[str, object]) -> Callable[..., object]:
    def holder() -> None: ...

    holder.__annotations__ = annotations
    return holder


def _context(parameters: list[Parameter], tool: str) -> str | None:
    found = [parameter for parameter in parameters if is_context(parameter.annotation)]
    if not found:
        return None
    if len(found) > 1:
        raise ConfigError(found[1].name, "Context", f"tool {tool!r} has two Context parameters")
    if found[0].kind not in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY):
        reason = f"the Context of tool {tool!r} is passed by name; it cannot be {found[0].kind.description}"
        raise ConfigError(found[0].name, "Context", reason)
    return found[0].name


def _positional(parameters: list[Parameter], context: str | None) -> int:
    """Return how many parameters can be passed by position."""
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    first = itertools.takewhile(
        lambda parameter: parameter.kind in kinds and parameter.name != context, parameters
    )
    return sum(1 for _ in first)


def _check(parameter: Parameter, tool: str) -> None:
    if parameter.kind is Parameter.VAR_POSITIONAL:
        reason = f"tool {tool!r}: arguments come by name, so declare a list instead"
        raise ConfigError(f"*{parameter.name}", parameter.annotation, reason)


def _by_name(parameter: Parameter) -> Parameter:
    if parameter.kind is Parameter.VAR_KEYWORD:
        return parameter
    return parameter.replace(kind=Parameter.KEYWORD_ONLY)
