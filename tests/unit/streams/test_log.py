"""Filters, and the snapshot that watchers share."""

import pytest

import penstock
from penstock import Call, Engine, tool
from penstock.errors import ConfigError
from penstock.events import RECORDED
from penstock.streams.log import ALL_KINDS, mask


@tool
async def talk(text: str) -> str:
    penstock.progress(1, 2)
    penstock.output(text)
    return text


CALLS = [
    Call("talk", {"text": "a"}, id="a", branch="left"),
    Call("talk", {"text": "b"}, branch="right"),
]


def test_each_type_has_its_bit() -> None:
    assert [mask([name]) for name in RECORDED] == [1 << at for at in range(len(RECORDED))]
    assert mask(None) == mask(RECORDED) == ALL_KINDS


@pytest.mark.parametrize(
    "chosen",
    [
        {"types": ["call.began"]},
        {"types": "call.ended"},
        {"calls": ["c"]},
        {"calls": "a"},
        {"calls": [2]},
        {"branch": "middle"},
    ],
)
async def test_what_there_is_not_is_refused(chosen: dict[str, object]) -> None:
    async with Engine([talk]) as engine:
        batch = engine.submit(CALLS)
        with pytest.raises(ConfigError):
            batch.events(**chosen)  # type: ignore[arg-type]
        await batch


@pytest.mark.parametrize(
    "chosen",
    [{"calls": ["a"]}, {"calls": [0]}, {"branch": "left"}, {"calls": [0, 1], "branch": "left"}],
)
async def test_chosen_calls_come_with_what_is_about_all(chosen: dict[str, object]) -> None:
    async with Engine([talk]) as engine:
        batch = engine.submit(CALLS)
        seen = [event async for event in batch.events(**chosen)]  # type: ignore[arg-type]
    assert {event.index for event in seen} == {None, 0}
    assert (seen[0].type, seen[-1].type) == ("batch.started", "batch.ended")


async def test_values_may_be_left_out() -> None:
    async with Engine([talk]) as engine:
        batch = engine.submit(CALLS)
        only = {"types": ["call.ended"], "values": False}
        seen = [event async for event in batch.events(**only)]  # type: ignore[arg-type]
    assert [(event.status, event.outcome) for event in seen] == [("ok", None)] * 2


async def test_a_snapshot_says_where_each_call_is() -> None:
    async with Engine([talk]) as engine:
        batch = engine.submit(CALLS)
        batch.branch("left").commit()
        await batch
        seq, (snapshot,) = batch._stream.snapshot()
        assert snapshot.data is not None
        first, second = snapshot.data["calls"]
        kept = {"left": True, "right": False}
        assert (seq, snapshot.data["branches"]) == (len(batch._native), kept)
    assert (first["call"], first["state"], first["status"]) == ("a", "ended", "ok")
    assert (first["progress"], first["output"]) == ({"done": 1, "total": 2}, [{"text": "a"}])
    assert second["status"] == "cancelled"


async def test_all_who_need_a_snapshot_at_one_time_get_the_same() -> None:
    async with Engine([talk]) as engine:
        batch = engine.submit(CALLS)
        await batch
        assert batch._stream.snapshot()[1][0] is batch._stream.snapshot()[1][0]


async def test_who_reads_on_from_one_place_shares_the_events() -> None:
    async with Engine([talk]) as engine:
        batch = engine.submit(CALLS)
        await batch
        first, second, other = batch.events(), batch.events(), batch.events(values=False)
        assert await anext(first) is await anext(second)
        assert await anext(other) is not await anext(first)
        assert [event.seq async for event in second] == list(range(2, second.position + 1))
