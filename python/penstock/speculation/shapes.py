"""`Shapes`: values in disguise. Equal ones stay equal, in one file, and keep their length and kind.

A word becomes another one of the same length, digits for digits and letters for letters; what stands
between words stays. So a number that a user named is still found in the arguments of a call, and nobody
without the key, which is never written, can say which number it was.

This hides values, not statistics: how often a word comes and what it stands beside are seen, and a word
of one or two characters has few others to be. Texts of people may be guessed from that.

Source: the words of one kind and length are permuted by an alternating Feistel network over two numbers, as
in Black and Rogaway, "Ciphers with Arbitrary Finite Domains" (2002), method 3, with keyed BLAKE2b.
"""

import re
from functools import lru_cache
from hashlib import blake2b
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Any

ROUNDS = 8
"""Half of them for each of the two numbers."""

MOST_WORDS = 1 << 16
"""Whose other word is remembered."""

_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"(-?)(\d+)(?:\.(\d+))?")
_ALPHABETS = {
    character: alphabet
    for alphabet in (digits, ascii_lowercase, ascii_uppercase)
    for character in alphabet
}


class Shapes:
    """Disguises values with one key. See above.

    Example:
        >>> shapes = Shapes(b"secret")
        >>> shapes.text("W17") == shapes.text("W17") != "W17"
        True
    """

    def __init__(self, key: bytes) -> None:
        """Take a key.

        Args:
            key: 1 to 64 bytes that nobody else has.
        """
        self._key = key
        self._word = lru_cache(MOST_WORDS)(self._other)

    def text(self, text: str) -> str:
        """Return a text with other words."""
        return _WORD.sub(lambda word: self._word(word[0]), text)

    def value(self, value: Any) -> Any:
        """Return a text or number in disguise; truth values and None as they are."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value
        found = _NUMBER.fullmatch(repr(value))
        if found is None:  # very large or small
            return self._draw("float", repr(value)) / 2**64
        sign, whole, fraction = found.groups()
        other = sign + self._word(whole)
        return int(other) if fraction is None else float(f"{other}.{self._word(fraction)}")

    def _other(self, word: str) -> str:
        if not word.isascii():
            return "".join(self._drawn(word))
        alphabets = [_ALPHABETS[character] for character in word]
        # A number keeps its length as a number: its first digit is none that vanishes.
        is_number = word.isdigit() and len(word) > 1 and word[0] != "0"
        if is_number:
            alphabets[0] = digits[1:]
        half = (len(word) + 1) // 2
        parts = [_number(word[:half], alphabets[:half]), _number(word[half:], alphabets[half:])]
        kind = "".join("number" if is_number else alphabet[0] for alphabet in alphabets)
        for turn in range(ROUNDS):
            number, size = parts[turn % 2]
            drawn = self._draw(kind, turn, parts[1 - turn % 2][0])
            parts[turn % 2] = (number + drawn) % size, size
        left, right = parts
        return _word(left[0], alphabets[:half]) + _word(right[0], alphabets[half:])

    def _drawn(self, word: str) -> list[str]:
        """Letters for a word that has others than those of English; two words may get the same."""
        return [ascii_lowercase[self._draw(word, place) % 26] for place in range(len(word))]

    def _draw(self, *what: object) -> int:
        return int.from_bytes(blake2b(repr(what).encode(), digest_size=8, key=self._key).digest())


def _number(word: str, alphabets: list[str]) -> tuple[int, int]:
    """A word as a number, and how many there are."""
    number, size = 0, 1
    for character, alphabet in zip(word, alphabets, strict=True):
        number, size = number * len(alphabet) + alphabet.index(character), size * len(alphabet)
    return number, size


def _word(number: int, alphabets: list[str]) -> str:
    characters = []
    for alphabet in reversed(alphabets):
        number, place = divmod(number, len(alphabet))
        characters.append(alphabet[place])
    return "".join(reversed(characters))
