"""The mix of latencies that hedges are measured with."""

import asyncio

import pytest

from penstock.cli.bench._frame import p99
from penstock.cli.bench.hedge._mix import EVERY, MEDIAN, TIMES, Client, Seen, Service, both


async def times(service: Service, numbers: range) -> list[float]:
    loop, found = asyncio.get_running_loop(), list[float]()
    for number in numbers:
        began = loop.time()
        await service.answer(number)
        found.append(loop.time() - began)
    return found


async def test_one_call_in_a_hundred_straggles() -> None:
    found = await times(Service(1), range(10 * EVERY))
    late = [seconds for seconds in found if seconds > MEDIAN * TIMES / 2]
    assert len(late) == 10


async def test_the_same_seed_gives_the_same_times() -> None:
    assert await times(Service(1), range(50)) == pytest.approx(await times(Service(1), range(50)))


async def test_a_second_attempt_takes_its_own_time() -> None:
    service = Service(1)
    (first,), (second,) = await times(service, range(1)), await times(service, range(1))
    assert first != second
    assert service.taken == 2


def test_extra_load_is_what_was_asked_more_than_once() -> None:
    assert Seen(asked=7_000, attempts=7_350).extra == 5.0


@pytest.mark.real_time
async def test_hedges_help_and_stay_within_their_share() -> None:
    async def story(client: Client) -> None:
        for _ in range(3):
            await client.fan(500)

    hedged, plain = await both(story)
    assert plain.attempts == plain.asked == hedged.asked
    assert hedged.attempts <= hedged.asked * 1.05 + 1
    assert p99(hedged.calls) < 0.5 * p99(plain.calls)
