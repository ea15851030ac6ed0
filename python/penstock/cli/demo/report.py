"""The demo as records: what it prints with `--json`, what its timeline shows, and what differs."""

from collections.abc import Iterator, Sequence

from penstock.cli.demo.limits import RUN_BUDGET, TRACKER_RATE, BudgetReport
from penstock.cli.demo.play import Played
from penstock.cli.demo.story import Pair, Performance
from penstock.cli.demo.turns import Counts
from penstock.cli.timeline import TimelineTurn


def records(performance: Performance) -> Iterator[dict[str, object]]:
    """Yield one record a turn, and one for all of them together, with what the limits did."""
    pairs, tracker = performance.pairs, performance.tracker
    for pair in pairs:
        yield {
            "turn": pair.parallel.turn.name,
            "format": pair.parallel.turn.format,
            "calls": len(pair.parallel.outcomes),
            "sequential_seconds": round(pair.in_turn.seconds, 6),
            "parallel_seconds": round(pair.parallel.seconds, 6),
            "speed_up": round(pair.speed_up, 2),
            "statuses": pair.parallel.counts,
            "sequential_statuses": pair.in_turn.counts,
            "as_expected": pair.as_expected,
        }
    sequential = sum(pair.in_turn.seconds for pair in pairs)
    parallel = sum(pair.parallel.seconds for pair in pairs)
    yield {
        "turn": "together",
        "calls": sum(len(pair.parallel.outcomes) for pair in pairs),
        "sequential_seconds": round(sequential, 6),
        "parallel_seconds": round(parallel, 6),
        "speed_up": round(sequential / parallel, 2),
        "as_expected": all(pair.as_expected for pair in pairs),
        "limits": {
            TRACKER_RATE.name: {
                "calls": tracker.calls,
                "waited": tracker.waited,
                "longest_wait_seconds": round(tracker.longest, 6),
            }
        },
        "budgets": {
            f"{RUN_BUDGET.name}, parallel": _budget(performance.budget),
            f"{RUN_BUDGET.name}, one by one": _budget(performance.budget_in_turn),
        },
    }


def _budget(report: BudgetReport) -> dict[str, object]:
    return {
        "amount_microusd": report.amount,
        "spent_microusd": report.spent,
        "paid": report.paid,
        "refused": report.refused,
        "warned_at": report.warned_at,
    }


def timeline(pairs: Sequence[Pair]) -> list[TimelineTurn]:
    """Return the parallel runs for the waterfall."""
    return [
        TimelineTurn(
            f"{pair.parallel.turn.name.replace('_', ' ', 1)}: {pair.parallel.turn.task}",
            pair.parallel.started,
            pair.parallel.outcomes,
            pair.in_turn.seconds,
        )
        for pair in pairs
    ]


def differences(pairs: Sequence[Pair]) -> list[str]:
    """Return a line for each run whose outcomes are not as recorded."""
    runs = [(run, way) for pair in pairs for run, way in _ways(pair)]
    return [
        f"{run.turn.name}, {way}: expected {_listed(run.expected)}; got {_listed(run.counts)}"
        for run, way in runs
        if not run.as_expected
    ]


def _ways(pair: Pair) -> tuple[tuple[Played, str], tuple[Played, str]]:
    return (pair.parallel, "in parallel"), (pair.in_turn, "one by one")


def _listed(counts: Counts) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
