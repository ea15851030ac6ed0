"""What a predictor may be asked: found out by its signature, once."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from penstock.speculation._protocol import hears_steps
from unit.speculation.scripted import Scripted


def plain(session: str, k: int = 8) -> Sequence[Any]:
    return ()


def half(session: str, k: int = 8, *, step: object = ()) -> Sequence[Any]:
    return ()


@pytest.mark.parametrize(
    ("predict", "hears"),
    [(Scripted().predict, True), (plain, False), (half, False), (type, False)],
)
def test_only_what_takes_both_is_asked_while_a_reply_is_spoken(
    predict: Callable[..., object], hears: bool
) -> None:
    assert hears_steps(predict) is hears
