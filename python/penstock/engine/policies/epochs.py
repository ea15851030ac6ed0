"""Epochs: a write that says what it changes ends what sessions know of that, wherever it is called.

Ground rules: a session hears of its own writes by itself. This layer is for all other calls of tools that
declare `mutates`: outside of sessions, nested, or of another session. Without sessions it does nothing.
It tells when the call starts and when it ends. Where an attempt was left running, such as a thread that did not
stop, the end is that one's.
"""

from penstock.engine.policies._protocol import (
    Arguments,
    CallInfo,
    Policy,
    Run,
    Services,
    Slot,
    ToolView,
)


def build(tool: ToolView, inner: Run, services: Services) -> Run:
    """Return the layer for one tool."""
    names = tool.resources_changed

    async def run(info: CallInfo, arguments: Arguments) -> object:
        changed = None if names is None else names(arguments)
        services.wrote(info, changed)
        try:
            return await inner(info, arguments)
        finally:
            services.wrote(info, changed)

    return run


POLICY = Policy(name="epochs", slot=Slot.OUTER, build=build, option="mutates")
