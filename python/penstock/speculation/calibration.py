"""`Calibration`: how far the chances that were said are from what came true."""

BINS = 10
"""Of equal width, from 0 to 1."""


class Calibration:
    """What was said of guesses, and how many of them were right, by what was said."""

    def __init__(self) -> None:
        """Count nothing yet."""
        self._said = [0.0] * BINS
        self._hits = [0] * BINS
        self._guesses = 0

    def note(self, p: float, *, hit: bool) -> None:
        """Count a guess that was said to be right with chance `p`."""
        p = min(max(p, 0.0), 1.0)
        place = min(int(p * BINS), BINS - 1)
        self._said[place] += p
        self._hits[place] += hit
        self._guesses += 1

    @property
    def error(self) -> float:
        """The expected calibration error: 0 if what is said with 0.7 comes true in 7 of 10 cases."""
        apart = (abs(said - hits) for said, hits in zip(self._said, self._hits, strict=True))
        return sum(apart) / self._guesses if self._guesses else 0.0
