"""The same few tools for every executor, so that one suite runs over all of them.

Each executor has a `Kind`: how its tools do what the suite asks for. Files tell what happened, for
code that runs elsewhere shares nothing else with a test.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock import Engine
from penstock.engine.executors.command import Command, Completed
from penstock.tools import tool

LONGEST = 20.0


def double(number: int) -> int:
    """Compute."""
    return 2 * number


def refuse(text: str) -> None:
    """Raise."""
    raise LookupError(text)


def hold(folder: str, name: str) -> str:
    """Say that it runs; go on when it may, or when somebody has no more patience."""
    with (Path(folder) / "begun").open("a") as log:
        log.write(f"{name}\n")
    until = time.monotonic() + LONGEST
    while not (Path(folder) / "open").exists() and time.monotonic() < until:
        time.sleep(0.002)
    return name


def double_by_command(number: int) -> Command:
    """Compute in a program."""
    return Command(["expr", "2", "*", str(number)])


def refuse_by_command(text: str) -> Command:
    """Fail in a program."""
    return Command(["ls", f"/{text}"])


def hold_by_command(folder: str, name: str) -> Command:
    """Hold in a program."""
    script = 'echo "$2" >>"$1/begun"; until [ -e "$1/open" ]; do sleep 0.01; done; printf %s "$2"'
    return Command(["sh", "-c", script, "sh", folder, name])


def _as_it_is(value: object) -> str:
    return str(value)


def _as_text(value: object) -> str:
    assert isinstance(value, Completed)
    return value.text.strip()


@dataclass(frozen=True)
class Kind:
    """How one executor does it.

    Attributes:
        name: of the executor, and of the host mode.
        double, refuse, hold: the functions of the tools.
        read: a value as text.
        fault: a part of the error's text when `refuse` was asked to refuse "this".
        can_stop: whether code that runs can be ended.
        option: the option of `Engine` that says how many run at once.
    """

    name: str
    double: Callable[..., object]
    refuse: Callable[..., object]
    hold: Callable[..., object]
    read: Callable[[object], str]
    fault: str
    can_stop: bool
    option: str

    def engine(self, workers: int = 2, **options: Any) -> Engine:
        """Make an engine with the three tools."""
        tools = [
            tool(self.double, name="double", host=self.name, effects="read"),  # type: ignore[call-overload]
            tool(self.refuse, name="refuse", host=self.name, effects="read"),  # type: ignore[call-overload]
            tool(self.hold, name="hold", host=self.name, **options),  # type: ignore[call-overload]
        ]
        return Engine(tools, **{self.option: workers})  # type: ignore[arg-type]


KINDS = {
    kind.name: kind
    for kind in (
        Kind("thread", double, refuse, hold, _as_it_is, "this", False, "threads"),
        Kind("process", double, refuse, hold, _as_it_is, "this", True, "processes"),
        Kind(
            "command",
            double_by_command,
            refuse_by_command,
            hold_by_command,
            _as_text,
            "/this",
            True,
            "commands",
        ),
    )
}
