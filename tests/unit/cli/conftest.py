"""A desk for the command line: a directory of its own, with a module of tools and a reply."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from penstock.cli import main

TOOLS = '''
import asyncio
from penstock import tool

@tool(effects="read", tags=["net"])
async def search(query: str, limit: int = 2) -> list[str]:
    """Search for something.

    Args:
        query: what to look for.
    """
    print("searching", query)
    return [f"{query} {number}" for number in range(limit)]

@tool
def boom(text: str = "it broke") -> None:
    raise ValueError(text)

@tool(effects="read")
async def odd() -> object:
    return object()

@tool
async def hang() -> None:
    await asyncio.Event().wait()

def plain(number: int) -> int:
    return number

both = [search, plain]
nothing = []
'''


@dataclass(frozen=True, slots=True)
class Printed:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.out.splitlines()]


Command = Callable[..., Printed]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the current directory; it has `desk_tools.py`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "desk_tools.py").write_text(TOOLS, encoding="utf-8")
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def penstock(desk: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs the command line in this process, at the desk."""

    def command(*arguments: str) -> Printed:
        code = main(arguments)
        return Printed(code, *capsys.readouterr())

    return command


@pytest.fixture
def reply(desk: Path) -> Callable[..., str]:
    """Return a function that writes a reply with calls `(tool, arguments)` and returns its path."""

    def write(*calls: tuple[str, str], said: str | None = None) -> str:
        asked = [
            {"id": f"c{at}", "type": "function", "function": {"name": name, "arguments": given}}
            for at, (name, given) in enumerate(calls)
        ]
        message: dict[str, object] = {"role": "assistant", "content": said}
        path = desk / "reply.json"
        path.write_text(json.dumps(message | ({"tool_calls": asked} if asked else {})))
        return str(path)

    return write
