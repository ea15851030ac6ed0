"""What `penstock doctor` looks at. Each check yields findings; none of them changes anything."""

import asyncio
import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, get_args

import click

from penstock import _native
from penstock._registry import Registry
from penstock.calls import Call
from penstock.cli.bench import SUITES, Loop
from penstock.engine import Engine, Statistics, run
from penstock.errors import PenstockError
from penstock.formats import Format
from penstock.tools import tool

State = Literal["fine", "note", "broken"]

LOOPS: tuple[Loop, ...] = get_args(Loop)

# What is asked of them here loads every plug-in, which only the doctor wants: where others share a
# registry, it has its own.
REGISTRIES: tuple[Registry[Any], ...] = (
    Registry("format", "penstock.formats", "FORMAT", Format),
    Registry("command", "penstock.cli.commands", "COMMAND", click.Command),
    *SUITES.values(),
)
_AREAS = {
    "format": "formats",
    "command": "commands",
    "bench": "bench rows",
    "bench.limits": "bench rows",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        area: what it belongs to, such as `engine`.
        name: what it is, such as `event loop`.
        state: `broken` needs somebody to act, `note` is worth knowing.
        says: what was found.
        helps: what to do about it.
    """

    area: str
    name: str
    state: State
    says: str
    helps: str = ""


def all_findings() -> Iterator[Finding]:
    """Yield the findings of all checks; a check that fails is one itself."""
    for check in CHECKS:
        try:
            yield from check()
        except Exception as error:  # noqa: BLE001 - a doctor reports what breaks, whatever it is
            area = check.__name__.removeprefix("check_")
            yield Finding(area, "check", "broken", f"{type(error).__name__}: {error}")


def check_versions() -> Iterator[Finding]:
    """Penstock, Python and the system."""
    yield Finding("versions", "penstock", "fine", metadata.version("penstock"))
    python = f"{platform.python_implementation()} {platform.python_version()}"
    yield Finding("versions", "python", "fine", f"{python}  {sys.executable}")
    yield Finding("versions", "system", "fine", f"{platform.system()} {platform.machine()}")


def check_native() -> Iterator[Finding]:
    """The compiled half: where it is, and whether it is younger than what it was built from."""
    path = Path(_native.__file__)
    yield Finding("native", "extension", "fine", f"{path.name}, {path.stat().st_size / 1e6:.1f} MB")
    sources = path.parents[2] / "rust"
    if not sources.is_dir():
        return
    newest = max(source.stat().st_mtime for source in sources.glob("*/src/**/*.rs"))
    if newest > path.stat().st_mtime:
        yield Finding("native", "sources", "note", "Rust sources are newer than it", "make setup")


def check_engine() -> Iterator[Finding]:
    """The event loop, how calls are hosted on it, and whether a call comes through."""
    for name in LOOPS:
        loop, statistics, value = run(_one_call(), loop=name)
        area = f"engine on {name}"
        yield Finding(area, "event loop", "fine" if name in loop else "note", loop)
        yield _host(area, statistics)
        works = value == _ANSWER
        yield Finding(area, "one call", "fine" if works else "broken", f"answered {value!r}")


_ANSWER = 42


async def _one_call() -> tuple[str, Statistics, object]:
    async def answer() -> int:
        return _ANSWER

    async with Engine([tool(answer, effects="read")]) as engine:
        (outcome,) = await engine.run([Call("answer")])
        loop = type(asyncio.get_running_loop())
        return f"{loop.__module__}.{loop.__name__}", engine.statistics(), outcome.value


def _host(area: str, statistics: Statistics) -> Finding:
    if statistics.host == "call":
        return Finding(area, "host mode", "fine", "call: the engine steps coroutines itself")
    says = f"{statistics.host}: {statistics.host_reason}; correct, but slower"
    return Finding(area, "host mode", "note", says)


def check_plugins() -> Iterator[Finding]:
    """Every plug-in of every registry, loaded."""
    for registry in REGISTRIES:
        for name in registry.names():
            try:
                registry.get(name)
            except PenstockError:
                continue  # `sources` knows it from now on
        for source in registry.sources():
            area = _AREAS.get(registry.kind, registry.kind)
            if source.error is None:
                yield Finding(area, source.name, "fine", source.origin)
            else:
                missing = source.error.code == "missing_extra"
                state: State = "note" if missing else "broken"
                yield Finding(area, source.name, state, str(source.error))


def check_extras() -> Iterator[Finding]:
    """The optional packages: which are there, which would have to be installed."""
    for requirement in metadata.requires("penstock") or ():
        name, extra = _read(requirement)
        if not extra:
            continue
        try:
            yield Finding("extras", extra, "fine", f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            helps = f"pip install 'penstock[{extra}]'"
            yield Finding("extras", extra, "note", f"{name} is not installed", helps)


def _read(requirement: str) -> tuple[str, str]:
    """Return a requirement's package and the extra that it is in, if any."""
    name = re.split(r"[^\w.-]", requirement)[0]
    extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", requirement)
    return name, extra[1] if extra else ""


CHECKS = (check_versions, check_native, check_engine, check_plugins, check_extras)
