"""Benchmark rows of the hot path: what `penstock bench hot` runs.

Each file here measures one group of rows and offers it as `ROWS`; dropping a file in is the whole
installation. This package measures and returns records; printing them is the command's business.
Read first: `_frame.py`, then any row, such as `noop.py`.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator

from penstock._registry import Registry
from penstock.cli.bench._protocol import Loop, Result, Rows, Settings
from penstock.engine import run as run_loop

__all__ = ["Loop", "Result", "Rows", "Settings", "measure", "names"]

_registry = Registry("bench", "penstock.cli.bench", "ROWS", Rows)


def names() -> tuple[str, ...]:
    """The groups of rows, sorted."""
    return _registry.names()


def measure(groups: Iterable[str] = (), settings: Settings | None = None) -> Iterator[Result]:
    """Measures groups of rows, each on an event loop of its own, and yields every row when it is done.

    Args:
        groups: names out of `names()`; all of them by default.
        settings: event loop and length; by default uvloop and the full number of rounds.

    Raises:
        UnknownPlugin: a group of that name does not exist; the caller picks another.
    """
    settings = settings or Settings()
    for group in [_registry.get(name) for name in groups or names()]:
        yield from run_loop(_collect(group.measure, settings), loop=settings.loop)


async def _collect(
    measure_rows: Callable[[Settings], AsyncIterator[Result]], settings: Settings
) -> list[Result]:
    return [result async for result in measure_rows(settings)]
