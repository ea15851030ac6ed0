"""`pack-skip`: seeing that noise or a picture is not worth packing, against one copy of it.

CPU time of the one thread that looks or copies. Tools that return such values do so all the time, so the verdict on their last values counts as well;
`pack-skip-first` is what the first value of a tool costs, before there is a verdict.
"""

from collections.abc import AsyncIterator, Callable

from penstock._native import Packer
from penstock.cli.bench._frame import Way, interleave
from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.cli.bench.results._values import noise, picture
from penstock.cli.bench.results.pack import cpu_timed

COUNT = 100
SIZE = 256 << 10


async def measure(settings: Settings) -> AsyncIterator[Result]:
    for kind, make in (("noise", noise), ("png", picture)):
        value = make(SIZE)
        ways = {"ours": skips(Packer(), value), "copy": copies(value)}
        rounds = await interleave(settings, ways, calls=COUNT)
        yield rounds.row(f"pack-skip-{kind}", "ours", "copy", gate=0.3)
    value = noise(SIZE)
    ways = {"ours": first_skips(value), "copy": copies(value)}
    rounds = await interleave(settings, ways, calls=COUNT)
    yield rounds.row("pack-skip-first", "ours", "copy", gate=None)


def skips(packer: Packer, value: bytes) -> Way:
    """One tool returns the value again and again."""
    try_pack = packer.try_pack

    def work() -> None:
        for _ in range(COUNT):
            if try_pack(value, "fetch", "application/octet-stream") is not None:
                raise RuntimeError("what cannot be packed was packed")

    return cpu_timed(work)


def first_skips(value: bytes) -> Way:
    """Each time another tool: nobody has judged it before."""
    packer = Packer()
    try_pack: Callable[[bytes, str], bytes | None] = packer.try_pack
    tools = [f"tool {number}" for number in range(COUNT * 100)]

    def work() -> None:
        for _ in range(COUNT):
            try_pack(value, tools.pop())

    return cpu_timed(work)


def copies(value: bytes) -> Way:
    """The same bytes somewhere else, as any cache or pipe would have them."""

    def work() -> None:
        for _ in range(COUNT):
            bytearray(value)

    return cpu_timed(work)


ROWS = Rows("pack_skip", measure)
"""What a result costs that is not worth packing."""
