//! The lanes of one order: which queue goes next.
//!
//! Ground rules. A lane holds queues of different groups, ranked by attained service and by how
//! long their first calls have waited. A queue that is alone in its lane is named in `alone`, and
//! its ranks are out of date until a second one comes: a lane of one group costs one look.

use super::queue::Queue;
use super::ranking::{Key, Ranking};
use super::slab::{NIL, Slab};
use crate::clock::Nanos;

pub(crate) const LANES: usize = 16;
/// A first call that waited so long goes before other groups.
const NEXT_AFTER: Nanos = Nanos::from_millis(250);

#[derive(Debug, Default)]
struct Lane {
    by_service: Ranking,
    by_age: Ranking,
}

/// Calls that wait for the same thing.
#[derive(Debug)]
pub(crate) struct Order {
    /// A bit for each lane with a call.
    pub(crate) used: u16,
    pub(crate) calls: u32,
    /// When ageing last looked.
    pub(crate) aged: Nanos,
    /// The only queue of each lane; `NIL` if there is none or more than one.
    alone: [u32; LANES],
    lanes: [Lane; LANES],
}

impl Default for Order {
    fn default() -> Self {
        Self {
            used: 0,
            calls: 0,
            aged: Nanos::ZERO,
            alone: [NIL; LANES],
            lanes: std::array::from_fn(|_| Lane::default()),
        }
    }
}

impl Order {
    /// The queue whose turn it is, of a lane with more than one.
    pub(crate) fn choose(&self, lane: usize, now: Nanos) -> u32 {
        let Lane { by_service, by_age } = &self.lanes[lane];
        match by_age.first() {
            Some((oldest, (since, _))) if now.saturating_sub(Nanos(since)) >= NEXT_AFTER => oldest,
            _ => by_service.first().map_or(NIL, |(queue, _)| queue),
        }
    }

    /// The queue whose first call has waited longest.
    pub(crate) fn oldest(&self, lane: usize) -> Option<u32> {
        self.lanes[lane].by_age.first().map(|(queue, _)| queue)
    }

    /// The only queue of a lane, or `NIL`.
    pub(crate) fn alone(&self, lane: usize) -> u32 {
        self.alone[lane]
    }

    /// Adds a queue to its lane. A queue that was alone there must be rekeyed before.
    pub(crate) fn enter(&mut self, queues: &mut Slab<Queue>, queue: u32, service: Key, age: Key) {
        let lane = queues[queue].lane as usize;
        let Lane { by_service, by_age } = &mut self.lanes[lane];
        by_service.insert(queue, service, |queue, at| queues[queue].by_service = at);
        by_age.insert(queue, age, |queue, at| queues[queue].by_age = at);
        self.count(lane);
    }

    /// Removes a queue from its lane.
    pub(crate) fn leave(&mut self, queues: &mut Slab<Queue>, queue: u32) {
        let lane = queues[queue].lane as usize;
        let Lane { by_service, by_age } = &mut self.lanes[lane];
        let (service, age) = (queues[queue].by_service, queues[queue].by_age);
        by_service.remove(service, |queue, at| queues[queue].by_service = at);
        by_age.remove(age, |queue, at| queues[queue].by_age = at);
        self.count(lane);
    }

    /// The account of a queue's group has changed.
    pub(crate) fn rekey_service(&mut self, queues: &mut Slab<Queue>, queue: u32, key: Key) {
        let Queue {
            lane, by_service, ..
        } = queues[queue];
        let ranking = &mut self.lanes[lane as usize].by_service;
        ranking.rekey(by_service, key, |queue, at| queues[queue].by_service = at);
    }

    /// A queue has another first call.
    pub(crate) fn rekey_age(&mut self, queues: &mut Slab<Queue>, queue: u32, key: Key) {
        let Queue { lane, by_age, .. } = queues[queue];
        let ranking = &mut self.lanes[lane as usize].by_age;
        ranking.rekey(by_age, key, |queue, at| queues[queue].by_age = at);
    }

    fn count(&mut self, lane: usize) {
        let ranking = &self.lanes[lane].by_service;
        self.alone[lane] = match ranking.first() {
            Some((queue, _)) if ranking.len() == 1 => queue,
            _ => NIL,
        };
        if ranking.len() == 0 {
            self.used &= !(1 << lane);
        } else {
            self.used |= 1 << lane;
        }
    }
}
