"""`Origin`: what is kept beside a value fits, and comes back."""

import pytest

from penstock.errors import ConfigError
from penstock.results.origin import LONGEST_LABEL, Origin, origin_of, parse_label


@pytest.mark.parametrize(
    "origin", [Origin(), Origin("søk", "text/csv", "acme"), Origin("x", "", "")]
)
def test_it_comes_back_from_its_label(origin: Origin) -> None:
    assert parse_label(origin.label) == origin


def test_long_names_are_cut_but_never_the_tenant() -> None:
    label = Origin("t" * 10_000, "m" * 10_000, "a" * 256).label
    found = parse_label(label)
    assert len(label) <= LONGEST_LABEL
    assert found is not None
    assert found.tenant == "a" * 256


def test_a_tenant_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="tenant"):
        Origin("x", "", "a" * 2_000)


@pytest.mark.parametrize("label", [b"", b"{}", b"[1]", b"\xff", b"null"])
def test_what_is_no_label_is_none(label: bytes) -> None:
    assert parse_label(label) is None


def test_alike_values_share_it() -> None:
    assert origin_of("a", "b", "c") is origin_of("a", "b", "c")
