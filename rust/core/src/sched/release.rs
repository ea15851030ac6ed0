//! Holding calls of a batch back: they are blocked, as by a parent, until somebody releases them.
//!
//! A held call is in no lane and takes nothing. It ends like any call that has not started: by its
//! deadline, a cancel, or a parent that failed.

use super::Sched;
use super::ids::BatchId;
use super::slot::State;
use crate::clock::Nanos;

impl Sched {
    /// Lets held calls of a batch start once their parents are ok; returns how many were held.
    pub fn release(&mut self, batch: BatchId, calls: &[u32], now: Nanos) -> u32 {
        let Some(place) = self.calls.find_batch(batch) else {
            return 0;
        };
        let mut count = 0;
        for &call in calls {
            let held = self.calls.batches[place].held.get_mut(call as usize);
            if !held.is_some_and(std::mem::take) {
                continue;
            }
            let Some(slot) = self.calls.slot_at(place, call) else {
                continue; // it has ended meanwhile
            };
            let entry = &mut self.calls.slots[slot];
            if entry.state != State::Blocked {
                continue;
            }
            count += 1;
            entry.down -= 1;
            if entry.down == 0 {
                self.ready(slot, now);
            }
        }
        count
    }
}
