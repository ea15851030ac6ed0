"""Shed: refuse a call while too many of its tool wait. Pure; runs before any permit is taken.

Ground rules: no state of its own, nothing is held, nothing is awaited. What was let in is never
refused here later: its limits and its deadline are then the scheduler's.
"""

from penstock.engine.policies._protocol import (
    Arguments,
    CallInfo,
    Load,
    Policy,
    Run,
    Services,
    Slot,
    ToolView,
)
from penstock.errors import Overloaded
from penstock.tools import settings


def admit(load: Load, shed: settings.Shed, seconds_left: float | None = None) -> Overloaded | None:
    """Return None to let the call in, else the error that its outcome will carry.

    Args:
        load: the calls of this tool that wait, and the seconds until they drain at today's rate.
        shed: the settings.
        seconds_left: until the deadline of the call; None if it has none.
    """
    in_vain = shed.deadline and seconds_left is not None and load.drain_time >= seconds_left
    if load.waiting < shed.max_waiting and not (load.waiting and in_vain):
        return None
    return Overloaded(load.tool, waiting=load.waiting, retry_after=load.drain_time)


def build(tool: ToolView, inner: Run, services: Services) -> Run:
    """Return the layer for one tool."""
    shed = tool.shed or settings.Shed()

    async def run(info: CallInfo, arguments: Arguments) -> object:
        seconds_left = None if info.deadline is None else info.deadline - services.clock()
        error = admit(services.load(tool.name), shed, seconds_left)
        if error is not None:
            services.notify(info, "shed", waiting=error.waiting)
            raise error
        return await inner(info, arguments)

    return run


POLICY = Policy(name="shed", slot=Slot.SHED, build=build, option="shed")
