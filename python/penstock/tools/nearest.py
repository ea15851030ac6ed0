"""Which known names a wrong one may stand for."""

import difflib
from collections.abc import Iterable

# Below this ratio difflib's matches share letters by chance ("weather" and "the_heart").
_CUTOFF = 0.6


def nearest(name: str, known: Iterable[str], *, most: int = 3) -> tuple[str, ...]:
    """Return the known names nearest to `name`, best first.

    Case and the way words are joined do not count (`getWeather` is `get_weather`), because that is
    how models get names wrong most often.
    """
    by_plain: dict[str, str] = {}
    for candidate in known:
        by_plain.setdefault(_plain(candidate), candidate)
    # A name of any length may come from a model; difflib takes the square of it.
    found = difflib.get_close_matches(_plain(name[:200]), by_plain, n=most, cutoff=_CUTOFF)
    return tuple(by_plain[plain] for plain in found)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
