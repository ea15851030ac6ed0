"""Scopes: which texts are one, in which spelling, and how a wrong one is explained."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import ConfigError
from penstock.limits.scope import encode_name, parse_scope


@pytest.mark.parametrize(
    "scope",
    [
        "global",
        "tool:weather",
        "service:api.example.com",
        "tenant:*/service:*/tool:*/model:*",
        "tenant:acme/model:gpt-5",
        "model:deepseek%2Fr1%3Afree",
        "tool:søk",
    ],
)
def test_a_scope_stays_as_it_is_written(scope: str) -> None:
    assert parse_scope(scope) == scope
    assert parse_scope(scope, budget=True) == scope


@pytest.mark.parametrize(
    ("written", "spelled"),
    [
        ("tool:%61b", "tool:ab"),
        ("tool:a%2fb", "tool:a%2Fb"),
        ("tool:a%20b", "tool:a b"),
        ("model:r1:free", "model:r1%3Afree"),
        ("tool:\x85", "tool:%C2%85"),
        ("tool:%2a", "tool:%2A"),
        ("tool:s%C3%B8k", "tool:søk"),
    ],
)
def test_a_scope_has_one_spelling(written: str, spelled: str) -> None:
    assert parse_scope(written) == spelled


@pytest.mark.parametrize(
    ("scope", "reason"),
    [
        (None, "must be text"),
        (3, "must be text"),
        ("", "there is no part ''"),
        ("servce:x", "did you mean 'service:'?"),
        ("colour:x", "there are tenant, service, tool, model"),
        ("tool", "'tool' needs a name"),
        ("tool:", "'tool' needs a name"),
        ("tool:a/", "there is no part ''"),
        ("tool:a/service:b", "in the order tenant: / service: / tool: / model:"),
        ("tool:a/tool:b", "each part once"),
        ("global/tool:a", "there is no part 'global'"),
        ("tool:gpt-*", "patterns are unknown"),
        ("tool:100%", "write '%25'"),
        ("tool:%zz", "write '%25'"),
        ("tool:%FF", "must be UTF-8"),
        ("tool:\ud800", "must be UTF-8"),
        ("tool:" + "x" * 201, "at most 200 bytes"),
        ("tool:" + "%2F" * 67, "at most 200 bytes"),
        ("tool:" + "ø" * 101, "at most 200 bytes"),
        ("batch", "'batch' is for budgets only"),
        ("agent:x", "'agent' is for budgets only"),
        ("call", "'call' is for budgets only"),
    ],
)
def test_a_wrong_scope_is_explained(scope: object, reason: str) -> None:
    with pytest.raises(ConfigError, match="scope=") as caught:
        parse_scope(scope)
    assert reason in str(caught.value)


def test_a_name_of_200_bytes_fits() -> None:
    assert parse_scope("tool:" + "x" * 200) == "tool:" + "x" * 200
    assert parse_scope("tool:" + "%78" * 200) == "tool:" + "x" * 200


@pytest.mark.parametrize(
    "scope",
    ["batch", "run", "call", "tenant:a/agent:b/service:c/tool:d/model:e/run:f/batch:g", "agent:*"],
)
def test_budgets_have_more_parts(scope: str) -> None:
    assert parse_scope(scope, budget=True) == scope


def test_a_word_of_a_budget_stands_alone() -> None:
    with pytest.raises(ConfigError, match="'batch' needs a name"):
        parse_scope("tenant:acme/batch", budget=True)


@given(st.text(min_size=1, max_size=50))
def test_every_name_can_be_spelled(name: str) -> None:
    scope = f"tool:{encode_name(name)}"
    assert parse_scope(scope) == scope


@given(st.text(max_size=80))
def test_a_text_is_a_scope_or_a_config_error(text: str) -> None:
    try:
        spelled = parse_scope(text, budget=True)
    except ConfigError:
        return
    assert parse_scope(spelled, budget=True) == spelled
