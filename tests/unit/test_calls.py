"""The nouns: calls, references, outcomes."""

import gc
import pickle

import pytest

from penstock import Call, Ref
from penstock.errors import CallCancelled, ConfigError
from penstock.testing import outcome


class TestCall:
    """One request."""

    def test_text_is_kept_as_bytes(self) -> None:
        assert Call("web", '{"q": 1}').arguments == b'{"q": 1}'

    def test_a_mapping_is_kept(self) -> None:
        assert Call("web", {"q": 1}).arguments == {"q": 1}

    def test_nothing_stays_nothing(self) -> None:
        call = Call("web")
        options = (call.arguments, call.id, call.priority, call.branch, call.timeout)
        assert options == (None,) * 5
        assert (call.after, call.refs) == ((), ())

    def test_parents_may_be_named_by_their_call(self) -> None:
        assert Call("web", after=["a", Call("web", id="b")]).after == ("a", "b")

    def test_refs_are_found_anywhere(self) -> None:
        call = Call("web", {"a": [{"b": Ref("x", "y.0")}], "c": Ref("z"), "d": (Ref("t"),)})
        assert [ref.call for ref in call.refs] == ["x", "z", "t"]

    def test_it_is_frozen(self) -> None:
        with pytest.raises(AttributeError):
            Call("web").tool = "other"  # type: ignore[misc]

    @pytest.mark.parametrize(
        ("field", "options"),
        [
            ("priority", {"priority": 8}),
            ("priority", {"priority": -1}),
            ("timeout", {"timeout": 0}),
            ("timeout", {"timeout": -1.0}),
            ("timeout", {"timeout": float("inf")}),
        ],
    )
    def test_an_option_that_cannot_be_is_named(self, field: str, options: dict[str, float]) -> None:
        with pytest.raises(ConfigError) as bad:
            Call("web", **options)  # type: ignore[arg-type]
        assert bad.value.field == field

    def test_calls_are_known_to_the_collector(self) -> None:
        arguments: dict[str, object] = {}
        call = Call("web", arguments)
        arguments["itself"] = call
        assert gc.is_tracked(call)

    def test_a_copy_in_a_branch_prefixes_what_it_names(self) -> None:
        call = Call("web", {"q": Ref("a", "b")}, id="c", after=["a"], priority=2, timeout=3)
        copy = call.replace(branch="x", prefix="0/")
        assert (copy.id, copy.after, copy.branch) == ("0/c", ("0/a",), "x")
        assert [(ref.call, ref.path) for ref in copy.refs] == [("0/a", ("b",))]
        assert (copy.priority, copy.timeout, call.id) == (2, 3.0, "c")


class TestRef:
    """A place in a parent's value."""

    def test_a_path_may_be_text_or_a_tuple_or_grown(self) -> None:
        assert Ref("a", "b.c") == Ref("a", ("b", "c"))
        assert Ref("a", ("b", 0, "c")) == Ref("a")["b"][0]["c"]
        assert hash(Ref("a", "b")) == hash(Ref("a")["b"])

    def test_the_whole_value_is_the_empty_path(self) -> None:
        assert Ref("a").path == ()

    def test_it_cannot_be_iterated(self) -> None:
        """It has `[]`, so Python would try 0, 1, 2 and never end."""
        with pytest.raises(TypeError):
            list(Ref("a"))

    def test_different_refs_differ(self) -> None:
        assert Ref("a") != Ref("b")
        assert Ref("a", "x") != Ref("a", "y")
        assert Ref("a") != "a"


class TestOutcome:
    """What became of a call."""

    def test_unwrap_returns_the_value(self) -> None:
        assert outcome(Call("web"), value=7).unwrap() == 7

    def test_unwrap_raises_the_error(self) -> None:
        with pytest.raises(LookupError, match="gone"):
            outcome(Call("web"), error=LookupError("gone")).unwrap()

    def test_only_an_ok_outcome_has_a_value(self) -> None:
        failed = outcome(Call("web"), error=CallCancelled("web", "caller"), status="cancelled")
        assert (failed.ok, failed.value, failed.status) == (False, None, "cancelled")

    def test_a_call_without_an_id_is_named_by_its_place(self) -> None:
        assert outcome(Call("web"), index=3).id == "call-3"
        assert outcome(Call("web", id="mine"), index=3).id == "mine"

    def test_durations_are_differences(self) -> None:
        known = outcome(Call("web"), submitted=1.0, started=3.0, ended=7.0)
        assert (known.waited, known.duration) == (2.0, 4.0)

    def test_what_never_started_waited_until_its_end(self) -> None:
        known = outcome(Call("web"), submitted=1.0, ended=7.0)
        assert (known.waited, known.duration, known.attempts) == (6.0, 0.0, 0)

    def test_it_is_frozen_and_not_pickled_by_accident(self) -> None:
        known = outcome(Call("web"), value=1)
        with pytest.raises(AttributeError):
            known.value = 2  # type: ignore[misc]
        with pytest.raises(TypeError):
            pickle.dumps(known)
