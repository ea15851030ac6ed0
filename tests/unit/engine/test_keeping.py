"""What an engine does for large results: its store, and the watch of its room."""

import asyncio
import gc
from typing import Any

import pytest

import penstock.results as stores
from penstock.engine.keeping import Keeping
from penstock.errors import ConfigError
from penstock.results import Results, ResultStore
from penstock.tools import Toolset, tool

MIB = 1 << 20


@tool(media_type="text/plain", value_bytes=2 * MIB)
async def work() -> None:
    """Do nothing."""


class Host:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.inline_bytes = 0
        self.told: list[str] = []

    def use_results(self, _keep: object, inline_bytes: int, _value_bytes: int) -> None:
        self.inline_bytes = inline_bytes

    def hold_results(self) -> None:
        self.told.append("hold")

    def release_results(self) -> None:
        self.told.append("release")

    def refuse_held(self, _held: int, limit: int, _retry_after: float) -> int:
        self.told.append(f"refuse {limit}")
        return 0


def keeping(results: Results | ResultStore | None) -> tuple[Any, Host]:
    host = Host()
    return Keeping(results, host, Toolset([work])), host  # type: ignore[arg-type]


def small() -> Results:
    return Results(memory_bytes=MIB, spill=None, inline_bytes=10, full_wait=1.0)


async def test_the_store_is_made_when_it_is_needed() -> None:
    parts, host = keeping(small())
    assert host.inline_bytes == 10
    assert parts.statistics() is None
    assert parts.store is parts.store
    assert parts.statistics().values == 0
    await parts.aclose()


async def test_a_value_is_kept_as_its_tool_says() -> None:
    parts, _ = keeping(small())
    ref = parts.keep("x" * 100, "work", "acme", 100, 150)
    assert (ref.tool, ref.tenant, ref.media_type) == ("work", "acme", "text/plain")
    assert parts.keep("x", "work", None, 1, 50) is None
    await parts.aclose()


async def test_only_a_store_of_its_own_is_closed() -> None:
    async with ResultStore(small()) as store:
        parts, _ = keeping(store)
        await parts.aclose()
        parts.forget()
        assert store.put("still open").value() == "still open"


async def test_after_the_end_of_a_store_values_stay_with_their_outcomes() -> None:
    store = ResultStore(small())
    parts, _ = keeping(store)
    await store.aclose()
    assert parts.keep("x" * 100, "work", None, 100, 150) is None


async def test_calls_are_held_while_memory_is_full_and_let_go_afterwards() -> None:
    parts, host = keeping(small())
    refs = [parts.keep(("opaque", n), "work", None, 1_000, MIB) for n in range(2)]
    assert host.told == ["hold"]
    await asyncio.sleep(0.5)
    refs.clear()
    gc.collect()
    await asyncio.sleep(0.1)
    assert host.told == ["hold", "release"]
    await parts.aclose()


async def test_who_waits_is_refused_each_time_that_full_wait_is_over() -> None:
    parts, host = keeping(small())
    refs = [parts.keep(("opaque", n), "work", None, 1_000, MIB) for n in range(2)]
    await asyncio.sleep(2.5)
    assert host.told == ["hold", f"refuse {MIB}", f"refuse {MIB}"]
    await parts.aclose()
    assert len(refs) == 2


async def test_when_a_shared_store_closes_nobody_is_held_any_more() -> None:
    store = ResultStore(small())
    parts, host = keeping(store)
    refs = [parts.keep(("opaque", n), "work", None, 1_000, MIB) for n in range(2)]
    await store.aclose()
    await asyncio.sleep(0.1)
    assert host.told == ["hold", "release"]
    assert len(refs) == 2


async def test_whatever_ends_the_watch_nobody_stays_held() -> None:
    parts, host = keeping(small())
    refs = [parts.keep(("opaque", n), "work", None, 1_000, MIB) for n in range(2)]

    def fails(*_: object) -> int:
        raise RuntimeError("a fault")

    host.refuse_held = fails  # type: ignore[method-assign]  # a fault of our own
    with pytest.raises(RuntimeError, match="a fault"):
        await parts._watch
    assert host.told == ["hold", "release"]
    await parts.aclose()
    assert len(refs) == 2


async def test_a_store_that_cannot_be_made_is_told_of_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object, **__: object) -> ResultStore:
        raise ConfigError("spill", "/nowhere", "is no folder")

    monkeypatch.setattr(stores, "ResultStore", fails)
    parts, _ = keeping(small())
    assert parts.keep("x" * 100, "work", None, 100, 150) is None
    assert parts.keep("x" * 100, "work", None, 100, 150) is None
    assert caplog.text.count("they have no store") == 1
    with pytest.raises(ConfigError):
        _ = parts.store
