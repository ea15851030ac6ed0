//! A strict sliding window: never more than `n` units within any `per`.
//!
//! Ground rules. Time is cut into cells of a 64th of the window, rounded up. 64 full cells and the
//! running one cover any window, so a unit comes back when its cell has left them: at most 1.6 %
//! late, never early. The ring moves on when something is taken; until then its oldest cells may be
//! stale, which only means that they are free at once.

use crate::clock::Nanos;

const CELLS: usize = 65;
/// A minute and the rounding of its cells.
const LONGEST_PACED: Nanos = Nanos::from_secs(61);

/// `n` units in any `per`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    n: u64,
    sum: u64,
    /// The end of the running cell.
    ends: Nanos,
    /// Its place in the ring; the next place holds the oldest cell.
    place: usize,
    width: u64,
    cells: [u64; CELLS],
    /// Cells were laid anew then: what was taken before is in none that is known.
    laid: Nanos,
}

impl Window {
    pub(crate) fn new(n: u64, per: Nanos) -> Self {
        Self {
            n,
            sum: 0,
            ends: Nanos::ZERO,
            place: 0,
            width: per.0.div_ceil(CELLS as u64 - 1).max(1),
            cells: [0; CELLS],
            laid: Nanos::ZERO,
        }
    }

    pub(crate) const fn n(&self) -> u64 {
        self.n
    }

    /// The span of the window, rounded up to whole cells.
    pub(crate) const fn per(&self) -> Nanos {
        Nanos(self.width.saturating_mul(CELLS as u64 - 1))
    }

    /// When `units`, at most `n`, can be paid.
    #[inline]
    pub(crate) fn payable_at(&self, units: u64, now: Nanos) -> Nanos {
        if self.sum.saturating_add(units) <= self.n {
            now
        } else {
            self.freed_at((self.sum.saturating_add(units)) - self.n)
                .max(now)
        }
    }

    /// With `units` taken now, `claim` can still be paid at `at`.
    pub(crate) fn still_pays(&self, units: u64, claim: u64, at: Nanos, now: Nanos) -> bool {
        let at = at.max(now);
        let cell = now.0 / self.width;
        let mine = if self.leaves_at(cell) > at { units } else { 0 };
        self.used(at).saturating_add(mine).saturating_add(claim) <= self.n
    }

    /// Spends `units` in the running cell, whatever is left.
    #[inline]
    pub(crate) fn take(&mut self, units: u64, now: Nanos) {
        if now >= self.ends {
            self.move_on(now);
        }
        self.cells[self.place] = self.cells[self.place].saturating_add(units);
        self.sum = self.sum.saturating_add(units);
    }

    /// Gives back what was taken at `taken`, if its cell still counts.
    pub(crate) fn refund(&mut self, units: u64, taken: Nanos) {
        let age = (self.ends.0 / self.width)
            .saturating_sub(1)
            .saturating_sub(taken.0 / self.width);
        let Ok(age) = usize::try_from(age) else {
            return;
        };
        if age >= CELLS || taken < self.laid {
            return;
        }
        let cell = &mut self.cells[(self.place + CELLS - age) % CELLS];
        let units = units.min(*cell);
        *cell -= units;
        self.sum = self.sum.saturating_sub(units);
    }

    /// Lowers what is left to `units`.
    pub(crate) fn lower(&mut self, units: u64, now: Nanos) {
        let left = self.n.saturating_sub(self.used(now));
        self.take(left.saturating_sub(units), now);
    }

    /// The share of the window that so many units are, in time. A long window has no rate that could
    /// be slowed: it is there to be used up at once.
    pub(crate) fn span_of(&self, units: u64) -> Nanos {
        let per = self.per();
        if per > LONGEST_PACED {
            return Nanos::ZERO;
        }
        let span = (u128::from(units) * u128::from(per.0)).div_ceil(u128::from(self.n.max(1)));
        Nanos(u64::try_from(span).unwrap_or(u64::MAX))
    }

    /// Units that still count at `at`.
    pub(crate) fn used(&self, at: Nanos) -> u64 {
        let mut used = self.sum;
        for (number, units) in self.oldest_first() {
            if self.leaves_at(number) > at {
                break;
            }
            used = used.saturating_sub(units);
        }
        used
    }

    pub(crate) fn is_at_rest(&self, now: Nanos) -> bool {
        self.used(now) == 0
    }

    /// Takes over another size. What is spent stays, at the end of the cell that it is in now.
    pub(crate) fn change(&mut self, n: u64, per: Nanos, now: Nanos) {
        self.n = n;
        let width = per.0.div_ceil(CELLS as u64 - 1).max(1);
        if width == self.width {
            return;
        }
        self.move_on(now);
        let mut laid = Self::new(n, per);
        laid.laid = now;
        for (number, units) in self.oldest_first() {
            let end = Nanos((number + 1).saturating_mul(self.width) - 1).min(now);
            if units > 0 {
                laid.take(units, end);
            }
        }
        *self = laid;
    }

    pub(crate) const fn resize(&mut self, n: u64) {
        self.n = n;
    }

    /// When so many of the units that count have come back.
    #[cold]
    fn freed_at(&self, mut missing: u64) -> Nanos {
        for (number, units) in self.oldest_first() {
            if units >= missing {
                return self.leaves_at(number);
            }
            missing -= units;
        }
        Nanos::MAX
    }

    /// The cells that count and their numbers, without those before the start of time.
    fn oldest_first(&self) -> impl Iterator<Item = (u64, u64)> {
        let current = (self.ends.0 / self.width).saturating_sub(1);
        (0..CELLS).rev().filter_map(move |age| {
            let number = current.checked_sub(age as u64)?;
            Some((number, self.cells[(self.place + CELLS - age) % CELLS]))
        })
    }

    const fn leaves_at(&self, number: u64) -> Nanos {
        Nanos(
            number
                .saturating_add(CELLS as u64)
                .saturating_mul(self.width),
        )
    }

    /// Frees the cells that no longer count at `now`.
    fn move_on(&mut self, now: Nanos) {
        if now < self.ends {
            return;
        }
        let number = now.0 / self.width;
        let behind = number + 1 - self.ends.0 / self.width;
        for _ in 0..behind.min(CELLS as u64) {
            self.place = (self.place + 1) % CELLS;
            let freed = std::mem::take(&mut self.cells[self.place]);
            self.sum = self.sum.saturating_sub(freed);
        }
        self.ends = Nanos((number + 1).saturating_mul(self.width));
    }
}
