//! Plain counters of one tool.

/// What happened to the calls of a tool since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Outcomes by status, in the order of [`crate::sched::Status::ALL`].
    pub by_status: [u64; 6],
    /// Starts: a retried call counts each time.
    pub attempts: u64,
    /// Calls whose grace was over before their end.
    pub detached: u64,
}
