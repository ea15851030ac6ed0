"""`Keyring`: which key seals the next segment, and which opens an old one."""

from collections.abc import Mapping

from penstock.results.ciphers import CIPHERS
from penstock.results.sealing import Seal

CIPHER = "aes_gcm"


class Keyring:
    """Keys by name; the last one seals, all of them open. Without keys nothing is sealed.

    Example:
        >>> Keyring({"2026": bytes(32), "2027": bytes(32)}).newest
        '2027'
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """Take the keys, the newest last. With a first key the cipher is loaded.

        Raises:
            MissingExtra: there are keys and no cipher; the operator installs it.
        """
        self._keys = dict(keys)
        if keys:
            CIPHERS.get(CIPHER)

    @property
    def newest(self) -> str:
        """The name of the key that seals; empty without keys."""
        return next(reversed(self._keys), "")

    def add(self, name: str, key: bytes) -> None:
        """Let a key seal from now on.

        Raises:
            MissingExtra: there is no cipher; the operator installs it.
        """
        CIPHERS.get(CIPHER)
        self._keys.pop(name, None)
        self._keys[name] = key

    def seal(self, name: str, header: bytes) -> Seal | None:
        """Return the seal of a segment; None if its key is not here.

        Args:
            name: of the key.
            header: the segment's first bytes, which are its alone.
        """
        key = self._keys.get(name)
        return None if key is None else Seal(CIPHERS.get(CIPHER).box(key, header))
