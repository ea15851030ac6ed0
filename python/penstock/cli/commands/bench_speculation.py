"""Replay recorded sessions and say what guessing the next calls would have given."""

from collections.abc import Callable, Iterable
from pathlib import Path

import click

from penstock.cli.help import Command
from penstock.cli.screen import print_json
from penstock.errors import TraceError
from penstock.speculation import (
    ABLATIONS,
    MODES,
    Evaluation,
    Mode,
    Row,
    ablated,
    check,
    evaluate,
    evaluate_cold,
    evaluate_folds,
    overlap,
    read_traces,
)

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

Run = Callable[[Evaluation], Iterable[Row]]


class _Words(click.ParamType[tuple[object, ...]]):
    """Words separated by commas, each checked, each once."""

    name = "words"

    def __init__(self, convert: Callable[[str], object], known: str) -> None:
        self._convert = convert
        self._known = known

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[object, ...]:
        """Return the words, converted."""
        if isinstance(value, tuple):
            return value
        words = [word.strip() for word in str(value).split(",") if word.strip()]
        try:
            return tuple(dict.fromkeys(self._convert(word) for word in words))
        except ValueError:
            return self.fail(f"{value!r} is not {self._known}", param, ctx)


def _mode(word: str) -> Mode:
    for mode in MODES:
        if word == mode:
            return mode
    raise ValueError(word)


def _ablation(word: str) -> str:
    if word not in ABLATIONS:
        raise ValueError(word)
    return word


def _seconds(word: str) -> float:
    seconds = float(word)
    if not 0 < seconds < 1e6:
        raise ValueError(word)
    return seconds


@click.command(
    cls=Command,
    name="bench_speculation",
    epilog="penstock bench speculation --traces . --folds 5 --check\n"
    "penstock bench speculation --train . --test . --modes gated,oracle > rows.jsonl",
)
@click.option("--traces", type=_FOLDER, help="Sessions; each is scored by a model of other tasks.")
@click.option(
    "--folds", type=click.IntRange(2), default=5, show_default=True, help="Parts of --traces."
)
@click.option("--train", type=_FOLDER, help="Sessions to learn, instead of --traces.")
@click.option("--test", type=_FOLDER, help="Sessions to score by a model of all of --train.")
@click.option(
    "--allow-overlap",
    is_flag=True,
    help="Leave out of training what --test has too, and count it; otherwise it is an error.",
)
@click.option(
    "--modes",
    type=_Words(_mode, f"one of {', '.join(MODES)}, separated by commas"),
    default=",".join(MODES),
    show_default=True,
    help="Who decides what is launched.",
)
@click.option(
    "--latency",
    type=_Words(_seconds, "seconds separated by commas"),
    default="0.25,1,3",
    show_default=True,
    help="Seconds that a tool takes; the stall is computed for each.",
)
@click.option(
    "--online",
    type=click.Choice(["off", "group"]),
    default="off",
    show_default=True,
    help="Whether a test group trains for later ones, once all of it was scored.",
)
@click.option("--cold", is_flag=True, help="Begin with an empty model, one session a task.")
@click.option("--chain", is_flag=True, help="Launch beyond launches whose result is known, too.")
@click.option(
    "--ablate",
    type=_Words(_ablation, f"one of {', '.join(ABLATIONS)}, separated by commas"),
    default="",
    help=f"Change one thing after the other, a set of rows each: {', '.join(ABLATIONS)}.",
)
@click.option("--check", "checks", is_flag=True, help="Judge the rows by the gates.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line a row, as always here.")
def bench_speculation(
    traces: Path | None,
    folds: int,
    train: Path | None,
    test: Path | None,
    allow_overlap: bool,
    modes: tuple[Mode, ...],
    latency: tuple[float, ...],
    online: str,
    cold: bool,
    chain: bool,
    ablate: tuple[str, ...],
    checks: bool,
    as_json: bool,
) -> int:
    """Replay recorded sessions on a virtual clock; print one JSON line a family and mode.

    The model of a session has seen no session of its task, and is frozen while it is tested. With
    --check the exit code is 1 if a row misses a gate; sessions that cannot be used are exit code 2.
    """
    run = _run_of(traces, folds, train, test, allow_overlap, cold)
    missed = False
    whole = Evaluation(modes, latency, online == "group", chain=chain)
    for off in ("", *ablate):
        for row in run(ablated(whole, off) if off else whole):
            record = row.as_record() | ({"ablation": off} if off else {})
            judged = check(row) if checks and not off and not cold else {}
            missed |= not all(gate.passed for gate in judged.values())
            if judged:
                record["gates"] = {name: gate.as_record() for name, gate in judged.items()}
                record["pass"] = all(gate.passed for gate in judged.values())
            print_json(record)
    return 1 if missed else 0


def _run_of(
    traces: Path | None,
    folds: int,
    train: Path | None,
    test: Path | None,
    allow_overlap: bool,
    cold: bool,
) -> Run:
    """What is run for each set of rows, its sessions read and checked."""
    if traces is not None and train is None and test is None:
        sessions, effects = read_traces(traces)
        if cold:
            return lambda how: evaluate_cold(sessions, effects, how)
        return lambda how: evaluate_folds(sessions, effects, folds, how)
    if traces is None and train is not None and test is not None and not cold:
        return _split(train, test, allow_overlap)
    raise click.UsageError("give --traces, or --train and --test; --cold goes with --traces")


def _split(train: Path, test: Path, allow_overlap: bool) -> Run:
    learned, _ = read_traces(train)
    scored, effects = read_traces(test)
    shared = overlap(learned, scored)
    if shared and not allow_overlap:
        example = min(shared)
        raise TraceError(
            train.name,
            0,
            "",
            f"{len(shared)} sessions are in --test too, or their task is, such as {example!r}; "
            "--allow-overlap leaves them out of training",
        )
    kept = [session for session in learned if session.id not in shared]
    return lambda how: _noted(evaluate(kept, scored, effects, how), len(shared))


def _noted(rows: Iterable[Row], left_out: int) -> Iterable[Row]:
    for row in rows:
        yield Row(row.family, row.mode, {**row.fields, "left_out_of_training": left_out})


COMMAND = bench_speculation
