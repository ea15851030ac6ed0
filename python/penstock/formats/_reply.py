"""Reading a reply: the steps that all formats share.

Every reader raises `Unreadable` with a path relative to what it was given; whoever went down a
level adds its own part, so that no path is ever built for a reply that can be read.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol, TypeGuard

from penstock._codec import decode, encode
from penstock._native import is_sound_json, plain_calls
from penstock.calls import Call
from penstock.errors import BadReply, shown

TOO_DEEP = b"[" * 1_000
"""Stands for arguments that nest too deep to be written: they are refused for the same reason."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class Unreadable(Exception):
    """Something in a reply is not what the format says it is."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def under(self, parent: str) -> "Unreadable":
        """Return the same fault, seen from one level up."""
        dot = "." if parent and self.path and self.path[0] != "[" else ""
        return Unreadable(f"{parent}{dot}{self.path}", self.reason)


class Repeated:
    """A JSON object that has a key more than once. Not a mapping: nothing reads it by mistake."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        self.pairs = pairs

    def key(self) -> str:
        """Return the key that comes most often."""
        return Counter(key for key, _ in self.pairs).most_common(1)[0][0]


class _Dumps(Protocol):
    """An object of a provider's SDK: all of them are pydantic models."""

    def model_dump(self, *, warnings: bool) -> dict[str, object]: ...


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn an `Unreadable` of the block into the `BadReply` of the format `name`."""
    try:
        yield
    except Unreadable as fault:
        raise BadReply(name, fault.path, fault.reason) from None


def plain(reply: object) -> object:
    """Return a reply as decoded JSON: text is decoded, an SDK's object becomes a dict."""
    if isinstance(reply, (str, bytes, bytearray, memoryview)):
        return _decoded(reply)
    if isinstance(reply, tuple):
        return list(reply)
    if _is_model(reply):
        return _dumped(reply)
    return reply


def as_object(value: object, path: str) -> Mapping[str, object]:
    """Return `value` if it is an object, an SDK's object as a dict."""
    if type(value) is dict:
        return value
    if isinstance(value, Mapping):
        return value
    if _is_model(value):
        return _dumped(value)
    if isinstance(value, Repeated):
        raise Unreadable(path, f"has the key {shown(value.key())} more than once")
    raise Unreadable(path, f"must be an object, not {_kind(value)}")


def as_list(value: object, path: str) -> list[object]:
    """Return `value` if it is a list."""
    if isinstance(value, list):
        return value
    raise Unreadable(path, f"must be a list, not {_kind(value)}")


def as_text(value: object, path: str) -> str:
    """Return `value` if it is text; a lone surrogate, which no API takes, becomes U+FFFD."""
    if type(value) is str and value.isascii():
        return value
    if isinstance(value, str):
        return sendable(value)
    raise Unreadable(path, f"must be text, not {_kind(value)}")


def as_id(value: object, path: str) -> str | None:
    """Return the id of a call as it is; a missing one stays None."""
    return None if value is None else as_text(value, path)


def read_calls(
    items: object, path: str, read: Callable[[Mapping[str, object]], Call | None]
) -> list[Call]:
    """Return what `read` makes of each item, without the items that are not calls (None)."""
    calls: list[Call] = []
    for index, item in enumerate(as_list(items, path)):
        try:
            call = read(as_object(item, ""))
        except Unreadable as fault:
            raise fault.under(f"{path}[{index}]") from None
        if call is not None:
            calls.append(call)
    return calls


def read_plain_calls(
    items: object,
    path: str,
    keys: tuple[str | None, str, str, str],
    read: Callable[[Mapping[str, object]], Call | None],
) -> list[Call]:
    """Return what `read_calls` would, the usual ones read natively.

    Args:
        items: the list that has the calls.
        path: where it is.
        keys: of the object with name and arguments (None: the item itself), of the name, of the
            arguments, and of the id.
        read: reads an item that is not as usual.
    """
    found = plain_calls(as_list(items, path), *keys)
    return found if found is not None else read_calls(items, path, read)


def objects(items: object) -> list[Mapping[str, object]]:
    """Return those of `items` that are objects; nothing of what is not a list."""
    if not isinstance(items, (list, tuple)):
        return []
    return [
        item if isinstance(item, Mapping) else _dumped(item)
        for item in items
        if isinstance(item, Mapping) or _is_model(item)
    ]


def join_texts(parts: object, *keys: str) -> str:
    """Return the texts under `keys` of the `parts` that have some, a line each."""
    found = (part.get(key) for part in objects(parts) for key in keys)
    return "\n".join(said for said in found if isinstance(said, str) and said)


def arguments(value: object) -> bytes | None:
    """Return the arguments of a call as the JSON that they are, whatever is wrong with it.

    Arguments that came as an object are written again, so that every call is checked and validated
    in the same way, and so that what is wrong with one call rejects that call only. Nothing at all
    (None or blank text, as some servers answer for a tool without parameters) is None.
    """
    if isinstance(value, str):
        return None if not value or value.isspace() else value.encode("utf-8", "surrogatepass")
    if value is None:
        return None
    if isinstance(value, bytes):
        return value
    try:
        written = encode(value)
        # The encoder writes NaN as null and a lone surrogate as U+FFFD, which is right for the value
        # of a tool; arguments must not become valid by that.
        if b"null" in written or b"\xef\xbf\xbd" in written:
            json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        return _written_anyway(value)
    return written


def refuse_error(reply: Mapping[str, object]) -> None:
    """Raise `Unreadable` if the provider answered with an error instead of a reply."""
    error = reply.get("error")
    if not error:
        return
    message = error.get("message") if isinstance(error, Mapping) else error
    raise Unreadable("error", f"the provider answered with an error: {shown(message)}")


def sendable(text: str) -> str:
    """Return `text` with U+FFFD for lone surrogates: one of them makes a request impossible.

    A member of an enum of texts becomes its value.
    """
    if type(text) is str and text.isascii():
        return text
    return _LONE_SURROGATE.sub("\ufffd", str.__str__(text))


def _decoded(reply: str | bytes | bytearray | memoryview) -> object:
    """Decode JSON; an object with a repeated key becomes a `Repeated`.

    Nearly every reply is sound, which is found out natively. For the others the standard library's
    decoder, six times slower, says what is wrong and where, so that it can be put down to one call.
    """
    text = reply if isinstance(reply, (str, bytes)) else bytes(reply)
    try:
        data = text.encode() if isinstance(text, str) else text
        if is_sound_json(data):
            return decode(data)
    except (ValueError, TypeError, RecursionError):
        pass
    try:
        return json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise Unreadable("", f"is not JSON that can be read: {error}") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object] | Repeated:
    decoded = dict(pairs)
    return decoded if len(decoded) == len(pairs) else Repeated(pairs)


def _is_model(value: object) -> TypeGuard[_Dumps]:
    return hasattr(type(value), "model_dump")


def _dumped(value: _Dumps) -> dict[str, object]:
    try:
        dumped = value.model_dump(warnings=False)
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise Unreadable("", f"{type(value).__name__} cannot be read: {error}") from None
    if isinstance(dumped, dict):
        return dumped
    raise Unreadable("", f"{type(value).__name__} is {_kind(dumped)}, not an object")


def _written_anyway(value: object) -> bytes:
    """Write what strict JSON cannot hold (repeated keys, NaN, lone surrogates), to be refused."""
    try:
        return _write(value).encode()
    except RecursionError:
        return TOO_DEEP


def _write(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(_write, value))}]"
    if isinstance(value, Repeated):
        pairs = value.pairs
    elif isinstance(value, Mapping):
        pairs = list(value.items())
    else:
        return json.dumps(value, default=str)
    return f"{{{','.join(f'{json.dumps(str(key))}:{_write(item)}' for key, item in pairs)}}}"


def _kind(value: object) -> str:
    """Say what `value` is in the words of JSON."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, (Mapping, Repeated)):
        return "an object"
    return type(value).__name__
