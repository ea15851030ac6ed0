//! Plain counters of one tool.

use crate::sched::Status;

/// What happened to the calls of a tool since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Outcomes by status, in the order of [`Status::ALL`].
    pub by_status: [u64; Status::ALL.len()],
    /// Starts: a retried call counts each time.
    pub attempts: u64,
    /// Calls whose grace was over before their end.
    pub detached: u64,
}

impl Counters {
    /// Outcomes of one status.
    #[must_use]
    pub const fn of(&self, status: Status) -> u64 {
        self.by_status[status as usize]
    }

    /// All outcomes.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.by_status.iter().sum()
    }

    pub(crate) fn count(&mut self, status: Status) {
        self.by_status[status as usize] += 1;
    }
}
