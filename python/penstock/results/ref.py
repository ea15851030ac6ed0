"""`ResultRef`: a hold on a value that the store keeps. The value ends with its last holder."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, TypeVar

from penstock._native import Ledger
from penstock.errors import ConfigError
from penstock.results.entries import Entry, Where
from penstock.results.forms import Forms

T = TypeVar("T")

Beside = Callable[[Callable[[], T]], Awaitable[T]]
"""Runs a function in the thread that reads, beside the loop."""


class ResultRef:
    """One holder of one value; dropping it lets go.

    Attributes:
        tool: whose result it is.
        tenant: whose value it is.
        media_type: of bytes and text; empty if nobody said.
    """

    __slots__ = ("__weakref__", "_beside", "_entry", "_forms", "_ledger")

    def __init__(self, entry: Entry, forms: Forms, ledger: Ledger, beside: Beside[None]) -> None:
        """Take over one hold of the ledger; the store makes these."""
        self._entry = entry
        self._forms = forms
        self._ledger = ledger
        self._beside = beside

    @property
    def tool(self) -> str:
        """Whose result it is."""
        return self._entry.origin.tool

    @property
    def tenant(self) -> str | None:
        """Whose value it is."""
        return self._entry.origin.tenant

    @property
    def media_type(self) -> str:
        """Of bytes and text; empty if nobody said."""
        return self._entry.origin.media_type

    @property
    def entry(self) -> Entry:
        """What the store knows of the value; for the store itself."""
        return self._entry

    @property
    def id(self) -> str:
        """128 random bits as hex: how a model names the value. It opens nothing to another tenant."""
        return self._forms.id_of(self._entry).hex()

    @property
    def size(self) -> int:
        """Bytes of its JSON, text or bytes; estimated until they were needed."""
        return self._entry.size

    @property
    def where(self) -> Where:
        """Where the value is now."""
        return self._entry.where

    @property
    def raw(self) -> memoryview:
        """The bytes of its JSON, its text or itself, read-only.

        Of a value that lies on disk as it is, a piece of the file's map: nothing is copied, and a page
        that is not in memory blocks the thread when it is touched.

        Raises:
            ResultUnreadable: it cannot be read back; the operator acts.
            BadValue: it has no JSON form; the author of the tool acts.
        """
        return self._forms.view(self._entry)

    def value(self) -> object:
        """Return the value: the tool's own object, until it had to leave memory; then an equal one.

        Reads and decodes in place; for large ones `await load()` before.

        Raises:
            ResultUnreadable: it cannot be read back; the operator acts.
        """
        return self._forms.value(self._entry)

    def is_of(self, value: object) -> bool:
        """Say whether this holds that very object, and it has not left memory."""
        return self._entry.value is value

    def peek(self) -> object:
        """Return the value as `value` does, and leave it where it is."""
        return self._forms.value(self._entry, promote=False)

    async def load(self) -> None:
        """Fetch and unpack the value beside the loop, so that `value()` only decodes.

        The bytes count as memory of the store, which may drop them again.

        Raises:
            ResultUnreadable: it cannot be read back; the operator acts.
        """
        if self._entry.where != "object" and self._entry.encoded is None:
            self._forms.expect(self._entry)
            await self._beside(lambda: self._forms.load(self._entry))

    def tree(self) -> object:
        """Return the JSON of the value, decoded, and leave it where it is; text may be JSON, too.

        Blocks meanwhile: see `ResultStore.beside`.

        Raises:
            ResultUnreadable: it cannot be read back; the operator acts.
            BadValue: it has no JSON form; the author of the tool acts.
            ValueError: it is text, and no JSON.
        """
        return self._forms.tree(self._entry)

    def preview(self, characters: int) -> str:
        """Return the first characters of what a model would read; loads no more than those.

        Raises:
            ConfigError: fewer than no characters; the caller acts.
            ResultUnreadable: it cannot be read back; the operator acts.
            BadValue: it has no JSON form; the author of the tool acts.
        """
        if characters < 0:
            raise ConfigError("characters", characters, "a whole number from 0")
        return self._forms.head(self._entry, characters)

    def read(self, start: int, count: int) -> bytes:
        """Return a part of the bytes of the value; blocks while it is read.

        Raises:
            ResultUnreadable: it cannot be read back; the operator acts.
            BadValue: it has no JSON form; the author of the tool acts.
        """
        return self._forms.read(self._entry, start, count)

    @contextmanager
    def pinned(self) -> Iterator[None]:
        """Keep the value in the form that it has, while somebody works with it."""
        self._ledger.pin(self._entry.number)
        try:
            yield
        finally:
            self._ledger.unpin(self._entry.number)

    def __repr__(self) -> str:
        return f"<ResultRef of {self.tool!r}, {self.size:,} bytes, {self.where}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a ResultRef holds a value of this process; send its value or its id")

    def __del__(self) -> None:
        self._forms.guard.leave(self._entry)
