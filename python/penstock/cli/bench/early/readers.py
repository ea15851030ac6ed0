"""`early-reader-*`, `early-lead-*`: the readers of the four formats, on replies of 1 to 12 calls.

`early-reader-*` is the time of one piece, from the decoded dict to the events; beside it that of jiter,
which is given the arguments so far with each piece of them, and knows nothing of calls. `early-lead-*` is how long before the end of the
reply a call is complete, in model time: a piece each 10 ms, the mean over all calls of twelve replies,
of 1 to 12 calls. It says what a tool that takes longer than that gains; nothing is timed for it.
"""

import statistics
from collections.abc import AsyncIterator, Sequence

from penstock.cli.bench._frame import interleave
from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.cli.bench.early._asked import RECORDED, pieces
from penstock.cli.bench.early._wires import WIRES, Piece
from penstock.cli.bench.early.arguments import PREFIX, in_us, reparsed, timed
from penstock.formats import CallClosed, MessageEnd, Reader, get

PIECE_MS = 10.0


async def measure(settings: Settings) -> AsyncIterator[Result]:
    for name in WIRES:
        yield await _reader(settings, name)
    for name in WIRES:
        leads = [lead for count in range(1, 13) for lead in leads_of(name, RECORDED[:count])]
        yield Result(
            row=f"early-lead-{name}",
            n=len(leads),
            loop=settings.loop,
            value=statistics.mean(leads),
            unit="ms",
        )


async def _reader(settings: Settings, name: str) -> Result:
    stream = list(WIRES[name](RECORDED))
    parts = [pieces(text) for text in RECORDED]
    ways = {
        "ours": timed(lambda: read(name, stream), 5),
        PREFIX: timed(lambda: reparsed(parts), 5),
    }
    rounds = await interleave(settings, ways, calls=len(stream), rounds=15)
    return in_us(settings, rounds, f"early-reader-{name}", len(stream))


def read(name: str, stream: Sequence[Piece]) -> int:
    """Read a reply; return how many calls it had."""
    reader = _make(name)
    for piece in stream:
        reader.feed(piece)
    reader.finish()
    return len(reader.calls)


def leads_of(name: str, asked: Sequence[str]) -> list[float]:
    """For each call, the milliseconds of the model between its end and that of the reply."""
    reader, closed, end = _make(name), dict[int, float](), 0.0
    stream = list(WIRES[name](asked))
    for number, piece in enumerate([*stream, None]):
        events = reader.feed(piece) if piece is not None else reader.finish()
        for event in events:
            if isinstance(event, CallClosed):
                closed[event.index] = number * PIECE_MS
            elif isinstance(event, MessageEnd):
                # With the last piece, whether or not the format says so.
                end = min(number, len(stream) - 1) * PIECE_MS
    return [max(0.0, end - at) for at in closed.values()]


def _make(name: str) -> Reader:
    make = get(name).reader
    if make is None:
        raise AssertionError(f"nobody streams {name}")
    return make()


ROWS = Rows("readers", measure)
