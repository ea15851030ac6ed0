from penstock.cli.checks import Finding
from penstock.cli.commands import doctor


def test_a_sound_installation_is_exit_code_0(penstock) -> None:
    printed = penstock("doctor")
    assert printed.code == 0, printed.out
    assert "Everything that is installed works." in printed.out


def test_problems_come_first_and_are_exit_code_1(penstock, monkeypatch) -> None:
    findings = [
        Finding("versions", "python", "fine", "3.11"),
        Finding("extras", "demo", "note", "aiohttp is not installed", "pip install it"),
        Finding("formats", "odd", "broken", "it has no FORMAT"),
    ]
    monkeypatch.setattr(doctor.checks, "all_findings", lambda: findings)
    printed = penstock("doctor")
    assert printed.code == 1
    states = [line.partition(" ")[0] for line in printed.out.splitlines() if line]
    assert states == ["broken", "note", "fine", "1"]
    assert "pip install it" in printed.out


def test_a_note_breaks_nothing(penstock, monkeypatch) -> None:
    note = Finding("extras", "demo", "note", "aiohttp is not installed")
    monkeypatch.setattr(doctor.checks, "all_findings", lambda: [note])
    assert penstock("doctor").code == 0


def test_a_json_line_a_finding(penstock) -> None:
    records = penstock("doctor", "--json").records
    assert {"area", "name", "state", "says", "helps"} == set(records[0])
    assert any(record["name"] == "anthropic" for record in records)
