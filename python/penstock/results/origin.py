"""`Origin`: whose value it is. Kept beside it wherever it goes, also on disk."""

from dataclasses import dataclass

from penstock._codec import decode, encode

LONGEST_LABEL = 900
"""Bytes: a record has room for 1,000, with what sealing adds."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from.

    Attributes:
        tool: its name; empty if it is none's.
        media_type: of bytes and text.
        tenant: whose value it is.
    """

    tool: str = ""
    media_type: str = ""
    tenant: str | None = None

    def label(self) -> bytes:
        """Return it as bytes; what does not fit is cut, but for the tenant, who may read the value.

        Raises:
            ValueError: the tenant's name is too long.
        """
        for longest in (256, 64, 0):
            label = encode([self.tenant, self.tool[:longest], self.media_type[:longest]])
            if len(label) <= LONGEST_LABEL:
                return label
        raise ValueError("the tenant's name is too long to be kept")


def parse_label(label: bytes) -> Origin | None:
    """Return the origin that a label says; None if it says none."""
    try:
        tenant, tool, media_type = decode(label)
    except (ValueError, TypeError):
        return None
    return Origin(tool, media_type, tenant)
