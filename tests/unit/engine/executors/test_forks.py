"""The fork server and the engine's side of it: real processes."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator

import psutil
import pytest

from contracts import executor_tools as tools
from penstock.engine.executors._fork_server import Startup
from penstock.engine.executors._forks import Forks, preparation_of_main
from penstock.engine.executors._references import Reference
from penstock.engine.executors._worker import Limits

pytestmark = pytest.mark.real_time


class Server:
    """A fork server, and what it told."""

    def __init__(self) -> None:
        """Start nothing yet."""
        references = (Reference("echo", tools.__name__, "echo"),)
        self.deaths: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
        self.started: set[int] = set()
        self.ends: asyncio.Queue[str] = asyncio.Queue()
        self.forks = Forks(
            asyncio.get_running_loop(),
            Startup(preparation_of_main(), references, Limits()),
            on_start=self.started.add,
            on_death=lambda number, code: self.deaths.put_nowait((number, code)),
            on_end=self.ends.put_nowait,
        )

    async def start(self, number: int) -> socket.socket:
        """Start a worker, and wait until its process is known."""
        connection = self.forks.start_worker(number)
        until = time.monotonic() + 10
        while number not in self.started:
            assert time.monotonic() < until
            await asyncio.sleep(0.002)
        return connection


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    yield server
    server.forks.close()
    assert not psutil.Process().children(recursive=True)


async def test_a_worker_leads_a_group_of_its_own(server: Server) -> None:
    with await server.start(0):
        process = server.forks.processes[0]
        assert os.getpgid(process) == process


async def test_a_worker_whose_socket_is_closed_ends(server: Server) -> None:
    (await server.start(0)).close()
    assert await server.deaths.get() == (0, 0)
    assert server.forks.processes == {}


async def test_a_signalled_worker_is_reported(server: Server) -> None:
    with await server.start(5), await server.start(6):
        server.forks.signal(5, signal.SIGKILL)
        assert await server.deaths.get() == (5, -signal.SIGKILL)
        server.forks.signal(5, signal.SIGKILL)  # who has died is nobody
        assert list(server.forks.processes) == [6]


async def test_closing_kills_what_is_left(server: Server) -> None:
    with await server.start(0):
        process = server.forks.processes[0]
        server.forks.close()
        assert not psutil.pid_exists(process)
        assert server.deaths.empty()


async def test_a_server_that_dies_is_told_and_replaced(server: Server) -> None:
    with await server.start(0):
        orphan = server.forks.processes[0]
        assert server.forks._server is not None
        server.forks._server.kill()
        assert await server.ends.get() == "its fork server ended with SIGKILL"
        assert server.forks.processes == {}
    with await server.start(1):
        assert server.forks.processes[1] != orphan


async def test_a_server_that_cannot_start_is_told(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.engine.executors._forks._PROGRAM", "raise SystemExit(7)")
    with server.forks.start_worker(0):
        assert await server.ends.get() == "its fork server ended with exit code 7"


async def test_the_main_module_of_a_test_run_is_known() -> None:
    assert set(preparation_of_main()) <= {
        "init_main_from_name",
        "init_main_from_path",
        "orig_dir",
        "sys_argv",
    }
