"""Measures one rival in the rival's own environment: `worker.py RIVAL`, a measure a line on stdin.

The first line on stdout says what the rival is; then a line of JSON an answer. A driver interleaves
the measures of many workers.
"""

import asyncio
import gc
import importlib
import importlib.metadata
import json
import platform
import sys
from pathlib import Path

# The folder of this file would shadow the packages that its neighbours are named after.
sys.path[0] = str(Path(__file__).resolve().parents[3])

import uvloop  # noqa: E402 (needs the path above, as does what follows)

from benches.rivals.limits._measures import MEASURES  # noqa: E402
from benches.rivals.limits._protocol import Rival  # noqa: E402


def main() -> None:
    rival: Rival = importlib.import_module(f"benches.rivals.limits.{sys.argv[1]}").RIVAL
    say(describe(rival))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for line in sys.stdin:
            gc.collect()
            say(runner.run(MEASURES[line.strip()](rival)))


def describe(rival: Rival) -> dict[str, str]:
    version = importlib.metadata.version(rival.package) if rival.package else ""
    return {"title": rival.title, "version": version or platform.python_version()}


def say(record: object) -> None:
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
