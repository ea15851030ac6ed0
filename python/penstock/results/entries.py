"""`Entry`: one value in the forms that it has right now."""

import weakref
from typing import Any, Final, Literal

from penstock._native import Ledger
from penstock.results.origin import Origin
from penstock.results.spill import Place
from penstock.results.values import Kind

Where = Literal["object", "packed", "disk", "remote"]

ABSENT: Final[Any] = object()
"""In the place of a value that is not in memory as an object; None is a value."""


class Entry:
    """A value that the store holds. Its forms change under the guard of `Forms`, and nowhere else.

    Only the refs of a value own its entry: a value may lead back to its own outcome, and whatever the store
    owned of it would keep the two alive for ever.
    """

    __slots__ = (
        "__weakref__", "encoded", "id", "is_exact", "is_moving", "is_opaque", "is_released", "kind", "number",
        "origin", "parcel", "place", "resident", "size", "value", "views",
    )  # fmt: skip

    def __init__(
        self,
        number: int,
        value: object,
        origin: Origin,
        size: int,
        resident: int,
        *,
        is_exact: bool,
    ) -> None:
        """Describe a value.

        Args:
            number: of the ledger.
            value: `ABSENT` if it is on disk only.
            origin: where it comes from.
            size: bytes of its encoded form.
            resident: bytes that the object takes, estimated.
            is_exact: whether `size` is exact.
        """
        self.number = number
        self.value = value
        self.origin = origin
        self.size = size
        self.resident = resident
        self.is_exact = is_exact
        self.kind: Kind | None = None
        self.encoded: bytes | None = None
        self.parcel: bytes | None = None
        self.place: Place | None = None
        self.id: bytes | None = None
        self.is_moving = False
        self.is_opaque = False
        self.is_released = False
        self.views: dict[int, weakref.ref[memoryview]] | None = None

    @property
    def where(self) -> Where:
        """The quickest form that there is."""
        if self.value is not ABSENT:
            return "object"
        return "packed" if self.parcel is not None else "disk"

    def memory(self) -> int:
        """Return the bytes of memory that its forms take."""
        taken = 0 if self.value is ABSENT else self.resident
        if self.encoded is not None and self.encoded is not self.value:
            taken += len(self.encoded)
        return taken + (0 if self.parcel is None else len(self.parcel))

    def shed(self) -> None:
        """Drop all forms but the smallest that there is."""
        if self.place is not None:
            self.parcel = None
        if self.place is not None or self.parcel is not None:
            self.value, self.encoded = ABSENT, None

    def clear(self) -> Place | None:
        """Drop all forms; return the place on disk, for it to be released."""
        place, self.place = self.place, None
        self.value, self.encoded, self.parcel = ABSENT, None, None
        return place

    def pin_by(self, view: memoryview, ledger: Ledger) -> memoryview:
        """Keep the value where it is while somebody looks at it; return the view."""
        views = self.views = {} if self.views is None else self.views
        key, number = id(view), self.number

        def unpin(_: weakref.ref[memoryview]) -> None:
            views.pop(key, None)
            ledger.unpin(number)

        ledger.pin(number)
        views[key] = weakref.ref(view, unpin)
        return view
