"""Disks that are full, closed, lost or lie, and keys that are wrong: told clearly, nothing else lost."""

import errno
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from penstock.errors import ConfigError, DictionaryMissing, ResultUnreadable
from penstock.results import ResultRef, Results, ResultStore

MIB = 1 << 20
KEY = b"k" * 32
NOBODY = 65534

pytestmark = pytest.mark.real_time


def options(folder: Path, **changes: Any) -> Results:
    usual: dict[str, Any] = {
        "memory_bytes": MIB,
        "spill": folder,
        "disk_bytes": 64 * MIB,
        "segment_bytes": MIB,
        "full_wait": 0.1,
    }
    return Results(**{**usual, **changes})


def noise(count: int, size: int = 80_000) -> list[object]:
    return [os.urandom(size) for _ in range(count)]


async def fill(store: ResultStore, values: list[object]) -> list[ResultRef]:
    refs = [store.put(value) for value in values]
    await store.settle()
    return refs


@contextmanager
def small_tmpfs(folder: Path, size: str) -> Iterator[Path]:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "penstock-test", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("no right to mount a small tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


@contextmanager
def as_nobody() -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


class TestFullDisk:
    async def test_values_stay_in_memory_and_there_is_room_when_some_are_let_go_of(
        self, tmp_path: Path
    ) -> None:
        with small_tmpfs(tmp_path, "4m"):
            store = ResultStore(options(tmp_path))
            values = noise(100)
            refs = await fill(store, values)
            figures = store.statistics()
            assert figures.is_full
            assert figures.spill is not None
            assert figures.spill.held_bytes <= 4 * MIB
            assert [ref.raw == value for ref, value in zip(refs, values, strict=True)] == [
                True
            ] * 100
            del refs[:70], values[:70]
            await store.wait_room()
            assert [bytes(ref.raw) for ref in refs] == values
            refs.clear()
            await store.aclose()

    async def test_a_file_may_not_grow_that_large(self, tmp_path: Path) -> None:
        store = ResultStore(options(tmp_path))
        first = await fill(store, noise(30))
        with largest_file(MIB // 2):
            values = noise(60)
            refs = await fill(store, values)
            assert store.statistics().is_full
            assert [ref.value() for ref in refs] == values
        assert all(ref.value() for ref in first)
        refs.clear()
        first.clear()
        await store.aclose()

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
    async def test_whatever_the_disk_says_at_whatever_write_no_value_is_lost(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        whole, writes = os.pwritev, 0

        def pwritev(*arguments: Any) -> int:
            nonlocal writes
            writes += 1
            if writes % 5 == 0:
                raise OSError(number, os.strerror(number))
            return whole(*arguments)

        monkeypatch.setattr(os, "pwritev", pwritev)
        store, values = ResultStore(options(tmp_path)), noise(60)
        refs = await fill(store, values)
        assert writes >= 5
        assert [bytes(ref.raw) for ref in refs] == values
        refs.clear()
        await store.aclose()


class TestFolders:
    async def test_a_folder_without_rights_is_named_at_once(self, tmp_path: Path) -> None:
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o000)
        tmp_path.chmod(0o755)
        with as_nobody(), pytest.raises(ConfigError, match="must be a folder where files"):
            options(closed)
        with as_nobody(), pytest.raises(ConfigError, match="must be a folder where files"):
            options(closed / "inside")

    async def test_what_another_user_left_is_left_alone(self, tmp_path: Path) -> None:
        first = ResultStore(options(tmp_path, keep=True))
        refs = await fill(first, noise(30))
        await first.aclose()
        tmp_path.chmod(0o777)
        for parent in tmp_path.parents[:3]:
            parent.chmod(0o755)
        if os.geteuid() != 0:
            pytest.skip("only root can be somebody else")
        with as_nobody():
            second = ResultStore(options(tmp_path, keep=True))
            assert second.ids() == ()
            await second.aclose()
        assert all(ref.value() for ref in refs)

    async def test_a_folder_that_is_removed_costs_nothing_that_is_held(
        self, tmp_path: Path
    ) -> None:
        store = ResultStore(options(tmp_path, keep=True))
        values = noise(30)
        refs = await fill(store, values)
        for path in sorted(tmp_path.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        values += (more := noise(30))
        refs += await fill(store, more)
        assert [bytes(ref.raw) for ref in refs] == values
        refs.clear()
        await store.aclose()


class TestKeys:
    async def test_another_key_reads_nothing_and_harms_nothing(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        first = ResultStore(options(tmp_path, keep=True, keys={"a": KEY}))
        ids = {ref.id for ref in await fill(first, noise(30))}
        await first.aclose()
        for keys in ({}, {"b": KEY}, {"a": b"x" * 32}):
            with ResultStoreAt(tmp_path, keys) as other:
                assert other.ids() == ()
                assert other.statistics().recovery.locked > 0
        with ResultStoreAt(tmp_path, {"b": b"b" * 32, "a": KEY}) as again:
            assert set(again.ids()) <= ids
            assert len(again.ids()) > 0
        assert "its key 'a' is not here, or is another one" in caplog.text

    async def test_after_a_rotation_the_next_needs_both(self, tmp_path: Path) -> None:
        first = ResultStore(options(tmp_path, keep=True, keys={"a": KEY}))
        old = await fill(first, noise(20))
        first.rotate("b", b"b" * 32)
        new = await fill(first, noise(20))
        ids = {ref.id for ref in old + new}
        await first.aclose()
        with ResultStoreAt(tmp_path, {"b": b"b" * 32}) as half:
            assert 0 < len(half.ids()) < len(ids)
        with ResultStoreAt(tmp_path, {"a": KEY, "b": b"b" * 32}) as whole:
            assert set(whole.ids()) == ids


@contextmanager
def ResultStoreAt(folder: Path, keys: dict[str, bytes]) -> Iterator[ResultStore]:  # noqa: N802 - reads like one
    store = ResultStore(options(folder, keep=True, keys=keys))
    yield store
    store.close()


class TestLies:
    @pytest.mark.parametrize("keys", [{}, {"a": KEY}])
    async def test_a_byte_that_was_changed_anywhere_is_an_error_or_harmless(
        self, tmp_path: Path, keys: dict[str, bytes]
    ) -> None:
        first = ResultStore(options(tmp_path, keep=True, keys=keys))
        values: list[object] = [{"n": n, "text": f"{n} " * 3_000} for n in range(200)]
        refs = await fill(first, values)
        by_id = {ref.id: value for ref, value in zip(refs, values, strict=True)}
        await first.aclose()
        for path in tmp_path.rglob("*.segment"):
            with path.open("r+b") as file:
                for offset in range(5_000, 60_000, 9_973):
                    file.seek(offset)
                    byte = file.read(1)[0]
                    file.seek(offset)
                    file.write(bytes([byte ^ 0x55]))
        with ResultStoreAt(tmp_path, keys) as store:
            read = 0
            for id in store.ids():
                ref = store.find(id)
                assert ref is not None
                try:
                    assert ref.value() == by_id[id]
                    read += 1
                except ResultUnreadable:
                    pass
            assert read > 50
            assert store.statistics().recovery.broken + store.statistics().unreadable > 0

    async def test_a_value_whose_bytes_change_under_the_store_names_itself(
        self, tmp_path: Path
    ) -> None:
        store = ResultStore(options(tmp_path, keep=True))
        values: list[object] = [os.urandom(30_000).hex() for n in range(80)]
        refs = await fill(store, values)
        lost = next(ref for ref in refs if ref.where == "disk")
        place = lost.entry.place
        assert place is not None
        change(tmp_path, bytes(store._spill.view(place, 0, place.length)))  # type: ignore[union-attr,arg-type]  # it has one
        with pytest.raises(ResultUnreadable, match=lost.id):
            lost.value()
        assert [ref.value() for ref in refs if ref is not lost] == [
            value for ref, value in zip(refs, values, strict=True) if ref is not lost
        ]
        refs.clear()
        await store.aclose()


def change(folder: Path, parcel: bytes) -> None:
    """Change bytes in the middle of a parcel, wherever in the folder it lies."""
    for path in folder.rglob("*.segment"):
        at = path.read_bytes().find(parcel)
        if at >= 0:
            with path.open("r+b") as file:
                file.seek(at + len(parcel) // 2)
                file.write(b"!!!")


class TestDictionaries:
    async def test_values_of_a_dictionary_come_back_in_another_process(
        self, tmp_path: Path
    ) -> None:
        by_id = await spill_with_dictionary(tmp_path)
        with ResultStoreAt(tmp_path, {}) as store:
            found = [store.find(id) for id in store.ids()]
            assert len(found) > 200
            assert all(ref.value() == by_id[ref.id] for ref in found if ref is not None)

    async def test_without_its_dictionary_a_value_says_which_it_needs(self, tmp_path: Path) -> None:
        by_id = await spill_with_dictionary(tmp_path)
        with ResultStoreAt(tmp_path, {}) as store:
            for file in store._spill._files.values():  # type: ignore[union-attr]  # it has one
                file.dictionaries.clear()
            refs = [store.find(id) for id in store.ids()]
            missing = [error for ref in refs if ref and (error := dictionary_missing(ref))]
            assert 0 < len(missing) < len(by_id)
            assert all(error.dictionary >= 32_768 and error.result for error in missing)


def dictionary_missing(ref: ResultRef) -> DictionaryMissing | None:
    try:
        ref.value()
    except DictionaryMissing as error:
        return error
    return None


async def spill_with_dictionary(folder: Path) -> dict[str, object]:
    """Spill alike values of about 1 KB until a dictionary was made and used."""
    store = ResultStore(options(folder, keep=True))
    refs, values = [], []
    for number in range(4_000):
        value = {"id": number, "name": f"customer {number}", "tags": ["alpha", "beta"] * 30}
        value["address"] = {"street": f"{number * 7919} Long Road", "city": "Oslo"}
        refs.append(store.put(value, tool="customers", tenant=None))
        values.append(value)
        if number % 200 == 0:
            await store.settle()
    await store.settle()
    by_id: dict[str, object] = {ref.id: value for ref, value in zip(refs, values, strict=True)}
    await store.aclose()
    return by_id
