"""`Early`: hears one reply of a session while it is spoken, and has guessed what of it is still to come.

| what became certain | what is guessed |
|---|---|
| a call has begun, or one of its arguments has closed | calls of that tool which have these arguments |
| all arguments that the tool requires have closed | that very call without further ones, as its calls usually are |
| a call is complete | calls beside it in the same step |

Ground rules:

- State: the calls of one reply, their closed arguments, and what was launched for one that is still open.
  Nothing is decided here: each guess is judged as at a decision point.
- What is spoken may contradict a launch of this decision. It is cancelled while it runs if it is the call that
  was completed by habit, or if the tool comes alone: else a sibling may ask for it yet. What has ended stays.
- Cost: at most one prediction for each piece in which a call began, an argument of the first level or a
  call closed; nothing for all others. Bound: the calls of a reply.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from penstock._codec import decode, encode
from penstock.calls import Call
from penstock.formats import ArgClosed, CallClosed, MessageEnd, ReplyEvent, ToolStart
from penstock.speculation._protocol import Candidate, Spoken
from penstock.speculation.habits import Habits, Keys
from penstock.speculation.window import Launch
from penstock.tools import Tool

AnyTool = Tool[..., Any]


class Desk(Protocol):
    """Who judges guesses of one session, and launches them."""

    def tool(self, name: str) -> AnyTool | None:
        """Return a tool of the engine."""

    def form(self, spoken: Spoken) -> bytes | None:
        """Return a call as bytes, the same for the same only; None if it cannot be made."""

    def predict_again(self, step: Sequence[Spoken], open: Spoken | None) -> None:
        """Have guessed what may come besides, and launch what is worth it."""

    def launch_one(self, candidate: Candidate) -> Launch | None:
        """Launch a guess if that is worth it."""

    def running(self, tool: str) -> list[Launch]:
        """Return launches of this decision that run, or will, and that no call has asked for."""

    def cancel(self, launch: Launch) -> None:
        """End a launch that is of no use."""


@dataclass(frozen=True, slots=True)
class Completed:
    """A call that is still open, as it would be without further arguments."""

    tool: str
    arguments: bytes
    p: float
    late_p: float = 0.0


@dataclass(slots=True)
class _Open:
    """A call that is being spoken.

    Attributes:
        tool: the name.
        arguments: those of the first level that have closed.
        completed: what was launched for it, and its form.
    """

    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)
    completed: tuple[Launch, bytes] | None = None

    @property
    def spoken(self) -> Spoken:
        return self.tool, encode(self.arguments)


class Early:
    """See the ground rules."""

    def __init__(self, desk: Desk, habits: Habits) -> None:
        """Begin a reply.

        Args:
            desk: of its session.
            habits: of tools.
        """
        self._desk = desk
        self._habits = habits
        self._open: dict[int, _Open] = {}
        self._step: dict[int, Spoken] = {}

    def heard(self, events: Sequence[ReplyEvent]) -> None:
        """Hear what became certain."""
        latest: _Open | None = None
        has_news = False
        for event in events:
            if isinstance(event, ToolStart):
                latest = self._open[event.index] = _Open(event.name)
            elif isinstance(event, ArgClosed):
                if len(event.path) != 1 or event.index not in self._open:
                    continue
                latest = self._open[event.index]
                latest.arguments[str(event.path[0])] = event.value
            elif isinstance(event, CallClosed):
                self._close(event.index, event.call)
                latest = None
            elif isinstance(event, MessageEnd):
                return
            else:
                continue
            has_news = True
        if has_news:
            self._look(latest)

    def _close(self, index: int, call: Call) -> None:
        spoken = call.tool, arguments_of(call)
        self._step[index] = spoken
        open = self._open.pop(index, None)
        if open is None:
            return
        if open.completed is not None and open.completed[1] != self._desk.form(spoken):
            self._desk.cancel(open.completed[0])
        tool = self._desk.tool(call.tool)
        if tool is not None:
            self._contradict(tool, open.arguments, whole=self._desk.form(spoken))

    def _look(self, open: _Open | None) -> None:
        """Guess once with all that is certain by now."""
        if open is None:
            self._desk.predict_again(tuple(self._step.values()), None)
            return
        tool = self._desk.tool(open.tool)
        if tool is None or (tool.effects != "read" and tool.commit is None):
            return
        self._contradict(tool, open.arguments)
        if tool.effects == "read":
            self._complete(tool, open)
        self._desk.predict_again(tuple(self._step.values()), open.spoken)

    def _contradict(
        self, tool: AnyTool, closed: dict[str, Any], whole: bytes | None = None
    ) -> None:
        """Cancel what runs for other arguments, where no sibling will ask for it."""
        if not self._habits.comes_alone(tool.name):
            return
        for launch in self._desk.running(tool.name):
            given = decode(launch.arguments)
            is_other = any(name in given and given[name] != closed[name] for name in closed)
            if is_other or (whole and self._desk.form((tool.name, launch.arguments)) != whole):
                self._desk.cancel(launch)

    def _complete(self, tool: AnyTool, open: _Open) -> None:
        """Guess an open call as it is, if it has all that it needs and could have more."""
        shape = shape_of(tool)
        if shape is None or not shape[0] <= open.arguments.keys():
            return
        form = self._desk.form(open.spoken)
        if open.completed is not None:
            if open.completed[1] == form:
                return  # what has closed since is what it would have been anyway
            self._desk.cancel(open.completed[0])
            open.completed = None
        present = shape[1].intersection(open.arguments)
        if form is None or present == shape[1]:
            return
        p = self._habits.stays(tool.name, present)
        if p is not None:
            launch = self._desk.launch_one(Completed(*open.spoken, p))
            open.completed = None if launch is None else (launch, form)


def shape_of(tool: AnyTool) -> tuple[Keys, Keys] | None:
    """Return which arguments a tool requires, and which it may have besides; None if it has no bound."""
    if tool.extras:
        return None
    required = frozenset(tool.schema.get("required", ()))
    return required, frozenset(tool.schema.get("properties", ())) - required


def keys_of(tool: AnyTool, arguments: bytes) -> Keys | None:
    """Return which of its optional arguments a call has; None if that cannot be told."""
    shape = shape_of(tool)
    if shape is None or not shape[1]:
        return None if shape is None else frozenset()
    try:
        given = decode(arguments)
    except ValueError:
        return None
    return shape[1].intersection(given) if isinstance(given, dict) else None


def arguments_of(call: Call) -> bytes:
    """Return the arguments of a call that came from a model, as JSON."""
    given = call.arguments
    return given if isinstance(given, bytes) and given else b"{}"
