"""`SegmentFile`: written in pieces, read by offset or as a map, closed when nobody looks."""

import errno
import os
import resource
from pathlib import Path

import pytest

from penstock.results import files
from penstock.results.files import SegmentFile, allocate, write

SIZE = 1 << 16


def made(tmp_path: Path, *, named: bool = True) -> SegmentFile:
    path = tmp_path / "a.segment"
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    allocate(descriptor, SIZE)
    return SegmentFile(descriptor, SIZE, 7, None, path if named else None)


def test_it_is_as_large_as_it_will_be_from_the_start(tmp_path: Path) -> None:
    file = made(tmp_path)
    found = (tmp_path / "a.segment").stat()
    assert (found.st_size, found.st_blocks * 512 >= SIZE) == (SIZE, True)
    file.close()


def test_what_was_written_is_read_and_seen_in_the_map(tmp_path: Path) -> None:
    file = made(tmp_path)
    file.write([b"ab", b"", b"cdef"], 100)
    assert file.read(100, 6) == b"abcdef"
    assert bytes(file.view(102, 3)) == b"cde"
    file.close()


def test_many_pieces_are_written_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "WRITE_BYTES", 1_000)
    file = made(tmp_path)
    pieces = [os.urandom(n) for n in (1, 999, 1, 2_500, 0, 7)]
    file.write(pieces, 8)
    assert file.read(8, sum(map(len, pieces))) == b"".join(pieces)
    file.close()


def test_a_write_that_stops_half_way_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda fd, views, at: whole(fd, [bytes(views[0])[:3]], at))
    descriptor = os.open(tmp_path / "b", os.O_CREAT | os.O_RDWR)
    write(descriptor, [b"abcd", b"efghij"], 0)
    assert os.pread(descriptor, 100, 0) == b"abcdefghij"
    os.close(descriptor)


def test_a_map_that_somebody_looks_at_stays(tmp_path: Path) -> None:
    file = made(tmp_path)
    file.write([b"abc"], 0)
    view = file.view(0, 3)
    assert not file.close()
    assert bytes(view) == b"abc"
    assert not (tmp_path / "a.segment").exists()
    view.release()
    assert file.close()


def test_an_abandoned_file_may_keep_its_name(tmp_path: Path) -> None:
    file = made(tmp_path)
    view = file.view(0, 3)
    file.abandon(keep=True)
    assert (tmp_path / "a.segment").exists()
    assert bytes(view) == bytes(3)


def test_a_closed_file_says_so(tmp_path: Path) -> None:
    file = made(tmp_path)
    file.close()
    with pytest.raises(OSError, match="closed"):
        file.read(0, 1)
    with pytest.raises(OSError, match="closed"):
        file.view(0, 1)


def test_a_file_that_was_cut_by_somebody_is_an_error(tmp_path: Path) -> None:
    file = made(tmp_path)
    os.truncate(tmp_path / "a.segment", 100)
    with pytest.raises(OSError, match="ends 50 bytes early"):
        file.read(50, 100)
    file.close()


def test_no_room_is_an_error_before_anything_is_written(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "b", os.O_CREAT | os.O_RDWR)
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE // 2, usual[1]))
    try:
        with pytest.raises(OSError) as caught:  # noqa: PT011 - its number is the test
            allocate(descriptor, SIZE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        os.close(descriptor)
    assert caught.value.errno == errno.EFBIG
