"""What dead owners left: read back, cut, skipped, left closed; and only theirs is touched."""

import os
from pathlib import Path

import pytest

from penstock._native import raw_header, train
from penstock.results.folder import Claimed, claim
from penstock.results.keys import Keyring
from penstock.results.origin import Origin
from penstock.results.recovery import Recovery, recover
from penstock.results.spill import Place, Spill

MIB = 1 << 20
NONE = Keyring({})
KEYS = Keyring({"a": b"a" * 32})
LABEL = Origin("tool", "text/plain", "acme").label


def die(claimed: Claimed) -> None:
    """Do what the end of a process does."""
    assert claimed._lock is not None
    os.close(claimed._lock)
    claimed._lock = None


def left(folder: Path, count: int, *, keys: Keyring = NONE, size: int = 1_000) -> list[Place]:
    """Write parcels and end as a process does that is killed: without a word."""
    claimed = claim(folder)
    spill = Spill(claimed, keys, disk_bytes=64 * MIB, segment_bytes=MIB)
    places = [
        spill.write(os.urandom(16), LABEL, [raw(b"%08d" % n * (size // 8))]) for n in range(count)
    ]
    die(claimed)
    return [place for place in places if place is not None]


def raw(value: bytes) -> bytes:
    return raw_header(value) + value


def segments(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.segment"))


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def close(recovery: Recovery) -> None:
    for found in recovery.found:
        found.file.abandon(keep=True)
    for claimed in recovery.folders:
        claimed.close()


@pytest.mark.parametrize("keys", [NONE, KEYS])
def test_all_that_was_written_is_found(tmp_path: Path, keys: Keyring) -> None:
    places = left(tmp_path, 50, keys=keys, size=40_000)
    recovery = recover(tmp_path, keys)
    found = [place.id for segment in recovery.found for place, _ in segment.values]
    assert found == [place.id for place in places]
    figures = recovery.statistics()
    assert (figures.folders, figures.values, figures.broken, figures.torn) == (1, 50, 0, 0)
    assert {o for segment in recovery.found for _, o in segment.values} == {
        Origin("tool", "text/plain", "acme")
    }
    close(recovery)


def test_a_torn_end_is_cut_and_counted(tmp_path: Path) -> None:
    last = left(tmp_path, 5)[-1]
    (path,) = segments(tmp_path)
    overwrite(path, last.spot.body + 500, bytes(1_000))
    recovery = recover(tmp_path, NONE)
    assert len(recovery.found[0].values) == 4
    assert recovery.statistics().torn == 1
    close(recovery)


def test_a_broken_record_in_the_middle_is_skipped_and_counted(tmp_path: Path) -> None:
    places = left(tmp_path, 5)
    (path,) = segments(tmp_path)
    overwrite(path, places[2].spot.offset, b"garbage!" * 20)
    recovery = recover(tmp_path, NONE)
    kept = [place.id for place, _ in recovery.found[0].values]
    assert kept == [places[n].id for n in (0, 1, 3, 4)]
    assert recovery.statistics().broken == 1
    close(recovery)


def test_a_file_that_is_no_segment_is_left_as_it_is(
    tmp_path: Path, warnings_of_results: pytest.LogCaptureFixture
) -> None:
    left(tmp_path, 5)
    (path,) = segments(tmp_path)
    (path.parent / "000000-x.segment").write_bytes(b"not of ours" * 100)
    recovery = recover(tmp_path, NONE)
    assert (recovery.statistics().unreadable, recovery.statistics().values) == (1, 5)
    assert "cannot be read" in warnings_of_results.text
    assert len(segments(tmp_path)) == 2
    close(recovery)


@pytest.mark.parametrize("keys", [NONE, Keyring({"b": b"b" * 32}), Keyring({"a": b"x" * 32})])
def test_a_wrong_key_leaves_the_file_and_says_which_it_needs(
    tmp_path: Path, keys: Keyring, warnings_of_results: pytest.LogCaptureFixture
) -> None:
    left(tmp_path, 5, keys=KEYS)
    recovery = recover(tmp_path, keys)
    assert recovery.found == []
    assert recovery.statistics().locked == 1
    assert "its key 'a' is not here, or is another one" in warnings_of_results.text
    close(recovery)
    assert recover(tmp_path, KEYS).statistics().values == 5


def test_what_a_living_process_holds_is_not_touched(tmp_path: Path) -> None:
    claimed = claim(tmp_path)
    spill = Spill(claimed, NONE, disk_bytes=64 * MIB, segment_bytes=MIB)
    spill.write(os.urandom(16), LABEL, [b"mine"])
    assert recover(tmp_path, NONE).statistics().folders == 0
    spill.close()


def test_of_a_value_that_was_moved_the_later_copy_counts(tmp_path: Path) -> None:
    claimed = claim(tmp_path)
    spill = Spill(claimed, NONE, disk_bytes=64 * MIB, segment_bytes=MIB)
    id = os.urandom(16)
    spill.write(id, LABEL, [raw(b"same")])
    spill.rotate()
    later = spill.write(id, LABEL, [raw(b"same")])
    die(claimed)
    recovery = recover(tmp_path, NONE)
    assert later is not None
    assert [len(found.values) for found in recovery.found] == [0, 1]
    assert recovery.found[1].values[0][0].spot.body == later.spot.body
    close(recovery)


@pytest.mark.parametrize("keys", [NONE, KEYS])
def test_dictionaries_are_found_beside_their_parcels(tmp_path: Path, keys: Keyring) -> None:
    samples = [
        b'{"id":%d,"name":"customer %d","city":"Oslo"}' % (n, n * 7) * 20 for n in range(250)
    ]
    dictionary = train(samples)
    assert dictionary is not None
    claimed = claim(tmp_path)
    spill = Spill(claimed, keys, disk_bytes=64 * MIB, segment_bytes=MIB)
    spill.write(os.urandom(16), LABEL, [raw(b"x")], (40_000, dictionary))
    die(claimed)
    recovery = recover(tmp_path, keys)
    assert recovery.found[0].file.dictionaries == {40_000: dictionary}
    close(recovery)
