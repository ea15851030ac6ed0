import json
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from penstock.calls import Call, Outcome, Ref
from penstock.cli.timeline import TimelineTurn, render, write


def ended(
    id: str = "c1",
    *,
    tool: str = "fetch",
    arguments: Any = None,
    error: BaseException | None = None,
    status: str | None = None,
    times: tuple[float, float | None, float] = (10.0, 10.5, 11.0),
    **flags: bool,
) -> Outcome:
    submitted, started, end = times
    call = Call(tool, arguments, id=id, branch="left")
    return Outcome.make(
        call, error=error, status=status, submitted=submitted, started=started, ended=end, **flags
    )


def turn(
    *outcomes: Outcome, name: str = "turn", at: float = 10.0, one_by_one: float | None = None
) -> TimelineTurn:
    return TimelineTurn(name, at, outcomes, one_by_one)


def data(*turns: TimelineTurn) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', render(turns))
    assert found
    return json.loads(found[1])


def only_call(outcome: Outcome) -> list[Any]:
    row: list[Any] = data(turn(outcome))["turns"][0]["calls"][0]
    return row


def table(*turns: TimelineTurn) -> list[list[str]]:
    """The cells of the summary table, without markup."""
    rows = re.findall(
        r"<tr[^>]*>(.*?)</tr>", render(turns).split("<tbody>")[1].split("</tbody>")[0]
    )
    return [
        [re.sub("<[^>]*>", "", c) for c in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", r)] for r in rows
    ]


def test_the_file_is_written_as_utf8(tmp_path: Path) -> None:
    write(tmp_path / "out.html", [turn(ended(), name="Zürich 東京")])
    assert "Zürich 東京" in (tmp_path / "out.html").read_text(encoding="utf-8")


def test_a_call_keeps_its_fields_in_order() -> None:
    row = only_call(ended("c7", arguments=b'{"a":1}', error=ValueError("boom"), late=True))
    assert row == ["c7", 0, 1, 0, 500_000, 1_000_000, 2, 1, "left", '{"a":1}', "ValueError: boom"]


def test_a_call_that_never_started_has_no_start() -> None:
    assert only_call(ended(status="skipped", times=(10.0, None, 11.0)))[4] is None


def test_times_count_from_the_first_turn() -> None:
    later = ended(times=(12.0, 12.0, 12.5))
    turns = data(turn(later, at=12.0), turn(ended(), at=10.0))["turns"]
    assert [found["start"] for found in turns] == [2_000_000, 0]


@pytest.mark.parametrize("arguments", [b"x" * 10_000_000, {"x": ["y" * 10_000] * 10_000}])
def test_big_arguments_are_cut(arguments: Any) -> None:
    assert len(only_call(ended(arguments=arguments))[9]) <= 600


def test_previews_shrink_with_the_number_of_calls() -> None:
    many = turn(*[ended(arguments=b"x" * 5_000)] * 50_000)
    assert len(render([many])) < 30_000_000


def test_arguments_that_are_not_text_are_shown_anyway() -> None:
    assert only_call(ended(arguments=b'{"a": "\xff\xfe"}'))[9].startswith('{"a": ')


def test_refs_are_shown_in_the_arguments() -> None:
    assert "Ref(" in only_call(ended(arguments={"url": Ref("search", "items.0")}))[9]


def test_an_error_that_cannot_be_shown_costs_nothing_else() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert only_call(ended(error=Broken()))[10] == "Broken: (its text cannot be shown)"


def test_hostile_text_cannot_leave_the_data() -> None:
    evil = "</script><script>alert(1)</script><!--"
    page = render(
        [turn(ended(evil, tool=evil, arguments={"x": evil}, error=ValueError(evil)), name=evil)]
    )
    assert page.count("<script") == 2
    assert "alert(1)</script>" not in page


def test_nothing_is_loaded_from_outside() -> None:
    page = render([turn(ended())])
    assert not re.search(r"https?:|src=|href=|@import|url\(", page)
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page


def test_the_policy_allows_exactly_our_script_and_style() -> None:
    page = render([turn(ended())])
    for tag in ("script", "style"):
        texts = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert len(texts) == 1
        digest = b64encode(sha256(texts[0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in page


def test_measured_turns_show_their_speed_up() -> None:
    assert table(turn(ended(), one_by_one=4.0))[0][2:6] == ["1.00 s", "500.00 ms", "4.00 s", "4.0x"]


def test_turns_that_were_not_measured_use_the_sum_of_call_times() -> None:
    cells = table(turn(ended(), ended()))[0]
    assert cells[4:6] == ["\N{EN DASH}", "≈ 1.0x"]


def test_turns_together_count_overlapping_time_once() -> None:
    second = turn(ended(times=(10.5, 10.5, 11.5)), at=10.5)
    assert table(turn(ended()), second)[-1][:3] == ["together", "2", "1.50 s"]


def test_outcomes_are_counted_by_status() -> None:
    cells = table(turn(ended(), ended(status="timeout"), ended(status="timeout")))[0]
    assert cells[-1] == "1 ok2 timeout"


def test_no_turns_are_a_page_without_calls() -> None:
    assert data()["turns"] == []


def test_a_turn_without_calls_takes_no_time() -> None:
    assert table(turn())[0][1:3] == ["0", "0 µs"]
