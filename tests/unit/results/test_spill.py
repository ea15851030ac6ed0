"""`Spill`: parcels to files and back, quota, files that empty, the brim, keys, what moves."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from penstock.errors import ResultUnreadable
from penstock.results.folder import Nameless, claim
from penstock.results.keys import Keyring
from penstock.results.spill import Place, Spill

MIB = 1 << 20
KEY = b"k" * 32

Open = Callable[..., Spill]


@pytest.fixture
def open_spill(tmp_path: Path) -> Iterator[Open]:
    """Return a function that opens spills with files of 1 MiB; they are closed after the test."""
    opened: list[Spill] = []

    def open_one(
        *, files: int = 8, keys: dict[str, bytes] | None = None, keep: bool = False
    ) -> Spill:
        folder = claim(tmp_path) if keep else Nameless(tmp_path)
        spill = Spill(folder, Keyring(keys or {}), disk_bytes=files * MIB, segment_bytes=MIB)
        opened.append(spill)
        return spill

    yield open_one
    for spill in opened:
        spill.close()


def put(spill: Spill, *pieces: bytes) -> Place:
    place = spill.write(os.urandom(16), b"label", pieces)
    assert place is not None
    return place


def fill(spill: Spill, count: int, size: int = 200_000) -> dict[Place, bytes]:
    values = (os.urandom(size) for _ in range(count))
    return {put(spill, value): value for value in values}


def held(spill: Spill) -> int:
    return spill.statistics().held_bytes


class TestReading:
    @pytest.mark.parametrize("keys", [{}, {"a": KEY}])
    def test_a_parcel_comes_back_whole_and_in_parts(
        self, open_spill: Open, keys: dict[str, bytes]
    ) -> None:
        spill = open_spill(keys=keys)
        value = os.urandom(700_000)
        place = put(spill, value[:64], value[64:])
        assert spill.read(place) == value
        for start, count in [(0, 1), (262_140, 10), (699_990, 100), (100, 600_000), (700_000, 5)]:
            assert spill.read(place, start, count) == value[start : start + count]

    def test_a_view_is_of_the_map_and_no_copy(self, open_spill: Open) -> None:
        spill = open_spill()
        place = put(spill, b"abcdefgh")
        view = spill.view(place, 2, 3)
        assert view is not None
        assert view.readonly
        assert bytes(view) == b"cde"

    def test_sealed_bytes_have_no_view_and_are_not_on_disk(
        self, open_spill: Open, tmp_path: Path
    ) -> None:
        spill = open_spill(keys={"a": KEY}, keep=True)
        place = put(spill, b"secret" * 100)
        (path,) = tmp_path.rglob("*.segment")
        assert spill.view(place, 0, 6) is None
        assert b"secret" not in path.read_bytes()
        assert b"label" not in path.read_bytes()

    def test_changed_sealed_bytes_are_unreadable_and_named(
        self, open_spill: Open, tmp_path: Path
    ) -> None:
        spill = open_spill(keys={"a": KEY}, keep=True)
        place, other = put(spill, b"x" * 1_000), put(spill, b"y" * 1_000)
        (path,) = tmp_path.rglob("*.segment")
        flip(path, place.spot.body + 10)
        with pytest.raises(ResultUnreadable, match=place.id.hex()):
            spill.read(place)
        assert spill.read(other) == b"y" * 1_000

    def test_a_file_that_was_cut_is_unreadable(self, open_spill: Open, tmp_path: Path) -> None:
        spill = open_spill(keep=True)
        place = put(spill, b"x" * 1_000)
        (path,) = tmp_path.rglob("*.segment")
        os.truncate(path, 64)
        with pytest.raises(ResultUnreadable, match="early"):
            spill.read(place)
        assert spill.statistics().errors == 1


def flip(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0xFF]))


class TestFiles:
    def test_no_file_is_made_before_it_is_needed(self, open_spill: Open) -> None:
        assert held(open_spill()) == 0

    def test_a_full_file_is_followed_by_another(self, open_spill: Open) -> None:
        spill = open_spill()
        values = fill(spill, 12)
        assert spill.statistics().sealed >= 2
        assert all(spill.read(place) == value for place, value in values.items())

    def test_a_large_parcel_gets_a_file_of_its_own(self, open_spill: Open) -> None:
        spill = open_spill()
        small, value = put(spill, b"small"), os.urandom(3 * MIB)
        place = put(spill, value)
        assert spill.read(place) == value
        assert spill.read(put(spill, b"more")) == b"more"
        assert small.spot.segment != place.spot.segment

    def test_a_file_goes_with_the_last_that_is_alive_in_it(self, open_spill: Open) -> None:
        spill = open_spill()
        values = fill(spill, 12)
        before = held(spill)
        for place in values:
            spill.release(place)
        assert spill.is_sweep_due
        assert spill.sweep() > 0
        assert held(spill) < before
        spill.sweep(idle=True)
        assert held(spill) == 0

    def test_a_place_is_let_go_of_once(self, open_spill: Open) -> None:
        spill = open_spill()
        place, other = put(spill, b"a" * 100), put(spill, b"b" * 100)
        spill.release(place)
        spill.release(place)
        assert spill.read(other) == b"b" * 100
        assert spill.statistics().live_bytes > 0

    def test_a_view_keeps_its_map_and_the_quota_knows(self, open_spill: Open) -> None:
        spill = open_spill()
        place = put(spill, os.urandom(3 * MIB))
        view = spill.view(place, 0, 5)
        spill.release(place)
        assert spill.sweep() == 0
        assert spill.statistics().lingering == 1
        assert held(spill) > 0
        del view
        assert spill.sweep() > 0
        assert held(spill) == 0

    def test_what_is_gone_cannot_be_read(self, open_spill: Open) -> None:
        spill = open_spill()
        place = put(spill, os.urandom(3 * MIB))
        spill.release(place)
        with pytest.raises(ResultUnreadable, match="let go"):
            spill.read(place)


class TestBrim:
    def test_what_does_not_fit_is_refused_and_the_rest_is_there(self, open_spill: Open) -> None:
        spill = open_spill(files=2)
        kept = {}
        while (place := spill.write(os.urandom(16), b"", [b"x" * 200_000])) is not None:
            kept[place] = len(kept)
        assert len(kept) >= 8
        assert held(spill) <= 2 * MIB
        assert all(spill.read(place) == b"x" * 200_000 for place in kept)
        assert spill.statistics().refused == 1

    def test_there_is_room_again_when_a_file_has_gone(self, open_spill: Open) -> None:
        spill = open_spill(files=2)
        kept = []
        while (place := spill.write(os.urandom(16), b"", [b"x" * 200_000])) is not None:
            kept.append(place)
        for place in kept:
            spill.release(place)
        spill.sweep()
        assert spill.write(os.urandom(16), b"", [b"y" * 200_000]) is not None

    def test_what_is_left_in_sparse_files_is_copied_together(self, open_spill: Open) -> None:
        spill = open_spill(files=4)
        values = fill(spill, 14, size=190_000)  # five a file
        for number, place in enumerate(list(values)):
            if number % 5:
                spill.release(place)
                del values[place]
        values |= fill(spill, 5, size=190_000)
        assert spill.statistics().moved >= 1
        assert all(spill.read(place) == value for place, value in values.items())
        assert held(spill) <= 4 * MIB

    def test_a_full_disk_is_told_once_and_lowers_the_quota(
        self,
        open_spill: Open,
        monkeypatch: pytest.MonkeyPatch,
        warnings_of_results: pytest.LogCaptureFixture,
    ) -> None:
        spill = open_spill()
        values = fill(spill, 4)
        monkeypatch.setattr(os, "posix_fallocate", no_space)
        refused = [spill.write(os.urandom(16), b"", [b"x" * 300_000]) for _ in range(3)]
        assert refused == [None] * 3
        assert spill.statistics().quota_bytes == held(spill) == MIB
        assert all(spill.read(place) == value for place, value in values.items())
        assert len(warnings_of_results.records) == 1

    def test_a_write_that_fails_loses_nothing_that_was_written(
        self, open_spill: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spill = open_spill()
        values = fill(spill, 2)
        with monkeypatch.context() as broken:
            broken.setattr(os, "pwritev", no_space)
            assert spill.write(os.urandom(16), b"", [b"x"]) is None
        values |= fill(spill, 2)
        assert all(spill.read(place) == value for place, value in values.items())

    def test_a_folder_that_was_removed_is_no_reason_to_stop(
        self, open_spill: Open, tmp_path: Path
    ) -> None:
        spill = open_spill(keep=True)
        values = fill(spill, 3)
        (folder,) = tmp_path.iterdir()
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        spill.rotate()
        assert spill.write(os.urandom(16), b"", [b"x"]) is None
        assert all(spill.read(place) == value for place, value in values.items())


def no_space(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class TestDictionaries:
    def test_each_file_has_the_dictionaries_of_its_parcels(self, open_spill: Open) -> None:
        spill = open_spill()
        first = spill.write(os.urandom(16), b"", [b"a" * 100], (7, b"dictionary"))
        spill.rotate()
        second = spill.write(os.urandom(16), b"", [b"b" * 100], (7, b"dictionary"))
        plain = put(spill, b"c")
        assert first is not None
        assert second is not None
        assert spill.dictionary(first, 7) == spill.dictionary(second, 7) == b"dictionary"
        assert spill.dictionary(plain, 0) is None

    def test_a_dictionary_moves_to_the_next_file_with_the_parcel_that_needs_it(
        self, open_spill: Open
    ) -> None:
        spill = open_spill()
        put(spill, bytes(MIB - 1_000))
        place = spill.write(os.urandom(16), b"", [b"a" * 500], (7, b"d" * 600))
        assert place is not None
        assert spill.dictionary(place, 7) == b"d" * 600
        assert spill.read(place) == b"a" * 500

    def test_a_file_goes_although_a_dictionary_is_in_it(self, open_spill: Open) -> None:
        spill = open_spill()
        place = spill.write(os.urandom(16), b"", [b"a" * 500], (7, b"d" * 600))
        assert place is not None
        spill.release(place)
        spill.sweep(idle=True)
        assert held(spill) == 0

    def test_a_disk_that_fails_at_the_dictionary_leaves_nothing_alive(
        self, open_spill: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spill = open_spill()
        place = put(spill, b"first")
        with monkeypatch.context() as broken:
            broken.setattr(os, "pwritev", no_space)
            assert spill.write(os.urandom(16), b"", [b"a" * 500], (7, b"d" * 600)) is None
        spill.release(place)
        spill.sweep(idle=True)
        assert held(spill) == 0


class TestKeys:
    def test_a_new_key_begins_a_new_file_and_old_ones_stay_readable(
        self, open_spill: Open, tmp_path: Path
    ) -> None:
        ring = Keyring({"old": b"o" * 32})
        spill = Spill(claim(tmp_path), ring, disk_bytes=8 * MIB, segment_bytes=MIB)
        old = put(spill, b"old")
        ring.add("new", b"n" * 32)
        spill.rotate()
        new = put(spill, b"new")
        assert old.spot.segment != new.spot.segment
        assert (spill.read(old), spill.read(new)) == (b"old", b"new")
        spill.close()


class TestClosing:
    def test_what_is_alive_can_be_read_on(self, open_spill: Open) -> None:
        spill = open_spill()
        values = fill(spill, 8)
        spill.close()
        assert all(spill.read(place) == value for place, value in values.items())
        for place in values:
            spill.release(place)
        assert held(spill) == 0 or not spill.has_files

    def test_named_files_stay_after_closing_and_go_before(
        self, open_spill: Open, tmp_path: Path
    ) -> None:
        spill = open_spill(keep=True)
        gone, stays = put(spill, os.urandom(2 * MIB)), put(spill, b"stays")
        spill.release(gone)
        spill.sweep()
        spill.close()
        spill.release(stays)
        assert len(list(tmp_path.rglob("*.segment"))) == 1

    def test_a_view_is_held_over_closing(self, open_spill: Open) -> None:
        spill = open_spill()
        place = put(spill, b"held")
        view = spill.view(place, 0, 4)
        spill.close()
        spill.release(place)
        assert view is not None
        assert bytes(view) == b"held"
        assert not spill.has_files
