"""What every test gets: a loop in virtual time, and a failure if it leaves something behind.

| test | event loops it runs on |
|---|---|
| any coroutine test | virtual time: the loop jumps to the next timer when nothing is ready |
| marked `real_time` | asyncio and uvloop |
| in `contracts/` | virtual time, asyncio and uvloop |
"""

import asyncio
import inspect
import os
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

try:
    from penstock.testing import VirtualLoop
except ImportError:
    VirtualLoop = asyncio.new_event_loop

CONTRACTS = Path(__file__).parent / "contracts"
SECONDS_FOR_A_THREAD_TO_END = 2.0

VIRTUAL = pytest.param(("asyncio", {"loop_factory": VirtualLoop}), id="virtual")
ASYNCIO = pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio")
UVLOOP = pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop")

# No deadlines: two busy cores stretch any example; the 20 s timeout finds what hangs.
settings.register_profile(
    "default", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("fast", settings.get_profile("default"), max_examples=15)
# The same examples in each run: a red CI is about the change, and a new find comes from a desk.
settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "default")
)


@pytest.fixture(scope="module")
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """Return the event loop of this run of the test; anyio's plugin reads it."""
    return request.param


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the event loops of a coroutine test."""
    if "anyio_backend" in metafunc.fixturenames:
        metafunc.parametrize("anyio_backend", _loops(metafunc), indirect=True, scope="module")


def _loops(metafunc: pytest.Metafunc) -> list[object]:
    if metafunc.definition.get_closest_marker("real_time"):
        return [ASYNCIO, UVLOOP]
    if metafunc.definition.path.is_relative_to(CONTRACTS):
        return [VIRTUAL, ASYNCIO, UVLOOP]
    return [VIRTUAL]


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(obj: object) -> None:
    """Let every coroutine test fail if it leaves a task behind."""
    if inspect.iscoroutinefunction(obj):
        pytest.mark.usefixtures("no_task_left")(obj)


@pytest.fixture
async def no_task_left() -> AsyncIterator[None]:
    """Fail a test that ends before its tasks do."""
    before = asyncio.all_tasks()
    yield
    left = [task for task in asyncio.all_tasks() - before if not _is_the_runners(task)]
    assert not left, f"the test left tasks behind: {left}"


def _is_the_runners(task: asyncio.Task[object]) -> bool:
    """Whether anyio's runner made the task, to bring this fixture to its own."""
    return "TestRunner" in getattr(task.get_coro(), "__qualname__", "")


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Fail a test that leaves a Python thread behind; sockets and files warn, which fails too."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(SECONDS_FOR_A_THREAD_TO_END)
    alive = [thread for thread in left if thread.is_alive()]
    assert not alive, f"the test left threads behind: {alive}"
