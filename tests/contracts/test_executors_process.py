"""What worker processes add to the contract: deaths, limits of what can travel, real programs."""

import asyncio
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import penstock
from contracts import executor_tools as tools
from penstock import Call, Context, Engine, tool
from penstock.errors import ConfigError, WorkerDied

pytestmark = pytest.mark.real_time


def exists(path: Path) -> bool:
    return path.exists()


def hosted(function: Any, **options: Any) -> Any:
    return tool(function, host="process", **options)  # type: ignore[call-overload]


@pytest.fixture(autouse=True)
def no_process_left() -> Iterator[None]:
    yield
    assert not psutil.Process().children(recursive=True)


async def test_a_death_is_the_outcome_of_its_call_alone() -> None:
    async with Engine([hosted(tools.die), hosted(tools.echo, effects="read")]) as engine:
        calls = [Call("echo", {"value": n}) for n in range(20)]
        outcomes = await engine.run([*calls[:10], Call("die", {"number": 9}), *calls[10:]])
    dead = outcomes.pop(10)
    assert dead.status == "failed"
    assert isinstance(dead.error, WorkerDied)
    assert (dead.error.tool, dead.error.signal) == ("die", "SIGKILL")
    assert [outcome.value for outcome in outcomes] == list(range(20))


async def test_a_call_whose_worker_died_can_be_tried_again(tmp_path: Path) -> None:
    flaky = hosted(tools.die_once, effects="idempotent", retries=2)
    async with Engine([flaky], processes=1) as engine:
        assert await engine.call("die_once", flag=str(tmp_path / "died")) == "alive"


async def test_calls_go_on_after_a_row_of_deaths() -> None:
    async with Engine([hosted(tools.leave), hosted(tools.echo)], processes=1) as engine:
        await engine.run([Call("leave", {"code": 1})] * 3)
        assert engine.statistics().executors["process"].died == 3
        assert await engine.call("echo", value=1) == 1


async def test_the_token_of_the_loop_is_not_that_of_a_job(tmp_path: Path) -> None:
    """A job that was begun on the loop's thread is not what runs there."""

    async def look() -> bool:
        return penstock.cancelled()

    async with Engine([hosted(tools.block), tool(look)], processes=1) as engine:
        begun = tmp_path / "begun"
        held = engine.submit([Call("block", {"seconds": 60.0, "flag": str(begun)})])
        until = time.monotonic() + 10
        while not exists(begun):
            assert time.monotonic() < until
            await asyncio.sleep(0.005)
        held.cancel()
        assert (await engine.run([Call("look")]))[0].value is False
        await held


def with_context(context: Context) -> None:
    """Wants what cannot travel."""


def test_what_workers_cannot_run_is_refused_when_the_engine_takes_it() -> None:
    def nested() -> None:
        """Is found nowhere."""

    for function in (nested, with_context):
        with pytest.raises(ConfigError, match=r"host='process'"):
            Engine([hosted(function)])


def run_script(tmp_path: Path, name: str, text: str, *flags: str) -> str:
    path = tmp_path / name
    path.write_text(textwrap.dedent(text))
    run = subprocess.run(
        [sys.executable, "-W", "error", *flags, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout + run.stderr


GUARDED = """
    from dataclasses import dataclass
    import penstock
    from penstock import Engine, tool

    @dataclass
    class Pair:
        left: int
        right: int

    @tool(host="process", effects="read")
    def swap(pair: Pair) -> Pair:
        return Pair(pair.right, pair.left)

    async def main():
        async with Engine([swap], processes=1) as engine:
            print(await engine.call("swap", pair=Pair(1, 2)))

    print("imported as", __name__, flush=True)
    if __name__ == "__main__":
        penstock.run(main())
"""


def test_tools_and_types_of_a_script_work(tmp_path: Path) -> None:
    said = run_script(tmp_path, "script.py", GUARDED)
    assert "Pair(left=2, right=1)" in said
    assert said.count("imported as __main__") == 1
    assert said.count("imported as __mp_main__") == 1, "once, in the fork server"


def test_a_script_without_a_guard_is_told(tmp_path: Path) -> None:
    said = run_script(
        tmp_path,
        "script.py",
        """
        import penstock
        from penstock import Call, Engine, tool

        @tool(host="process")
        def double(number: int) -> int:
            return 2 * number

        async def main():
            async with Engine([double], processes=1) as engine:
                (outcome,) = await engine.run([Call("double", {"number": 2})])
                print(outcome.status, outcome.error)

        penstock.run(main())
        """,
    )
    assert "failed" in said
    assert 'if __name__ == "__main__":' in said


def test_a_script_without_a_guard_works_with_tools_of_a_module(tmp_path: Path) -> None:
    (tmp_path / "numbers_of_mine.py").write_text(
        "def double(number: int) -> int: return 2 * number\n"
    )
    said = run_script(
        tmp_path,
        "script.py",
        """
        import penstock
        from penstock import Engine, tool
        from numbers_of_mine import double

        async def main():
            async with Engine([tool(double, host="process")], processes=1) as engine:
                print(await engine.call("double", number=2))

        penstock.run(main())
        """,
    )
    assert said == "4\n"


def test_an_interactive_session_is_refused() -> None:
    program = (
        "from penstock import Engine, tool\n"
        "def work(): pass\n"
        "try: Engine([tool(work, host='process')])\n"
        "except Exception as error: print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert "move it to a module of its own" in run.stdout


def test_a_program_that_is_killed_leaves_no_worker(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(
        textwrap.dedent(
            """
            import os, time, penstock
            from penstock import Engine, tool

            @tool(host="process")
            def work() -> None:
                print(os.getpid(), flush=True)
                time.sleep(60)

            async def main():
                async with Engine([work], processes=1) as engine:
                    await engine.call("work")

            if __name__ == "__main__":
                penstock.run(main())
            """
        )
    )
    with subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        worker = psutil.Process(int(run.stdout.readline()))
        run.kill()
    gone, _alive = psutil.wait_procs([worker], timeout=10)
    assert gone == [worker]


def test_a_program_that_does_not_close_its_engine_ends(tmp_path: Path) -> None:
    said = run_script(
        tmp_path,
        "script.py",
        """
        import asyncio
        from penstock import Engine, tool

        @tool(host="process")
        def double(number: int) -> int:
            return 2 * number

        async def main():
            engine = Engine([double], processes=1)
            print(await engine.call("double", number=2))

        if __name__ == "__main__":
            asyncio.run(main())
        """,
        "-W",
        "ignore",
    )
    assert said.startswith("4\n")


class TestTelling:
    """What process tools tell is in the log of their batch, as that of any tool."""

    async def told(self, engine: Engine, name: str, **arguments: Any) -> list[Any]:
        batch = engine.submit([Call(name, arguments)])
        return [(event.type, event.data) async for event in batch.events()]

    async def test_progress_and_output_reach_the_watchers_before_the_end(self) -> None:
        async with Engine([hosted(tools.tell)], processes=1) as engine:
            seen = await self.told(engine, "tell", steps=3)
        progress = [data for kind, data in seen if kind == "call.progress"]
        assert progress == [{"done": step, "total": 3} for step in range(3)]
        output = [data["text"] for kind, data in seen if kind == "call.output"]
        assert "".join(output) == "0,1,2,"
        assert [kind for kind, _ in seen[-2:]] == ["call.ended", "batch.ended"]

    async def test_progress_is_heard_while_the_tool_runs(self) -> None:
        async with Engine([hosted(tools.tell)], processes=1) as engine:
            batch = engine.submit([Call("tell", {"steps": 4})])
            async with batch.events(types=["call.progress"]) as events:
                await anext(events)
                assert not batch.done
            await batch

    async def test_a_payload_that_is_too_large_fails_the_tool(self) -> None:
        async with Engine([hosted(tools.tell_too_much)], processes=1) as engine:
            (outcome,) = await engine.run([Call("tell_too_much")])
        assert isinstance(outcome.error, ValueError)
        assert "65536" in str(outcome.error)

    async def test_a_flood_is_thinned_and_its_output_whole(self) -> None:
        async with Engine([hosted(tools.flood)], processes=1) as engine:
            seen = await self.told(engine, "flood")
        progress = [data["done"] for kind, data in seen if kind == "call.progress"]
        assert progress[-1] == 19_999
        assert len(progress) < 200
        output = [data["text"] for kind, data in seen if kind == "call.output"]
        assert "".join(output) == "x" * 20_000

    async def test_the_last_words_of_a_worker_are_heard(self) -> None:
        async with Engine([hosted(tools.tell_and_die)], processes=1) as engine:
            seen = await self.told(engine, "tell_and_die")
        assert ("call.output", {"text": "last words"}) in seen

    async def test_what_two_workers_tell_is_told_of_their_own_calls(self) -> None:
        async with Engine([hosted(tools.tell)], processes=2) as engine:
            batch = engine.submit([Call("tell", {"steps": steps}) for steps in (1, 2, 3, 4)])
            events = [event async for event in batch.events(types=["call.output"])]
        for index, text in enumerate(("0,", "0,1,", "0,1,2,", "0,1,2,3,")):
            assert "".join(e.data["text"] for e in events if e.index == index and e.data) == text
