//! Who waits, in order, and what they were answered.
//!
//! Ground rules. Each set that is waited for has a line: a list a lane, each in the order of keys;
//! the least of their heads is the front of the set. Keys never change: a lane costs a second of
//! arrival, a lane of guesses an hour more, so a call moves up one lane each second without anybody
//! moving it. A call that asks again with its old key goes where it was. A record lives until its
//! answer was fetched, so a cancel that races a grant still finds it. Everything is O(1), but for
//! entering out of order: that takes a step for each call that it passes.

use super::{Ask, Refusal};
use crate::clock::Nanos;
use crate::sched::slab::{NIL, Slab};

/// Lanes of a set; 8 and above are guesses.
const LANES: usize = 16;
const GUESSES: u8 = 8;
const LANE_STEP: Nanos = Nanos::from_secs(1);
const GUESS_STEP: Nanos = Nanos::from_secs(3_600);

/// The place of a call in the order of admission: the least is first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    due: Nanos,
    number: u64,
}

impl Key {
    pub(crate) const fn new(arrival: Nanos, lane: u8, number: u64) -> Self {
        let due = arrival.saturating_add(Nanos(LANE_STEP.0 * lane as u64));
        let due = if lane < GUESSES {
            due
        } else {
            due.saturating_add(GUESS_STEP)
        };
        Self { due, number }
    }

    /// After all that wait.
    pub(crate) const LAST: Self = Self {
        due: Nanos::MAX,
        number: u64::MAX,
    };
}

/// What became of a waiting call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The place is free.
    #[default]
    Free,
    Waiting,
    /// In the outbox of its owner: granted this permit.
    Granted(u32),
    /// In the outbox of its owner.
    Refused(Refusal),
    /// Forgotten while it was in the outbox.
    Forgotten,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Record {
    pub(crate) ask: Ask,
    pub(crate) key: Key,
    pub(crate) asked: Nanos,
    pub(crate) phase: Phase,
    /// When it was answered.
    pub(crate) answered: Nanos,
    generation: u32,
    next: u32,
    prev: u32,
}

/// The calls that wait for one set.
#[derive(Clone, Copy, Debug)]
struct Line {
    heads: [u32; LANES],
    tails: [u32; LANES],
    /// Lanes that are not empty, a bit each.
    used: u16,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            heads: [NIL; LANES],
            tails: [NIL; LANES],
            used: 0,
        }
    }
}

/// A handle is a place and the low bits of how often it was used.
const PLACE_BITS: u32 = 20;
pub(crate) const MOST_WAITERS: u32 = 1 << PLACE_BITS;

/// All calls that wait, of all sets.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    records: Slab<Record>,
    lines: Slab<Line>,
    waiting: u32,
}

impl Waiters {
    /// Calls that wait now.
    pub(crate) const fn waiting(&self) -> u32 {
        self.waiting
    }

    /// No place is left for one more, answered ones included.
    pub(crate) fn is_full(&self) -> bool {
        self.records.live() >= MOST_WAITERS as usize
    }

    pub(crate) fn handle(&self, place: u32) -> u32 {
        (self.records[place].generation << PLACE_BITS) | place
    }

    /// The place of a handle, if that is not stale.
    pub(crate) fn place(&self, handle: u32) -> Option<u32> {
        let place = handle & (MOST_WAITERS - 1);
        let record = self.records.get(place)?;
        let fresh = record.phase != Phase::Free && self.handle(place) == handle;
        fresh.then_some(place)
    }

    pub(crate) fn record(&self, place: u32) -> &Record {
        &self.records[place]
    }

    pub(crate) fn places(&self) -> u32 {
        self.records.places()
    }

    /// The first of a line.
    pub(crate) fn front(&self, line: u32) -> Option<u32> {
        if line == NIL {
            return None;
        }
        let line = &self.lines[line];
        let mut lanes = line.used;
        let mut front: Option<(Key, u32)> = None;
        while lanes != 0 {
            let head = line.heads[lanes.trailing_zeros() as usize];
            let key = self.records[head].key;
            if front.is_none_or(|(least, _)| key < least) {
                front = Some((key, head));
            }
            lanes &= lanes - 1;
        }
        front.map(|(_, place)| place)
    }

    /// Puts a call into a line, which is made if there is none.
    pub(crate) fn enter(&mut self, line: &mut u32, ask: Ask, key: Key, now: Nanos) -> u32 {
        let place = self.records.take();
        let record = &mut self.records[place];
        record.generation = record.generation.wrapping_add(1) & (u32::MAX >> PLACE_BITS);
        (record.ask, record.key) = (ask, key);
        (record.asked, record.phase) = (now, Phase::Waiting);
        if *line == NIL {
            *line = self.lines.take();
            self.lines[*line] = Line::default();
        }
        self.link(*line, place);
        self.waiting += 1;
        place
    }

    /// Takes a call out of its line, which is freed with its last call.
    pub(crate) fn leave(&mut self, line: &mut u32, place: u32) {
        let Record {
            ask, next, prev, ..
        } = self.records[place];
        let at = lane_of(&ask);
        let entry = &mut self.lines[*line];
        match prev {
            NIL => entry.heads[at] = next,
            _ => self.records[prev].next = next,
        }
        match next {
            NIL => entry.tails[at] = prev,
            _ => self.records[next].prev = prev,
        }
        if entry.heads[at] == NIL {
            entry.used &= !(1 << at);
        }
        if entry.used == 0 {
            self.lines.give(*line);
            *line = NIL;
        }
        self.waiting -= 1;
    }

    /// Keeps what a call was answered until that is fetched.
    pub(crate) fn answer(&mut self, place: u32, phase: Phase, now: Nanos) {
        let record = &mut self.records[place];
        (record.phase, record.answered) = (phase, now);
    }

    /// Frees the place of a call that is in no line.
    pub(crate) fn free(&mut self, place: u32) {
        self.records[place].phase = Phase::Free;
        self.records.give(place);
    }

    /// Links a call behind all of its lane with a lesser key. New calls go to the end, and calls
    /// that ask again to the front: it is looked for from both ends.
    fn link(&mut self, line: u32, place: u32) {
        let Record { key, ask, .. } = self.records[place];
        let at = lane_of(&ask);
        let (mut low, mut high) = (self.lines[line].heads[at], self.lines[line].tails[at]);
        let after = loop {
            if high == NIL || self.records[high].key < key {
                break high;
            }
            if self.records[low].key > key {
                break self.records[low].prev;
            }
            low = self.records[low].next;
            high = self.records[high].prev;
        };
        self.link_after(line, at, after, place);
    }

    fn link_after(&mut self, line: u32, at: usize, after: u32, place: u32) {
        let entry = &mut self.lines[line];
        let next = if after == NIL {
            entry.heads[at]
        } else {
            self.records[after].next
        };
        match after {
            NIL => entry.heads[at] = place,
            _ => self.records[after].next = place,
        }
        match next {
            NIL => entry.tails[at] = place,
            _ => self.records[next].prev = place,
        }
        entry.used |= 1 << at;
        let record = &mut self.records[place];
        (record.next, record.prev) = (next, after);
    }
}

fn lane_of(ask: &Ask) -> usize {
    usize::from(ask.lane).min(LANES - 1)
}
