//! Batches, and the table of calls: what the slots and the batches know together.

use super::action::CallRef;
use super::dag::Edges;
use super::gates::Gate;
use super::ids::{BatchId, CallId, ToolId};
use super::slab::{NIL, Slab};
use super::slot::{Slot, Slots, State};
use crate::clock::Nanos;

/// A freed batch keeps tables of at most this many places.
const KEPT_PLACES: usize = 1_024;

/// What may still happen to a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BranchState {
    Open,
    Cancelled,
    Committed,
}

/// One batch, while any of its calls has a slot.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) generation: u32,
    /// Batches are served in this order within a group, those that are worth more before.
    pub(crate) seq: u64,
    pub(crate) worth: u64,
    pub(crate) submitted: Nanos,
    /// Slot of each call; right only while that slot still names this batch.
    pub(crate) slots: Vec<u32>,
    pub(crate) edges: Option<Box<Edges>>,
    /// Which calls are held; empty if none is.
    pub(crate) held: Vec<bool>,
    /// Branch of each call, and what became of the branches; empty without branches.
    pub(crate) branch_of: Vec<u32>,
    pub(crate) branches: Vec<BranchState>,
    /// Calls without an outcome.
    pub(crate) pending: u32,
    /// Calls with a slot.
    pub(crate) live: u32,
    pub(crate) gate: Gate,
    pub(crate) group: u32,
    pub(crate) parent: Option<CallId>,
    pub(crate) depth: u32,
    pub(crate) timer: u32,
    pub(crate) fail_fast: bool,
    /// Its end was told; only detached calls are left.
    pub(crate) ended: bool,
}

/// Every call and every batch.
#[derive(Debug)]
pub(crate) struct Calls {
    pub(crate) slots: Slots,
    pub(crate) batches: Slab<Batch>,
    /// The generation of a new batch record: above those of records given back.
    floor: u32,
}

impl Calls {
    pub(crate) fn new() -> Self {
        Self {
            slots: Slots::new(),
            batches: Slab::default(),
            floor: 1,
        }
    }

    /// A batch record with its tables empty and its id new.
    pub(crate) fn open_batch(&mut self) -> u32 {
        let place = self.batches.take();
        let floor = self.floor;
        let batch = &mut self.batches[place];
        batch.generation = batch.generation.max(floor - 1).wrapping_add(1);
        batch.timer = NIL;
        place
    }

    pub(crate) fn close_batch(&mut self, place: u32) {
        let batch = &mut self.batches[place];
        let mut slots = std::mem::take(&mut batch.slots);
        slots.clear();
        slots.shrink_to(KEPT_PLACES);
        let generation = batch.generation.wrapping_add(1);
        *batch = Batch {
            generation,
            slots,
            ..Batch::default()
        };
        self.batches.give(place);
    }

    pub(crate) fn find_batch(&self, id: BatchId) -> Option<u32> {
        let batch = self.batches.get(id.place())?;
        (batch.generation == id.generation() && batch.live > 0).then_some(id.place())
    }

    pub(crate) fn batch_id(&self, place: u32) -> BatchId {
        BatchId::new(self.batches[place].generation, place)
    }

    /// The slot of a call that is still live: all slots of a batch are taken at once, so a slot that
    /// was used again names another batch.
    pub(crate) fn slot_at(&self, batch: u32, index: u32) -> Option<u32> {
        let place = *self.batches[batch].slots.get(index as usize)?;
        let slot = &self.slots[place];
        (slot.batch == batch && slot.state != State::Free).then_some(place)
    }

    pub(crate) fn call_ref(&self, place: u32) -> CallRef {
        let slot = &self.slots[place];
        call_ref(place, slot, &self.batches[slot.batch])
    }

    /// The order within a group: batches that are worth more, then as submitted, calls by rank.
    pub(crate) fn before(&self, one: u32, other: u32) -> bool {
        let (one, other) = (&self.slots[one], &self.slots[other]);
        if one.batch == other.batch {
            return one.rank < other.rank;
        }
        let (one, other) = (&self.batches[one.batch], &self.batches[other.batch]);
        (other.worth, one.seq) < (one.worth, other.seq)
    }

    /// Gives memory back when nothing is live.
    pub(crate) fn trim(&mut self, peak: usize) {
        self.slots.trim(peak);
        let highest = self
            .batches
            .items()
            .iter()
            .map(|batch| batch.generation)
            .max();
        if self.batches.trim(KEPT_PLACES.max(4 * peak)) {
            self.floor = self.floor.max(highest.unwrap_or(0)).wrapping_add(1);
        }
    }
}

/// A call as the host knows it.
pub(crate) fn call_ref(place: u32, slot: &Slot, batch: &Batch) -> CallRef {
    CallRef {
        id: CallId::new(slot.generation, place),
        tool: ToolId(slot.tool),
        batch: BatchId::new(batch.generation, slot.batch),
        index: slot.index,
    }
}
