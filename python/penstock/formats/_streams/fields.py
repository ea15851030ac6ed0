"""Fields of a piece, which is decoded JSON or an SDK's object.

`as_object` of the whole-message parse copies an SDK's object into a dict: 5 to 10 microseconds. There
are hundreds of pieces in a reply and one or two fields are read of each, so they are read in place.
"""

from collections.abc import Mapping

from penstock.errors import shown
from penstock.formats._reply import Repeated, Unreadable, as_text


def field(value: object, *names: str) -> object:
    """Return the first of the fields that is there and not null; None of what has no fields."""
    if type(value) is dict:
        for name in names:
            if (found := value.get(name)) is not None:
                return found
        return None
    return None if value is None else _field(value, names)


def _field(value: object, names: tuple[str, ...]) -> object:
    if hasattr(type(value), "model_dump"):
        return _attribute(value, names)
    if isinstance(value, Mapping):
        return next((it for name in names if (it := value.get(name)) is not None), None)
    if isinstance(value, Repeated):
        raise Unreadable("", f"has the key {shown(value.key())} more than once")
    return None


def _attribute(model: object, names: tuple[str, ...]) -> object:
    """Read a pydantic model where it keeps its fields: `getattr` of one that it has not is slow."""
    extra = getattr(model, "__pydantic_extra__", None) or {}
    for name in names:
        if (found := model.__dict__.get(name, extra.get(name))) is not None:
            return found
    return None


def items(value: object) -> list[object]:
    """Return the items of a list; none of what is no list."""
    return value if isinstance(value, list) else []


def number(value: object) -> int | None:
    """Return a whole number; None for anything else."""
    return value if type(value) is int else None


def text(value: object, path: str) -> str:
    """Return text, "" for null.

    Raises:
        Unreadable: it is something else.
    """
    return "" if value is None else as_text(value, path)


def raw_text(value: object, path: str) -> str:
    """Return a piece of text as it is: half of a surrogate pair may be in the next one.

    Raises:
        Unreadable: it is something else.
    """
    return value if type(value) is str else text(value, path)


def word(value: object) -> str | None:
    """Return a reason as text, also a member of an enum; None for "" and for anything else."""
    if value is None or type(value) is str:
        return value or None
    plain = getattr(value, "value", value)
    return plain if isinstance(plain, str) and plain else None
