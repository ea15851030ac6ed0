"""The baseline of `limit-tiers`: it must keep the promise that ours keeps."""

import random

from penstock.cli.bench.limits._plain_tiers import Day, PlainTiers, Slots, Window


def test_no_window_of_a_random_history_holds_more_than_n() -> None:
    window, generator, now = Window(100, per=1.0), random.Random(7), 0.0
    taken: list[float] = []
    for _ in range(2_000):
        now += generator.expovariate(300)
        if window.pays(1, now):
            window.take(1)
            taken.append(now)
    assert len(taken) > 300
    assert all(later - sooner > 1.0 for sooner, later in zip(taken, taken[100:], strict=False))


def test_what_left_the_window_can_be_taken_again() -> None:
    window = Window(5, per=1.0)
    assert window.pays(5, 10.0)
    window.take(5)
    assert not window.pays(1, 10.9)
    assert window.pays(5, 11.1)


def test_a_day_begins_with_nothing_used() -> None:
    day = Day(3)
    assert day.pays(3, 0.0)
    day.take(3)
    assert not day.pays(1, 0.0)
    assert day.pays(1, 86_400.0)


def test_a_refused_call_takes_from_no_tier() -> None:
    two = PlainTiers([Window(5, per=1e9), Slots(1)])
    permit = two.try_take()
    assert permit
    assert [two.try_take() for _ in range(10)] == [None] * 10
    permit.settle()
    assert two.try_take(4)


def test_a_permit_frees_its_slot_once() -> None:
    slots = PlainTiers([Slots(1)])
    permit = slots.try_take()
    assert permit
    assert permit.settle()
    assert not permit.settle()
    assert slots.try_take()
    assert not slots.try_take()
