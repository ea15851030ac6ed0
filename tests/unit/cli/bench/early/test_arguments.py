"""The ways that the rows about arguments time do what they say."""

import json

from penstock.cli.bench.early._asked import LARGE_BYTES, RECORDED, large, pieces
from penstock.cli.bench.early.arguments import at_once, decoded, reparsed, streamed


def test_all_arguments_are_sound_and_the_large_ones_are_large() -> None:
    texts = [text.encode() for text in (*RECORDED, large())]
    assert at_once(texts) == decoded(texts) == len(texts)
    assert LARGE_BYTES * 0.9 < len(large().encode()) < LARGE_BYTES * 1.1


def test_every_value_is_told_in_pieces() -> None:
    def count(value: object) -> int:
        inner = value.values() if isinstance(value, dict) else value
        return 1 + sum(map(count, inner)) if isinstance(value, (dict, list)) else 1

    texts = [pieces(text) for text in RECORDED]
    assert streamed(texts) == sum(count(json.loads(text)) for text in RECORDED)


def test_the_baseline_reads_once_a_piece() -> None:
    texts = [pieces(text) for text in RECORDED]
    assert reparsed(texts) == sum(map(len, texts))
