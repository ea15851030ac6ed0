"""`pack`: small results with their tool's dictionary, middle ones, and large ones on two threads.

`pack-1k` and `pack-16k` hold our time against `zstandard` at the same level on the same values, which
the dictionary has not seen; `-ratio` is raw bytes divided by those of whole parcels, headers included;
`-rate` is raw bytes a second. Both are CPU time of the one thread that packs: a codec never waits, and a
busy machine would judge the machine. `pack-threads` is the wall time of one thread divided by that of two.
"""

import statistics
import time
from collections.abc import AsyncIterator, Callable, Sequence

import zstandard

from penstock._native import Packer
from penstock.cli.bench._frame import Rounds, Way, interleave, spread, timed
from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.cli.bench.results._values import results

COUNT = 500
SMALL = 1 << 10
MIDDLE = 16 << 10
LARGE = 4 << 20
SAMPLES = 250
JSON = "application/json"
TENANT = "acme"
BASELINE = "zstandard"


async def measure(settings: Settings) -> AsyncIterator[Result]:
    packer, dictionary = trained()
    prepared = zstandard.ZstdCompressionDict(dictionary)
    prepared.precompute_compress(level=1)
    small = results(COUNT, SMALL, seed=1)
    with_dictionary = zstandard.ZstdCompressor(level=1, dict_data=prepared)
    ours = packs(packer, small)
    theirs = compresses(with_dictionary, small)
    rounds = await interleave(settings, {"ours": ours, BASELINE: theirs}, calls=COUNT, rounds=31)
    for row in sized(settings, "pack-1k", packer, small, rounds, (3.0, 300e6)):
        yield row
    middle = results(COUNT // 10, MIDDLE, seed=2)
    ours, theirs = packs(packer, middle), compresses(zstandard.ZstdCompressor(level=1), middle)
    ways = {"ours": ours, BASELINE: theirs}
    rounds = await interleave(settings, ways, calls=len(middle), rounds=31)
    for row in sized(settings, "pack-16k", packer, middle, rounds, (3.2, 400e6)):
        yield row
    yield await threads(settings)


def trained() -> tuple[Packer, bytes]:
    """A packer that has learned a dictionary for the results, and the dictionary."""
    packer = Packer()
    for sample in results(SAMPLES, SMALL):
        packer.pack(sample, "search", JSON, tenant=TENANT)
    dictionary = packer.train(TENANT, "search")
    if dictionary is None:
        raise RuntimeError("results that are alike gave no dictionary")
    packer.use(TENANT, "search", dictionary)
    return packer, dictionary


def packs(packer: Packer, values: Sequence[bytes]) -> Way:
    """Packs each value, as a store does."""

    def work() -> None:
        for value in values:
            packer.pack(value, "search", JSON, tenant=TENANT)

    return cpu_timed(work)


def compresses(compressor: zstandard.ZstdCompressor, values: Sequence[bytes]) -> Way:
    """Compresses each value with a context that is kept."""
    compress: Callable[[bytes], bytes] = compressor.compress

    def work() -> None:
        for value in values:
            compress(value)

    return cpu_timed(work)


def cpu_timed(work: Callable[[], None]) -> Way:
    """A way whose CPU time on this thread counts."""

    async def run() -> float:
        started = time.thread_time_ns()
        work()
        return time.thread_time_ns() - started

    return run


def sized(
    settings: Settings,
    name: str,
    packer: Packer,
    values: Sequence[bytes],
    rounds: Rounds,
    gates: tuple[float, float],
) -> list[Result]:
    """The three rows of one size; `gates` are the least ratio and the least bytes a second."""
    least_ratio, least_rate = gates
    raw = sum(map(len, values))
    parcels = [packer.pack(value, "search", JSON, tenant=TENANT) for value in values]
    rate = raw / len(values) / rounds.ns_per_call("ours") * 1e9
    ratio = raw / sum(map(len, parcels))
    return [
        rounds.row(name, "ours", BASELINE, gate=1.0),
        least(settings, f"{name}-ratio", ratio, least_ratio, len(values)),
        Result(
            row=f"{name}-rate",
            n=len(values),
            loop=settings.loop,
            value=rate,
            unit="/s",
            gate=least_rate,
            at_least=True,
            baseline="bytes",
        ),
    ]


async def threads(settings: Settings) -> Result:
    """A value of four frames on one thread and on two."""
    [value] = results(1, LARGE, seed=3)
    one, two = Packer(threads=1), Packer(threads=2)

    async def on_one() -> None:
        one.pack(value)

    async def on_two() -> None:
        two.pack(value)

    ways = {"one": timed(on_one), "two": timed(on_two)}
    rounds = await interleave(settings, ways, calls=1, rounds=31)
    ratios = rounds.ratios("one", "two")
    return least(settings, "pack-threads", statistics.median(ratios), 1.6, 1, spread(ratios))


def least(
    settings: Settings, name: str, value: float, gate: float, count: int, width: float = 0.0
) -> Result:
    return Result(
        row=name,
        n=count,
        loop=settings.loop,
        value=value,
        gate=gate,
        at_least=True,
        spread=width,
    )


ROWS = Rows("pack", measure)
"""What a result gains from being packed, and what that costs."""
