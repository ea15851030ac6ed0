"""Fields of pieces: of dicts, of SDK objects, of anything."""

from types import MappingProxyType

import pydantic
import pytest

from penstock.formats._reply import Repeated, Unreadable
from penstock.formats._streams.fields import field, items, number, text, word


class Sdk(pydantic.BaseModel, extra="allow"):
    """Like the types of the SDKs."""

    index: int = 0
    camel: str | None = None


def test_a_field_of_a_dict_and_of_an_sdk_object_is_read_in_place() -> None:
    for value in ({"index": 0}, MappingProxyType({"index": 0}), Sdk()):
        assert field(value, "index") == 0


def test_the_first_name_that_is_there_and_not_null_counts() -> None:
    assert field(Sdk(snake_case="x"), "camel", "nothing", "snake_case") == "x"
    assert field({"a": None, "b": False}, "a", "b") is False


@pytest.mark.parametrize("value", ["text", 7, None, [1], object()])
def test_what_has_no_fields_has_none(value: object) -> None:
    assert field(value, "index", "count", "real") is None


def test_a_repeated_key_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        field(Repeated([("a", 1), ("a", 2)]), "a")


def test_other_types_are_passed_over_or_refused() -> None:
    assert items({"a": 1}) == []
    assert number(True) is None
    assert word(7) is None
    with pytest.raises(Unreadable):
        text(7, "id")
