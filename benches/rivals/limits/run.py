"""Races the limiters: `python benches/rivals/limits/run.py [NAME ...] [--rounds N] [--only MEASURE ...]`.

Prints a JSON line a rival. The environments are made on demand.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

# The folder of this file would shadow the packages that its neighbours are named after.
sys.path[0] = str(Path(__file__).resolve().parents[3])

from benches.rivals.limits import _driver, _measures  # noqa: E402 (needs the path above)


def main() -> None:
    options = read_options()
    for row in _driver.compare(options.rivals or _driver.names(), options.rounds, options.only):
        print(json.dumps(asdict(row)), flush=True)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rivals", nargs="*", help="which rivals; all by default")
    parser.add_argument("--rounds", type=int, default=3)
    names = tuple(_measures.MEASURES)
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="MEASURE")
    return parser.parse_args()


if __name__ == "__main__":
    main()
