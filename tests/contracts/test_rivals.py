"""Every rival of the benchmarks: its file says what it needs, and it ends with the expected messages.

The rounds of rivals that bring a framework are checked by each run of `benches/rivals/worker.py`, in
the rival's own environment; here run those that need nothing but what the project has.
"""

import ast
import importlib.metadata
import re

import pytest

from benches.rivals import _environment
from benches.rivals._turn import Turn
from benches.rivals.gather_uvloop import prepare as gather
from benches.rivals.ours import prepare as ours

NAMES = _environment.names()


def test_there_are_rivals() -> None:
    assert {"ours", "gather_uvloop", "langgraph", "pydantic_ai"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_rival_pins_exact_versions(name: str) -> None:
    exact = re.compile(r"[\w.-]+==[\w.]+")
    assert all(exact.fullmatch(line) for line in _environment.requirements(name))


@pytest.mark.parametrize("name", NAMES)
def test_a_rival_is_called_like_its_file(name: str) -> None:
    tree = ast.parse((_environment.FOLDER / f"{name}.py").read_text())
    (rival,) = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "RIVAL"
    ]
    assert isinstance(rival, ast.Call)
    assert ast.literal_eval(rival.args[0]) == name


@pytest.mark.parametrize("prepare", [gather, ours], ids=["gather", "ours"])
async def test_a_round_ends_with_the_expected_messages(prepare) -> None:
    turn = Turn(count=20, delay=0.0)
    async with turn.cleanup:
        run_round = await prepare(turn)
        assert (await run_round()).messages == turn.expected()


def test_the_baseline_uses_the_projects_own_decoder() -> None:
    pins = dict(line.split("==") for line in _environment.requirements("gather_uvloop"))
    assert pins["orjson"] == importlib.metadata.version("orjson")
