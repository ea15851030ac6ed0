"""What is measured of a rival, in the rival's own environment. The names of the answers are the results'."""

from collections.abc import Awaitable, Callable

from benches.rivals.limits._protocol import PLENTY, Rival, Subject, workloads

Answer = dict[str, float | None]

DECISIONS = 1_000
DECISION_ROUNDS = 20


async def decisions(subject: Subject) -> Answer:
    """Nanoseconds of a try and of a take that need not wait; the best of some, noise only adds."""
    tries, takes = list[float](), list[float]()
    for _ in range(DECISION_ROUNDS):
        if subject.try_take is not None:
            tries.append(workloads.ns_a_try(subject, DECISIONS))
        takes.append(await workloads.ns_a_take(subject, DECISIONS))
    return {"try_ns": min(tries, default=None), "take_ns": min(takes)}


async def uncontended(rival: Rival) -> Answer:
    return await decisions(rival.rate(PLENTY, PLENTY))


async def tiers(rival: Rival) -> Answer:
    return {f"five_{name}": value for name, value in (await decisions(rival.tiers())).items()}


async def crowd(rival: Rival) -> Answer:
    found = await workloads.crowd([rival.rate(10_000, 100)], tasks=1_000, takes=20)
    return {"rate": found.rate, "inversions": found.inversions, "cpu_us": found.cpu_us}


async def pace(rival: Rival) -> Answer:
    found = await workloads.pace(rival.rate(1_000, 100), seconds=2.0)
    return {"granted": found.granted, "ideal": found.ideal, "excess": found.excess}


async def cancel(rival: Rival) -> Answer:
    return {"cancel_ms": await workloads.after_cancel(rival.rate(200, 5)) * 1e3}


async def big(rival: Rival) -> Answer:
    return {"big_ms": await workloads.big_call(rival.rate(1_000, 100), 100) * 1e3}


MEASURES: dict[str, Callable[[Rival], Awaitable[Answer]]] = {
    measure.__name__: measure for measure in (uncontended, tiers, crowd, pace, cancel, big)
}
