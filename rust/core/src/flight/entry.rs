//! One run of one read, and what is said of it.

use super::epochs::Marks;
use crate::clock::Nanos;

/// Names an entry; never that of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId(pub u64);

/// Whom the value of a read may answer when its run is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Those who waited; the value of a guess one who asks later.
    #[default]
    Once,
    /// Whoever asks in the same session.
    Session,
    /// Whoever asks in sessions of the same tenant and principal.
    Tenant,
}

/// The answer to a claim. `guessed`: nobody had asked for it before, so this claim promotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// Nobody can answer: run it.
    Miss,
    /// Wait for this run.
    Join {
        /// The run.
        id: EntryId,
        /// It was a guess.
        guessed: bool,
    },
    /// The value is there.
    Done {
        /// Whose.
        id: EntryId,
        /// It was a guess.
        guessed: bool,
    },
}

/// Why an entry left the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// An epoch has moved.
    Changed,
    /// Its time was over.
    Expired,
    /// It was asked for before it had begun, or again although it could not be found.
    Overtaken,
    /// There was no room for it.
    Crowded,
    /// Its session ended.
    Closed,
}

/// An entry that left the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Which.
    pub id: EntryId,
    /// Why.
    pub why: Why,
    /// Nobody had asked for it.
    pub guessed: bool,
    /// Its run was over: else it is to be cancelled.
    pub done: bool,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Progress {
    /// A guess whose code has not started.
    #[default]
    Queued,
    Running,
    Done,
}

#[derive(Debug, Default)]
pub(super) struct Entry {
    /// A session, or a tenant and a principal.
    pub(super) whose: u64,
    pub(super) tool: u32,
    pub(super) form: Box<[u8]>,
    pub(super) keep: Keep,
    pub(super) marks: Marks,
    pub(super) expires: Option<Nanos>,
    pub(super) progress: Progress,
    /// Nobody has asked for it yet.
    pub(super) guessed: bool,
    /// Who waits for its run.
    pub(super) joined: u32,
    /// Of its value, once it is held.
    pub(super) bytes: u64,
    /// Its place among those of its session.
    pub(super) at: u32,
}
