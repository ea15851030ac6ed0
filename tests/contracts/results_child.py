"""A process that spills until it is killed: `results_child.py FOLDER KEYED WRITE`.

It writes values that follow from their number, prints the id of each one that is on disk, and kills
itself in the middle of the write of that number; 0 leaves that to somebody else.
"""

import asyncio
import os
import random
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from penstock.results import Results, ResultStore

MIB = 1 << 20
KEYS = {"key": b"k" * 32}


def value_of(number: int) -> object:
    """The value of a number: bytes that cannot be packed, or a tree."""
    noise = random.Random(number).randbytes(60_000)
    return (
        number.to_bytes(8, "little") + noise
        if number % 2
        else {"number": number, "hex": noise.hex()}
    )


def number_of(value: object) -> int:
    """The number that a value was made of, if it was not changed."""
    if isinstance(value, dict):
        return int(value["number"])
    assert isinstance(value, bytes)
    return int.from_bytes(value[:8], "little")


def options(folder: str | Path, *, keyed: bool) -> Results:
    """The settings of the process that dies and of the one that finds what it left."""
    return Results(
        memory_bytes=MIB,
        spill=folder,
        disk_bytes=64 * MIB,
        segment_bytes=MIB,
        keep=True,
        keys=KEYS if keyed else {},
    )


def die_at(write: int) -> None:
    """Let the process kill itself in the middle of a write."""
    whole, done = os.pwritev, 0

    def pwritev(fd: int, pieces: Sequence[memoryview], offset: int) -> int:
        nonlocal done
        done += 1
        if done == write:
            data = b"".join(pieces)
            whole(fd, [data[: len(data) * (write % 4) // 4]], offset)
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(fd, pieces, offset)

    os.pwritev = pwritev


async def main(folder: str, keyed: str, write: str) -> None:
    """Spill for ever."""
    die_at(int(write))
    store = ResultStore(options(folder, keyed=keyed == "keyed"))
    refs, told, number = [], set[str](), 0
    while True:
        refs.append((number, store.put(value_of(number), tool="t")))
        number += 1
        await store.settle()
        for known, ref in refs:
            if ref.where == "disk" and ref.id not in told:
                told.add(ref.id)
                sys.stdout.write(f"{known} {ref.id}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
