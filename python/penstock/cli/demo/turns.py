"""The seven recorded turns: what a model answered, word for word, and what must become of its calls.

A reply lies in `turns/` as its provider sent it, so `penstock run` takes the files too. What the
program around the model knows is in the table below: how to run the calls, and what to expect.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files

from penstock._codec import decode
from penstock.calls import Call, Ref
from penstock.formats import Format, get

Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of the demo.

    Attributes:
        name: also of the file in `turns/`.
        format: which provider's wire format the reply is in.
        task: what the model was asked for.
        play: how the calls are run: a name in `play.WAYS`.
        expected: outcomes by status.
        expected_in_turn: the same when the calls run one after the other, if that differs.
    """

    name: str
    format: str
    task: str
    play: str
    expected: Counts
    expected_in_turn: Counts = field(default_factory=dict)

    @property
    def reply(self) -> bytes:
        """What the model answered."""
        return files("penstock.cli.demo").joinpath("turns", f"{self.name}.json").read_bytes()

    @property
    def wire(self) -> Format:
        """The format, to parse the reply and to render the outcomes."""
        return get(self.format)

    def calls(self) -> list[Call]:
        """Return what the model asks for; the steps, if it asks for a plan."""
        calls = self.wire.parse(self.reply)
        if len(calls) == 1 and calls[0].tool == SUBMIT_PLAN:
            return plan_steps(calls[0])
        return calls


SUBMIT_PLAN = "submit_plan"
"""The tool by which a model hands in a whole plan: steps that use each other's values."""


def plan_steps(call: Call) -> list[Call]:
    """Return the steps of a plan as calls; `{"$ref": "id.path"}` becomes a `Ref`."""
    arguments = call.arguments
    plan = decode(arguments) if isinstance(arguments, bytes) else arguments
    steps: Sequence[Mapping[str, object]] = plan["steps"] if plan else ()
    return [_step(**step) for step in steps]


def _step(id: object, tool: object, arguments: object) -> Call:
    values = _with_refs(arguments)
    return Call(str(tool), values if isinstance(values, dict) else {}, id=str(id))


def _with_refs(value: object) -> object:
    match value:
        case {"$ref": str(place)}:
            call, _, path = place.partition(".")
            return Ref(call, path)
        case dict():
            return {key: _with_refs(item) for key, item in value.items()}
        case list():
            return [_with_refs(item) for item in value]
        case _:
            return value


TURNS = (
    Turn(
        "1_survey",
        "anthropic",
        "What is in this project, and where?",
        "together",
        {"ok": 51, "failed": 1},  # one pattern is no regular expression
    ),
    Turn(
        "2_tracker",
        "openai_responses",
        "Sort the newest issues by label",
        "together",
        # four answer 500, three hang, one has JSON that was cut, one a word for a number
        {"ok": 47, "failed": 4, "rejected": 2, "timeout": 3},
    ),
    Turn(
        "3_audit",
        "gemini",
        "Check the larger modules",
        "together",
        # a column and a file that do not exist, a write; a wrong name, two wrong arguments
        {"ok": 63, "failed": 3, "rejected": 3},
    ),
    Turn(
        "4_plan",
        "openai_chat",
        "Who raises what? A plan with refs",
        "plan",
        {"ok": 26, "failed": 1, "skipped": 2},  # what needs the issue that answers 500
    ),
    Turn(
        "5_mirrors",
        "anthropic",
        "Race three mirrors for four pages",
        "race",
        # mirror c wins: a is too slow, b has a broken page
        {"ok": 7, "failed": 1, "cancelled": 4},
        {"ok": 4, "cancelled": 8},  # mirror a comes first, and there is nobody to be slower than
    ),
    Turn(
        "6_archive",
        "openai_chat",
        "Drop the archive when not needed",
        "branches",
        {"ok": 14, "cancelled": 20},
    ),
    Turn(
        "7_ratings",
        "mcp",
        "Rate modules, for 5 cents at most",
        "together",
        {"ok": 24, "rejected": 6},  # the budget of the run is spent
    ),
)
