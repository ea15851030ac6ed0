"""How many attempts of a tool wait for their turn."""

import pytest

from penstock.engine.waiting import Waiting


def test_an_attempt_waits_inside_of_its_block() -> None:
    waiting = Waiting()
    with waiting.one("fetch"):
        assert waiting.count("fetch") == 1
    assert waiting.count("fetch") == 0


def test_one_that_starts_no_longer_waits() -> None:
    waiting = Waiting()
    with waiting.one("fetch") as place:
        place.start()
        assert waiting.count("fetch") == 0
    assert waiting.count("fetch") == 0


def test_starting_twice_takes_nobody_elses_place() -> None:
    waiting = Waiting()
    with waiting.one("fetch"):
        with waiting.one("fetch") as place:
            place.start()
            place.start()
            assert waiting.count("fetch") == 1
        assert waiting.count("fetch") == 1


def test_who_has_a_place_does_not_wait_for_it() -> None:
    waiting = Waiting()
    with waiting.one("fetch") as first, waiting.one("fetch"), waiting.one("fetch"):
        assert waiting.count("fetch", places=2) == 1
        first.start()
        assert waiting.count("fetch", places=2) == 1
        assert waiting.count("fetch", places=5) == 0


def test_one_that_is_cancelled_no_longer_waits() -> None:
    waiting = Waiting()
    with pytest.raises(KeyboardInterrupt), waiting.one("fetch"):
        raise KeyboardInterrupt
    assert waiting.count("fetch") == 0


def test_tools_are_counted_apart() -> None:
    waiting = Waiting()
    with waiting.one("fetch"), waiting.one("fetch"), waiting.one("search"):
        assert (waiting.count("fetch"), waiting.count("search")) == (2, 1)
    assert waiting.count("nobody") == 0
