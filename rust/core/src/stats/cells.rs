//! Ten cells of one second: what happened lately, forgotten a second at a time.

use crate::clock::Nanos;

const CELLS: usize = 10;
const SECOND: Nanos = Nanos::from_secs(1);

/// The last ten seconds, the running one included. A time before it counts in the running one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cells<T> {
    ring: [T; CELLS],
    /// The number of the running second since time 0, its place, and when it is over.
    second: u64,
    place: usize,
    until: Nanos,
}

impl<T: Copy + Default> Cells<T> {
    /// Ten cells that hold the same.
    pub(crate) fn filled(with: T) -> Self {
        Self {
            ring: [with; CELLS],
            ..Self::default()
        }
    }

    /// Moves on to the second of `now`: `renew` gets each cell whose turn comes again, the oldest
    /// first, with what it held ten seconds ago.
    #[inline]
    pub(crate) fn advance(&mut self, now: Nanos, renew: impl FnMut(&mut T)) {
        if now >= self.until {
            self.enter(now.0 / SECOND.0, renew);
        }
    }

    /// The running second.
    #[inline]
    pub(crate) fn current(&mut self) -> &mut T {
        &mut self.ring[self.place]
    }

    /// All ten, the oldest first.
    pub(crate) fn oldest_first(&mut self) -> impl Iterator<Item = &mut T> {
        let (newer, older) = self.ring.split_at_mut(self.place + 1);
        older.iter_mut().chain(newer)
    }

    #[cold]
    fn enter(&mut self, second: u64, mut renew: impl FnMut(&mut T)) {
        for _ in 0..(second - self.second).min(CELLS as u64) {
            self.place = (self.place + 1) % CELLS;
            renew(&mut self.ring[self.place]);
        }
        self.second = second;
        self.until = Nanos((second + 1).saturating_mul(SECOND.0));
    }
}
