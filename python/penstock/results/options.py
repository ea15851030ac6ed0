"""`Results`: how much values may hold, where they go, and for how long."""

import base64
import binascii
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from penstock.errors import ConfigError

MIB = 1 << 20
KEY_BYTES = 32
LONGEST_KEY_ID = 28
"""Characters of a key's name; a segment's header has room for so many."""

_KEY_NAME = re.compile(rf"[!-~]{{1,{LONGEST_KEY_ID}}}")

MOST_BYTES = 1 << 50
MOST_SECONDS = 30 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Settings of a result store. All faults are told together.

    Attributes:
        memory_bytes: what values may hold in memory, estimated; above it the least recently used go
            to disk, down to 80 %. From 1 MiB.
        spill: a folder for values that leave memory; "auto" is the temporary folder, unless that lies
            in memory itself; None keeps all in memory.
        disk_bytes: what files may hold, at least two segments. Give at most 80 % of the volume.
        value_bytes: the largest value; a larger one is `ResultTooLarge`. From 1 MiB.
        inline_bytes: smaller values stay with their outcome and are none of the store's. Up to 1 MiB.
        full_wait: seconds that calls wait for room before they are refused with `ResultsFull`. In an
            engine they count from when nothing could leave memory, for all calls that wait together.
        keep: keep files after the process ended, also by a crash, for the next store of this folder.
            Needs a `spill` folder of its own.
        ttl: seconds for which a value is held by a handle that was given to a model, or after a
            crash.
        segment_bytes: the size of one file. From 1 MiB.
        keys: 32 bytes each, or their base64, by an ASCII name of up to 28 characters. With keys, files are
            encrypted: new ones with the last key, and all others are still read.

    Example:
        >>> Results(memory_bytes=64 << 20, spill=None).inline_bytes
        65536
        >>> try:
        ...     Results(memory_bytes=10, full_wait=-1.0)
        ... except ConfigError as error:
        ...     print(error)
        memory_bytes=10: bytes, at least 1,048,576; also full_wait=-1.0: seconds from 0 to 2,592,000
    """

    memory_bytes: int = 256 * MIB
    spill: str | os.PathLike[str] | None = "auto"
    disk_bytes: int = 4096 * MIB
    value_bytes: int = 64 * MIB
    inline_bytes: int = 64 << 10
    full_wait: float = 30.0
    keep: bool = False
    ttl: float = 3600.0
    segment_bytes: int = 64 * MIB
    keys: Mapping[str, bytes | str] = field(default_factory=dict, repr=False, hash=False)

    def __post_init__(self) -> None:
        faults = [
            ConfigError(name, self._shown(name), reason)
            for name, reason, holds in _CHECKS
            if not holds(self)
        ]
        if faults:
            first, *others = faults
            reason = "; also ".join([first.reason, *map(str, others)])
            raise ConfigError(first.field, first.value, reason)

    def _shown(self, name: str) -> object:
        """Return an option as an error may show it: of keys their names."""
        value = getattr(self, name)
        is_secret = name == "keys"
        return (
            [*value] if is_secret and isinstance(value, Mapping) else "***" if is_secret else value
        )

    @property
    def folder(self) -> Path | None:
        """Where files go; None if nowhere."""
        if self.spill is None or self.spill == "auto":
            return None if self.spill is None else Path(tempfile.gettempdir())
        return Path(self.spill)

    def key_bytes(self) -> dict[str, bytes]:
        """Return the keys as bytes, in their order."""
        return {name: _key(key) or b"" for name, key in self.keys.items()}


def _key(key: object) -> bytes | None:
    """Return a key's bytes; None if it is none."""
    if isinstance(key, str):
        try:
            key = base64.b64decode(key, validate=True)
        except (binascii.Error, ValueError):
            return None
    return key if isinstance(key, bytes) and len(key) == KEY_BYTES else None


def _is_size(value: object, least: int, most: int = MOST_BYTES) -> bool:
    return type(value) is int and least <= value <= most


def _is_seconds(value: object) -> bool:
    return type(value) in {int, float} and 0 <= value <= MOST_SECONDS  # type: ignore[operator]  # a number by now


def _is_folder(options: Results) -> bool:
    """Whether files can be made there; a folder that is not there yet is made."""
    folder = options.folder
    if folder is None or options.spill == "auto":
        return True
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return False
    # Rights are those of the effective user: a service may have started as another one.
    effective = os.access in os.supports_effective_ids
    wanted = os.R_OK | os.W_OK | os.X_OK
    return folder.is_dir() and os.access(folder, wanted, effective_ids=effective)


def _is_spill(options: Results) -> bool:
    return options.spill != "" and isinstance(options.spill, str | os.PathLike | None)


def _is_key_name(name: object) -> bool:
    return isinstance(name, str) and _KEY_NAME.fullmatch(name) is not None


def _are_keys(keys: object) -> bool:
    return isinstance(keys, Mapping) and all(
        _is_key_name(name) and _key(key) is not None for name, key in keys.items()
    )


def _has_two_segments(options: Results) -> bool:
    return not _is_size(options.segment_bytes, MIB) or _is_size(
        options.disk_bytes, 2 * options.segment_bytes
    )


_LEAST = f"bytes, at least {MIB:,}"
_SECONDS = f"seconds from 0 to {MOST_SECONDS:,.0f}"

# In order: the field, what it must be, whether it is.
_CHECKS: tuple[tuple[str, str, Callable[[Results], bool]], ...] = (
    ("memory_bytes", _LEAST, lambda o: _is_size(o.memory_bytes, MIB)),
    ("spill", 'a folder, "auto" or None', _is_spill),
    ("spill", "must be a folder where files can be made", lambda o: not _is_spill(o) or _is_folder(o)),
    ("disk_bytes", "bytes, at least two segments", _has_two_segments),
    ("value_bytes", _LEAST, lambda o: _is_size(o.value_bytes, MIB)),
    ("inline_bytes", f"bytes, at most {MIB:,}", lambda o: _is_size(o.inline_bytes, 0, MIB)),
    ("full_wait", _SECONDS, lambda o: _is_seconds(o.full_wait)),
    ("keep", "must be True or False", lambda o: isinstance(o.keep, bool)),
    ("keep", "needs a folder of its own: spill=...", lambda o: not o.keep or o.spill not in {None, "auto"}),
    ("ttl", _SECONDS, lambda o: _is_seconds(o.ttl)),
    ("segment_bytes", _LEAST, lambda o: _is_size(o.segment_bytes, MIB)),
    (
        "keys",
        f"a mapping of names to keys; each key needs an ASCII name of up to {LONGEST_KEY_ID} characters, and {KEY_BYTES} bytes or "
        "their base64",
        lambda o: _are_keys(o.keys),
    ),
)  # fmt: skip
