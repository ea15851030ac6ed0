from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr

from penstock import tool
from penstock.speculation.secrets import MASK, masked, secret_names, secret_texts, without_secrets


class Account(BaseModel):
    """Who."""

    user: str
    pin: SecretStr


@tool
async def enter(
    account: Account,
    code: Annotated[str, Field(json_schema_extra={"writeOnly": True})],
    spare: SecretStr | None = None,
    note: str = "",
) -> None:
    """Has secrets at two depths."""


def test_the_schema_says_which_parameters_are_secret() -> None:
    assert secret_names(enter) == {"pin", "code", "spare"}


def test_texts_of_secret_fields_are_found_at_any_depth() -> None:
    value = {"a": [{"code": {"x": "four", "y": 12345, "z": "abc"}}], "api_key": "k-123", "b": "no"}
    assert set(secret_texts(value, frozenset({"code"}))) == {"four", "12345", "k-123"}


def test_fields_go_and_their_texts_are_masked_elsewhere() -> None:
    value = {"pin": 1, "password": "hunter2", "n": 12345, "list": ["it is hunter2", 7, None]}
    kept = without_secrets(value, frozenset({"pin"}), frozenset({"hunter2", "12345"}))
    assert kept == {"n": MASK, "list": [f"it is {MASK}", 7, None]}


def test_the_longest_secret_goes_first() -> None:
    assert masked("abcdef abcd", frozenset({"abcd", "abcdef"})) == f"{MASK} {MASK}"


json = st.recursive(
    st.none() | st.booleans() | st.integers(0, 99) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@given(json)
def test_what_has_no_secret_stays(value: Any) -> None:
    assert without_secrets(value, frozenset(), frozenset()) == value


@given(json, st.sampled_from(["tango-77", "hunter2"]))
def test_no_secret_is_left(value: Any, secret: str) -> None:
    around = {"a": value, "code": secret, "b": [f"<{secret}>", {secret: 1}]}
    found = frozenset(secret_texts(around, frozenset({"code"})))
    assert found == {secret}
    assert secret not in repr(without_secrets(around, frozenset({"code"}), found))


def test_a_schema_that_cannot_be_written_says_nothing() -> None:
    class Odd:
        """Has no JSON form."""

    @tool
    async def odd(token: str, at: Any = Odd()) -> None: ...  # noqa: B008 - such a default

    assert secret_names(odd) <= {"token"}


@pytest.mark.parametrize("schema", [{"format": "password"}, {"anyOf": [{"writeOnly": True}]}])
def test_both_words_count(schema: dict[str, Any]) -> None:
    @tool
    async def use(x: Annotated[str, Field(json_schema_extra=schema)]) -> None: ...

    assert secret_names(use) == {"x"}
