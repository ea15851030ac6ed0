"""Figures of a result store, as they were at one moment."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SpillStatistics:
    """The files of a store.

    Attributes:
        held_bytes: what all files take.
        live_bytes: what of it is alive.
        quota_bytes: what they may take now.
        open: files that take more.
        sealed: files that are full.
        lingering: files without a value, which views or reads keep for a moment.
        written: parcels, since the store was made, as the figures below.
        written_bytes: of those parcels.
        moved: parcels copied out of files that were mostly free.
        refused: parcels for which there was no room.
        errors: reads and writes that the system refused.
        write_seconds: spent in writing.
        read_seconds: spent in reading.
    """

    held_bytes: int = 0
    live_bytes: int = 0
    quota_bytes: int = 0
    open: int = 0
    sealed: int = 0
    lingering: int = 0
    written: int = 0
    written_bytes: int = 0
    moved: int = 0
    refused: int = 0
    errors: int = 0
    write_seconds: float = 0.0
    read_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RecoveryStatistics:
    """What was found of stores that ended without closing.

    Attributes:
        folders: taken over.
        segments: that could be read.
        values: in them.
        broken: places in the middle that are no sound record.
        torn: files whose end was being written.
        unreadable: files that are no segments, or cannot be opened.
        locked: files whose key is not here, or is another; they are left as they are.
    """

    folders: int = 0
    segments: int = 0
    values: int = 0
    broken: int = 0
    torn: int = 0
    unreadable: int = 0
    locked: int = 0


@dataclass(frozen=True, slots=True)
class ResultStatistics:
    """A result store.

    Attributes:
        values: that are held.
        object_bytes: of values in memory as they are, estimated.
        packed_bytes: of values in memory, packed.
        on_disk: values that are on disk only.
        pinned: values that cannot leave memory now.
        opaque: values that can never leave it, as far as was seen.
        kept: values taken since the store was made, as the figures below.
        too_large: values refused with `ResultTooLarge`.
        demoted_packed: values that were packed.
        demoted_disk: values that went to disk.
        promoted: values that came back to memory.
        unreadable: values that could not be read back.
        stall_seconds: for which the store kept the interpreter busy longer than 250 µs at once.
        is_full: whether memory is over its budget, and nothing can leave it.
        waiting: tasks that wait for room.
        spill: of the files; None without.
        recovery: what was found at the start.
        packing: bytes in and out by codec, and what was not packed, by reason.
    """

    values: int = 0
    object_bytes: int = 0
    packed_bytes: int = 0
    on_disk: int = 0
    pinned: int = 0
    opaque: int = 0
    kept: int = 0
    too_large: int = 0
    demoted_packed: int = 0
    demoted_disk: int = 0
    promoted: int = 0
    unreadable: int = 0
    stall_seconds: float = 0.0
    is_full: bool = False
    waiting: int = 0
    spill: SpillStatistics | None = None
    recovery: RecoveryStatistics = field(default_factory=RecoveryStatistics)
    packing: dict[str, int] = field(default_factory=dict, hash=False)
