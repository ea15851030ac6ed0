"""The promise of tests/conftest.py: an hour of sleep costs no time, unless the test asks for real time."""

import asyncio

import pytest

from penstock.testing import VirtualLoop


async def test_coroutine_tests_run_in_virtual_time() -> None:
    loop = asyncio.get_running_loop()
    before = loop.time()
    await asyncio.sleep(3600)
    assert isinstance(loop, VirtualLoop)
    assert loop.time() - before == pytest.approx(3600)


@pytest.mark.real_time
async def test_real_time_tests_do_not() -> None:
    assert not isinstance(asyncio.get_running_loop(), VirtualLoop)
