"""`make bench`: the rows of `penstock bench hot`, criterion's, and the race of the rivals.

`python benches/run.py [--save] [--full] [--only micro core rivals]`. Without `--full` the rows run
fewer rounds and the rivals one size of the turn beside the largest. With `--save` the results go to
`benches/results/<date>-<machine kind>/`.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)

from benches import core, machine, report  # noqa: E402 (needs the path above)
from benches.rivals import _driver, _environment  # noqa: E402
from penstock.cli import bench  # noqa: E402

PARTS = ("micro", "core", "rivals")
QUICK_SIZES = ((0.0, 1000), (10.0, 1000))
FULL_SIZES = tuple((delay, count) for delay in (0.0, 10.0) for count in (100, 1000, 4000))


def main() -> None:
    options = read_options()
    micro, crate, rivals = [], [], []
    if "micro" in options.only:
        for result in bench.measure(bench.names("hot"), bench.Settings(quick=not options.full)):
            micro.append(result.as_record())
            say(report.micro_line(micro[-1]))
    if "core" in options.only:
        crate = core.measure(ROOT, quick=not options.full)
        say(*[report.core_line(row) for row in crate])
    if "rivals" in options.only:
        for delay, count in FULL_SIZES if options.full else QUICK_SIZES:
            rows = _driver.compare(_environment.names(), count, delay, rounds=5)
            rivals += rows
            say("", *report.rival_table(rows))
    results = report.Results(machine.describe(), micro, crate, rivals)
    say("", results.verdict())
    if options.save:
        say(f"saved in {results.save(ROOT / 'benches' / 'results').relative_to(ROOT)}")


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
