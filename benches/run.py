"""`make bench`: the rows of `penstock bench`, criterion's, and the races of the rivals.

`python benches/run.py [--save] [--full] [--only micro core rivals limits results streams early hedge
speculation-load]`; `limits` is the rows about limits and the race of the limiters. Without `--full` the rows
run fewer rounds and the rivals one size of the turn beside the largest. With `--save` the results go to
`benches/results/<date>-<machine kind>/`.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)

from benches import core, machine, report  # noqa: E402 (needs the path above)
from benches.rivals import _driver, _environment  # noqa: E402
from benches.rivals.limits import _driver as limits  # noqa: E402
from penstock.cli import bench  # noqa: E402

SUITES = ("results", "streams", "early", "hedge", "speculation-load")
PARTS = ("micro", "core", "rivals", "limits", *SUITES)
QUICK_SIZES = ((0.0, 1000), (10.0, 1000))
FULL_SIZES = tuple((delay, count) for delay in (0.0, 10.0) for count in (100, 1000, 4000))


def main() -> None:
    options = read_options()
    found = report.Results(machine.describe())
    if "micro" in options.only:
        found.micro.extend(measure("hot", options))
    if "core" in options.only:
        found.core.extend(core.measure(ROOT, quick=not options.full))
        say(*[report.core_line(row) for row in found.core])
    if "rivals" in options.only:
        for delay, count in FULL_SIZES if options.full else QUICK_SIZES:
            rows = _driver.compare(_environment.names(), count, delay, rounds=5)
            found.rivals.extend(rows)
            say("", *report.rival_table(rows))
    if "limits" in options.only:
        found.limits.extend(measure("limits", options))
        found.limiters.extend(limits.compare(limits.names(), rounds=3 if options.full else 1))
        say("", *report.limiter_table(found.limiters))
    for suite in SUITES:
        if suite in options.only:
            getattr(found, suite.replace("-", "_")).extend(measure(suite, options))
    say("", found.verdict())
    if options.save:
        say(f"saved in {found.save(ROOT / 'benches' / 'results').relative_to(ROOT)}")


def measure(suite: str, options: argparse.Namespace) -> Iterator[report.Record]:
    """The rows of one suite, each shown when it is measured."""
    settings = bench.Settings(quick=not options.full)
    for result in bench.measure(bench.names(suite), settings):
        row = result.as_record()
        say(report.micro_line(row))
        yield row


def say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", action="store_true", help="keep the results")
    parser.add_argument("--full", action="store_true", help="all rounds, all sizes of the turn")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    return parser.parse_args()


if __name__ == "__main__":
    main()
