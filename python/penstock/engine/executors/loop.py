"""The event loop itself: modes `call`, `task` and `inline`, which the host runs without an executor."""

from penstock.engine.executors._protocol import AnyTool, Factory


def check(tool: AnyTool) -> None:
    """Accept every tool: its options were checked when it was made."""


EXECUTOR = Factory(name="loop", modes=("call", "task", "inline"), check=check, make=None)
