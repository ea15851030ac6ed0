"""What is written of sessions, and what never is."""

import asyncio
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from penstock import Call, Engine, sleep, tool
from penstock.errors import ConfigError, TraceError
from penstock.speculation import Recorder, Speculation, TraceSession, read_traces


@tool(effects="read")
async def find(name: str) -> dict[str, Any]:
    await sleep(1.0)
    return {"name": name, "orders": ["W1234567"], "total": 12.5}


@tool(effects="read")
async def get(order: str) -> str:
    await sleep(0.5)
    if order == "none":
        raise LookupError("no such order: none")
    return f"{order} is packed"


@tool
async def login(user: str, pin: SecretStr, api_key: str = "") -> dict[str, str]:
    return {"said": f"welcome {pin.get_secret_value()}", "token": "tok-12345"}


def engine_of(recorder: Recorder, mode: Any = "off") -> Engine:
    return Engine([find, get, login], speculation=Speculation(mode=mode, recorder=recorder))


async def talk(engine: Engine, id: str = "s1", tenant: str = "acme") -> None:
    async with engine.session(id, tenant=tenant, agent="support") as session:
        session.user("Where is W1234567, asks Ana?")
        await asyncio.sleep(2.0)
        await session.run([Call("find", {"name": "Ana"})])
        await asyncio.sleep(3.0)
        await session.run([Call("get", {"order": "W1234567"}), Call("get", {"order": "none"})])
        session.answered()


async def recorded(path: Path, **options: Any) -> list[TraceSession]:
    with Recorder(path, **options) as recorder:
        async with engine_of(recorder) as engine:
            await talk(engine)
    return read_traces(path)[0]


async def test_a_line_says_what_happened_and_when(tmp_path: Path) -> None:
    (session,) = await recorded(tmp_path / "a.jsonl", values="full")
    assert (session.id, session.domain, session.model) == ("s1", "acme:support", "support")
    assert session.inputs == ((0, "Where is W1234567, asks Ana?"),)
    assert (session.answered, session.effects) == ((0,), {"find": "read", "get": "read"})
    found, first, second = session.calls
    assert found.result == {"name": "Ana", "orders": ["W1234567"], "total": 12.5}
    assert [(call.turn, call.step) for call in session.calls] == [(0, 0), (0, 1), (0, 1)]
    assert [call.gap_s for call in session.calls] == pytest.approx([2.0, 3.0, 3.0], abs=0.01)
    assert [call.at for call in session.calls] == pytest.approx([2.0, 6.0, 6.0], abs=0.01)
    assert [call.latency for call in session.calls] == pytest.approx([1.0, 0.5, 0.5], abs=0.01)
    assert (first.error, first.result) == (False, "W1234567 is packed")
    assert (second.error, second.result) == (True, "no such order: none")


async def test_shapes_hide_values_and_keep_what_is_equal(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    (session,) = await recorded(path)
    text = path.read_text()
    assert not any(word in text for word in ("W1234567", "Ana", "acme", "packed", "12.5"))
    found, got, _ = session.calls
    order = found.result["orders"][0]
    assert got.arguments == {"order": order}
    assert len(order) == 8
    assert order in session.inputs[0][1]
    assert order in got.result


async def test_each_file_has_its_own_key(tmp_path: Path) -> None:
    lines = [(await recorded(tmp_path / name))[0] for name in ("a.jsonl", "b.jsonl")]
    assert lines[0].inputs != lines[1].inputs


async def test_secrets_are_written_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with Recorder(path, values="full") as recorder:
        async with engine_of(recorder) as engine, engine.session("s") as session:
            session.user("My pin is 987654")
            await session.run(
                [Call("login", {"user": "ana", "pin": "987654", "api_key": "k-00112233"})]
            )
            await session.run([Call("find", {"name": "k-00112233"})])
    text = path.read_text()
    assert not any(word in text for word in ("987654", "k-00112233", "tok-12345"))
    (session,) = read_traces(path)[0]
    assert session.inputs == ((0, "My pin is ***"),)
    assert session.calls[0].arguments == {"user": "ana"}
    assert session.calls[0].result == {"said": "welcome ***"}


async def test_redact_sees_each_value_and_its_place(tmp_path: Path) -> None:
    seen: list[tuple[str, str, Any]] = []

    def redact(tool: str, path: str, value: Any) -> Any:
        seen.append((tool, path, value))
        return "someone" if path.endswith("name") else value

    path = tmp_path / "a.jsonl"
    (session,) = await recorded(path, values="full", redact=redact)
    assert session.calls[0].arguments == {"name": "someone"}
    assert ("find", "args.name", "Ana") in seen
    assert ("find", "result.orders[0]", "W1234567") in seen
    assert ("", "text", "Where is W1234567, asks Ana?") in seen
    assert ("get", "error", "no such order: none") in seen


async def test_a_redact_that_raises_leaves_no_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with Recorder(path, redact=lambda *_: 1 / 0) as recorder:
        async with engine_of(recorder) as engine:
            await talk(engine)
        recorder.flush()
        assert recorder.statistics().failed == 1
    assert path.read_bytes() == b""


async def test_the_file_stops_before_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with Recorder(path, max_bytes=3_000) as recorder:
        async with engine_of(recorder) as engine:
            for number in range(9):
                await talk(engine, f"s{number}")
        recorder.flush()
        counts = recorder.statistics()
    assert counts.full
    assert counts.sessions + counts.dropped == 9
    assert counts.bytes == path.stat().st_size <= 3_000
    assert len(read_traces(path)[0]) == counts.sessions > 0


async def test_notes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.speculation.recorder.MOST_NOTES", 2_000)
    with Recorder(tmp_path / "a.jsonl") as recorder:
        async with engine_of(recorder) as engine, engine.session("long") as session:
            for _ in range(9):
                session.user("more" * 100)
        recorder.flush()
        assert (recorder.statistics().sessions, recorder.statistics().dropped) == (0, 1)
        async with engine_of(recorder) as engine:
            await talk(engine)
        recorder.flush()
        assert recorder.statistics().sessions == 1


async def test_long_values_are_cut_and_marked(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with Recorder(path, values="full") as recorder:
        async with engine_of(recorder) as engine, engine.session("s") as session:
            await session.run([Call("get", {"order": "x" * 7_000})])
            await session.run([Call("find", {"name": "x" * 70_000})])
    cut, gone = read_traces(path)[0][0].calls
    assert (cut.arguments, cut.cut, cut.result, cut.result_cut) == ({}, True, "x" * 6_000, True)
    assert (gone.arguments, gone.cut, gone.result, gone.result_cut) == ({}, True, None, True)


async def test_nobody_else_reads_the_file_and_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with Recorder(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match="already"):
        Recorder(path)


async def test_a_line_that_the_disk_does_not_take_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, write = tmp_path / "a.jsonl", os.write
    with Recorder(path) as recorder:
        async with engine_of(recorder) as engine:
            await talk(engine, "s1")
            recorder.flush()
            monkeypatch.setattr(os, "write", lambda file, line: write(file, line[:99]))
            await talk(engine, "s2")
            recorder.flush()
            monkeypatch.setattr(os, "write", write)
            await talk(engine, "s3")
        recorder.flush()
        assert (recorder.statistics().sessions, recorder.statistics().failed) == (2, 1)
    assert len(read_traces(path)[0]) == 2


async def test_a_torn_line_is_named_and_can_be_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    await recorded(path)
    line = path.read_bytes()
    path.write_bytes(line + line[:200])
    with pytest.raises(TraceError, match=r"a\.jsonl:2"):
        read_traces(path)
    faults: list[TraceError] = []
    assert len(read_traces(path, on_fault=faults.append)[0]) == 1
    assert [fault.line for fault in faults] == [2]


async def test_calls_outside_of_sessions_are_not_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with Recorder(path) as recorder:
        async with engine_of(recorder) as engine:
            await engine.run([Call("find", {"name": "Ana"})])
            async with engine.session("silent"):
                pass
        recorder.flush()
        assert recorder.statistics().sessions == 0


async def test_guesses_leave_no_trace(tmp_path: Path) -> None:
    """With guesses that run, the same calls are recorded."""
    path = tmp_path / "a.jsonl"
    with Recorder(path, values="full") as recorder:
        async with engine_of(recorder, "live") as engine:
            for number in range(60):  # the first of them are only watched
                await talk(engine, f"s{number}")
            launched = engine.speculation.statistics().launched
    sessions, _ = read_traces(path)
    shown = {json.dumps([[c.tool, dict(c.arguments)] for c in each.calls]) for each in sessions}
    assert (len(sessions), len(shown)) == (60, 1)
    assert launched > 0


@pytest.mark.parametrize(
    "options", [{"values": "some"}, {"max_bytes": 5}, {"max_bytes": 1e6}, {"redact": 1}]
)
def test_bad_options_are_refused_by_name(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refused:
        Recorder(tmp_path / "a.jsonl", **options)
    assert refused.value.field in options
    assert not (tmp_path / "a.jsonl").exists()


def test_sessions_that_go_on_after_the_end_are_dropped(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a.jsonl")
    recorder.close()
    recorder.close()
    assert not recorder.reserve(1)
