//! A timer wheel: arm, disarm and fire in a few nanoseconds, whatever the number of timers.
//!
//! Ground rules. Time is cut into ticks of 1 ms; a due time is rounded up, so nothing fires early.
//! Cells 0-1023 are the ticks of the current block of 1,024 ms, the next 1,024 the other blocks of
//! the current era of 1,024 blocks (17.5 minutes), the last cell is everything beyond. Entering a
//! block moves its timers into ticks, entering an era moves the era's timers into blocks. Blocks
//! and eras are *aligned*: a timer is never put into a cell that older timers still have to be
//! moved into, so every cell is in order of arming. Each cell is a ring through its own node of the
//! slab. A disarmed timer leaves at once. A due time in the past counts as due now. The slab grows
//! to the most timers armed at once, and is given back by `trim` when none is armed.

use crate::clock::Nanos;

const NANOS_PER_TICK: u64 = 1_000_000;
const BITS: u32 = 10;
const CELLS: usize = 1 << BITS;
const MASK: u64 = CELLS as u64 - 1;
/// The cell of timers beyond the current era.
const BEYOND: u32 = 2 * CELLS as u32;
const SENTINELS: u32 = BEYOND + 1;
const NIL: u32 = u32::MAX;
const WORDS: usize = CELLS / 64;

/// What a timer is for: a number that the owner of the wheel understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target(pub u32);

/// One armed timer; stale once it fired or was disarmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerKey {
    node: u32,
    generation: u32,
}

impl TimerKey {
    /// The node alone, for an owner that never keeps it longer than the timer lives.
    pub(crate) const fn node(self) -> u32 {
        self.node
    }
}

/// A timer, or the head of a cell's ring. For a block, `tick` bounds its timers from below.
#[derive(Clone, Copy, Debug)]
struct Node {
    tick: u64,
    next: u32,
    prev: u32,
    target: u32,
    generation: u32,
}

const _: () = assert!(size_of::<Node>() == 24, "a timer is 24 bytes");

/// All timers of one engine.
#[derive(Debug)]
pub struct Wheel {
    /// Every earlier tick has fired; this one may get timers and fire again.
    tick: u64,
    nodes: Vec<Node>,
    free: u32,
    armed: u32,
    ticks: [u64; WORDS],
    blocks: [u64; WORDS],
}

impl Default for Wheel {
    fn default() -> Self {
        Self::new()
    }
}

impl Wheel {
    /// A wheel without timers.
    #[must_use]
    pub fn new() -> Self {
        let ring = |cell| Node {
            tick: u64::MAX,
            next: cell,
            prev: cell,
            target: 0,
            generation: 0,
        };
        Self {
            tick: 0,
            nodes: (0..SENTINELS).map(ring).collect(),
            free: NIL,
            armed: 0,
            ticks: [0; WORDS],
            blocks: [0; WORDS],
        }
    }

    /// Timers armed now.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.armed
    }

    /// No timer is armed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.armed == 0
    }

    /// Arms a timer that fires at `due`, rounded up to a millisecond.
    pub fn arm(&mut self, due: Nanos, target: Target) -> TimerKey {
        let tick = due.0.div_ceil(NANOS_PER_TICK).max(self.tick);
        let node = self.vacant();
        let entry = &mut self.nodes[node as usize];
        entry.tick = tick;
        entry.target = target.0;
        let generation = entry.generation;
        self.armed += 1;
        self.link(node, tick);
        TimerKey { node, generation }
    }

    /// Forgets a timer; false if it fired or was disarmed before.
    pub fn disarm(&mut self, key: TimerKey) -> bool {
        let live = self
            .nodes
            .get(key.node as usize)
            .is_some_and(|node| node.generation == key.generation);
        if live {
            self.drop_node(key.node);
        }
        live
    }

    /// When a timer fires; `None` if it is stale.
    #[must_use]
    pub fn due(&self, key: TimerKey) -> Option<Nanos> {
        let node = self.nodes.get(key.node as usize)?;
        (node.generation == key.generation)
            .then_some(Nanos(node.tick.saturating_mul(NANOS_PER_TICK)))
    }

    /// Fires all that is due at `now`: in order of due time, then of arming.
    pub fn expire(&mut self, now: Nanos, fired: &mut Vec<Target>) {
        while let Some(target) = self.pop_due(now) {
            fired.push(target);
        }
    }

    /// Fires the first timer that is due at `now`.
    pub fn pop_due(&mut self, now: Nanos) -> Option<Target> {
        let until = now.0 / NANOS_PER_TICK;
        loop {
            if self.armed == 0 {
                self.tick = self.tick.max(until);
                return None;
            }
            if let Some(cell) = next_bit(&self.ticks, (self.tick & MASK) as usize) {
                let tick = (self.tick & !MASK) | cell as u64;
                if tick > until {
                    self.tick = self.tick.max(until);
                    return None;
                }
                self.tick = tick;
                let node = self.nodes[cell].next;
                let target = Target(self.nodes[node as usize].target);
                self.drop_node(node);
                return Some(target);
            }
            if self.tick >> BITS >= until >> BITS {
                self.tick = self.tick.max(until);
                return None;
            }
            self.enter_next(until >> BITS);
        }
    }

    /// The earliest time at which a timer may be due: never late, and early only if the first timer
    /// of a later second was disarmed.
    #[must_use]
    pub fn next_due(&self) -> Option<Nanos> {
        if self.armed == 0 {
            return None;
        }
        let tick = if let Some(cell) = next_bit(&self.ticks, (self.tick & MASK) as usize) {
            (self.tick & !MASK) | cell as u64
        } else if let Some(cell) = next_bit(&self.blocks, 0) {
            self.nodes[CELLS + cell].tick
        } else {
            self.nodes[BEYOND as usize].tick
        };
        Some(Nanos(tick.saturating_mul(NANOS_PER_TICK)))
    }

    /// Gives memory back that armed timers do not need; does nothing while any is armed.
    pub fn trim(&mut self, keep: usize) {
        if self.armed > 0 || self.nodes.len() <= SENTINELS as usize + keep {
            return;
        }
        // A key of a dropped node must stay stale when the place is used again.
        let dropped = &self.nodes[SENTINELS as usize..];
        let floor = dropped
            .iter()
            .map(|node| node.generation)
            .max()
            .unwrap_or(0);
        self.nodes.truncate(SENTINELS as usize);
        self.nodes.shrink_to_fit();
        self.nodes[0].generation = self.nodes[0].generation.max(floor);
        self.free = NIL;
    }

    /// The key of a timer whose owner keeps the node alone, and clears it when the timer fires.
    pub(crate) fn key(&self, node: u32) -> TimerKey {
        TimerKey {
            node,
            generation: self.nodes[node as usize].generation,
        }
    }

    /// Moves an empty wheel to `now`, so that near timers go into near cells.
    pub(crate) fn catch_up(&mut self, now: Nanos) {
        if self.armed == 0 {
            self.tick = self.tick.max(now.0 / NANOS_PER_TICK);
        }
    }

    fn vacant(&mut self) -> u32 {
        if self.free == NIL {
            // Cell 0 keeps the generation from which new places start: see `trim`.
            let generation = self.nodes[0].generation;
            self.nodes.push(Node {
                tick: 0,
                next: NIL,
                prev: NIL,
                target: 0,
                generation,
            });
            return u32::try_from(self.nodes.len() - 1).unwrap_or(NIL);
        }
        let node = self.free;
        self.free = self.nodes[node as usize].next;
        node
    }

    fn drop_node(&mut self, node: u32) {
        self.unlink(node);
        let entry = &mut self.nodes[node as usize];
        entry.generation = entry.generation.wrapping_add(1);
        entry.next = self.free;
        self.free = node;
        self.armed -= 1;
    }

    fn cell_of(&self, tick: u64) -> u32 {
        let cell = if tick >> BITS == self.tick >> BITS {
            tick & MASK
        } else if tick >> (2 * BITS) == self.tick >> (2 * BITS) {
            CELLS as u64 + ((tick >> BITS) & MASK)
        } else {
            u64::from(BEYOND)
        };
        u32::try_from(cell).unwrap_or(BEYOND)
    }

    fn link(&mut self, node: u32, tick: u64) {
        let cell = self.cell_of(tick);
        let head = &mut self.nodes[cell as usize];
        let last = head.prev;
        head.prev = node;
        head.tick = head.tick.min(tick);
        self.nodes[last as usize].next = node;
        let entry = &mut self.nodes[node as usize];
        (entry.next, entry.prev) = (cell, last);
        self.mark(cell, true);
    }

    fn unlink(&mut self, node: u32) {
        let Node { next, prev, .. } = self.nodes[node as usize];
        self.nodes[prev as usize].next = next;
        self.nodes[next as usize].prev = prev;
        if next == prev && next < SENTINELS {
            self.nodes[next as usize].tick = u64::MAX;
            self.mark(next, false);
        }
    }

    fn mark(&mut self, cell: u32, used: bool) {
        let place = cell as usize % CELLS;
        let word = match cell as usize / CELLS {
            0 => &mut self.ticks[place / 64],
            1 => &mut self.blocks[place / 64],
            _ => return,
        };
        let bit = 1 << (place % 64);
        if used {
            *word |= bit;
        } else {
            *word &= !bit;
        }
    }

    /// Leaves a block without timers for the next one that has some, at most block `last`.
    fn enter_next(&mut self, last: u64) {
        let era = self.tick >> (2 * BITS);
        let block = match next_bit(&self.blocks, 0) {
            Some(cell) => (era << BITS) | cell as u64,
            // The least tick beyond may be of a timer that was disarmed: then an era without any
            // is entered, which only costs a look at the list.
            None => self.nodes[BEYOND as usize].tick >> BITS,
        };
        self.tick = self.tick.max(block.min(last) << BITS);
        if self.tick >> (2 * BITS) != era {
            self.scatter(BEYOND);
        }
        let cell = CELLS as u32 + u32::try_from((self.tick >> BITS) & MASK).unwrap_or(0);
        self.scatter(cell);
    }

    /// Links all timers of a cell anew, in their order.
    fn scatter(&mut self, cell: u32) {
        let mut node = self.nodes[cell as usize].next;
        if node == cell {
            return;
        }
        let head = &mut self.nodes[cell as usize];
        (head.next, head.prev, head.tick) = (cell, cell, u64::MAX);
        self.mark(cell, false);
        while node != cell {
            let Node { tick, next, .. } = self.nodes[node as usize];
            self.link(node, tick);
            node = next;
        }
    }
}

/// The first bit that is set at or after `from`.
fn next_bit(words: &[u64; WORDS], from: usize) -> Option<usize> {
    let mut place = from / 64;
    let mut word = words[place] & (u64::MAX << (from % 64));
    while word == 0 {
        place += 1;
        word = *words.get(place)?;
    }
    Some(place * 64 + word.trailing_zeros() as usize)
}
