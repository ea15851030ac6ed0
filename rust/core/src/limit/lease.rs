//! A lease: units that somebody else handed in, in chunks that lapse.
//!
//! Ground rules. Each chunk has its own deadline, and no later chunk prolongs it. The chunk that
//! lapses first is spent first. What is given back returns to the chunk that it came from, or is
//! lost with it: never to one that lapses later. That chunk is known by the time of the take, for
//! takes begin with one chunk after the other; where that leaves a doubt, the earlier is meant.
//! A chunk may start in the future: an advance.

use crate::clock::Nanos;

/// A claim that is known to be further away does not keep units free.
const NEAR: Nanos = Nanos::from_secs(1);

/// Units to be spent between two times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// How many.
    pub units: u64,
    /// Not to be spent before.
    pub starts: Nanos,
    /// Not to be spent from then on.
    pub lapses: Nanos,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    left: u64,
    starts: Nanos,
    lapses: Nanos,
    /// Since when takes begin with it; `Nanos::MAX` if they do not.
    begun: Nanos,
    /// No take of that very moment began with an earlier one.
    alone: bool,
}

/// What is left of the chunks, the first to lapse first. At most `capacity` units at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lease {
    capacity: u64,
    chunks: Vec<Held>,
    /// Spent beyond what there was; the next chunks pay it.
    debt: u64,
    /// The time of the last take.
    taken_at: Option<Nanos>,
    /// Whoever hands in is away, and nothing more is expected.
    away: bool,
}

impl Lease {
    pub(crate) fn new(capacity: u64) -> Self {
        Self {
            capacity,
            ..Self::default()
        }
    }

    pub(crate) const fn capacity(&self) -> u64 {
        self.capacity
    }

    pub(crate) const fn change(&mut self, capacity: u64) {
        self.capacity = capacity;
    }

    /// Takes in a chunk.
    pub(crate) fn hand_in(&mut self, chunk: Chunk, now: Nanos) {
        self.lapse(now);
        self.away = false;
        let paid = self.debt.min(chunk.units);
        self.debt -= paid;
        let held = Held {
            left: chunk.units - paid,
            starts: chunk.starts,
            lapses: chunk.lapses,
            begun: Nanos::MAX,
            alone: false,
        };
        let place = self
            .chunks
            .partition_point(|other| other.lapses <= held.lapses);
        self.chunks.insert(place, held);
    }

    /// Nothing more is expected until the next chunk.
    pub(crate) const fn set_away(&mut self) {
        self.away = true;
    }

    pub(crate) const fn is_away(&self) -> bool {
        self.away
    }

    /// Gives back all that is not spent, to be handed to others. What has lapsed is not in it.
    pub(crate) fn hand_back(&mut self, now: Nanos) -> u64 {
        self.lapse(now);
        self.chunks
            .iter_mut()
            .map(|chunk| std::mem::take(&mut chunk.left))
            .sum()
    }

    /// When `units` can be paid: now, with the start of an advance, or at an unknown time.
    pub(crate) fn payable_at(&self, units: u64, now: Nanos) -> Nanos {
        if self.left(now) >= units {
            return now;
        }
        let starts = self
            .chunks
            .iter()
            .map(|chunk| chunk.starts)
            .filter(|starts| *starts > now);
        starts
            .filter(|starts| self.left(*starts) >= units)
            .min()
            .unwrap_or(Nanos::MAX)
    }

    /// With `units` taken now, `claim` can still be paid at `at`.
    pub(crate) fn still_pays(&self, units: u64, claim: u64, at: Nanos, now: Nanos) -> bool {
        let far = at != Nanos::MAX && at > now.saturating_add(NEAR);
        far || self.left(now) >= units.saturating_add(claim)
    }

    /// Spends `units`, into debt if it must.
    pub(crate) fn take(&mut self, mut units: u64, now: Nanos) {
        self.lapse(now);
        let open = |chunk: &Held| chunk.starts <= now && chunk.left > 0;
        if let Some(first) = self.chunks.iter().position(open).filter(|_| units > 0) {
            self.begin(first, now);
        }
        for chunk in self.chunks.iter_mut().filter(|chunk| chunk.starts <= now) {
            let taken = units.min(chunk.left);
            chunk.left -= taken;
            units -= taken;
        }
        self.debt = self.debt.saturating_add(units);
    }

    /// Gives back what was taken at `taken`.
    pub(crate) fn refund(&mut self, units: u64, taken: Nanos, now: Nanos) {
        self.lapse(now);
        let paid = self.debt.min(units);
        self.debt -= paid;
        if let Some(place) = self.origin(taken) {
            let chunk = &mut self.chunks[place];
            chunk.left = chunk.left.saturating_add(units - paid);
        }
    }

    /// What can be spent at `now`.
    pub(crate) fn left(&self, now: Nanos) -> u64 {
        let live = self
            .chunks
            .iter()
            .filter(|chunk| chunk.starts <= now && now < chunk.lapses);
        live.map(|chunk| chunk.left)
            .sum::<u64>()
            .saturating_sub(self.debt)
    }

    pub(crate) fn is_at_rest(&self, now: Nanos) -> bool {
        self.debt == 0 && self.chunks.iter().all(|chunk| chunk.lapses <= now)
    }

    /// A take begins with this chunk, and none with a later one any more.
    fn begin(&mut self, first: usize, now: Nanos) {
        let alone = self.taken_at.is_none_or(|taken| taken < now);
        let chunk = &mut self.chunks[first];
        if chunk.begun == Nanos::MAX {
            (chunk.begun, chunk.alone) = (now, alone);
        }
        for later in &mut self.chunks[first + 1..] {
            later.begun = Nanos::MAX;
        }
        self.taken_at = Some(now);
    }

    /// The chunk that a take at `taken` began with, if it has not lapsed.
    fn origin(&self, taken: Nanos) -> Option<usize> {
        self.chunks
            .iter()
            .rposition(|chunk| chunk.begun < taken || (chunk.begun == taken && chunk.alone))
    }

    fn lapse(&mut self, now: Nanos) {
        self.chunks.retain(|chunk| now < chunk.lapses);
    }
}
