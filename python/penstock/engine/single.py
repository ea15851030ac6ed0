"""One call in its caller's own task: a wrapper generated around the tool, with its signature.

Such a call costs no task, no slot and no turn: it takes the tool's gates if they are free, runs, and
gives them back. If a gate is full it waits in the lanes like every other call (`_wait_for_turn`).
Tools that do not run in a coroutine on the loop, or that want a `Context`, go through the pump.
"""

import inspect
import keyword
from collections.abc import Callable, Coroutine
from typing import Any

from penstock._native import Host, Single
from penstock.calls import Call
from penstock.engine.batch import finish
from penstock.engine.policies.timeout import timed
from penstock.tools import Tool

AnyTool = Tool[..., Any]
Bound = Callable[..., Coroutine[Any, Any, Any]]

# Dunder-like names: a parameter of the tool may be called `end`, `value` or `function`.
_POSITIONAL_ONLY = inspect.Parameter.POSITIONAL_ONLY

_TEMPLATE = """
async def {name}({parameters}):
    __started = __begin()
    if not __started:
        return await __wait_for_turn({passed})
    try:
        __value = await __function({passed})
    except BaseException as __error:
        __end_raised(__started, __error)
        raise
    __end(__started)
    return __value
"""


def bind(host: Host, tool: AnyTool, number: int, mode: str) -> Bound:
    """Return a coroutine function with the tool's own signature, which runs one call a time.

    Arguments are passed as they are: they come from code, not from a model, so that a wrong one is
    Python's own `TypeError`.
    """
    if mode != "call" or tool.context_parameter is not None:
        return _through_pump(host, tool)
    return _in_place(host, tool, number)


def by_name(tool: AnyTool, bound: Bound) -> Bound:
    """Return `bound` so that every argument can be given by its name, as `engine.call` does."""
    parameters = inspect.signature(bound).parameters.values()
    first = [parameter.name for parameter in parameters if parameter.kind is _POSITIONAL_ONLY]
    if not first:
        return bound

    def call(**named: Any) -> Coroutine[Any, Any, Any]:
        values = [named.pop(name) for name in first if name in named]
        return bound(*values, **named)

    return call


def _in_place(host: Host, tool: AnyTool, number: int) -> Bound:
    single = Single(host, number, shown=True)
    function = tool.function
    if tool.timeout is not None:
        function = timed(function, tool.timeout, tool.name)
    signature = inspect.signature(tool.function)
    names: dict[str, Any] = {
        "__begin": single.begin,
        "__end": single.end,
        "__end_raised": single.end_raised,
        "__function": function,
        "__wait_for_turn": _wait_for_turn(host, tool, number, function),
    }
    parameters, passed = _spell(signature, names)
    name = tool.function.__name__ if _is_plain_name(tool.function) else "call"
    # The text is made of parameter names that Python itself has parsed; values never are in it.
    exec(_TEMPLATE.format(name=name, parameters=parameters, passed=passed), names)  # noqa: S102 - see above
    wrapper: Bound = names[name]
    wrapper.__doc__ = tool.function.__doc__
    wrapper.__module__ = tool.function.__module__
    return wrapper


def _is_plain_name(function: Callable[..., Any]) -> bool:
    name = getattr(function, "__name__", "")
    return name.isidentifier() and not keyword.iskeyword(name)


def _spell(signature: inspect.Signature, names: dict[str, Any]) -> tuple[str, str]:
    """Return a signature as text, its defaults put into `names`, and how its values are passed on."""
    parts: list[str] = []
    passed: list[str] = []
    kinds = [parameter.kind for parameter in signature.parameters.values()]
    for position, parameter in enumerate(signature.parameters.values()):
        name, kind = parameter.name, parameter.kind
        if kind is kind.KEYWORD_ONLY and kind not in kinds[:position]:
            parts.append("*")
        if kind is kind.VAR_KEYWORD:
            parts.append(f"**{name}")
            passed.append(f"**{name}")
            continue
        if parameter.default is parameter.empty:
            parts.append(name)
        else:
            names[f"__default_{position}"] = parameter.default
            parts.append(f"{name}=__default_{position}")
        passed.append(f"{name}={name}" if kind is kind.KEYWORD_ONLY else name)
        if kind is kind.POSITIONAL_ONLY and kinds.count(kind) == position + 1:
            parts.append("/")
    return ", ".join(parts), ", ".join(passed)


def _wait_for_turn(host: Host, tool: AnyTool, number: int, function: Callable[..., Any]) -> Bound:
    """The slow way of a call whose gate is full: a place in the lanes, then the same code."""
    call = Call(tool.name)

    async def wait_for_turn(*args: Any, **kwargs: Any) -> Any:
        ticket = host.ticket(number, call)
        try:
            await ticket.granted
        except BaseException as error:
            ticket.forgo(error)
            raise
        try:
            token = ticket.enter()
            try:
                value = await function(*args, **kwargs)
            finally:
                ticket.leave(token)
        except BaseException as error:
            ticket.end(None, error)
            raise
        ticket.end(value)
        return value

    return wait_for_turn


def _through_pump(host: Host, tool: AnyTool) -> Bound:
    """A batch of one: the tool's thread, task or context is the pump's business."""
    signature = inspect.signature(tool.function)
    hidden = tool.context_parameter
    if hidden is not None:
        kept = [p for name, p in signature.parameters.items() if name != hidden]
        signature = signature.replace(parameters=kept)

    kinds = {parameter.kind: name for name, parameter in signature.parameters.items()}
    extras = kinds.get(inspect.Parameter.VAR_KEYWORD, "")

    async def call(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments
        others = given.pop(extras, {})
        named = {**given, **others}
        (outcome,) = await finish(host.submit([Call(tool.name, named)], watched=False))
        return outcome.unwrap()

    return call
