"""What a store finds of others that ended without closing: segments, read back record by record.

Ground rules:

- Only a folder whose lock is free is touched, and it stays locked while its values live.
- A record counts if its head and its body are sound; a torn end is cut, a broken place in the middle is
  skipped. A record that was moved lies twice: the later one counts.
- Nothing that cannot be read is removed: a key may be missing, or rights. After 24 hours without a
  change the folder goes as a whole.
"""

import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from penstock._native import Scan, scan, segment_header
from penstock.errors import ResultUnreadable
from penstock.results.files import SegmentFile
from penstock.results.folder import Claimed, orphans
from penstock.results.keys import Keyring
from penstock.results.origin import Origin, parse_label
from penstock.results.sealing import Seal, plain_length
from penstock.results.spill import Place, Spot
from penstock.results.statistics import RecoveryStatistics

logger = logging.getLogger("penstock.results")

SCANS_AT_ONCE = 2
"""Files that are in memory at the same time."""

_NOWHERE = 0


@dataclass(slots=True)
class Found:
    """A segment that can be read, and the values in it."""

    file: SegmentFile
    values: list[tuple[Place, Origin]] = field(default_factory=list)


@dataclass(slots=True)
class Recovery:
    """What was found, and the folders that it lies in."""

    found: list[Found] = field(default_factory=list)
    folders: list[Claimed] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, what: str, by: int = 1) -> None:
        """Add to a figure."""
        self.counts[what] = self.counts.get(what, 0) + by

    def statistics(self) -> RecoveryStatistics:
        """Return the figures."""
        return RecoveryStatistics(**self.counts)


def recover(folder: Path, keys: Keyring) -> Recovery:
    """Read what dead owners left below `folder`, oldest first; later copies of a value win."""
    recovery = Recovery()
    with ThreadPoolExecutor(SCANS_AT_ONCE, thread_name_prefix="penstock-results-scan") as threads:
        for claimed in orphans(folder):
            recovery.count("folders")
            recovery.folders.append(claimed)
            paths = claimed.files()
            for path, scanned in zip(paths, threads.map(_scan, paths), strict=True):
                found = _take(path, scanned, keys, recovery)
                if found is not None:
                    recovery.found.append(found)
    _drop_copies(recovery.found)
    recovery.count("values", sum(len(found.values) for found in recovery.found))
    return recovery


def _scan(path: Path) -> Scan | OSError | ResultUnreadable:
    """Return what is in a file, or why nobody knows; neither reading nor scanning holds the GIL."""
    try:
        return scan(path.read_bytes())
    except (OSError, ResultUnreadable) as error:
        return error


def _take(
    path: Path, scanned: Scan | OSError | ResultUnreadable, keys: Keyring, recovery: Recovery
) -> Found | None:
    """Return a file with what is in it; None if it stays as it is."""
    if not isinstance(scanned, Scan):
        recovery.count("unreadable")
        logger.warning("a segment that a process left cannot be read: %s: %s", path.name, scanned)
        return None
    seal = keys.seal(scanned.key_id, _header(scanned)) if scanned.key_id else None
    if scanned.key_id and (seal is None or not _opens(seal, scanned)):
        recovery.count("locked")
        logger.warning(
            "a segment that a process left stays closed: its key %r is not here, or is another one",
            scanned.key_id,
        )
        return None
    recovery.count("segments")
    recovery.count("broken", scanned.broken)
    recovery.count("torn", int(scanned.torn))
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    size = os.fstat(descriptor).st_size
    found = Found(SegmentFile(descriptor, size, scanned.nonce, seal, path))
    found.values = list(_values(found.file, scanned, recovery))
    return found


def _header(scanned: Scan) -> bytes:
    """Return the bytes that the segment begins with."""
    return segment_header(scanned.capacity, scanned.nonce, scanned.created_ms, scanned.key_id)


def _opens(seal: Seal, scanned: Scan) -> bool:
    """Whether a key opens the records of its name; an empty segment says nothing."""
    return all(
        seal.open_label(record.offset, record.id, record.label) is not None
        for record in scanned.records[:1]
    )


def _values(file: SegmentFile, scanned: Scan, recovery: Recovery) -> Iterator[tuple[Place, Origin]]:
    for record in scanned.records:
        label, seal = record.label, file.seal
        opened = seal.open_label(record.offset, record.id, label) if seal else label
        spot = Spot(_NOWHERE, record.offset, record.length, record.body_offset)
        length = plain_length(record.body_length) if seal else record.body_length
        if opened is not None and record.kind == "dictionary":
            body = file.read(record.body_offset, record.body_length)
            dictionary = seal.open_blocks(record.offset, record.id, 0, body) if seal else body
            if dictionary is not None:
                file.dictionaries[int.from_bytes(record.id, "little")] = dictionary
            continue
        origin = None if opened is None else parse_label(opened)
        if opened is None or origin is None:
            recovery.count("broken")
            continue
        yield Place(record.id, opened, length, spot, 0), origin


def _drop_copies(found: list[Found]) -> None:
    seen = set[bytes]()
    for segment in reversed(found):
        kept = []
        for place, origin in reversed(segment.values):
            if place.id not in seen:
                seen.add(place.id)
                kept.append((place, origin))
        segment.values = kept[::-1]
