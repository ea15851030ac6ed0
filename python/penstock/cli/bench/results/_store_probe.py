"""`python -m penstock.cli.bench.results._store_probe KIND COUNT FOLDER`: one story of a store, as JSON.

A process of its own, for what a store adds to the resident set shows only in a fresh heap. `spill` puts
values of 1 MiB through a budget, `write` writes the same values to a file, `budget` holds many values of
100 KB and reads them all back.
"""

import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from penstock._codec import decode, encode
from penstock.cli.bench.results._values import noise, results
from penstock.engine import run as run_loop
from penstock.results import ResultRef, Results, ResultStore

MIB = 1 << 20
SPILL_MEMORY = 256 * MIB
BUDGET_MEMORY = 64 * MIB
KINDS = 32

Figures = dict[str, float]


def resident() -> int:
    """The bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def large_values(count: int) -> Callable[[int], bytes]:
    """Make values of 1 MiB, each another piece of the same noise."""
    source = noise(2 * MIB)
    step = MIB // max(count, 1)
    return lambda number: source[number * step : number * step + MIB]


async def spill(count: int, folder: str) -> Figures:
    """Hold all values of a run that is larger than memory."""
    make = large_values(count)
    options = Results(
        memory_bytes=SPILL_MEMORY, spill=folder, disk_bytes=2 * count * MIB + 256 * MIB
    )
    before, most, refs = resident(), 0, list[ResultRef]()
    async with ResultStore(options) as store:
        started = time.perf_counter()
        for number in range(count):
            refs.append(store.put(make(number)))
            await store.wait_room()
            most = max(most, resident()) if number % 16 == 0 else most
        await store.settle()
        written = time.perf_counter() - started
        started = time.perf_counter()
        for number, ref in enumerate(refs):
            part = ref.raw if number % 2 else b"".join([p async for p in store.chunks(ref)])
            if part != make(number):
                raise RuntimeError(f"value {number} came back as another one")
        read = time.perf_counter() - started
        refs.clear()
    return {"seconds": written, "read_seconds": read, "extra_bytes": most - before}


async def write(count: int, folder: str) -> Figures:
    """Write all values to a file, one after the other, and read them back."""
    make = large_values(count)
    path = Path(folder) / "plain"
    started = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        for number in range(count):
            file.write(make(number))
    written = time.perf_counter() - started
    started = time.perf_counter()
    with path.open("rb", buffering=0) as file:
        for number in range(count):
            if file.read(MIB) != make(number):
                raise RuntimeError(f"value {number} came back as another one")
    read = time.perf_counter() - started
    path.unlink()
    return {"seconds": written, "read_seconds": read}


async def budget(count: int, folder: str) -> Figures:
    """Hold values of 100 KB: JSON as text, as bytes and as objects, and what cannot be packed."""
    texts = results(KINDS, 100_000)
    source = noise(300_000)

    def make(number: int) -> object:
        text = texts[number // 4 % KINDS]
        makers: tuple[Callable[[], object], ...] = (
            lambda: b"%d %b" % (number, text),
            lambda: f"{number} {text.decode()}",
            lambda: {"number": number, "result": decode(text)},
            lambda: source[number * 20 : number * 20 + 100_000],
        )
        return makers[number % 4]()

    options = Results(memory_bytes=BUDGET_MEMORY, spill=folder)
    make(2)
    before, most, refs = resident(), 0, list[ResultRef]()
    async with ResultStore(options) as store:
        for number in range(count):
            refs.append(store.put(make(number), tool=str(number % 4)))
            await store.wait_room()
            most = max(most, resident()) if number % 16 == 0 else most
        for number, ref in enumerate(refs):
            if ref.value() != make(number):
                raise RuntimeError(f"value {number} came back as another one")
            await store.wait_room()
            most = max(most, resident()) if number % 16 == 0 else most
        refs.clear()
    return {"extra_bytes": most - before}


STORIES: dict[str, Callable[[int, str], Awaitable[Figures]]] = {
    "spill": spill,
    "write": write,
    "budget": budget,
}


async def main() -> None:
    figures = await STORIES[sys.argv[1]](int(sys.argv[2]), sys.argv[3])
    sys.stdout.buffer.write(encode(figures) + b"\n")


if __name__ == "__main__":
    run_loop(main())
