//! One queue of calls: those of one group in one lane, first by batch, then by rank.
//!
//! Ground rules. A call that belongs behind the last or before the first is linked into a list:
//! a flat batch never does anything else. Any other call, such as a node of a graph that becomes
//! ready out of turn, goes into a pairing heap. Both are threaded through the slots, so a push
//! allocates nothing and a cancelled call leaves at once, without a tombstone.
//!
//! Source: Fredman, Sedgewick, Sleator, Tarjan, "The pairing heap" (1986), two-pass variant.

use super::batch::Calls;
use super::slab::NIL;
use super::slot::IN_HEAP;

/// One queue, and its places in the lane's rankings and in its group's list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queue {
    pub(crate) order: u32,
    pub(crate) group: u32,
    pub(crate) lane: u8,
    head: u32,
    tail: u32,
    root: u32,
    pub(crate) by_service: u32,
    pub(crate) by_age: u32,
    pub(crate) next: u32,
    pub(crate) prev: u32,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            order: NIL,
            group: NIL,
            lane: 0,
            head: NIL,
            tail: NIL,
            root: NIL,
            by_service: NIL,
            by_age: NIL,
            next: NIL,
            prev: NIL,
        }
    }
}

impl Queue {
    pub(crate) fn new(order: u32, group: u32, lane: u8) -> Self {
        Self {
            order,
            group,
            lane,
            ..Self::default()
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.head == NIL && self.root == NIL
    }

    /// The call whose turn it is, or `NIL`.
    pub(crate) fn first(&self, calls: &Calls) -> u32 {
        if self.root == NIL || (self.head != NIL && calls.before(self.head, self.root)) {
            return self.head;
        }
        self.root
    }

    pub(crate) fn push(&mut self, calls: &mut Calls, slot: u32) {
        if self.tail == NIL || calls.before(self.tail, slot) {
            self.append(calls, slot);
        } else if calls.before(slot, self.head) {
            self.prepend(calls, slot);
        } else {
            let entry = &mut calls.slots[slot];
            entry.flags |= IN_HEAP;
            (entry.next, entry.prev, entry.down) = (NIL, NIL, NIL);
            self.root = meld(calls, self.root, slot);
        }
    }

    /// Puts a call behind `before`, which is of the same batch, if that is its place: they are in
    /// one lane, and nothing stands between them.
    #[inline]
    pub(crate) fn append_after(&mut self, calls: &mut Calls, before: u32, slot: u32) -> bool {
        let last = &mut calls.slots[before];
        let (lane, rank) = (last.lane, last.rank);
        if self.tail != before || calls.slots[slot].lane != lane || calls.slots[slot].rank < rank {
            return false;
        }
        self.append(calls, slot);
        true
    }

    /// Takes the first call out of a queue that has one.
    pub(crate) fn pop(&mut self, calls: &mut Calls) -> u32 {
        if self.root != NIL {
            let slot = self.first(calls);
            self.remove(calls, slot);
            return slot;
        }
        let slot = self.head;
        self.head = calls.slots[slot].next;
        if self.head == NIL {
            self.tail = NIL;
        } else {
            calls.slots[self.head].prev = NIL;
        }
        slot
    }

    /// Takes a call out, wherever it stands.
    pub(crate) fn remove(&mut self, calls: &mut Calls, slot: u32) {
        if calls.slots[slot].flags & IN_HEAP == 0 {
            self.unlink(calls, slot);
            return;
        }
        calls.slots[slot].flags &= !IN_HEAP;
        let children = calls.slots[slot].down;
        if slot == self.root {
            self.root = merge(calls, children);
            return;
        }
        cut(calls, slot);
        let merged = merge(calls, children);
        self.root = meld(calls, self.root, merged);
    }

    fn append(&mut self, calls: &mut Calls, slot: u32) {
        let tail = self.tail;
        let entry = &mut calls.slots[slot];
        (entry.next, entry.prev) = (NIL, tail);
        if tail == NIL {
            self.head = slot;
        } else {
            calls.slots[tail].next = slot;
        }
        self.tail = slot;
    }

    fn prepend(&mut self, calls: &mut Calls, slot: u32) {
        let head = self.head;
        let entry = &mut calls.slots[slot];
        (entry.next, entry.prev) = (head, NIL);
        calls.slots[head].prev = slot;
        self.head = slot;
    }

    fn unlink(&mut self, calls: &mut Calls, slot: u32) {
        let (next, prev) = (calls.slots[slot].next, calls.slots[slot].prev);
        if prev == NIL {
            self.head = next;
        } else {
            calls.slots[prev].next = next;
        }
        if next == NIL {
            self.tail = prev;
        } else {
            calls.slots[next].prev = prev;
        }
    }
}

/// One heap of two; the root has no sibling.
fn meld(calls: &mut Calls, one: u32, other: u32) -> u32 {
    if one == NIL || other == NIL {
        return if one == NIL { other } else { one };
    }
    let (winner, loser) = if calls.before(one, other) {
        (one, other)
    } else {
        (other, one)
    };
    let child = calls.slots[winner].down;
    if child != NIL {
        calls.slots[child].prev = loser;
    }
    let entry = &mut calls.slots[loser];
    (entry.next, entry.prev) = (child, winner);
    let entry = &mut calls.slots[winner];
    (entry.next, entry.prev, entry.down) = (NIL, NIL, loser);
    winner
}

/// Cuts a node that is not the root off its parent and siblings.
fn cut(calls: &mut Calls, slot: u32) {
    let (next, prev) = (calls.slots[slot].next, calls.slots[slot].prev);
    if calls.slots[prev].down == slot {
        calls.slots[prev].down = next;
    } else {
        calls.slots[prev].next = next;
    }
    if next != NIL {
        calls.slots[next].prev = prev;
    }
}

/// One heap of a row of siblings: pairs from the left, then all pairs from the right.
fn merge(calls: &mut Calls, first: u32) -> u32 {
    let mut pairs = NIL;
    let mut node = first;
    while node != NIL {
        let partner = calls.slots[node].next;
        let rest = if partner == NIL {
            NIL
        } else {
            calls.slots[partner].next
        };
        let pair = meld(calls, node, partner);
        let entry = &mut calls.slots[pair];
        (entry.next, entry.prev) = (NIL, pairs);
        pairs = pair;
        node = rest;
    }
    let mut root = NIL;
    while pairs != NIL {
        let rest = calls.slots[pairs].prev;
        calls.slots[pairs].prev = NIL;
        root = meld(calls, root, pairs);
        pairs = rest;
    }
    root
}
