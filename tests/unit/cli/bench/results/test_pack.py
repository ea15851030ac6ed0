"""The rows about packing measure what they say."""

from penstock._native import Packer
from penstock.cli.bench.results._values import noise, results
from penstock.cli.bench.results.pack import packs, trained
from penstock.cli.bench.results.pack_skip import copies, first_skips, skips


async def test_the_packer_of_the_rows_has_a_dictionary() -> None:
    packer, dictionary = trained()
    assert await packs(packer, results(10, 1_000, seed=1))() > 0
    assert packer.statistics()["dictionaries"] == 1
    assert len(dictionary) > 1_000


async def test_what_cannot_be_packed_is_skipped_by_its_verdict() -> None:
    packer, value = Packer(), noise(10_000)
    assert await skips(packer, value)() > 0
    assert packer.statistics()["skipped_verdict"] > 90
    assert await first_skips(value)() > 0
    assert await copies(value)() > 0
