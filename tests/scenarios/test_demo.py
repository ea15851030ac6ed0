import json
from pathlib import Path

import pytest

from penstock import formats
from penstock.cli import main
from penstock.cli.demo import TURNS


@pytest.mark.real_time
@pytest.mark.timeout(120)
def test_the_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody types `make run` to see what this is about.

    Seven models have asked for over two hundred calls, in five wire formats. Tools search and parse
    real files, ask a real database, and fetch pages from a web where some answer 500 and some never
    answer. One turn is a plan, one a race, and one is cancelled in part. The tracker may be asked only
    so often, so calls wait; a run may spend five cents, so the last ratings are refused. Everything
    runs twice: in parallel, and one call after the other. Each time every call ends exactly as
    recorded, and the person gets a table and a page that shows each call in time.
    """
    page = tmp_path / "timeline.html"
    code = main(["demo", "--quick", "--json", "--timeline", str(page)])
    printed = capsys.readouterr()
    *turns, together = map(json.loads, printed.out.splitlines())

    assert (code, printed.err) == (0, "")
    assert [turn["turn"] for turn in turns] == [turn.name for turn in TURNS]
    assert len(turns) == 7
    assert together["calls"] == sum(turn["calls"] for turn in turns) > 200
    assert {turn["format"] for turn in turns} == set(formats.names())
    assert all(turn["as_expected"] for turn in [*turns, together])

    seen = {status for turn in turns for status in turn["statuses"]}
    assert seen == {"ok", "failed", "rejected", "skipped", "cancelled", "timeout"}
    assert all(sum(turn["statuses"].values()) == turn["calls"] for turn in turns)
    assert all(turn["sequential_seconds"] > 0 for turn in turns)

    (tracker,) = together["limits"].values()
    assert tracker["calls"] == 55
    assert tracker["waited"] >= 30
    # What a second admits beyond the burst took its time, and the last call waited for all of it.
    assert tracker["longest_wait_seconds"] >= (54 - 20) / 100 - 0.01
    for budget in together["budgets"].values():
        assert (budget["paid"], budget["refused"], budget["warned_at"]) == (24, 6, [0.8])
        assert 40_000 < budget["spent_microusd"] <= budget["amount_microusd"]

    html = page.read_text("utf-8")
    assert all(call.id in html for turn in TURNS for call in turn.calls() if call.id)
