//! How the calls of the last ten seconds ended.

use super::Class;
use crate::clock::Nanos;
use crate::stats::Cells;

/// Ends by kind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcomes {
    pub(super) ok: u32,
    pub(super) slow: u32,
    pub(super) failed: u32,
}

/// Ten cells and their sum.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    cells: Cells<Outcomes>,
    sum: Outcomes,
}

impl Window {
    /// Counts an end that proves something; the sum with it.
    #[inline]
    pub(super) fn count(&mut self, class: Class, now: Nanos) -> Outcomes {
        self.advance(now);
        self.cells.current().count(class);
        self.sum.count(class);
        self.sum
    }

    /// The sum at `now`.
    pub(super) fn recent(&mut self, now: Nanos) -> Outcomes {
        self.advance(now);
        self.sum
    }

    #[inline]
    fn advance(&mut self, now: Nanos) {
        let sum = &mut self.sum;
        self.cells.advance(now, |cell| {
            sum.ok -= cell.ok;
            sum.slow -= cell.slow;
            sum.failed -= cell.failed;
            *cell = Outcomes::default();
        });
    }
}

impl Outcomes {
    #[inline]
    fn count(&mut self, class: Class) {
        match class {
            Class::Ok => self.ok += 1,
            Class::Slow => self.slow += 1,
            Class::Fail | Class::Connect => self.failed += 1,
            Class::Ignored | Class::Misconfigured => {}
        }
    }
}
