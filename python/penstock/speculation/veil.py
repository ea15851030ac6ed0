"""`Veil`: notes of a session to what may be written of it.

In this order: secrets are left out, the user's `redact` sees each value, shapes disguise what it left, and
what is long is cut.

What is secret `secrets.py` says. It is left out by name, in arguments and
results at any depth; and where its text of four characters or more stands in another text of the session, that
place says `***`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from penstock._codec import decode, encode_text
from penstock.errors import cut, extend_path, sounds_secret
from penstock.speculation.notes import Ending, Notes, Step
from penstock.speculation.secrets import MASK, secret_names, secret_texts
from penstock.speculation.shapes import Shapes
from penstock.speculation.traces import Effect, TraceCall, TraceSession
from penstock.tools import Tool

Redact = Callable[[str, str, Any], Any]
"""`(tool, path, value) -> value`: what to write instead of a text, number, truth value or None."""

SOURCE = "penstock"

MOST_CHARACTERS = 6_000
"""Of arguments, a result or a text; the rest is cut."""

FEW_KEYS = 16
"""An object with more has names that are values, such as numbers of orders."""


class Veil:
    """See above."""

    def __init__(self, shapes: Shapes | None, redact: Redact | None) -> None:
        """Choose what to do with values.

        Args:
            shapes: disguises them; None to write them as they are.
            redact: what the user does with them; None for nothing.
        """
        self._shapes = shapes
        self._redact = redact

    def session(self, notes: Notes) -> TraceSession:
        """Return what may be written; raises what `redact` raises."""
        names = {tool: secret_names(known) for tool, known in notes.tools.items()}
        arguments = [[_object(written) for _, written in step.calls] for step in notes.steps]
        secrets = {
            text
            for step, given in zip(notes.steps, arguments, strict=True)
            for (tool, _), values in zip(step.calls, given, strict=True)
            for text in secret_texts(values, names.get(tool, frozenset()))
        }
        one = _One(self, names, sorted(secrets, key=len, reverse=True))
        calls = (
            call
            for number, (step, given, gap) in enumerate(
                zip(notes.steps, arguments, notes.gaps(), strict=True)
            )
            for call in one.calls(step, given, number=number, at=step.at - notes.opened, gap=gap)
        )
        name = self._disguised(notes.session)
        tenant = self._disguised(notes.tenant or "").replace(":", "_")
        return TraceSession(
            id=name,
            source=SOURCE,
            domain=f"{tenant}:{notes.agent}" if notes.agent else tenant,
            task=name,
            inputs=tuple(
                (turn, one.text("", "text", text)) for turn, (_, text) in enumerate(notes.said)
            ),
            calls=tuple(calls),
            model=notes.agent or "",
            answered=tuple(dict.fromkeys(notes.answered)),
            effects={name: _effect(tool) for name, tool in sorted(notes.tools.items())},
        )

    def leaf(self, tool: str, path: str, value: Any) -> Any:
        """Return what to write of a value that holds no others."""
        if self._redact is not None:
            value = self._redact(tool, path, value)
        return value if self._shapes is None else self._shapes.value(value)

    def key(self, key: str, *, of_few: bool) -> str:
        """Return what to write of a key: names stay, values are disguised."""
        is_name = of_few and not any(character.isdigit() for character in key)
        return key if is_name else self._disguised(key)

    def _disguised(self, text: str) -> str:
        return text if self._shapes is None else self._shapes.text(text)


class _One:
    """The veil of one session, with its secrets."""

    def __init__(self, veil: Veil, names: Mapping[str, frozenset[str]], secrets: list[str]) -> None:
        self._veil = veil
        self._names = names
        self._secrets = secrets

    def calls(
        self,
        step: Step,
        arguments: list[dict[str, Any] | None],
        *,
        number: int,
        at: float,
        gap: float,
    ) -> Iterator[TraceCall]:
        """The calls of a step."""
        endings = step.endings or [Ending(None, None, None)] * len(step.calls)
        made = zip(step.calls, arguments, endings, strict=True)
        for (tool, _), given, ending in made:
            shown = self._value(tool, "args", given)
            is_cut = given is None or len(encode_text(shown)) > MOST_CHARACTERS
            # Unknown arguments: a secret among them may stand in the result.
            known = Ending(None, None, ending.latency) if given is None else ending
            result, result_cut = self._result(tool, known)
            yield TraceCall(
                tool=tool,
                arguments={} if is_cut else shown,
                result=result,
                turn=step.turn,
                step=number,
                gap_s=gap,
                error=ending.error is not None,
                cut=is_cut,
                at=at,
                latency=ending.latency,
                result_cut=result_cut or (step.endings is not None and _is_missing(known)),
            )

    def text(self, tool: str, path: str, text: str) -> str:
        """A text as it may be written; what `redact` makes of it becomes a text."""
        shown = self._value(tool, path, text)
        return cut(shown if isinstance(shown, str) else encode_text(shown), MOST_CHARACTERS)

    def _result(self, tool: str, ending: Ending) -> tuple[Any, bool]:
        if ending.error is not None:
            return self.text(tool, "error", ending.error), False
        if ending.result is None:
            return None, False
        value = self._value(tool, "result", decode(ending.result))
        text = value if isinstance(value, str) else encode_text(value)
        is_long = len(text) > MOST_CHARACTERS
        return (text[:MOST_CHARACTERS] if is_long else value), is_long

    def _value(self, tool: str, path: str, value: Any) -> Any:
        if isinstance(value, dict):
            few, names = len(value) <= FEW_KEYS, self._names.get(tool, frozenset())
            return {
                self._veil.key(self._masked(key), of_few=few or path == "args"): self._value(
                    tool, extend_path(path, key), item
                )
                for key, item in value.items()
                if key not in names and not sounds_secret(key)
            }
        if isinstance(value, list):
            items = enumerate(value)
            return [self._value(tool, extend_path(path, place), item) for place, item in items]
        if isinstance(value, str):
            value = self._masked(value)
        elif type(value) is int and str(value) in self._secrets:
            value = MASK
        return self._veil.leaf(tool, path, value)

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text


def _is_missing(ending: Ending) -> bool:
    return ending.result is None and ending.error is None


def _object(written: bytes | None) -> dict[str, Any] | None:
    """Arguments as an object; None for what is none, or was not kept."""
    try:
        value = None if written is None else decode(written)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _effect(tool: Tool[..., Any]) -> Effect:
    """What a trace says of a tool: a read that is never guessed is neither read nor write there."""
    if tool.effects != "read":
        return "write"
    return "generic" if tool.speculate is False else "read"
