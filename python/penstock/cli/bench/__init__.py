"""Benchmark rows: what `penstock bench` runs, suite by suite.

A suite is a folder here: `hot`, the hot path, `early`, `hedge`, `limits`, `results`, `speculation_load` and
`streams`. Each of its files measures one group of rows and offers it as `ROWS`; dropping a file in is the whole installation. This package measures and
returns records; printing them is the command's business. Read first: `_frame.py`, then any row, such
as `hot/noop.py`.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping

from penstock._registry import Registry
from penstock.cli.bench._protocol import Loop, Result, Rows, Settings
from penstock.engine import run as run_loop
from penstock.errors import UnknownPlugin, nearest

__all__ = ["SUITES", "Loop", "Result", "Rows", "Settings", "measure", "names"]

_early = Registry("bench.early", "penstock.cli.bench.early", "ROWS", Rows)
_hot = Registry("bench", "penstock.cli.bench.hot", "ROWS", Rows)
_hedge = Registry("bench.hedge", "penstock.cli.bench.hedge", "ROWS", Rows)
_limits = Registry("bench.limits", "penstock.cli.bench.limits", "ROWS", Rows)
_results = Registry("bench.results", "penstock.cli.bench.results", "ROWS", Rows)
_speculation_load = Registry(
    "bench.speculation_load", "penstock.cli.bench.speculation_load", "ROWS", Rows
)
_streams = Registry("bench.streams", "penstock.cli.bench.streams", "ROWS", Rows)

SUITES: Mapping[str, Registry[Rows]] = {
    "hot": _hot,
    "early": _early,
    "hedge": _hedge,
    "limits": _limits,
    "results": _results,
    "speculation-load": _speculation_load,
    "streams": _streams,
}


def names(suite: str) -> tuple[str, ...]:
    """The groups of rows of one suite, sorted."""
    return SUITES[suite].names()


def measure(groups: Iterable[str], settings: Settings | None = None) -> Iterator[Result]:
    """Measures groups of rows, each on an event loop of its own, and yields every row when it is done.

    Args:
        groups: names of groups, of any suite.
        settings: event loop and length; by default uvloop and the full number of rounds.

    Raises:
        UnknownPlugin: a group of that name does not exist; the caller picks another.
    """
    settings = settings or Settings()
    for group in [_group(name) for name in groups]:
        yield from run_loop(_collect(group.measure, settings), loop=settings.loop)


def _group(name: str) -> Rows:
    for registry in SUITES.values():
        if name in registry.names():
            return registry.get(name)
    known = [name for registry in SUITES.values() for name in registry.names()]
    raise UnknownPlugin("group of rows", name, nearest(name, known))


async def _collect(
    measure_rows: Callable[[Settings], AsyncIterator[Result]], settings: Settings
) -> list[Result]:
    return [result async for result in measure_rows(settings)]
