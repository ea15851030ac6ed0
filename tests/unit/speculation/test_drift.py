"""The kill switch: when guesses come true too rarely."""

from penstock.speculation.drift import LAUNCHES, Drift


def drift(promised: float, hits: int, times: int = LAUNCHES) -> Drift:
    made = Drift()
    for number in range(times):
        made.note(promised, hit=number < hits)
    return made


def test_half_of_what_was_promised_is_enough() -> None:
    assert not drift(0.5, hits=50).off
    assert drift(0.5, hits=49).off


def test_a_few_launches_prove_nothing() -> None:
    assert not drift(1.0, hits=0, times=LAUNCHES - 1).off


def test_it_is_on_again_when_they_come_true() -> None:
    made = drift(0.5, hits=0)
    for _ in range(60):
        made.note(0.5, hit=True)
    assert not made.off
