//! The order of calls that wait: by lane, then by group, then by batch and rank.
//!
//! Ground rules. One [`Order`] holds the ready calls, and every gate where calls wait has one of its
//! own, so the same rules hold everywhere. Within a lane the group with the least attained service
//! goes first; a group is charged its calls' running time, and a microsecond a start so that equals
//! take turns. Ageing: a queue whose first call waited 250 ms goes before the others of its lane,
//! longest wait first; at each new time the longest waiting first call of a lane goes one lane up
//! for each second that it waited, not into lane 7 from 8. With one group in one lane none of this
//! costs anything: a ranking of one entry is not kept up to date until a second one comes.

use super::batch::Calls;
use super::groups::Groups;
use super::queue::Queue;
use super::ranking::{Key, Ranking};
use super::slab::{NIL, Slab};
use crate::clock::Nanos;

/// What a start is charged, in nanoseconds of service.
pub(crate) const START_CHARGE: u64 = 1_000;
/// A first call that waited so long goes before other groups.
const NEXT_AFTER: Nanos = Nanos::from_millis(250);
/// A first call goes up one lane for each such wait.
const UP_AFTER: u64 = 1_000_000_000;
/// The lanes that ageing may leave: all but the first of the callers' and the first of the rest.
const CLIMBING: u16 = !(1 | 1 << 8);
const LANES: usize = 16;

/// The order of ready calls.
pub(crate) const READY: u32 = 0;

#[derive(Debug, Default)]
struct Lane {
    by_service: Ranking,
    by_age: Ranking,
}

/// Calls that wait for the same thing.
#[derive(Debug, Default)]
struct Order {
    lanes: [Lane; LANES],
    /// A bit for each lane with a call.
    used: u16,
    calls: u32,
    /// When ageing last looked.
    aged: Nanos,
}

/// All orders, their queues, and the groups that they serve.
#[derive(Debug)]
pub(crate) struct Lanes {
    pub(crate) groups: Groups,
    orders: Slab<Order>,
    queues: Slab<Queue>,
}

impl Lanes {
    pub(crate) fn new() -> Self {
        let mut orders = Slab::default();
        orders.take(); // `READY`, for good
        Self {
            groups: Groups::default(),
            orders,
            queues: Slab::default(),
        }
    }

    /// An empty order for a gate.
    pub(crate) fn open(&mut self) -> u32 {
        let order = self.orders.take();
        self.orders[order].aged = Nanos::ZERO;
        order
    }

    pub(crate) fn close(&mut self, order: u32) {
        self.orders.give(order);
    }

    /// Calls in an order.
    pub(crate) fn len(&self, order: u32) -> u32 {
        self.orders[order].calls
    }

    pub(crate) fn is_empty(&self, order: u32) -> bool {
        self.orders[order].used == 0
    }

    /// Lets a call wait in its lane.
    pub(crate) fn push(&mut self, calls: &mut Calls, order: u32, slot: u32) {
        let entry = &calls.slots[slot];
        let group = calls.batches[entry.batch].group;
        let lane = entry.lane;
        self.orders[order].calls += 1;
        let found = self.queue_of(order, group, lane);
        let queue = if found == NIL {
            self.open_queue(order, group, lane)
        } else {
            found
        };
        calls.slots[slot].queue = queue;
        self.queues[queue].push(calls, slot);
        if found == NIL {
            self.enter_lane(calls, queue);
        } else {
            self.refresh_age(calls, queue);
        }
    }

    /// Takes the next call out.
    pub(crate) fn pop(&mut self, calls: &mut Calls, order: u32, now: Nanos) -> Option<u32> {
        let used = self.orders[order].used;
        if used == 0 {
            return None;
        }
        if used & (used - 1) != 0 && now > self.orders[order].aged {
            self.age(calls, order, now);
        }
        let lane = self.orders[order].used.trailing_zeros() as usize;
        let queue = self.choose(order, lane, now)?;
        let slot = self.queues[queue].first(calls);
        self.take_out(calls, queue, slot);
        Some(slot)
    }

    /// Takes a waiting call out of its turn.
    pub(crate) fn remove(&mut self, calls: &mut Calls, slot: u32) {
        self.take_out(calls, calls.slots[slot].queue, slot);
    }

    /// Adds to what a group has got.
    pub(crate) fn charge(&mut self, group: u32, service: u64) {
        let entry = &mut self.groups[group];
        entry.attained = entry.attained.saturating_add(service);
        let key = (entry.attained, entry.seq);
        let mut queue = entry.queues;
        while queue != NIL {
            let Queue {
                order,
                lane,
                by_service,
                next,
                ..
            } = self.queues[queue];
            let ranking = &mut self.orders[order].lanes[lane as usize].by_service;
            if ranking.len() > 1 {
                let queues = &mut self.queues;
                ranking.rekey(by_service, key, |queue, at| queues[queue].by_service = at);
            }
            queue = next;
        }
    }

    /// Gives memory back when no call waits.
    pub(crate) fn trim(&mut self, keep: usize) {
        self.groups.trim(keep);
        self.queues.trim(keep);
        if self.orders.live() == 1 && self.orders.places() > 64 {
            *self = Self {
                groups: std::mem::take(&mut self.groups),
                ..Self::new()
            };
        }
    }

    fn queue_of(&self, order: u32, group: u32, lane: u8) -> u32 {
        let mut queue = self.groups[group].queues;
        while queue != NIL {
            let entry = &self.queues[queue];
            if entry.order == order && entry.lane == lane {
                break;
            }
            queue = entry.next;
        }
        queue
    }

    fn open_queue(&mut self, order: u32, group: u32, lane: u8) -> u32 {
        let queue = self.queues.take();
        let next = std::mem::replace(&mut self.groups[group].queues, queue);
        if next != NIL {
            self.queues[next].prev = queue;
        }
        self.queues[queue] = Queue::new(order, group, lane);
        self.queues[queue].next = next;
        queue
    }

    fn enter_lane(&mut self, calls: &Calls, queue: u32) {
        let Queue { order, lane, .. } = self.queues[queue];
        let (service, age) = self.keys(calls, queue);
        let single = self.orders[order].lanes[lane as usize].by_service.first();
        if let Some((other, _)) = single.filter(|_| self.lane_len(order, lane) == 1) {
            self.refresh(calls, other);
        }
        self.orders[order].used |= 1 << lane;
        let rankings = &mut self.orders[order].lanes[lane as usize];
        let queues = &mut self.queues;
        rankings
            .by_service
            .insert(queue, service, |queue, at| queues[queue].by_service = at);
        rankings
            .by_age
            .insert(queue, age, |queue, at| queues[queue].by_age = at);
    }

    /// Removes an empty queue from its lane and its group.
    fn close_queue(&mut self, queue: u32) {
        let Queue {
            order,
            group,
            lane,
            by_service,
            by_age,
            next,
            prev,
            ..
        } = self.queues[queue];
        let rankings = &mut self.orders[order].lanes[lane as usize];
        let queues = &mut self.queues;
        rankings
            .by_service
            .remove(by_service, |queue, at| queues[queue].by_service = at);
        rankings
            .by_age
            .remove(by_age, |queue, at| queues[queue].by_age = at);
        if rankings.by_service.len() == 0 {
            self.orders[order].used &= !(1 << lane);
        }
        if prev == NIL {
            self.groups[group].queues = next;
        } else {
            self.queues[prev].next = next;
        }
        if next != NIL {
            self.queues[next].prev = prev;
        }
        self.queues.give(queue);
    }

    fn take_out(&mut self, calls: &mut Calls, queue: u32, slot: u32) {
        let entry = &mut self.queues[queue];
        entry.remove(calls, slot);
        let empty = entry.is_empty();
        self.orders[entry.order].calls -= 1;
        if empty {
            self.close_queue(queue);
        } else {
            self.refresh_age(calls, queue);
        }
    }

    fn lane_len(&self, order: u32, lane: u8) -> usize {
        self.orders[order].lanes[lane as usize].by_service.len()
    }

    fn keys(&self, calls: &Calls, queue: u32) -> (Key, Key) {
        let entry = &self.queues[queue];
        let group = &self.groups[entry.group];
        let since = calls.slots[entry.first(calls)].stamp;
        ((group.attained, group.seq), (since.0, group.seq))
    }

    /// Brings both keys of a queue up to date.
    fn refresh(&mut self, calls: &Calls, queue: u32) {
        let (service, age) = self.keys(calls, queue);
        let Queue {
            order,
            lane,
            by_service,
            by_age,
            ..
        } = self.queues[queue];
        let rankings = &mut self.orders[order].lanes[lane as usize];
        let queues = &mut self.queues;
        rankings.by_service.rekey(by_service, service, |queue, at| {
            queues[queue].by_service = at
        });
        rankings
            .by_age
            .rekey(by_age, age, |queue, at| queues[queue].by_age = at);
    }

    /// The first call of a queue may be another one now.
    fn refresh_age(&mut self, calls: &Calls, queue: u32) {
        let Queue {
            order,
            lane,
            by_age,
            ..
        } = self.queues[queue];
        if self.lane_len(order, lane) > 1 {
            let (_, age) = self.keys(calls, queue);
            let queues = &mut self.queues;
            let ranking = &mut self.orders[order].lanes[lane as usize].by_age;
            ranking.rekey(by_age, age, |queue, at| queues[queue].by_age = at);
        }
    }

    fn choose(&self, order: u32, lane: usize, now: Nanos) -> Option<u32> {
        let rankings = &self.orders[order].lanes[lane];
        if rankings.by_service.len() > 1 {
            let (oldest, (since, _)) = rankings.by_age.first()?;
            if now.saturating_sub(Nanos(since)) >= NEXT_AFTER {
                return Some(oldest);
            }
        }
        rankings.by_service.first().map(|(queue, _)| queue)
    }

    /// Moves first calls that waited for seconds up, from the last lane to the first.
    fn age(&mut self, calls: &mut Calls, order: u32, now: Nanos) {
        self.orders[order].aged = now;
        for lane in (0..LANES).rev() {
            while self.orders[order].used & CLIMBING & (1 << lane) != 0 {
                let Some((queue, _)) = self.orders[order].lanes[lane].by_age.first() else {
                    break;
                };
                let slot = self.queues[queue].first(calls);
                let entry = &calls.slots[slot];
                let climbed = u64::from(entry.priority - entry.lane);
                if now.saturating_sub(entry.stamp).0 < (climbed + 1) * UP_AFTER {
                    break;
                }
                self.take_out(calls, queue, slot);
                calls.slots[slot].lane -= 1;
                self.push(calls, order, slot);
            }
        }
    }
}
