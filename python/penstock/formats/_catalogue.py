"""Finding a format: by its name, or by what a reply looks like."""

from collections.abc import Mapping

from penstock._registry import Registry
from penstock.errors import BadReply, shown
from penstock.formats._protocol import Format
from penstock.formats._reply import as_object, objects, plain, reading

FORMATS: Registry[Format] = Registry("format", "penstock.formats", "FORMAT", Format)
"""Every format of this folder and of the entry points `penstock.format`."""


def names() -> tuple[str, ...]:
    """Return the names of all formats, sorted."""
    return FORMATS.names()


def get(name: str) -> Format:
    """Return the format `name`.

    Raises:
        UnknownPlugin: there is none; names the nearest.
    """
    return FORMATS.get(name)


def detect(reply: object) -> Format:
    """Return the format that `reply` is in.

    Args:
        reply: what `Format.parse` takes.

    Raises:
        BadReply: it cannot be decoded, or no format recognises it.
    """
    known = " or ".join(names())
    with reading(known):
        decoded = plain(reply)
        decoded = objects(decoded) if isinstance(decoded, list) else as_object(decoded, "")
    for name in names():
        candidate = get(name)
        if candidate.recognise(decoded):
            return candidate
    first = decoded if isinstance(decoded, Mapping) else next(iter(decoded), {})
    raise BadReply(known, "", f"no format recognises it; its fields are {shown(list(first))}")
