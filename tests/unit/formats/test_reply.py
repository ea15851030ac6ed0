"""Reading: paths, broken JSON, objects of SDKs, and arguments that must reject only their call."""

import json
from enum import StrEnum
from types import MappingProxyType

import pytest
from pydantic import BaseModel

from penstock.errors import BadReply
from penstock.formats._reply import (
    TOO_DEEP,
    Unreadable,
    arguments,
    as_list,
    as_object,
    as_text,
    join_texts,
    objects,
    plain,
    reading,
    sendable,
)


class Model(BaseModel):
    city: str
    days: int | None = None


class Raising:
    def model_dump(self, *, warnings: bool) -> dict[str, object]:
        raise ValueError("cannot be dumped")


class Scalar:
    def model_dump(self, *, warnings: bool) -> object:
        return 7


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


def test_a_path_grows_from_the_inside_out() -> None:
    fault = Unreadable("name", "must be text").under("function").under("calls[2]")
    assert fault.path == "calls[2].function.name"


def test_a_path_has_no_dot_before_an_index_and_none_at_the_root() -> None:
    assert Unreadable("[1]", "").under("a").under("").path == "a[1]"
    assert Unreadable("", "").under("a").path == "a"


def test_an_unreadable_reply_becomes_a_bad_reply_of_the_format() -> None:
    with pytest.raises(BadReply) as caught, reading("anthropic"):
        raise Unreadable("content[0]", "must be an object")
    assert (caught.value.format, caught.value.path) == ("anthropic", "content[0]")
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("reply", ['{"a": [1]}', b'{"a":[1]}', bytearray(b'{"a":[1]}')])
def test_json_is_decoded(reply: object) -> None:
    assert plain(reply) == {"a": [1]}


def test_a_byte_order_mark_is_passed_over() -> None:
    assert plain('{"a": 1}'.encode("utf-8-sig")) == {"a": 1}


def test_broken_json_is_said_with_its_place() -> None:
    with pytest.raises(Unreadable, match="line 2 column 6"):
        plain('{\n"a": ]}')


def test_whole_numbers_of_any_size_are_exact() -> None:
    assert plain(f'{{"a": {2**80}}}') == {"a": 2**80}


def test_an_object_with_a_repeated_key_is_refused_where_it_is_read() -> None:
    reply = as_object(plain('{"a": {"b": 1, "c": 2, "b": 3}}'), "")
    with pytest.raises(Unreadable, match="'b' more than once") as caught:
        as_object(reply["a"], "a")
    assert caught.value.path == "a"


def test_an_object_of_an_sdk_is_read_as_a_dict() -> None:
    assert plain(Model(city="Oslo")) == {"city": "Oslo", "days": None}
    assert as_object(Model(city="Oslo"), "")["city"] == "Oslo"


def test_the_class_of_an_sdk_object_is_no_reply() -> None:
    with pytest.raises(Unreadable):
        as_object(Model, "")


@pytest.mark.parametrize("broken", [Raising(), Scalar()])
def test_an_sdk_object_that_cannot_be_read_is_said_by_name(broken: object) -> None:
    with pytest.raises(Unreadable, match=type(broken).__name__):
        plain(broken)


def test_any_mapping_is_an_object() -> None:
    assert as_object(MappingProxyType({"a": 1}), "")["a"] == 1


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "null"), (True, "a boolean"), (1.5, "a number"), ("x", "text"), ([], "a list")],
)
def test_a_wrong_type_is_said_in_the_words_of_json(value: object, said: str) -> None:
    with pytest.raises(Unreadable, match=f"not {said}"):
        as_object(value, "path")


def test_a_list_and_a_text_are_checked_too() -> None:
    with pytest.raises(Unreadable, match="must be a list, not an object"):
        as_list({}, "")
    with pytest.raises(Unreadable, match="must be text, not null"):
        as_text(None, "")


def test_only_objects_are_looked_at_where_nothing_is_checked() -> None:
    assert objects([1, {"a": 1}, Model(city="Oslo")])[1]["city"] == "Oslo"
    assert objects("text") == []


def test_texts_are_joined_by_lines_and_odd_ones_left_out() -> None:
    assert (
        join_texts([{"text": "a"}, {"text": 7}, {}, {"refusal": "b"}], "text", "refusal") == "a\nb"
    )


def test_lone_surrogates_are_replaced_and_other_text_is_kept() -> None:
    assert sendable("a\ud800b") == "a\ufffdb"
    assert sendable("naïve 🙂") == "naïve 🙂"


def test_a_member_of_an_enum_of_texts_is_its_value() -> None:
    class City(StrEnum):
        OSLO = "oslo"

    assert type(sendable(City.OSLO)) is str


@pytest.mark.parametrize("nothing", [None, "", "  \n"])
def test_no_arguments_are_none(nothing: str | None) -> None:
    assert arguments(nothing) is None


@pytest.mark.parametrize("given", ['{"a": ', "[]", "null", '{"a":1,"a":2}', '{"a":"ø"}'])
def test_arguments_that_are_text_are_kept_as_they_came(given: str) -> None:
    assert arguments(given) == given.encode()
    assert arguments(given.encode()) == given.encode()


def test_a_lone_surrogate_in_text_stays_to_be_refused() -> None:
    assert arguments('{"a":"\ud800"}') == b'{"a":"\xed\xa0\x80"}'


def test_arguments_that_are_an_object_are_written_as_json() -> None:
    assert arguments({"a": None, "b": [1, "ø"]}) == '{"a":null,"b":[1,"ø"]}'.encode()


def test_a_number_above_64_bits_is_exact() -> None:
    assert json.loads(arguments({"a": 2**80}) or b"") == {"a": 2**80}


def test_a_nan_does_not_become_a_null() -> None:
    assert arguments({"a": float("nan"), "b": None}) == b'{"a":NaN,"b":null}'


def test_a_lone_surrogate_stays_to_be_refused() -> None:
    assert arguments({"a": "\ud800"}) == rb'{"a":"\ud800"}'


def test_a_replacement_character_of_the_model_is_not_taken_for_a_surrogate() -> None:
    assert arguments({"a": "\ufffd"}) == '{"a":"\ufffd"}'.encode()


def test_repeated_keys_in_arguments_stay_to_be_refused() -> None:
    reply = as_object(plain('{"input": {"a": [{"b": 1, "b": 2}]}}'), "")
    assert arguments(reply["input"]) == b'{"a":[{"b":1,"b":2}]}'


def test_deep_arguments_stay_deep() -> None:
    assert arguments(nested(100)) == b"[" * 100 + b"1" + b"]" * 100
    assert json.loads(arguments(nested(300)) or b"") == nested(300)


def test_arguments_too_deep_to_be_written_are_replaced_by_something_too_deep() -> None:
    assert arguments(nested(100_000)) == TOO_DEEP


def test_arguments_that_contain_themselves_are_too_deep() -> None:
    endless: list[object] = []
    endless.append(endless)
    assert arguments(endless) == TOO_DEEP
