"""The beginning of a value's text, without making the rest of it."""

from codecs import utf_8_decode
from collections.abc import Iterator
from typing import Any

from penstock._codec import DEEPEST, encode_text
from penstock.errors import BadValue
from penstock.results.values import as_bytes

CHARACTER_BYTES = 4
"""The longest character in UTF-8."""


def head(value: object, characters: int) -> str:
    """Return the first characters of a value as a model would read it: text as it is, else JSON.

    Raises:
        BadValue: it has no JSON form; the author of the tool acts.

    Example:
        >>> head({"a": [1, 2, 3]}, 8)
        '{"a":[1,'
    """
    if isinstance(value, str):
        start = str(value[:characters])
        return start if start.isascii() else (as_bytes(start) or b"").decode()
    if isinstance(value, bytes | bytearray | memoryview):
        whole = bytes(value) if isinstance(value, memoryview) else value
        data = bytes(whole[: CHARACTER_BYTES * characters])
        return text_head(data, characters, is_all=len(data) == len(whole))
    made, length = list[str](), 0
    for part in _parts(value, characters, 0):
        made.append(part)
        length += len(part)
        if length >= characters:
            break
    return "".join(made)[:characters]


def text_head(data: bytes, characters: int, *, is_all: bool) -> str:
    """Return the first characters of UTF-8; what is no text is replaced.

    Args:
        data: bytes that may be cut anywhere.
        characters: at most.
        is_all: whether nothing follows; else a character that is cut at the end is left out.
    """
    text, _ = utf_8_decode(data, "replace", is_all)
    return text[:characters]


def _parts(value: Any, characters: int, depth: int) -> Iterator[str]:
    """Yield the JSON of a value in pieces, each no longer than a leaf or than what is asked for."""
    if depth > DEEPEST:
        reason = f"nested more than {DEEPEST} levels deep"
        raise BadValue("", type(value).__name__, reason)
    if type(value) is dict:
        for number, (key, item) in enumerate(value.items()):
            # The key as JSON has it, whatever it is: an object of this one key, without its ends.
            yield f"{',' if number else '{'}{encode_text({key: 0})[1:-2]}"
            yield from _parts(item, characters, depth + 1)
        yield "}" if value else "{}"
    elif type(value) in {list, tuple}:
        for number, item in enumerate(value):
            yield "," if number else "["
            yield from _parts(item, characters, depth + 1)
        yield "]" if value else "[]"
    elif type(value) is str and len(value) > characters:
        yield encode_text(value[:characters])[:-1]
    else:
        yield encode_text(value)
