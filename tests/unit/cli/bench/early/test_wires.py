"""The streams of the rows are streams that the readers read."""

import json

import pytest

from penstock.cli.bench.early._asked import RECORDED, pieces
from penstock.cli.bench.early._wires import WIRES
from penstock.formats import get


@pytest.mark.parametrize("name", WIRES)
def test_a_stream_has_the_calls_that_it_was_made_of(name: str) -> None:
    make = get(name).reader
    assert make is not None
    reader = make()
    for piece in WIRES[name](RECORDED):
        reader.feed(piece)
    reader.finish()
    given = [json.loads(call.arguments or b"{}") for call in reader.calls]
    assert given == [json.loads(text) for text in RECORDED]


def test_pieces_are_of_1_to_32_characters_and_make_the_text() -> None:
    text = "x" * 1_000 + "y"
    parts = pieces(text)
    assert "".join(parts) == text
    assert {1, 32} <= set(map(len, parts)) <= set(range(1, 33))
