"""`early-byte`, `early-piece`: reading arguments while they come, from Python.

`early-byte` reads twelve recorded arguments and 21 kB of code, each in one piece, and counts a byte;
values are not made into Python objects, so that it is the parser that is timed. `early-piece` reads the
same in pieces of 1 to 32 characters, with all values, and counts a piece: first the small ones, then
the large one alone. jiter is given the whole prefix with each piece.
"""

import statistics
import time
from collections.abc import AsyncIterator, Callable, Sequence

import jiter

from penstock._codec import decode
from penstock._native import JsonStream
from penstock.cli.bench._frame import Rounds, Way, interleave, spread
from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.cli.bench.early._asked import RECORDED, large, pieces

REPEAT = 20
WHOLE = "orjson, whole"
PREFIX = "jiter, prefix"


async def measure(settings: Settings) -> AsyncIterator[Result]:
    texts = [text.encode() for text in (*RECORDED, large())]
    ways = {"ours": timed(lambda: at_once(texts)), WHOLE: timed(lambda: decoded(texts))}
    count = sum(map(len, texts))
    rounds = await interleave(settings, ways, calls=count, rounds=31)
    yield rounds.time_row("early-byte", "ours", WHOLE, 3.0)
    small = [pieces(text) for text in RECORDED]
    yield await _piece(settings, "early-piece", small, 0.6)
    yield await _piece(settings, "early-piece-21k", [pieces(large())], 0.6)


async def _piece(
    settings: Settings, row: str, texts: Sequence[Sequence[str]], gate: float
) -> Result:
    ways = {"ours": timed(lambda: streamed(texts)), PREFIX: timed(lambda: reparsed(texts), 1)}
    count = sum(map(len, texts))
    rounds = await interleave(settings, ways, calls=count, rounds=15)
    return in_us(settings, rounds, row, count, gate)


def in_us(
    settings: Settings, rounds: Rounds, row: str, count: int, gate: float | None = None
) -> Result:
    """Our microseconds a piece, beside the baseline's."""
    ratios = rounds.ratios("ours", PREFIX)
    return Result(
        row=row,
        n=count,
        loop=settings.loop,
        value=rounds.ns_per_call("ours") / 1e3,
        unit="us",
        gate=gate,
        ratio=statistics.median(ratios),
        ns_per_call=rounds.ns_per_call("ours"),
        baseline=PREFIX,
        baseline_ns=rounds.ns_per_call(PREFIX),
        spread=spread(ratios),
    )


def timed(work: Callable[[], object], repeat: int = REPEAT) -> Way:
    """Nothing here waits: a loop around the work, without a coroutine in between."""

    async def run() -> float:
        started = time.perf_counter_ns()
        for _ in range(repeat):
            work()
        return (time.perf_counter_ns() - started) / repeat

    return run


def at_once(texts: Sequence[bytes]) -> int:
    """Read each text in one piece; return how many were complete."""
    complete = 0
    for text in texts:
        stream = JsonStream(values=False)
        stream.feed(text)
        complete += stream.ended
    return complete


def decoded(texts: Sequence[bytes]) -> int:
    """Decode each text."""
    for text in texts:
        decode(text)
    return len(texts)


def streamed(texts: Sequence[Sequence[str]]) -> int:
    """Read each text piece by piece; return how many values were told."""
    told = 0
    for parts in texts:
        feed = JsonStream().feed
        for part in parts:
            told += len(feed(part))
    return told


def reparsed(texts: Sequence[Sequence[str]]) -> int:
    """Read the prefix again with each piece; return how many times."""
    count = 0
    for parts in texts:
        prefix = b""
        for part in parts:
            prefix += part.encode()
            jiter.from_json(prefix, partial_mode=True)
            count += 1
    return count


ROWS = Rows("arguments", measure)
