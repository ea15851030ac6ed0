"""AES-256-GCM, with a key for each segment by HKDF-SHA256: one key file may seal any number of bytes."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from penstock.results.ciphers._protocol import Cipher

_PURPOSE = b"penstock results segment 1"


class _Box:
    """The box of one segment."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes, salt: bytes) -> None:
        derived = HKDF(SHA256(), length=32, salt=salt, info=_PURPOSE).derive(key)
        self._key = AESGCM(derived)

    def seal(self, nonce: bytes, data: bytes | memoryview, context: bytes) -> bytes:
        return self._key.encrypt(nonce, data, context)

    def open(self, nonce: bytes, data: bytes | memoryview, context: bytes) -> bytes | None:
        try:
            return self._key.decrypt(nonce, data, context)
        except InvalidTag:
            return None


CIPHER = Cipher("aes_gcm", _Box)
