//! The order of calls that wait: by lane, then by group, then by batch and rank.
//!
//! Ground rules. One [`Order`] holds the ready calls, and every gate where calls wait has one of its
//! own, so the same rules hold everywhere. Within a lane the group with the least attained service
//! goes first; a group is charged its calls' running time, and a microsecond a start so that equals
//! take turns. Ageing: a queue whose first call waited 250 ms goes before the others of its lane,
//! longest wait first; while several lanes are in use, at each new time the longest waiting first
//! call of a lane goes one lane up for each second that it waited, but not from lane 8 into 7.

use super::batch::Calls;
use super::groups::Groups;
use super::order::{LANES, Order};
use super::queue::Queue;
use super::ranking::Key;
use super::slab::{NIL, Slab};
use crate::clock::Nanos;

/// What a start is charged, in nanoseconds of service.
pub(crate) const START_CHARGE: u64 = 1_000;
/// A first call goes up one lane for each such wait.
const UP_AFTER: u64 = 1_000_000_000;
/// The lanes that ageing may leave: all but the first of the callers' and the first of the rest.
const CLIMBING: u16 = !(1 | 1 << 8);
/// Orders are kept for use again up to this many.
const KEPT_ORDERS: u32 = 64;

/// The order of ready calls.
pub(crate) const READY: u32 = 0;

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

    /// Takes an order back that has no call left.
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

    /// Readies a call of a new batch. `before` is the call of that batch readied last, or `NIL`.
    pub(crate) fn push_new(&mut self, calls: &mut Calls, slot: u32, before: u32) {
        if before != NIL {
            let queue = calls.slots[before].queue;
            if self.queues[queue].append_after(calls, before, slot) {
                calls.slots[slot].queue = queue;
                self.orders[READY].calls += 1;
                return;
            }
        }
        self.push(calls, READY, slot);
    }

    /// Lets a call wait in its lane.
    pub(crate) fn push(&mut self, calls: &mut Calls, order: u32, slot: u32) {
        let entry = &calls.slots[slot];
        let group = calls.batches[entry.batch].group;
        let lane = entry.lane;
        self.orders[order].calls += 1;
        let found = self.queue_of(order, group, lane);
        if found == NIL {
            let queue = self.open_queue(order, group, lane);
            calls.slots[slot].queue = queue;
            self.queues[queue].push(calls, slot);
            self.enter_lane(calls, queue);
        } else {
            calls.slots[slot].queue = found;
            self.queues[found].push(calls, slot);
            self.refresh_age(calls, found);
        }
    }

    /// Takes the next call out.
    #[inline]
    pub(crate) fn pop(&mut self, calls: &mut Calls, order: u32, now: Nanos) -> Option<u32> {
        let entry = &self.orders[order];
        if entry.used == 0 {
            return None;
        }
        if entry.used & (entry.used - 1) != 0 && now > entry.aged {
            self.age(calls, order, now);
        }
        let entry = &mut self.orders[order];
        let lane = entry.used.trailing_zeros() as usize;
        let alone = entry.alone(lane);
        let queue = if alone == NIL {
            entry.choose(lane, now)
        } else {
            alone
        };
        entry.calls -= 1;
        let chosen = &mut self.queues[queue];
        let slot = chosen.pop(calls);
        if chosen.is_empty() {
            self.close_queue(queue);
        } else if alone == NIL {
            self.refresh_age(calls, queue);
        }
        Some(slot)
    }

    /// Takes a waiting call out of its turn.
    pub(crate) fn remove(&mut self, calls: &mut Calls, slot: u32) {
        let queue = calls.slots[slot].queue;
        let entry = &mut self.queues[queue];
        entry.remove(calls, slot);
        self.orders[entry.order].calls -= 1;
        if entry.is_empty() {
            self.close_queue(queue);
        } else {
            self.refresh_age(calls, queue);
        }
    }

    /// Adds to what a group has got.
    #[inline]
    pub(crate) fn charge(&mut self, group: u32, service: u64) {
        let entry = &mut self.groups[group];
        entry.attained = entry.attained.saturating_add(service);
        if self.groups.live() > 1 {
            self.refresh_service(group);
        }
    }

    /// Gives memory back when no call waits.
    pub(crate) fn trim(&mut self, keep: usize) {
        self.groups.trim(keep);
        self.queues.trim(keep);
        if self.orders.live() == 1 && self.orders.places() > KEPT_ORDERS {
            self.orders = Self::new().orders;
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

    /// Removes an empty queue from its lane and its group.
    fn close_queue(&mut self, queue: u32) {
        let Queue {
            order,
            group,
            next,
            prev,
            ..
        } = self.queues[queue];
        self.orders[order].leave(&mut self.queues, queue);
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

    fn enter_lane(&mut self, calls: &Calls, queue: u32) {
        let Queue { order, lane, .. } = self.queues[queue];
        let alone = self.orders[order].alone(lane as usize);
        if alone != NIL {
            let (service, age) = self.keys(calls, alone);
            let entry = &mut self.orders[order];
            entry.rekey_service(&mut self.queues, alone, service);
            entry.rekey_age(&mut self.queues, alone, age);
        }
        let (service, age) = self.keys(calls, queue);
        self.orders[order].enter(&mut self.queues, queue, service, age);
    }

    /// The ranks of a queue: by service and by age.
    fn keys(&self, calls: &Calls, queue: u32) -> (Key, Key) {
        let entry = &self.queues[queue];
        let group = &self.groups[entry.group];
        let since = calls.slots[entry.first(calls)].stamp;
        ((group.attained, group.seq), (since.0, group.seq))
    }

    /// The first call of a queue may be another one now.
    #[inline]
    fn refresh_age(&mut self, calls: &Calls, queue: u32) {
        let entry = &self.queues[queue];
        let order = &mut self.orders[entry.order];
        if order.alone(entry.lane as usize) == NIL {
            let since = calls.slots[entry.first(calls)].stamp;
            let key = (since.0, self.groups[entry.group].seq);
            order.rekey_age(&mut self.queues, queue, key);
        }
    }

    /// Moves the queues of a group to where its account puts them.
    fn refresh_service(&mut self, group: u32) {
        let entry = &self.groups[group];
        let key = (entry.attained, entry.seq);
        let mut queue = entry.queues;
        while queue != NIL {
            let Queue {
                order, lane, next, ..
            } = self.queues[queue];
            let order = &mut self.orders[order];
            if order.alone(lane as usize) == NIL {
                order.rekey_service(&mut self.queues, queue, key);
            }
            queue = next;
        }
    }

    /// Moves first calls that waited for seconds up, from the last lane to the first.
    #[cold]
    fn age(&mut self, calls: &mut Calls, order: u32, now: Nanos) {
        self.orders[order].aged = now;
        for lane in (0..LANES).rev() {
            while self.orders[order].used & CLIMBING & (1 << lane) != 0 {
                let Some(queue) = self.orders[order].oldest(lane) else {
                    break;
                };
                let slot = self.queues[queue].first(calls);
                let entry = &calls.slots[slot];
                let climbed = u64::from(entry.priority - entry.lane);
                if now.saturating_sub(entry.stamp).0 < (climbed + 1) * UP_AFTER {
                    break;
                }
                self.remove(calls, slot);
                calls.slots[slot].lane -= 1;
                self.push(calls, order, slot);
            }
        }
    }
}
