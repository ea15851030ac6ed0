"""Libraries that ask asyncio who they are work inside a hosted call, over real sockets and processes."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import aiohttp
import httpx
import pytest
from aiohttp import web

from contracts.hosting import COUNT, Mode, as_tasks, each_mode, hosted, raised, same

pytestmark = pytest.mark.real_time


def needs(*packages: str) -> pytest.MarkDecorator:
    """Skip a test, by name, where a package is missing that the project does not depend on."""
    missing = [package for package in packages if find_spec(package) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed")


def cancelling() -> int:
    """Return how many cancellations the current task has pending."""
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


@asynccontextmanager
async def local_server() -> AsyncIterator[str]:
    """Serve `/ok` at once, and `/slow` when the server ends."""
    stop = asyncio.Event()

    async def ok(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def slow(_: web.Request) -> web.Response:
        await stop.wait()
        return web.Response(text="slow")

    app = web.Application()
    app.router.add_get("/ok", ok)
    app.router.add_get("/slow", slow)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        stop.set()
        await runner.cleanup()


@each_mode
async def test_aiohttp_requests(mode: Mode) -> None:
    async with local_server() as url, aiohttp.ClientSession() as session:

        async def fetch(number: int) -> object:
            async with session.get(f"{url}/ok") as response:
                return response.status, await response.text(), cancelling()

        assert (await same(fetch, mode)).ends == [(200, "ok", 0)] * COUNT


@each_mode
@pytest.mark.parametrize("limit", ["total", "sock_read"])
async def test_aiohttp_timeouts(limit: str, mode: Mode) -> None:
    timeout = aiohttp.ClientTimeout(**{limit: 0.05})
    async with local_server() as url, aiohttp.ClientSession() as session:

        async def fetch(number: int) -> object:
            try:
                async with session.get(f"{url}/slow", timeout=timeout) as response:
                    return await response.text()
            except TimeoutError:
                await asyncio.sleep(0)
                return "timed out", cancelling()

        assert (await same(fetch, mode)).ends == [("timed out", 0)] * COUNT


@each_mode
async def test_httpx_requests_and_timeouts(mode: Mode) -> None:
    async with local_server() as url, httpx.AsyncClient(trust_env=False) as client:

        async def fetch(number: int) -> object:
            answer = (await client.get(f"{url}/ok")).text
            with pytest.raises(httpx.ReadTimeout):
                await client.get(f"{url}/slow", timeout=0.05)
            return answer, cancelling()

        assert (await same(fetch, mode)).ends == [("ok", 0)] * COUNT


@each_mode
async def test_streams(mode: Mode) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def ask(number: int) -> object:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"line %d\n" % number)
        line = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return line

    async with server:
        assert (await same(ask, mode)).ends == [b"line %d\n" % number for number in range(COUNT)]


@each_mode
async def test_subprocesses(mode: Mode) -> None:
    async def spawn(number: int) -> object:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", f"print({number})", stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        return process.returncode, output

    ends = (await same(spawn, mode)).ends
    assert ends == [(0, b"%d\n" % number) for number in range(COUNT)]


@each_mode
async def test_a_subprocess_is_killed_by_who_is_timed_out(mode: Mode) -> None:
    async def spawn(number: int) -> object:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=-1)
        try:
            async with asyncio.timeout(0.05):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        return process.returncode

    assert (await same(spawn, mode)).ends == [-9] * COUNT


@needs("sqlalchemy", "greenlet", "aiosqlite")
@each_mode
async def test_sqlalchemy_switches_greenlets(mode: Mode, tmp_path: Path) -> None:
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import create_async_engine

    database = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/test.db")

    async def query(number: int) -> object:
        before = asyncio.current_task()
        async with database.connect() as connection:
            row = (await connection.execute(text("select :n + 1"), {"n": number})).scalar_one()
        return row, asyncio.current_task() is before

    try:
        ends = (await same(query, mode)).ends
    finally:
        await database.dispose()
    assert ends == [(number + 1, True) for number in range(COUNT)]


@needs("redis")
@each_mode
async def test_redis_commands_and_timeouts(mode: Mode) -> None:
    from redis.asyncio import Redis
    from redis.exceptions import TimeoutError as RedisTimeout

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer PING, keep silent at GET, and say OK to what the client says at its start."""
        while line := await reader.readline():
            words = []
            for _ in range(int(line[1:])):
                await reader.readline()
                words.append((await reader.readline()).strip().upper())
            if words[0] != b"GET":
                writer.write(b"+PONG\r\n" if words[0] == b"PING" else b"+OK\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def ask(number: int) -> object:
        client = Redis(port=port, protocol=2, socket_timeout=0.05, retry=None)
        try:
            answer = await client.ping()
            with pytest.raises(RedisTimeout):
                await client.get("silence")
        finally:
            await client.aclose()
        return answer, cancelling()

    async with server:
        ends = (await same(ask, mode)).ends
    assert ends == [(True, 0)] * COUNT


@each_mode
async def test_a_refused_connection_is_the_same_error(mode: Mode) -> None:
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]

    async def connect(number: int) -> object:
        await asyncio.open_connection("127.0.0.1", port)
        return "no"

    expected, found = await as_tasks(connect), await hosted(connect, mode)
    assert found.ends == expected.ends
    assert found.ends[0][:2] == raised(ConnectionRefusedError)[:2]  # type: ignore[index]  # a tuple
