"""Runs rounds of one rival in the rival's own environment: `worker.py RIVAL COUNT MILLISECONDS ROUNDS`.

The first line on stdout says that the rival is set up; then a line a round. With `--paced` each
round waits for a line on stdin, so that a driver can interleave the rounds of many workers. A round
repeats a short turn and counts its median.
"""

import argparse
import asyncio
import gc
import importlib
import importlib.metadata
import json
import platform
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

# The folder of this file would shadow the packages that its neighbours are named after.
sys.path[0] = str(Path(__file__).resolve().parents[2])

from benches.rivals._turn import Rival, Round, Turn  # noqa: E402 (needs the path above)

LONG_ENOUGH = 50_000_000
"""Nanoseconds of turns that make up a round."""


def main() -> None:
    options = read_options()
    rival: Rival = importlib.import_module(f"benches.rivals.{options.rival}").RIVAL
    turn = Turn(options.count, options.milliseconds / 1000)
    with asyncio.Runner(loop_factory=loop_factory(rival)) as runner:
        round_ = runner.run(rival.prepare(turn))
        runner.run(checked(round_, turn))
        say(describe(rival))
        for _ in range(options.rounds):
            if options.paced and not sys.stdin.readline():
                break
            say({"nanoseconds": middle_of_some(lambda: runner.run(checked(round_, turn)))})
        runner.run(turn.cleanup.aclose())


def middle_of_some(run: Callable[[], int]) -> float:
    """The median over repetitions for `LONG_ENOUGH`: one run of 2 ms in a cold process says little."""
    times: list[int] = []
    while sum(times) < LONG_ENOUGH:
        gc.collect()
        times.append(run())
    return statistics.median(times)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rival")
    parser.add_argument("count", type=int)
    parser.add_argument("milliseconds", type=float)
    parser.add_argument("rounds", type=int)
    parser.add_argument("--paced", action="store_true")
    return parser.parse_args()


def loop_factory(rival: Rival):
    if rival.loop == "asyncio":
        return asyncio.new_event_loop
    return importlib.import_module("uvloop").new_event_loop


async def checked(round_: Round, turn: Turn) -> int:
    """Runs a round and returns its time, or fails if its messages are not the expected ones."""
    measured = await round_()
    expected = turn.expected()
    if measured.messages != expected:
        wrong = [
            pair for pair in zip(measured.messages, expected, strict=False) if pair[0] != pair[1]
        ]
        sys.exit(
            f"{len(measured.messages)} of {turn.count} messages; first difference: {wrong[:1]}"
        )
    return measured.nanoseconds


def describe(rival: Rival) -> dict[str, str]:
    version = importlib.metadata.version(rival.package) if rival.package else ""
    return {
        "name": rival.name,
        "title": rival.title,
        "style": rival.style,
        "loop": rival.loop,
        "version": version or platform.python_version(),
    }


def say(record: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
