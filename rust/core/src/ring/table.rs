//! What records add up to: where each call is, and the last that it told.

use std::collections::{BTreeMap, VecDeque};

use super::record::{Kind, Record};

/// Of a call's output, a snapshot keeps the last so many bytes, and the part that they begin in.
const OUTPUT_BYTES: usize = 64 << 10;

/// Where a call is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum CallState {
    /// It has not started.
    #[default]
    Waiting,
    /// It waits for a limit.
    Parked,
    /// Its code runs.
    Running,
    /// It is to be tried again.
    Retrying,
    /// It was asked to end.
    Cancelling,
    /// It has its outcome.
    Ended,
}

impl CallState {
    /// Its name, in the API and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Parked => "parked",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Cancelling => "cancelling",
            Self::Ended => "ended",
        }
    }
}

/// One call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The attempt that started last; 0 if none has.
    pub attempt: u16,
    /// Where it is.
    pub state: CallState,
    /// The number of its status, once it has ended.
    pub status: u8,
}

/// What a call has told, as far as that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told<P> {
    /// The last progress.
    pub progress: Option<P>,
    /// The last parts of the output, and the bytes of each.
    pub output: VecDeque<(P, u32)>,
    bytes: usize,
}

/// The calls of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table<P> {
    rows: Vec<Row>,
    told: BTreeMap<u32, Told<P>>,
    /// Numbers of branches, and whether each was kept.
    branches: BTreeMap<u32, bool>,
    has_ended: bool,
}

impl<P> Default for Table<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P> Table<P> {
    /// Nothing has happened yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            rows: Vec::new(),
            told: BTreeMap::new(),
            branches: BTreeMap::new(),
            has_ended: false,
        }
    }

    /// The calls in the order of the batch.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// What calls have told, by their places.
    #[must_use]
    pub const fn told(&self) -> &BTreeMap<u32, Told<P>> {
        &self.told
    }

    /// Branches that were kept (true) or given up, by their numbers.
    #[must_use]
    pub const fn branches(&self) -> &BTreeMap<u32, bool> {
        &self.branches
    }

    /// Whether every call has its outcome.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Takes one more record in; payloads that are of no use any more go to `passed`.
    pub fn apply(&mut self, record: &Record, payload: Option<P>, passed: &mut Vec<P>) {
        match record.kind {
            Kind::BatchStarted => self.grow(record.call as usize),
            Kind::BatchEnded => self.has_ended = true,
            Kind::BranchCommitted | Kind::BranchCancelled => {
                let is_kept = record.kind == Kind::BranchCommitted;
                self.branches.insert(record.call, is_kept);
            }
            Kind::CallProgress | Kind::CallOutput => {
                if let Some(payload) = payload {
                    self.tell(record, payload, passed);
                }
                return;
            }
            _ => self.step(record),
        }
        passed.extend(payload);
    }

    fn grow(&mut self, calls: usize) {
        if self.rows.len() < calls {
            self.rows.resize(calls, Row::default());
        }
    }

    fn step(&mut self, record: &Record) {
        let at = record.call as usize;
        if !record.kind.is_of_call() || record.kind == Kind::CallReleased {
            return;
        }
        self.grow(at + 1);
        let row = &mut self.rows[at];
        row.attempt = row.attempt.max(record.attempt);
        row.state = match record.kind {
            // A hedge, or an attempt that begins after the call was asked to end, changes nothing.
            Kind::CallParked if row.state != CallState::Cancelling => CallState::Parked,
            Kind::CallStarted if row.state != CallState::Cancelling => CallState::Running,
            Kind::CallRetrying => CallState::Retrying,
            Kind::CallCancelling => CallState::Cancelling,
            Kind::CallEnded => CallState::Ended,
            _ => row.state,
        };
        if record.kind == Kind::CallEnded {
            row.status = record.detail;
        }
    }

    fn tell(&mut self, record: &Record, payload: P, passed: &mut Vec<P>) {
        let told = self.told.entry(record.call).or_insert_with(|| Told {
            progress: None,
            output: VecDeque::new(),
            bytes: 0,
        });
        if record.kind == Kind::CallProgress {
            passed.extend(told.progress.replace(payload));
            return;
        }
        told.output.push_back((payload, record.bytes));
        told.bytes += record.bytes as usize;
        while let Some((_, first)) = told.output.front()
            && told.bytes - *first as usize >= OUTPUT_BYTES
        {
            told.bytes -= *first as usize;
            passed.extend(told.output.pop_front().map(|(payload, _)| payload));
        }
    }

    /// The same table, of borrowed payloads.
    pub(super) fn as_refs(&self) -> Table<&P> {
        let told = self.told.iter().map(|(call, told)| {
            let output = told.output.iter().map(|(part, bytes)| (part, *bytes));
            let borrowed = Told {
                progress: told.progress.as_ref(),
                output: output.collect(),
                bytes: told.bytes,
            };
            (*call, borrowed)
        });
        let told = told.collect();
        Table {
            rows: self.rows.clone(),
            told,
            branches: self.branches.clone(),
            has_ended: self.has_ended,
        }
    }

    pub(super) fn payloads(&self) -> impl Iterator<Item = &P> {
        self.told.values().flat_map(|told| {
            let output = told.output.iter().map(|(part, _)| part);
            told.progress.iter().chain(output)
        })
    }

    pub(super) fn into_payloads(self) -> impl Iterator<Item = P> {
        self.told.into_values().flat_map(|told| {
            let output = told.output.into_iter().map(|(part, _)| part);
            told.progress.into_iter().chain(output)
        })
    }
}
