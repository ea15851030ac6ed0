"""Attempts: what the policies of a tool are wrapped around, and how a call of such a tool runs.

A tool that uses policies is two tools of the host. The one that models know by its name runs the
policies: it passes no gate but the engine's, holds no permit, and may wait between attempts. The
other is hidden: its calls are the attempts, each of which passes the tool's gates and limits, runs
where the tool runs, and is over when its code is.
"""

from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from penstock._native import Batch as NativeBatch
from penstock._native import Context, Cost, Host, Single, Ticket
from penstock.calls import Call
from penstock.engine.batch import finish
from penstock.engine.policies import CallInfo, Run, Services, compose
from penstock.engine.policies.timeout import timed
from penstock.engine.waiting import Waiting
from penstock.errors import ConfigError
from penstock.tools import Tool

AnyTool = Tool[..., Any]
Layers = Callable[[Context, Any], Coroutine[Any, Any, Any]]


leftover: ContextVar[list[NativeBatch] | None] = ContextVar("leftover", default=None)
"""Where calls that are made in this context note attempts that they left running; None where nobody asks."""


@dataclass(frozen=True, slots=True)
class HostedCall(CallInfo):
    """A call that the host runs: its attempts are made in its name."""

    context: Context | None = None


def layers(tool: AnyTool, attempt: Run, services: Services) -> Layers:
    """Return what the host runs for a call of a tool with policies."""
    run = compose(tool, attempt, services)
    name, service = tool.name, tool.service

    async def call(context: Context, arguments: Any) -> object:
        info = HostedCall(
            tool=name,
            service=service,
            tenant=context.tenant,
            deadline=context.deadline,
            idempotency_key=context.idempotency_key,
            context=context,
        )
        try:
            return await run(info, arguments)
        finally:
            context.mark(info.tally.started, info.tally.cached)
            if info.tally.left and (noted := leftover.get()) is not None:
                noted += info.tally.left

    return call


def attempts(host: Host, tool: AnyTool, number: int, mode: str, waiting: Waiting) -> Run:
    """Return what runs one attempt of a tool, whose hidden half has that number."""
    if mode == "call" and tool.context_parameter is None:
        return _in_place(host, tool, number, waiting)
    return _through_pump(host, tool, number, waiting)


def _in_place(host: Host, tool: AnyTool, number: int, waiting: Waiting) -> Run:
    """An attempt in the task of its call: if the gates are free it costs next to nothing."""
    single, name, price = Single(host, number), tool.name, price_of(tool)
    function = tool.function if tool.timeout is None else timed(tool.function, tool.timeout, name)
    run = _spelled(tool, function)

    async def attempt(info: CallInfo, arguments: Any) -> object:
        started = single.begin()
        if not started:
            return await queue(info, arguments)
        try:
            _start(info)
        except BaseException:
            single.refuse(started)
            raise
        try:
            value = await run(arguments)
        except BaseException as error:
            single.end_raised(started, error)
            raise
        single.end(started)
        return value

    async def queue(info: CallInfo, arguments: Any) -> object:
        with waiting.one(name) as place:
            ticket = await take_turn(info, arguments)
            place.start()
            token = ticket.enter()
            try:
                value = await run(arguments)
            except BaseException as error:
                ticket.leave(token)
                ticket.end(None, error)
                raise
            ticket.leave(token)
            ticket.end(value)
            return value

    async def take_turn(info: CallInfo, arguments: Any) -> Ticket:
        context = _context(info)
        request = Call(name, id=context.call_id)
        cost = price(arguments)
        ticket = host.ticket(
            number, request, of=context, number=info.attempt, hedge=info.hedge, cost=cost
        )
        try:
            await ticket.granted
        except BaseException as error:
            ticket.forgo(error)
            raise
        try:
            info.starting()
        except BaseException as error:
            ticket.refuse(error)
            raise
        return ticket

    return attempt


def _through_pump(host: Host, tool: AnyTool, number: int, waiting: Waiting) -> Run:
    """An attempt in a thread, a process, a task: a batch of one."""
    name, price = tool.name, price_of(tool)

    async def attempt(info: CallInfo, arguments: Any) -> object:
        context = _context(info)
        place = waiting.one(name)

        def starting() -> None:
            place.start()
            info.starting()

        with place:
            batch = host.attempt(
                number,
                Call(name, id=context.call_id),
                arguments,
                of=context,
                number=info.attempt,
                hedge=info.hedge,
                cost=price(arguments),
                starting=starting,
            )
            try:
                (outcome,) = await finish(batch)
            finally:
                if runs_on(batch):
                    info.tally.left.append(batch)
        return outcome.unwrap()

    return attempt


def runs_on(batch: NativeBatch) -> bool:
    """Return whether the code of a batch of one call, which was waited for, may still run."""
    (outcome,) = batch.outcomes
    return outcome is None or outcome.detached


def _start(info: CallInfo) -> None:
    info.starting()
    if info.attempt > 1:  # the first one starts with its call
        _context(info).note("call.started", attempt=info.attempt)


def _context(info: CallInfo) -> Context:
    if not isinstance(info, HostedCall) or info.context is None:
        reason = "a policy must pass on the info that it was given, or a copy of it"
        raise ConfigError("info", info, reason)
    return info.context


def price_of(tool: AnyTool) -> Callable[[Any], Cost | None]:
    """What one call costs by its arguments; None is what the tool declares for all."""
    cost = tool.cost
    if cost is None or isinstance(cost, Cost):
        return lambda _arguments: None
    price = _spelled(tool, cost)

    def priced(arguments: Any) -> Cost:
        found = price(arguments)
        if not isinstance(found, Cost):
            reason = f"the function `cost` of tool {tool.name!r} must return a Cost"
            raise ConfigError("cost", found, reason)
        return found

    return priced


def _spelled(tool: AnyTool, function: Callable[..., Any]) -> Callable[[Any], Any]:
    """Return `function` so that it takes the validated values as the host has them: one tuple."""
    named = tool.parameters[len(tool.parameters) - tool.keyword_only :]
    if not named and not tool.extras:
        return lambda values: function(*values)

    def spelled(arguments: Any) -> Any:
        values, extras = arguments if tool.extras else (arguments, {})
        first = len(values) - len(named)
        return function(*values[:first], **dict(zip(named, values[first:], strict=True)), **extras)

    return spelled
