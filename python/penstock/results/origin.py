"""`Origin`: whose value it is. Kept beside it wherever it goes, also on disk."""

from dataclasses import dataclass, field
from functools import lru_cache

from penstock._codec import decode, encode
from penstock.errors import ConfigError

LONGEST_LABEL = 900
"""Bytes: a record has room for 1,000, with what sealing adds."""

_KNOWN = 4_096


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from. Many values have the same one; `origin_of` makes it once.

    Attributes:
        tool: its name; empty if it is none's.
        media_type: of bytes and text.
        tenant: whose value it is.
        label: the same as bytes; what does not fit is cut, but for the tenant, who may read the value.
    """

    tool: str = ""
    media_type: str = ""
    tenant: str | None = None
    label: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", _label(self.tool, self.media_type, self.tenant))


@lru_cache(_KNOWN)
def origin_of(tool: str, media_type: str, tenant: str | None) -> Origin:
    """Return the origin of these names.

    Raises:
        ConfigError: the tenant's name is too long to be kept; the caller acts.
    """
    return Origin(tool, media_type, tenant)


def parse_label(label: bytes) -> Origin | None:
    """Return the origin that a label says; None if it says none."""
    try:
        tenant, tool, media_type = decode(label)
        return origin_of(tool, media_type, tenant)
    except (ValueError, TypeError):
        return None


def _label(tool: str, media_type: str, tenant: str | None) -> bytes:
    for longest in (256, 64, 0):
        label = encode([tenant, tool[:longest], media_type[:longest]])
        if len(label) <= LONGEST_LABEL:
            return bytes(memoryview(label))  # orjson's own bytes keep 4 KiB of room
    raise ConfigError("tenant", tenant, "the name is too long to be kept with a value")
