//! The slots: one cache line a call, used again as soon as the call has ended.
//!
//! Ground rules. `take` and `give` are the only ways in and out; `give` makes the id stale. Some
//! fields have one meaning a state, so that 64 bytes suffice; the table is at [`Slot`]. The slab
//! grows exactly by what a large batch needs and by an eighth for small ones; `trim` gives it back
//! when no call is live and it is over four times the peak of the last minute.

use super::action::Reason;
use super::ids::CallId;
use super::slab::NIL;
use super::spec::CallSpec;
use crate::clock::Nanos;

/// Slots that are never given back.
const KEPT_SLOTS: usize = 1_024;

/// Where a call is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// No call: never an answer, for the id of a free slot is stale.
    Free,
    /// Waits for its parents.
    Blocked,
    /// In its lane.
    Ready,
    /// Waits at a gate.
    Parked,
    /// Started, and has not suspended.
    Running,
    /// Has suspended at least once; the host may be stepping it.
    Suspended,
    /// Started and cancelled; its end was not seen.
    Cancelling,
    /// Its outcome was delivered, its code still runs.
    Detached,
}

impl State {
    /// Its tool's code may run: it holds gates.
    pub(crate) const fn in_flight(self) -> bool {
        self as u8 >= Self::Running as u8
    }
}

/// The armed timer is the attempt's, not the deadline's.
pub(crate) const ATTEMPT_TIMER: u8 = 1;
/// The call is in the heap of its queue, not in the list.
pub(crate) const IN_HEAP: u8 = 2;
/// The parked call waits with the limiter, not at a gate.
pub(crate) const AT_LIMITS: u8 = 4;

/// One call.
///
/// | field | blocked | ready, parked | in flight | free |
/// |---|---|---|---|---|
/// | `stamp` | - | ready since | started at | - |
/// | `next`, `prev` | - | links of list or heap | - | `next`: free list |
/// | `queue` | - | its queue | - | - |
/// | `sleep` | its limits | its limits | node of its own sleep | - |
/// | `permit` | - | granted before its turn, or its waiter | its permit | - |
/// | `down` | parents still to end | first child in the heap | - | - |
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Slot {
    pub(crate) stamp: Nanos,
    pub(crate) generation: u32,
    pub(crate) tool: u32,
    pub(crate) batch: u32,
    pub(crate) index: u32,
    /// Its turn within the batch: by height in a batch with edges, else its index.
    pub(crate) rank: u32,
    pub(crate) next: u32,
    pub(crate) prev: u32,
    pub(crate) queue: u32,
    pub(crate) down: u32,
    /// Node of the deadline, the attempt timeout or the grace period: one at a time.
    pub(crate) timer: u32,
    pub(crate) sleep: u32,
    pub(crate) permit: u32,
    pub(crate) priority: u8,
    /// Its lane now: ageing moves it below `priority`.
    pub(crate) lane: u8,
    pub(crate) state: State,
    pub(crate) reason: Option<Reason>,
    /// Gates, one bit each, that woke it and count on it: see `gates.rs`.
    pub(crate) carries: u8,
    pub(crate) flags: u8,
}

const _: () = assert!(size_of::<Slot>() == 64, "a slot is one cache line");

impl Slot {
    const fn vacant(generation: u32) -> Self {
        Self {
            stamp: Nanos::ZERO,
            generation,
            tool: 0,
            batch: NIL,
            index: 0,
            rank: 0,
            next: NIL,
            prev: NIL,
            queue: NIL,
            down: 0,
            timer: NIL,
            sleep: NIL,
            permit: NIL,
            priority: 0,
            lane: 0,
            state: State::Free,
            reason: None,
            carries: 0,
            flags: 0,
        }
    }

    /// Makes a free slot a call that waits for its parents.
    pub(crate) fn open(&mut self, batch: u32, index: u32, call: &CallSpec) {
        self.tool = call.tool.0;
        self.batch = batch;
        self.index = index;
        (self.priority, self.lane) = (call.priority, call.priority);
        self.state = State::Blocked;
        (self.reason, self.carries, self.flags) = (None, 0, 0);
        (self.sleep, self.permit) = (call.limits.unwrap_or(NIL), NIL);
    }

    /// The limits of a call that has not started; `NIL` if it has none.
    pub(crate) const fn limits(&self) -> u32 {
        self.sleep
    }

    /// It waits with the limiter.
    pub(crate) const fn waits_for_limits(&self) -> bool {
        self.flags & AT_LIMITS != 0
    }
}

/// All slots.
#[derive(Debug)]
pub(crate) struct Slots {
    items: Vec<Slot>,
    free: u32,
    live: u32,
    /// The generation of a new slot: above those of slots given back.
    floor: u32,
}

impl Slots {
    pub(crate) const fn new() -> Self {
        Self {
            items: Vec::new(),
            free: NIL,
            live: 0,
            floor: 1,
        }
    }

    pub(crate) const fn live(&self) -> u32 {
        self.live
    }

    pub(crate) fn capacity(&self) -> usize {
        self.items.capacity()
    }

    /// Makes room for `count` more calls.
    pub(crate) fn reserve(&mut self, count: usize) {
        let spare = self.items.capacity() - self.live as usize;
        if count > spare {
            let short = count - spare;
            let used = self.items.len();
            self.items
                .reserve_exact(self.items.capacity() - used + short.max(used / 8));
        }
    }

    /// A free slot and its number.
    #[inline]
    pub(crate) fn take(&mut self) -> (u32, &mut Slot) {
        self.live += 1;
        let slot = self.free;
        if slot == NIL {
            return self.grow();
        }
        let entry = &mut self.items[slot as usize];
        self.free = entry.next;
        (slot, entry)
    }

    #[cold]
    fn grow(&mut self) -> (u32, &mut Slot) {
        let slot = self.items.len();
        self.items.push(Slot::vacant(self.floor));
        (u32::try_from(slot).unwrap_or(NIL), &mut self.items[slot])
    }

    pub(crate) fn give(&mut self, slot: u32) {
        let free = self.free;
        let entry = &mut self.items[slot as usize];
        entry.generation = entry.generation.wrapping_add(1).max(1);
        entry.state = State::Free;
        entry.next = free;
        self.free = slot;
        self.live -= 1;
    }

    /// The slots of live calls.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Slot> {
        self.items.iter().filter(|slot| slot.state != State::Free)
    }

    /// The slot of a live call.
    pub(crate) fn find(&self, id: CallId) -> Option<u32> {
        let slot = self.items.get(id.place() as usize)?;
        (slot.generation == id.generation() && slot.state != State::Free).then_some(id.place())
    }

    pub(crate) fn id(&self, slot: u32) -> CallId {
        CallId::new(self.items[slot as usize].generation, slot)
    }

    /// Gives all slots back if none is live and they are over four times `peak`.
    pub(crate) fn trim(&mut self, peak: usize) {
        if self.live > 0 || self.items.capacity() <= KEPT_SLOTS.max(4 * peak) {
            return;
        }
        let highest = self
            .items
            .iter()
            .map(|slot| slot.generation)
            .max()
            .unwrap_or(0);
        *self = Self {
            floor: highest.wrapping_add(1).max(1),
            ..Self::new()
        };
    }
}

impl std::ops::Index<u32> for Slots {
    type Output = Slot;

    fn index(&self, slot: u32) -> &Slot {
        &self.items[slot as usize]
    }
}

impl std::ops::IndexMut<u32> for Slots {
    fn index_mut(&mut self, slot: u32) -> &mut Slot {
        &mut self.items[slot as usize]
    }
}
