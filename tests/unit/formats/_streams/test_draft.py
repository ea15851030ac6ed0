"""One call that is being written."""

from penstock.formats import ArgClosed, ArgDelta, ReplyEvent
from penstock.formats._streams.draft import Draft


def test_pieces_are_told_and_what_they_complete() -> None:
    draft, events = Draft(2, 0, "1", "get"), list[ReplyEvent]()
    draft.feed('{"a": [1', events)
    draft.feed(", 2]", events)
    assert events == [
        ArgDelta(2, '{"a": [1'),
        ArgDelta(2, ", 2]"),
        ArgClosed(2, ("a", 0), 1),
        ArgClosed(2, ("a", 1), 2),
        ArgClosed(2, ("a",), [1, 2]),
    ]


def test_an_empty_piece_is_not_told() -> None:
    draft, events = Draft(0, 0, "1", "get"), list[ReplyEvent]()
    draft.feed("", events)
    assert events == []
    assert draft.is_blank


def test_what_cannot_be_read_on_is_collected_all_the_same() -> None:
    draft = Draft(0, 0, "1", "get")
    for piece in ('{"a": nu', "xx", "}"):
        draft.feed(piece, [])
    assert not draft.is_complete
    assert draft.call().arguments == b'{"a": nuxx}'


def test_more_after_the_end_is_not_complete() -> None:
    draft = Draft(0, 0, "1", "get")
    draft.feed("{}", [])
    assert draft.is_complete
    draft.feed("{}", [])
    assert not draft.is_complete


def test_settling_tells_only_what_is_new() -> None:
    draft, events = Draft(0, 0, "1", "get"), list[ReplyEvent]()
    draft.feed('{"a":', [])
    draft.settle('{"a":1}', events)
    assert events == [ArgDelta(0, "1}"), ArgClosed(0, ("a",), 1)]


def test_free_text_is_one_argument() -> None:
    draft = Draft(0, 0, "1", "run", free=True)
    draft.feed('{"not": "json', [])
    assert draft.call().arguments == b'{"input":"{\\"not\\": \\"json"}'
