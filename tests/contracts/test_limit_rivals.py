"""Every rival of the limits: its file says what it needs, and is called like it.

What the rivals do runs in their own environments, by `benches/rivals/limits/run.py`; here runs the
baseline, which needs nothing but the project.
"""

import ast
import re

import pytest

from benches.rivals import _environment
from benches.rivals.limits import _driver, plain_bucket

NAMES = _driver.names()


def test_there_are_rivals() -> None:
    assert {"aiolimiter", "limits", "plain_bucket", "pyrate_limiter", "throttled_py"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_rival_pins_exact_versions(name: str) -> None:
    exact = re.compile(r"[\w.-]+==[\w.]+")
    assert all(exact.fullmatch(line) for line in _environment.requirements(f"limits/{name}"))


@pytest.mark.parametrize("name", NAMES)
def test_a_rival_is_called_like_its_file(name: str) -> None:
    tree = ast.parse((_driver.FOLDER / f"{name}.py").read_text())
    (rival,) = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "RIVAL"
    ]
    assert isinstance(rival, ast.Call)
    assert ast.literal_eval(rival.args[0]) == name


async def test_the_baseline_takes_and_ends_permits() -> None:
    for subject in (plain_bucket.RIVAL.rate(1e6, 10), plain_bucket.RIVAL.tiers()):
        assert subject.try_take is not None
        for permit in (subject.try_take(), await subject.take()):
            assert subject.end(permit)
            assert not subject.end(permit)
