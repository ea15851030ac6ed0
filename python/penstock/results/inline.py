"""What an outcome says of a value that it holds itself: nothing has to be fetched.

`Outcome` asks here by name; of a value in the store it asks the `ResultRef`, which has the same face.
"""

from penstock._codec import encode
from penstock.errors import ConfigError
from penstock.results._head import head
from penstock.results.values import as_bytes

__all__ = ["load", "preview", "raw"]


def raw(value: object) -> memoryview:
    """Return the bytes of a value's JSON, its text or itself, read-only.

    Raises:
        BadValue: it has no JSON form; the author of the tool acts.
    """
    data = as_bytes(value)
    return memoryview(encode(value) if data is None else data)


def preview(value: object, characters: int) -> str:
    """Return the first characters of what a model would read.

    Raises:
        ConfigError: fewer than no characters; the caller acts.
        BadValue: it has no JSON form; the author of the tool acts.
    """
    if characters < 0:
        raise ConfigError("characters", characters, "a whole number from 0")
    return head(value, characters)


async def load(value: object) -> None:
    """There is nothing to fetch."""
