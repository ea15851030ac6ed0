"""The beginning of a value's text, without making the rest of it."""

from codecs import utf_8_decode
from collections.abc import Iterator
from typing import Any

from penstock._codec import encode_text


def head(value: object, characters: int) -> str:
    """Return the first characters of a value as a model would read it: text as it is, else JSON.

    Raises:
        BadValue: it has no JSON form; the author of the tool acts.

    Example:
        >>> head({"a": [1, 2, 3]}, 8)
        '{"a":[1,'
    """
    if isinstance(value, str):
        return value[:characters]
    if isinstance(value, bytes | bytearray):
        return text_head(bytes(value[: 4 * characters]), characters)
    made, length = list[str](), 0
    for part in _parts(value, characters):
        made.append(part)
        length += len(part)
        if length >= characters:
            break
    return "".join(made)[:characters]


def text_head(data: bytes, characters: int) -> str:
    """Return the first characters of UTF-8 that may be cut anywhere; what is no text is replaced."""
    # A character that was cut at the end is left out, one that is broken is shown as such.
    text, _ = utf_8_decode(data, "replace", False)
    return text[:characters]


def _parts(value: Any, characters: int) -> Iterator[str]:
    """Yield the JSON of a value in pieces, each no longer than a leaf or than what is asked for."""
    if type(value) is dict:
        for number, (key, item) in enumerate(value.items()):
            # The key as JSON has it, whatever it is: an object of this one key, without its ends.
            yield f"{',' if number else '{'}{encode_text({key: 0})[1:-2]}"
            yield from _parts(item, characters)
        yield "}" if value else "{}"
    elif type(value) in {list, tuple}:
        for number, item in enumerate(value):
            yield "," if number else "["
            yield from _parts(item, characters)
        yield "]" if value else "[]"
    elif type(value) is str and len(value) > characters:
        yield encode_text(value[:characters])[:-1]
    else:
        yield encode_text(value)
