"""The binding of `rust/core/src/pack`: what Python hands in, what it gets, and on which thread."""

import itertools
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from penstock import _native
from penstock._native import Ledger, Packer, Segments
from penstock.cli.bench.results._values import noise, picture, results
from penstock.errors import ConfigError, DictionaryMissing, ResultUnreadable

JSON = "application/json"
MIB = 1 << 20


@pytest.fixture
def packer() -> Packer:
    return Packer()


def result(size: int) -> bytes:
    return results(1, size, seed=size)[0]


def trained(packer: Packer, tenant: str = "acme") -> bytes:
    for sample in results(250, 1_000):
        packer.pack(sample, "search", JSON, tenant=tenant)
    dictionary = packer.train(tenant, "search")
    assert dictionary is not None
    return dictionary


class TestParcels:
    @pytest.mark.parametrize("size", [0, 1, 500, 5_000, 40_000, MIB, 3 * MIB + 7])
    def test_a_value_comes_back(self, packer: Packer, size: int) -> None:
        for value in (result(size)[:size], noise(size)):
            parcel = packer.pack(value, "search", JSON)
            assert packer.unpack(parcel, 4 * MIB) == value
            assert packer.read(parcel, size // 2, 100) == value[size // 2 :][:100]

    def test_what_is_said_of_a_value_is_read_again(self, packer: Packer) -> None:
        parcel = packer.pack(result(2_000), "t", "text/x-log", form="text", purpose="cold")
        said = _native.describe(parcel)
        assert (said.form, said.media_type, said.codec) == ("text", "text/x-log", "zstd")
        assert (said.frames, said.dictionary, said.length) == (1, 0, len(parcel))
        assert said.header_length % 8 == 0
        assert "text/x-log" in repr(said)

    def test_a_raw_parcel_is_its_header_and_the_value(self, packer: Packer) -> None:
        value = noise(3 * MIB)
        header = _native.raw_header(value, "image/png")
        parcel = header + value
        said = _native.describe(memoryview(parcel))
        assert (said.codec, said.raw_length, said.frames) == ("raw", len(value), 3)
        assert parcel[said.header_length : said.length] == value
        assert packer.unpack(parcel, len(value)) == value

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_any_buffer_can_be_unpacked(
        self, packer: Packer, kind: Callable[[bytes], bytes]
    ) -> None:
        value = result(3_000)
        parcel = kind(packer.pack(value))
        assert packer.unpack(parcel, 10_000) == value
        assert packer.read(parcel, 1_000, 5) == value[1_000:1_005]
        assert _native.describe(parcel).raw_length == len(value)

    def test_a_strided_view_is_read_as_what_it_shows(self, packer: Packer) -> None:
        value = result(3_000)
        parcel = packer.pack(value)
        spread = bytearray(2 * len(parcel))
        spread[::2] = parcel
        view = memoryview(spread)[::2]
        assert packer.unpack(view, 10_000) == value
        assert _native.describe(view).length == len(parcel)

    def test_only_bytes_are_packed(self, packer: Packer) -> None:
        with pytest.raises(TypeError):
            packer.pack(bytearray(b"mutable"))  # type: ignore[arg-type]

    @pytest.mark.parametrize("wrong", [{"form": "xml"}, {"purpose": "post"}])
    def test_an_unknown_word_is_named(self, packer: Packer, wrong: dict[str, str]) -> None:
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            packer.pack(b"value", **wrong)  # type: ignore[arg-type]

    def test_a_media_type_is_short_ascii(self, packer: Packer) -> None:
        for wrong in ("x" * 128, "text/é"):
            with pytest.raises(ConfigError, match="media_type"):
                packer.pack(b"value", "tool", wrong)


class TestWhatDoesNotPay:
    @pytest.mark.parametrize("value", [b"small", noise(50_000), picture(50_000)])
    def test_is_kept_as_it_is(self, packer: Packer, value: bytes) -> None:
        assert packer.try_pack(value) is None
        assert _native.describe(packer.pack(value)).codec == "raw"

    def test_is_counted_by_reason(self, packer: Packer) -> None:
        for value in (b"small", noise(50_000), picture(50_000)):
            packer.try_pack(value)
        counts = packer.statistics()
        reasons = {name: n for name, n in counts.items() if name.startswith("skipped_") and n}
        assert reasons == {"skipped_small": 1, "skipped_noise": 1, "skipped_format": 1}
        assert counts["raw_bytes_in"] > 100_000
        assert counts["zstd_bytes_in"] == 0


class TestDamage:
    def test_is_an_error_that_says_what(self, packer: Packer) -> None:
        parcel = packer.pack(result(3_000))
        cases = {
            "torn off": parcel[:-1],
            "does not begin": b"x" * 100,
            "header is damaged": parcel[:9] + b"\xff" + parcel[10:],
            "payload is damaged": parcel[:-1] + bytes([parcel[-1] ^ 1]),
        }
        for reason, damaged in cases.items():
            with pytest.raises(ResultUnreadable, match=reason):
                packer.unpack(damaged, 10_000)

    def test_of_one_frame_leaves_the_others_readable(self, packer: Packer) -> None:
        value = result(3 * MIB)
        parcel = packer.pack(value)
        damaged = parcel[:-1] + bytes([parcel[-1] ^ 1])
        assert packer.read(damaged, 5, 100) == value[5:105]
        with pytest.raises(ResultUnreadable, match="frame"):
            packer.read(damaged, len(value) - 5, 5)
        with pytest.raises(ResultUnreadable, match="payload"):
            packer.unpack(damaged, 4 * MIB)

    def test_a_claim_above_the_limit_is_refused(self, packer: Packer) -> None:
        bomb = packer.pack(bytes(64 * MIB))
        assert len(bomb) < 10_000
        with pytest.raises(ResultUnreadable, match=f"{64 * MIB} bytes, 1000 are allowed"):
            packer.unpack(bomb, 1_000)


class TestDictionaries:
    def test_make_small_results_small(self, packer: Packer) -> None:
        value = result(1_000)
        before = len(packer.pack(value, "search", JSON, tenant="acme"))
        dictionary = trained(packer)
        assert packer.due() == [("acme", "search")]
        assert packer.due() == []
        id = packer.use("acme", "search", dictionary)
        parcel = packer.pack(value, "search", JSON, tenant="acme")
        assert _native.describe(parcel).dictionary == id
        assert len(parcel) * 10 < before * 9
        assert packer.unpack(parcel, 10_000, tenant="acme") == value
        assert packer.dictionary("acme", id) == dictionary

    def test_are_missed_by_name_and_fetched(self, packer: Packer) -> None:
        dictionary = trained(packer)
        id = packer.use("acme", "search", dictionary)
        parcel = packer.pack(result(1_000), "search", JSON, tenant="acme")
        other = Packer()
        with pytest.raises(DictionaryMissing) as missing:
            other.unpack(parcel, 10_000, tenant="acme")
        assert missing.value.dictionary == id
        assert other.know("acme", dictionary) == id
        assert other.unpack(parcel, 10_000, tenant="acme") == result(1_000)

    def test_of_one_tenant_read_nothing_of_another(self, packer: Packer) -> None:
        packer.use("acme", "search", trained(packer))
        parcel = packer.pack(result(1_000), "search", JSON, tenant="acme")
        with pytest.raises(DictionaryMissing):
            packer.unpack(parcel, 10_000, tenant="other")

    def test_are_refused_when_damaged(self, packer: Packer) -> None:
        dictionary = trained(packer)
        with pytest.raises(ResultUnreadable, match="dictionary"):
            packer.use("acme", "search", dictionary[:-1])

    def test_need_something_in_common(self, packer: Packer) -> None:
        assert _native.train([random.Random(n).randbytes(900) for n in range(250)]) is None
        assert packer.train("acme", "never seen") is None


class TestSegments:
    def test_what_is_written_is_scanned(self, packer: Packer) -> None:
        value = noise(5_000)
        parts = [_native.raw_header(value), value]
        head = _native.record_head(7, "parcel", b"i" * 16, parts, label=b"acme")
        record = b"".join([head, *parts])
        record += bytes(-len(record) % 8)
        assert len(record) == _native.record_bytes(4, sum(map(len, parts)))
        file = _native.segment_header(MIB, 7, 1, "key") + record + bytes(100)
        for found in (_native.scan(file), _native.scan(memoryview(file))):
            [one] = found.records
            assert (one.kind, one.id, one.label, one.sealed) == (
                "parcel",
                b"i" * 16,
                b"acme",
                False,
            )
            assert (found.capacity, found.nonce, found.created_ms, found.key_id) == (
                MIB,
                7,
                1,
                "key",
            )
            assert (found.broken, found.torn, found.end) == (0, False, 64 + len(record))
            body = file[one.body_offset :][: one.body_length]
            assert packer.unpack(body, MIB) == value

    def test_a_foreign_file_is_unreadable(self) -> None:
        with pytest.raises(ResultUnreadable, match="header of the segment"):
            _native.scan(noise(1_000))

    def test_what_cannot_be_written_is_named(self) -> None:
        with pytest.raises(ConfigError, match="key_id"):
            _native.segment_header(MIB, 1, 1, "k" * 29)
        with pytest.raises(ConfigError, match="16 bytes"):
            _native.record_head(1, "parcel", b"short", [])
        with pytest.raises(ConfigError, match="kind"):
            _native.record_head(1, "thing", bytes(16), [])  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="1,000 bytes"):
            _native.record_head(1, "parcel", bytes(16), [], label=bytes(1_001))

    def test_records_are_placed_and_freed(self) -> None:
        segments = Segments(segment_bytes=1_000, quota_bytes=2_000)
        assert segments.place(900) == (0, 64, 1_000)
        assert segments.place(900) == (1, 64, 1_000)
        assert segments.place(900) is None
        assert segments.free(0, 900)
        assert segments.empty() == [0]
        assert segments.removed(0)
        assert segments.seal() == 1
        assert segments.sparse() == []
        assert segments.adopt(500, 100, 1) == 2
        assert segments.failed(2)
        assert segments.lower_quota() == 1_000
        assert segments.statistics() == {
            "open": 0,
            "sealed": 1,
            "removing": 0,
            "live_records": 1,
            "live_bytes": 900,
            "held_bytes": 1_000,
            "quota_bytes": 1_000,
        }


class TestLedger:
    def test_the_coldest_moves_and_comes_back(self) -> None:
        ledger = Ledger(1_000)
        entries = [ledger.add(100, plain=True) for _ in range(11)]
        assert ledger.touch(entries[0])
        assert ledger.next_move() == (entries[1], "packed")
        assert ledger.moved(entries[1], "packed", 20)
        assert ledger.where(entries[1]) == "packed"
        assert ledger.moved(entries[1], "object", 100)
        statistics = ledger.statistics()
        assert (statistics["demoted_packed"], statistics["promoted"]) == (1, 1)

    def test_an_entry_is_gone_with_its_last_holder(self) -> None:
        ledger = Ledger(1_000, spills=False)
        entry = ledger.add(2_000, plain=False)
        assert ledger.is_full
        assert ledger.hold(entry)
        assert not ledger.release(entry)
        assert ledger.release(entry)
        assert ledger.where(entry) is None
        assert not ledger.is_full
        assert not any([ledger.hold(entry), ledger.pin(entry), ledger.unpin(entry)])
        assert not any([ledger.touch(entry), ledger.stuck(entry), ledger.moved(entry, "disk", 0)])

    def test_an_unknown_place_is_named(self) -> None:
        with pytest.raises(ConfigError, match="where"):
            Ledger(1_000).moved(0, "attic", 0)  # type: ignore[arg-type]


@pytest.mark.real_time
class TestThreads:
    def test_sixteen_share_one_packer(self, packer: Packer) -> None:
        """Python's `zstandard` crashes with two threads on one compressor."""
        values = [result(size) for size in (600, 5_000, 33_000, 100_000, 2 * MIB)]
        dictionary = trained(packer)
        packer.use("acme", "search", dictionary)
        wrong: list[int] = []

        def work(number: int) -> None:
            for value in itertools.islice(itertools.cycle(values), number, number + 40):
                parcel = packer.pack(value, "search", JSON, tenant="acme")
                if packer.unpack(parcel, 4 * MIB, tenant="acme") != value:
                    wrong.append(number)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []

    def test_large_values_leave_the_interpreter_to_others(
        self, packer: Packer, switching: None
    ) -> None:
        """With the GIL held, the counter could not move while 16 MiB are packed."""
        value = result(MIB) * 16
        done = threading.Event()
        counted = 0

        def work() -> None:
            packer.unpack(packer.pack(value), 64 * MIB)
            done.set()

        thread = threading.Thread(target=work)
        thread.start()
        while not done.is_set():
            time.sleep(0)
            counted += 1
        thread.join()
        assert counted > 100

    @pytest.fixture
    def switching(self) -> Iterator[None]:
        """Nobody is asked to give the GIL away: only who does it by itself lets others in."""
        interval = sys.getswitchinterval()
        sys.setswitchinterval(60.0)
        yield
        sys.setswitchinterval(interval)
