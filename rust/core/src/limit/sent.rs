//! How much was granted since a call was sent.
//!
//! Ground rules. A provider counts what it has seen; what was granted later is not in its figure. The
//! log keeps sums at some past grants, fewer the further back: between two of them the earlier one
//! is taken, so the answer is never too small.

use std::collections::VecDeque;

use crate::clock::Nanos;

const MOST_ENTRIES: usize = 128;

/// Sums of granted units, in the order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    total: u64,
    sums: VecDeque<(Nanos, u64)>,
}

impl Sent {
    pub(crate) fn add(&mut self, units: u64, now: Nanos) {
        self.total = self.total.saturating_add(units);
        match self.sums.back_mut() {
            Some((at, sum)) if *at == now => *sum = self.total,
            _ => self.sums.push_back((now, self.total)),
        }
        if self.sums.len() > MOST_ENTRIES {
            let mut place = 0;
            // The newest stays: it is the one that is asked for most.
            self.sums.retain(|_| {
                place += 1;
                place % 2 == 1
            });
        }
    }

    /// Units granted after `sent_at`.
    pub(crate) fn since(&self, sent_at: Nanos) -> u64 {
        let later = self.sums.partition_point(|(at, _)| *at <= sent_at);
        let before = later.checked_sub(1).map_or(0, |place| self.sums[place].1);
        self.total - before
    }
}
