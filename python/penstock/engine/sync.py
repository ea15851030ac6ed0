"""The one door for programs without an event loop."""

from collections.abc import Sequence
from typing import Unpack

from penstock.calls import Call, Outcome
from penstock.engine.engine import Engine, Tools
from penstock.engine.loop import run
from penstock.engine.options import BatchOptions


def run_sync(tools: Tools, calls: Sequence[Call], **options: Unpack[BatchOptions]) -> list[Outcome]:
    """Run calls from a program that has no event loop.

    Args:
        tools: what `Engine` takes.
        calls: what `Engine.run` takes.
        **options: those of `Engine.run`.

    Returns:
        One outcome a call, in the order of the calls.

    Raises:
        RuntimeError: an event loop runs in this thread; the caller awaits `Engine.run` there.
    """

    async def main() -> list[Outcome]:
        async with Engine(tools) as engine:
            return await engine.run(calls, **options)

    return run(main())
