"""What a model sees of a large result: its beginning and a handle, and a tool that reads more of it.

A `Cap` makes outcomes of outcomes, so every wire format renders what it leaves. It has the value held
for a while, for the model may come back to it after the outcome is forgotten.
"""

import re
from codecs import utf_8_decode
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from penstock._codec import encode
from penstock._native import Context
from penstock.calls import Outcome
from penstock.errors import BadValue, ConfigError, Fault, InvalidArguments
from penstock.results.json_path import reach
from penstock.results.ref import ResultRef
from penstock.results.store import ResultStore
from penstock.results.values import Encoder, as_bytes
from penstock.tools import Tool, tool

READ_RESULT = "read_result"
CHARACTERS = 20_000
"""What one outcome tells a model at most, unless said otherwise: about 5,000 tokens."""

FEWEST_CHARACTERS = 1_000
_NOTE_CHARACTERS = 400
_RANGE = re.compile(r"\s*(\d{1,15})\s*(?:-|:|\.\.)\s*(\d{0,15})\s*")
_CHARACTER_BYTES = 4


def capped(
    start: str, size: int, handle: str, *, is_json: bool = False, shown: int | None = None
) -> str:
    """Return what a model is told of a result that is too long: its start, and how to read on.

    Args:
        start: its first characters.
        size: bytes of the whole.
        handle: its id.
        is_json: whether a path leads into it.
        shown: bytes that the start stands for, if they are no text; else they are counted.

    Example:
        >>> print(capped("ab", 10, "f00d").splitlines()[-1])
        read_result(handle="f00d", range="2-4")]
    """
    shown = len(as_bytes(start) or b"") if shown is None else shown
    more = f'{READ_RESULT}(handle="{handle}", range="{shown}-{min(size, 2 * shown)}")'
    if is_json:
        more += f', or a part: {READ_RESULT}(handle="{handle}", json_path="items[0].name")'
    if shown >= size:  # an estimate said less
        more = f'{READ_RESULT}(handle="{handle}", range="{shown}-")'
    return f"{start}\n\n[These are the first {shown:,} of {size:,} bytes. Read on with\n{more}]"


@dataclass(frozen=True, slots=True)
class Cap:
    """What one outcome may tell a model; above it the model gets a beginning and a handle.

    Attributes:
        store: holds the value, for `ttl` seconds from each time that it is told.
        characters: at most, from 1,000.
        ttl: seconds; `Results.ttl` if None.
        tenant: who may read on, of values that are not in the store yet.

    Raises:
        ConfigError: fewer than 1,000 characters; the caller acts.

    Example:
        >>> from penstock import Call
        >>> import contextlib
        >>> from penstock.results import Results
        >>> with contextlib.closing(ResultStore(Results(spill=None))) as store:
        ...     long = Outcome.make(Call("read", id="a"), value="word " * 1_000)
        ...     short = Cap(store, characters=1_000)(long)
        ...     print(len(short.value) <= 1_000, short.value.splitlines()[2])
        True [These are the first 600 of 5,000 bytes. Read on with
    """

    store: ResultStore
    characters: int = CHARACTERS
    ttl: float | None = None
    tenant: str | None = None

    def __post_init__(self) -> None:
        if type(self.characters) is not int or self.characters < FEWEST_CHARACTERS:
            reason = f"a whole number from {FEWEST_CHARACTERS:,}"
            raise ConfigError("characters", self.characters, reason)

    def __call__(self, outcome: Outcome) -> Outcome:
        """Return the outcome as a model may be told of it: itself, unless its value is too long.

        A value that cannot be shown is left to whoever renders it.
        """
        try:
            told = self._of(outcome)
        except Exception:  # noqa: BLE001 - showing a value runs code of the value
            return outcome
        if told is None:
            return outcome
        return Outcome.make(
            outcome.call,
            value=told,
            index=outcome.index,
            submitted=outcome.submitted,
            started=outcome.started,
            ended=outcome.ended,
        )

    def _of(self, outcome: Outcome) -> str | None:
        if not outcome.ok:
            return None
        if outcome.ref is not None and self.store.owns(outcome.ref):
            return self.of_ref(outcome.ref)
        start = outcome.preview(self.characters + 1)
        if len(start) <= self.characters:
            return None
        whole = (
            outcome.value
            if isinstance(outcome.value, str)
            else str(outcome.raw, "utf-8", "replace")
        )
        return self.of_text(whole, tool=outcome.tool, tenant=self.tenant)

    def of_ref(self, ref: ResultRef) -> str | None:
        """Return what a model is told of a value in the store; None if all of it may be told.

        Raises:
            ResultUnreadable: it cannot be read back; the operator acts.
            BadValue: it has no JSON form; the author of the tool acts.
        """
        start = ref.preview(self.characters + 1)
        return None if len(start) <= self.characters else self._told(ref, start)

    def of_text(self, text: str, *, tool: str = "", tenant: str | None = None) -> str | None:
        """Return the same for a text that is in no store yet, such as the JSON of a small value."""
        if len(text) <= self.characters:
            return None
        return self._told(self.store.put_once(text, tool=tool, tenant=tenant), text)

    def _told(self, ref: ResultRef, start: str) -> str:
        room = self.characters - _NOTE_CHARACTERS
        handle = self.store.hold(ref, self.ttl)
        is_json = start[:1] in {"{", "["}
        start, shown = start[:room], None
        if "\ufffd" in start:  # stands for any number of bytes: counted where they lie
            start, shown = utf_8_decode(ref.read(0, room), "replace", False)
        return capped(start, ref.size, handle, is_json=is_json, shown=shown)


def read_result(store: ResultStore, *, characters: int = CHARACTERS) -> Tool[..., Any]:
    """Return the tool by which a model reads parts of results that were too long for it.

    A call sees the results of its own tenant only.

    Args:
        store: of the engine that the tool is given to.
        characters: what one call answers at most.
    """

    async def read_result(
        handle: str, context: Context, range: str | None = None, json_path: str | None = None
    ) -> str:
        """Read a part of a long result that was cut.

        Args:
            handle: the handle that stands where the result was cut.
            context: the running call.
            range: bytes from-to, such as "20000-40000"; from the beginning if left out.
            json_path: a part of a JSON result, such as "items[0].name", "items[2:5]" or "items[*].id".
        """
        ref = store.find(handle.strip(), tenant=context.tenant)
        if ref is None:
            raise _fault("handle", "no such result is held any more; make the call again", handle)
        if json_path is not None:
            return await _read_path(store, ref, json_path, range, characters)
        return await _read_range(store, ref, range, characters)

    return tool(read_result, name=READ_RESULT, effects="read")


async def _read_range(
    store: ResultStore, ref: ResultRef, range: str | None, characters: int
) -> str:
    start, end = _ends(range)
    count = min(end - start, characters) if end is not None else characters
    data = b"".join([part async for part in store.chunks(ref, start, count + _CHARACTER_BYTES)])
    return _shown(data, start, count, ref.size)


async def _read_path(
    store: ResultStore, ref: ResultRef, path: str, range: str | None, characters: int
) -> str:
    start, end = _ends(range)
    count = min(end - start, characters) if end is not None else characters
    need = start + count + _CHARACTER_BYTES
    data, is_all = await store.beside(partial(_part, ref, path, need))
    if start == 0 and is_all and len(data) <= count:
        return data.decode()
    size = len(data) if is_all else None
    return _shown(data[start:need], start, count, size)


def _part(ref: ResultRef, path: str, need: int) -> tuple[bytes, bool]:
    """Return the first bytes of the part of a value that a path leads to, and whether that is all of it.

    Runs in the thread that reads, and makes no more than was asked for.
    """
    try:
        value = ref.tree()
    except BadValue as error:
        raise _fault("json_path", error.for_model(), path) from None
    except ValueError:
        value = None
    if not isinstance(value, dict | list):
        raise _fault("json_path", "this result is text, not JSON; read it by range", path)
    data = bytearray()
    try:
        for piece in _written(*reach(value, path)):
            data += piece
            if len(data) > need:
                return bytes(data), False
    except ValueError as error:
        raise _fault("json_path", str(error), path) from None
    return bytes(data), True


def _written(found: Iterator[Any], many: bool) -> Iterator[bytes]:
    """Yield the text of what was found: JSON, but for a single text."""
    if not many:
        yield from _pieces(next(found), is_alone=True)
        return
    yield b"["
    for number, item in enumerate(found):
        if number:
            yield b","
        yield from _pieces(item)
    yield b"]"


def _pieces(value: Any, *, is_alone: bool = False) -> Iterator[bytes]:
    if is_alone and isinstance(value, str):
        return iter([as_bytes(value) or b""])
    return Encoder(most=0).pieces(value, encode)


def _shown(data: bytes, start: int, count: int, size: int | None) -> str:
    """Return a part of a text and a line that says which part it is; without a size, more follows."""
    lead = _continuation(data)
    part = data[lead : lead + count]
    is_last = size is not None and start + lead + len(part) >= size
    text, used = utf_8_decode(part, "replace", is_last)
    end = start + lead + used
    follows = end + count if size is None else min(size, end + count)
    rest = f'; the next part is range="{end}-{follows}"' if follows > end else ""
    whole = "more" if size is None else f"{size:,}"
    return f"[bytes {start + lead:,} to {end:,} of {whole}{rest}]\n{text}"


def _continuation(data: bytes) -> int:
    """Return how many bytes at the beginning belong to a character before them."""
    lead = 0
    while lead < min(len(data), _CHARACTER_BYTES - 1) and data[lead] & 0xC0 == 0x80:
        lead += 1
    return lead


def _ends(range: str | None) -> tuple[int, int | None]:
    if range is None or not range.strip():
        return 0, None
    match = _RANGE.fullmatch(range)
    end = int(match[2]) if match and match[2] else None
    if match is None or (end is not None and end <= int(match[1])):
        raise _fault("range", 'must be bytes from-to, such as "20000-40000"', range)
    return int(match[1]), end


def _fault(field: str, problem: str, value: str) -> InvalidArguments:
    return InvalidArguments(READ_RESULT, (Fault(field, problem, "", repr(value[:100])),))
