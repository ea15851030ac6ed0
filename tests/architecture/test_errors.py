"""The error tree: stable codes, somebody who must act, fields that survive a pickle."""

import inspect
import pickle
import re
from collections.abc import Iterator
from typing import get_args

import pytest

from architecture.exemptions import SHORTEST_REASON
from architecture.tree import modules, shown, text
from penstock import errors
from penstock.errors import PenstockError

# A broad handler, and the lint's exemption with its reason on the same line.
BROAD = re.compile(r"except\s*:|except\s+\(?.*\b(?:BaseException|Exception)\b")
REASON = re.compile(r"#\s*noqa:\s*BLE001\b[\s:—-]*(?P<reason>.*)")

# One value for each type of field; a new type of field needs a row.
SAMPLES: dict[str, object] = {
    "str": "weather",
    "int": 3,
    "int | None": 3,
    "float": 1.5,
    "float | None": 1.5,
    "object": {"days": 0},
    "Literal['microusd', 'tokens']": "tokens",
    "tuple[str, ...]": ("a", "b"),
    "tuple[penstock.errors.Fault, ...]": (errors.Fault("days", "is 0", "1 to 16", "0"),),
}


def the_tree() -> list[type[PenstockError]]:
    def below(kind: type[PenstockError]) -> Iterator[type[PenstockError]]:
        for child in kind.__subclasses__():
            if child.__module__ == "penstock.errors":
                yield child
            yield from below(child)

    return sorted(set(below(PenstockError)), key=lambda kind: kind.__name__)


def sample(kind: type[PenstockError]) -> PenstockError:
    parameters = inspect.signature(kind).parameters.values()
    return kind(*(SAMPLES[inspect.formatannotation(p.annotation)] for p in parameters))


def test_the_tree_has_its_errors() -> None:
    assert {"ConfigError", "EngineFull", "CallTimeout"} <= {kind.__name__ for kind in the_tree()}


def test_all_errors_live_in_one_file() -> None:
    classes = re.compile(r"^class (\w+)\(.*(?:Error|Exception)\b.*\):", re.MULTILINE)
    strays = {
        f"{shown(module.path)}: {name}"
        for module in modules()
        if module.name != "penstock.errors" and not module.path.name.startswith("_")
        for name in classes.findall(text(module.path))
        if not name.startswith("_")
    }
    assert not strays, f"errors: public errors belong into penstock/errors.py: {sorted(strays)}"


def test_codes_are_unique_and_stable_words() -> None:
    codes = [kind.code for kind in the_tree()]
    assert len(codes) == len(set(codes)), f"errors: a code is taken twice: {sorted(codes)}"
    assert [code for code in codes if not re.fullmatch(r"[a-z]+(_[a-z]+)*", code)] == []


@pytest.mark.parametrize("kind", the_tree(), ids=lambda kind: kind.__name__)
class TestEachError:
    def test_says_by_itself_what_it_is(self, kind: type[PenstockError]) -> None:
        assert "code" in vars(kind), "an inherited code would be another error's"
        assert isinstance(kind.retryable, bool)
        assert kind.who in get_args(errors.Who)

    def test_survives_a_pickle(self, kind: type[PenstockError]) -> None:
        error = sample(kind)
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        assert (type(copy), copy.args, str(copy)) == (kind, error.args, str(error))

    def test_tells_a_person_and_a_model(self, kind: type[PenstockError]) -> None:
        error = sample(kind)
        assert str(error).strip()
        assert error.for_model().strip()


def test_a_broad_handler_gives_its_reason() -> None:
    """`except Exception` stands at borders only; there the lint's exemption says which one."""
    silent = [
        f"  {shown(module.path)}:{number}: {line.strip()}"
        for module in modules()
        for number, line in enumerate(text(module.path).splitlines(), 1)
        if BROAD.search(line)
        and _reason(line) is not None
        and len(_reason(line) or "") < SHORTEST_REASON
    ]
    assert not silent, "errors: write `# noqa: BLE001 - why this border`:\n" + "\n".join(silent)


def _reason(line: str) -> str | None:
    """Return the reason on the line; None if the lint had nothing to exempt (it raises again)."""
    found = REASON.search(line)
    return found["reason"] if found else None
