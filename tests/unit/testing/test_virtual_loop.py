"""Virtual time."""

import asyncio
import threading

import pytest

from penstock.testing import VirtualLoop, virtual_loop
from penstock.testing.virtual_loop import Deadlock


def test_an_hour_costs_nothing() -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        began = runner.get_loop().time()
        assert runner.run(asyncio.sleep(3600, "slept")) == "slept"
        assert runner.get_loop().time() - began == pytest.approx(3600)


def test_timers_fire_in_order() -> None:
    fired: list[float] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for seconds in (3.0, 1.0, 2.0):
            loop.call_later(seconds, fired.append, seconds)
        await asyncio.sleep(10)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())
    assert fired == [1.0, 2.0, 3.0]


def test_time_may_be_moved_by_hand() -> None:
    loop = VirtualLoop()
    loop.advance(60)
    assert loop.time() == 61.0
    loop.close()


def test_a_program_that_hangs_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_loop, "_SILENCE_SECONDS", 0.01)
    loop = VirtualLoop()
    waiting = loop.create_future()
    with pytest.raises(Deadlock):
        loop.run_until_complete(waiting)
    loop.close()


def test_a_thread_is_waited_for_in_real_time() -> None:
    async def main() -> str:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        release = threading.Event()

        def work() -> None:
            release.wait(5)
            loop.call_soon_threadsafe(done.set_result, "from a thread")

        thread = threading.Thread(target=work)
        thread.start()
        loop.call_soon(release.set)
        answer: str = await done
        thread.join()
        return answer

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(main()) == "from a thread"
