"""Races the rivals: `python benches/rivals/run.py [NAME ...] [--count N] [--milliseconds MS]`.

Prints a JSON line a rival and size of the turn. The environments are made on demand.
"""

import argparse
import itertools
import json
import sys
from dataclasses import asdict
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from benches.rivals import _driver, _environment  # noqa: E402 (needs the path above)


def main() -> None:
    options = read_options()
    names = options.rivals or _environment.names()
    for milliseconds, count in itertools.product(options.milliseconds, options.count):
        for row in _driver.compare(names, count, milliseconds, options.rounds):
            print(json.dumps(asdict(row)), flush=True)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rivals", nargs="*", help="which rivals; all by default")
    parser.add_argument("--count", type=int, nargs="+", default=[100, 1000, 4000])
    parser.add_argument("--milliseconds", type=float, nargs="+", default=[0, 10])
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    main()
