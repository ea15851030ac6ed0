"""The values of the rows: repeatable, of the size asked for, and of the kind."""

import json

from penstock.cli.bench.results._values import noise, picture, results


def test_results_are_json_of_about_the_size() -> None:
    for size in (1_000, 16_000):
        for result in results(20, size):
            assert json.loads(result)["status"] == "ok"
            assert size * 0.9 < len(result) < size * 1.4


def test_the_same_seed_gives_the_same_results() -> None:
    assert results(3, 1_000, seed=1) == results(3, 1_000, seed=1)
    assert results(3, 1_000, seed=1) != results(3, 1_000, seed=2)


def test_a_picture_begins_as_one() -> None:
    assert picture(10_000).startswith(b"\x89PNG")
    assert len(noise(10_000)) == 10_000
