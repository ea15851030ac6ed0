"""`spill`, `budget`, `raw`, `recovery`, `lag`: what it costs to hold values within a budget.

`spill` puts values of 1 MiB through 256 MiB of memory, against writing the same values to one file;
`-read` reads them back, half by the map and half in parts, checked; `-memory` is the resident set above
the start. `-tmpfs` rows are bytes a second where the disk costs nothing. `budget` holds 10,000 values of
100 KB under 64 MiB and reads all back: the resident set above the start. `raw` is one look at a spilled
value, `recovery` the opening of what a process left. `lag` is how late a heartbeat of 1 ms is beside a
flood of values of 16 MiB, `lag-packing` what packing 4 MB of JSON at a time adds to it.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from penstock._codec import decode
from penstock.cli.bench._frame import spread
from penstock.cli.bench._protocol import Result, Rows, Settings, Unit
from penstock.cli.bench.results import _store_probe
from penstock.cli.bench.results._store_probe import BUDGET_MEMORY, MIB, SPILL_MEMORY
from penstock.cli.bench.results._values import noise, results
from penstock.results import ResultRef, Results, ResultStore

LARGE, LARGE_QUICK = 4096, 2048
TMPFS = 1024
MANY = 10_000
LOOKS = 20_000
KEPT = 1024
BEATS = 2_000
BEAT = 0.001
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - tmpfs is what the row is about


async def measure(settings: Settings) -> AsyncIterator[Result]:
    with tempfile.TemporaryDirectory() as folder:
        async for row in spill_rows(settings, folder):
            yield row
        yield budget_row(settings, folder)
        yield await raw_row(settings, folder)
        yield await recovery_row(settings, folder)
        for row in await lag_rows(settings, folder):
            yield row
    if SHARED_MEMORY.is_dir():  # noqa: ASYNC240 - nothing else runs
        with tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as folder:
            for row in tmpfs_rows(settings, folder):
                yield row


def probe(kind: str, count: int, folder: str) -> dict[str, float]:
    """The figures of one story in a fresh process."""
    os.sync()  # else the pages of the run before are written during this one
    command = [sys.executable, "-m", _store_probe.__name__, kind, str(count), folder]
    answer = subprocess.run(command, capture_output=True, check=True)  # noqa: S603 (this interpreter)
    return {name: float(value) for name, value in decode(answer.stdout).items()}


async def spill_rows(settings: Settings, folder: str) -> AsyncIterator[Result]:
    count = LARGE_QUICK if settings.quick else LARGE
    ours, plain = [], []
    for _ in range(settings.rounds(5)):
        plain.append(probe("write", count, folder))
        ours.append(probe("spill", count, folder))
    pairs = list(zip(ours, plain, strict=True))
    ratios = [a["seconds"] / b["seconds"] for a, b in pairs]
    yield ratio_row(settings, "spill", count, ratios, ours, 1.5)
    extra = max(figures["extra_bytes"] for figures in ours)
    yield value_row(settings, "spill-memory", count, extra, "B", gate=SPILL_MEMORY + 64 * MIB)
    reads = [a["read_seconds"] / b["read_seconds"] for a, b in pairs]
    yield ratio_row(settings, "spill-read", count, reads, ours, None)


def tmpfs_rows(settings: Settings, folder: str) -> list[Result]:
    """Bytes a second of writing and of reading back."""
    runs = [probe("spill", TMPFS, folder) for _ in range(settings.rounds(5))]
    rates = {"spill-tmpfs": "seconds", "spill-tmpfs-read": "read_seconds"}
    return [
        value_row(
            settings,
            row,
            TMPFS,
            statistics.median(TMPFS * MIB / run[field] for run in runs),
            "/s",
            gate=500e6,
            at_least=True,
        )
        for row, field in rates.items()
    ]


def budget_row(settings: Settings, folder: str) -> Result:
    extra = probe("budget", MANY, folder)["extra_bytes"]
    return value_row(settings, "budget", MANY, extra, "B", gate=BUDGET_MEMORY + 40e6)


async def raw_row(settings: Settings, folder: str) -> Result:
    """One look at the bytes of a value on disk, which are in the page cache."""
    async with ResultStore(Results(memory_bytes=MIB, spill=folder)) as store:
        refs = [store.put(noise(MIB)) for _ in range(8)]
        await store.settle()
        ref = next(ref for ref in refs if ref.where == "disk")
        times = []
        for _ in range(settings.rounds(15)):
            started = time.perf_counter_ns()
            for _ in range(LOOKS):
                ref.raw  # noqa: B018 - the look is what counts
            times.append((time.perf_counter_ns() - started) / LOOKS / 1e3)
        refs.clear()
        del ref
    return value_row(settings, "raw", LOOKS, statistics.median(times), "us", gate=5.0, of=times)


async def recovery_row(settings: Settings, folder: str) -> Result:
    """Opening a folder in which another store left 1 GiB."""
    count = KEPT // 4 if settings.quick else KEPT
    options = Results(
        memory_bytes=MIB,
        spill=Path(folder) / "kept",
        keep=True,
        disk_bytes=4 * SPILL_MEMORY + 2 * KEPT * MIB,
    )
    store = ResultStore(options)
    source = noise(2 * MIB)
    refs = [store.put(source[n * 64 : n * 64 + MIB]) for n in range(count)]
    await store.aclose()
    times = []
    for _ in range(settings.rounds(5)):
        started = time.perf_counter()
        again = ResultStore(options)
        times.append((time.perf_counter() - started) * KEPT / count * 1e3)
        if len(again.ids()) != count:
            raise RuntimeError("not every value was found again")
        await again.aclose()
    refs.clear()
    return value_row(
        settings, "recovery", count, statistics.median(times), "ms", gate=1e3, of=times
    )


async def lag_rows(settings: Settings, folder: str) -> list[Result]:
    """How late the 99th of 100 beats is beside a flood of large values, and of 4 MB of JSON each.

    The values are made before: a tool makes its bytes elsewhere, and copying 16 MiB would itself be late.
    """
    large = [noise(16 * MIB + number) for number in range(8)]
    text = results(1, 4 * MIB)[0]
    packed = [text + b" " * number for number in range(16)]
    alone = percentile(await beats(None))
    flood = percentile(await flooded(large, 64 * MIB, folder))
    packing = percentile(await flooded(packed, 16 * MIB, folder))
    added = max(0.0, packing - alone)
    return [
        value_row(settings, "lag", BEATS, flood, "ms", gate=2.0),
        value_row(settings, "lag-packing", BEATS, added, "ms", gate=0.25),
    ]


async def flooded(values: list[bytes], memory_bytes: int, folder: str) -> list[float]:
    """Beats beside a task that puts values through a store."""
    ends = asyncio.Event()
    async with ResultStore(Results(memory_bytes=memory_bytes, spill=folder)) as store:

        async def flood() -> None:
            refs, number = list[ResultRef](), 0
            while not ends.is_set():
                number += 1
                refs.append(store.put(values[number % len(values)]))
                await store.wait_room()
                await asyncio.sleep(0.01)
                del refs[: -2 * len(values)]

        flooding = asyncio.create_task(flood())
        late = await beats(flooding)
        ends.set()
        await flooding
    return late


async def beats(beside: "asyncio.Task[None] | None") -> list[float]:
    """How late each beat was, in milliseconds; stops early if what runs beside has failed."""
    late = list[float]()
    while len(late) < BEATS and not (beside is not None and beside.done()):
        due = time.perf_counter() + BEAT
        await asyncio.sleep(BEAT)
        late.append((time.perf_counter() - due) * 1e3)
    return late


def percentile(late: list[float]) -> float:
    """The 99th of 100."""
    return sorted(late)[len(late) * 99 // 100]


def ratio_row(
    settings: Settings,
    row: str,
    count: int,
    ratios: list[float],
    ours: list[dict[str, float]],
    gate: float | None,
) -> Result:
    return Result(
        row=row,
        n=count,
        loop=settings.loop,
        value=statistics.median(ratios),
        gate=gate,
        ratio=statistics.median(ratios),
        ns_per_call=statistics.median(figures["seconds"] for figures in ours) / count * 1e9,
        baseline="one plain file",
        spread=spread(ratios),
    )


def value_row(
    settings: Settings,
    row: str,
    count: int,
    value: float,
    unit: Unit,
    *,
    gate: float,
    at_least: bool = False,
    of: list[float] | None = None,
) -> Result:
    return Result(
        row=row,
        n=count,
        loop=settings.loop,
        value=value,
        unit=unit,
        gate=gate,
        at_least=at_least,
        spread=spread(of or []),
    )


ROWS = Rows("store", measure)
