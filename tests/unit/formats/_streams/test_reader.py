"""What readers share: ends, faults, counts."""

from penstock.formats import MessageEnd, ReaderStatistics, ToolStart
from penstock.formats._streams.reader import Reader


class Plain(Reader):
    """Each piece is the name of a call."""

    name = "plain"

    def _read(self, chunk: object) -> None:
        assert isinstance(chunk, dict)
        if "why" in chunk:
            self._reason = chunk["why"]
        else:
            self._start(chunk.get("place"), chunk.get("id"), chunk["name"])


def test_a_call_without_an_id_is_named_by_its_place() -> None:
    assert Plain().feed({"name": "get"}) == [ToolStart(0, "call-0", "get")]


def test_nothing_is_told_after_the_end() -> None:
    reading = Plain()
    reading.finish()
    assert reading.feed({"name": "get"}) == []
    assert reading.finish() == []
    assert reading.ended


def test_an_end_without_a_reason_is_broken() -> None:
    assert Plain().finish() == [MessageEnd("broken")]


def test_an_end_with_a_reason_closes_what_is_open() -> None:
    reading = Plain()
    reading.feed({"name": "get"})
    reading.feed({"why": "stop"})
    assert reading.finish()[-1] == MessageEnd("stop")
    assert len(reading.calls) == 1


def test_a_stream_that_was_cut_closes_nothing_whatever_it_said() -> None:
    reading = Plain()
    reading.feed({"name": "get"})
    reading.feed({"why": "stop"})
    assert reading.finish(broken=True) == [MessageEnd("broken")]
    assert reading.calls == []


def test_calls_are_sorted_by_place_then_by_start() -> None:
    reading = Plain()
    for place, name in ((5, "c"), (0, "a"), (0, "b")):
        reading.feed({"place": place, "name": name, "why2": 0})
    reading.feed({"why": "stop"})
    reading.finish()
    assert [call.tool for call in reading.calls] == ["a", "b", "c"]
    assert reading.order == [1, 2, 0]


def test_pieces_and_calls_are_counted() -> None:
    reading = Plain()
    reading.feed('data: {"name": "get"}\n\ndata: {"why": "stop"}\n')
    reading.finish()
    assert reading.statistics() == ReaderStatistics(pieces=2, unknown=0, calls=1)
