"""A socket on the loop."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator

import pytest

from penstock.engine.executors._pipe import Pipe

pytestmark = pytest.mark.real_time


class Ends:
    """A pipe and its other side."""

    def __init__(self) -> None:
        """Connect them."""
        ours, self.theirs = socket.socketpair()
        self.heard = bytearray()
        self.ended = asyncio.Event()
        self.pipe = Pipe(
            asyncio.get_running_loop(), ours, on_data=self.heard.extend, on_end=self.ended.set
        )

    async def settle(self, size: int) -> None:
        """Wait until so much was heard."""
        until = time.monotonic() + 5
        while len(self.heard) < size:
            assert time.monotonic() < until
            await asyncio.sleep(0.001)

    def close(self) -> None:
        """Close both."""
        self.pipe.close()
        self.theirs.close()


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    ends = Ends()
    yield ends
    ends.close()


async def test_what_comes_is_told(ends: Ends) -> None:
    ends.theirs.send(b"hello")
    await ends.settle(5)
    assert ends.heard == b"hello"


async def test_what_is_written_arrives(ends: Ends) -> None:
    ends.pipe.write(b"hello")
    assert ends.theirs.recv(10) == b"hello"


async def test_what_does_not_fit_is_written_later_and_in_order(ends: Ends) -> None:
    large = os.urandom(2_000_000)
    ends.pipe.write(large)
    ends.pipe.write(b"end")
    ends.theirs.setblocking(False)
    received = bytearray()
    async with asyncio.timeout(5):
        while len(received) < len(large) + 3:
            received += await asyncio.get_running_loop().sock_recv(ends.theirs, 65_536)
    assert received == large + b"end"


async def test_the_end_is_told_once(ends: Ends) -> None:
    ends.theirs.close()
    async with asyncio.timeout(5):
        await ends.ended.wait()
    ends.pipe.write(b"to nobody")
    ends.pipe.close()


async def test_the_rest_is_read_before_it_is_told(ends: Ends) -> None:
    ends.theirs.send(b"last words")
    ends.theirs.close()
    ends.pipe.read_rest()
    assert ends.heard == b"last words"
    assert ends.ended.is_set()


async def test_a_closed_pipe_tells_nothing(ends: Ends) -> None:
    ends.pipe.close()
    ends.pipe.close()
    assert ends.theirs.recv(1) == b""
    assert not ends.ended.is_set()


async def test_a_pipe_that_nobody_reads_any_more_drops_what_is_written(ends: Ends) -> None:
    ends.theirs.close()
    ends.pipe.write(b"x")
    ends.pipe.write(b"x")


async def test_an_abandoned_pipe_is_closed_by_its_loop(ends: Ends) -> None:
    ends.pipe.abandon()
    assert ends.theirs.recv(1) == b""
    async with asyncio.timeout(5):
        await ends.ended.wait()
    assert ends.pipe.socket.fileno() == -1


async def test_the_child_of_a_fork_does_not_end_it(ends: Ends) -> None:
    child = os.fork()
    if child == 0:
        ends.pipe.close()
        os._exit(0)
    os.waitpid(child, 0)  # noqa: ASYNC222 - it ends at once
    ends.pipe.write(b"still there")
    assert ends.theirs.recv(20) == b"still there"
    ends.theirs.send(b"and heard")
    await ends.settle(9)
