//! Events: written into the logs of batches and of the engine. `watch.rs` reads them.
//!
//! Ground rules. Writing happens under the borrow of the host's state, and makes no Python object:
//! an unwatched batch pays for its records and nothing else. The log of a batch is in its record
//! while it runs, then in its handle. The engine's own log is written while
//! somebody watches the engine: facts wait in `pending` until the end of the turn, when events are
//! made of them. Watchers are futures; the pump sets them once a turn.

use std::collections::VecDeque;

use penstock_core::clock::Nanos;
use penstock_core::ring::{Fact, Kind, RingConfig};
use penstock_core::sched::{BatchId, CallRef};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyWeakrefMethods, PyWeakrefReference};

use super::batch::{Batch, Record};
use super::engine::{Host, State};
use super::finish::set_done;
use super::watch::{Found, Whence};
use crate::ring::{EVENT_BYTES, Kept, Log, Total};

/// How long the log of an ended batch can be read.
pub(crate) const LIFE: Nanos = Nanos::from_secs(60);
/// Ended batches whose logs can be read.
const ENDED_LOGS: usize = 1_000;
/// What all logs of an engine may hold together; then those of ended batches go first.
const ALL_LOGS_BYTES: usize = 256 << 20;

/// In the place of a batch's number: the event is about none.
pub(crate) const NO_BATCH: u64 = 0;

/// The logs of one engine.
#[derive(Default)]
pub(crate) struct Logs {
    pub(crate) config: RingConfig,
    pub(crate) total: Total,
    /// Weak references to ended batches, and when each has ended.
    ended: VecDeque<(Nanos, Py<PyWeakrefReference>)>,
    /// The engine's own log, once somebody has watched the engine.
    pub(crate) tower: Option<Box<Tower>>,
}

/// The engine's own log.
pub(crate) struct Tower {
    pub(crate) log: Log,
    /// Watchers; nothing is written while there are none.
    pub(crate) open: usize,
    /// Whether the engine has ended: nothing follows.
    pub(crate) has_ended: bool,
    pub(crate) pending: Vec<Pending>,
}

/// A fact for the engine's log, with what is needed to make an event of it.
pub(crate) struct Pending {
    fact: Fact,
    calls: Py<PyTuple>,
    batch: u64,
    began: Nanos,
    payload: Option<Kept>,
    counts: Option<Counts>,
}

/// Outcomes by status.
pub(crate) type Counts = [u32; 6];

impl Logs {
    #[inline]
    pub(crate) fn is_towered(&self) -> bool {
        self.tower.is_some()
    }

    /// Whether all logs together are over their bound.
    pub(crate) fn is_full(&self) -> bool {
        self.total.bytes() > ALL_LOGS_BYTES
    }

    pub(crate) fn has_pending(&self) -> bool {
        self.tower
            .as_ref()
            .is_some_and(|tower| !tower.pending.is_empty())
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(tower) = &self.tower else {
            return Ok(());
        };
        tower.log.traverse(visit)
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.tower.as_ref().is_some_and(|tower| tower.open > 0)
    }

    fn remember(&mut self, py: Python<'_>, pending: impl FnOnce(Python<'_>) -> Pending) {
        if let Some(tower) = self.tower.as_deref_mut()
            && tower.open > 0
        {
            tower.pending.push(pending(py));
        }
    }
}

impl State {
    /// Writes a fact about a batch, or a call of it, wherever somebody may read it.
    pub(crate) fn note(
        &mut self,
        py: Python<'_>,
        batch: BatchId,
        fact: Fact,
        payload: Option<(Kept, u32)>,
    ) {
        if self.logs.is_towered() {
            let payload = payload.as_ref().map(|(kept, _)| kept.clone_ref(py));
            self.note_tower(py, batch, fact, payload);
        }
        let record = self.record_mut(batch);
        if let Some(log) = record.and_then(|record| record.log.as_deref_mut())
            && log.write(fact, payload)
        {
            self.grown.push(batch);
        }
    }

    /// Takes a batch up, with a log if somebody may watch it.
    pub(crate) fn put_logged(&mut self, py: Python<'_>, mut record: Record, watched: bool) {
        let (id, now) = (record.id, record.submitted);
        let count = u32::try_from(record.entries.len()).unwrap_or(u32::MAX);
        if watched {
            let (config, total) = (self.logs.config, self.logs.total.clone());
            let calls = record.calls.clone_ref(py);
            let log = Log::begin(config, calls, count, id.to_bits(), now, total);
            record.log = Some(Box::new(log));
        }
        self.put_record(record);
        if self.logs.is_towered() {
            self.note_tower(py, id, Fact::new(Kind::BatchStarted, count, now), None);
        }
    }

    /// Writes that a call starts, or a further attempt of one: the first starts with its call.
    pub(crate) fn note_start(&mut self, py: Python<'_>, call: CallRef, now: Nanos) {
        let record = self.record(call.batch);
        let of = record.and_then(|record| record.attempt.as_deref());
        let (call, number) = of.map_or((call, 1), |of| (of.call, of.number));
        if of.is_none() || number > 1 {
            let attempt = u16::try_from(number).unwrap_or(u16::MAX);
            let fact = Fact {
                attempt,
                ..Fact::new(Kind::CallStarted, call.index, now)
            };
            self.note(py, call.batch, fact, None);
        }
    }

    #[cold]
    pub(crate) fn note_tower(
        &mut self,
        py: Python<'_>,
        batch: BatchId,
        fact: Fact,
        payload: Option<Kept>,
    ) {
        let counts = None;
        let mut record = self.record(batch);
        if fact.kind == Kind::BudgetWarning {
            record = record.filter(|record| !record.is_lone); // Then it is about no batch.
        } else if record.is_none_or(|it| {
            // What is inside of a call, and batches that nobody made.
            it.attempt.is_some() || (it.is_lone && !fact.kind.is_of_call())
        }) {
            return;
        }
        let known = record.map(|it| (it.calls.clone_ref(py), it.submitted, batch.to_bits()));
        let nowhere = || (PyTuple::empty(py).unbind(), fact.time, NO_BATCH);
        let (calls, began, batch) = known.unwrap_or_else(nowhere);
        self.logs.remember(py, |_| Pending {
            fact,
            calls,
            batch,
            began,
            payload,
            counts,
        });
    }

    /// The code of a call ended after its outcome was delivered.
    pub(crate) fn note_released(&mut self, py: Python<'_>, call: CallRef, now: Nanos) {
        let known = self
            .record(call.batch)
            .map(|it| (it.calls.clone_ref(py), it.submitted));
        let (calls, began) = known.unwrap_or_else(|| (PyTuple::empty(py).unbind(), now));
        self.logs.remember(py, |_| Pending {
            fact: Fact::new(Kind::CallReleased, call.index, now),
            calls,
            batch: call.batch.to_bits(),
            began,
            payload: None,
            counts: None,
        });
    }

    /// A batch has ended; its record is about to go.
    pub(crate) fn note_end(&mut self, py: Python<'_>, record: &Record, counts: Counts, now: Nanos) {
        if record.is_lone {
            return;
        }
        let (calls, began) = (&record.calls, record.submitted);
        self.logs.remember(py, |py| Pending {
            fact: Fact::new(Kind::BatchEnded, 0, now),
            calls: calls.clone_ref(py),
            batch: record.id.to_bits(),
            began,
            payload: None,
            counts: Some(counts),
        });
    }
}

impl Host {
    /// Makes events of what was noted for the engine's log, and wakes its watchers.
    /// Tells those who watch the engine that nothing follows.
    pub(crate) fn end_tower(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::deliver_tower(slf)?;
        let watchers = {
            let mut state = slf.get().state.borrow(slf.py())?;
            let Some(tower) = &mut state.logs.tower else {
                return Ok(());
            };
            tower.has_ended = true;
            std::mem::take(&mut tower.log.watchers)
        };
        set_done(slf.py(), watchers)
    }

    pub(crate) fn deliver_tower(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let (pending, first) = {
            let mut state = this.state.borrow(py)?;
            let Some(tower) = &mut state.logs.tower else {
                return Ok(());
            };
            let first = tower.log.ring.newest() + 1;
            (std::mem::take(&mut tower.pending), first)
        };
        let mut made = Vec::with_capacity(pending.len());
        for (seq, pending) in (first..).zip(pending) {
            let found = match (pending.payload, pending.counts) {
                (Some(payload), _) => Found::Payload(payload),
                (None, Some(counts)) => Found::Counts(counts),
                (None, None) => Found::Nothing,
            };
            let of = Whence {
                calls: pending.calls.bind(py),
                batch: pending.batch,
                began: pending.began,
            };
            let event = of.event(py, seq, &pending.fact, &found)?.make(py)?;
            made.push((pending.fact, event.unbind()));
        }
        let (watchers, litter) = {
            let mut state = this.state.borrow(py)?;
            let Some(tower) = &mut state.logs.tower else {
                return Ok(());
            };
            for (fact, event) in made {
                tower
                    .log
                    .write(fact, Some((Kept::Event(event), EVENT_BYTES)));
            }
            tower.log.take_news()
        };
        drop(litter);
        set_done(py, watchers)
    }

    /// Wakes those who watch a batch that runs.
    pub(crate) fn deliver_grown(slf: &Bound<'_, Self>, batch: BatchId) -> PyResult<()> {
        let py = slf.py();
        let (watchers, litter) = {
            let mut state = slf.get().state.borrow(py)?;
            match state
                .record_mut(batch)
                .and_then(|record| record.log.as_deref_mut())
            {
                Some(log) => log.take_news(),
                None => return Ok(()),
            }
        };
        drop(litter);
        set_done(py, watchers)
    }

    /// Notes that the log of a batch lives for a while only, and lets older ones go.
    pub(crate) fn retire_log(slf: &Bound<'_, Self>, batch: &Bound<'_, Batch>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let now = this.now(py);
        let weak = PyWeakrefReference::new(batch)?.unbind();
        this.state.borrow(py)?.logs.ended.push_back((now, weak));
        loop {
            let oldest = {
                let logs = &mut this.state.borrow(py)?.logs;
                let crowded = logs.ended.len() > ENDED_LOGS || logs.total.bytes() > ALL_LOGS_BYTES;
                let is_old = |(at, _): &(Nanos, _)| now.saturating_sub(*at) > LIFE;
                if crowded || logs.ended.front().is_some_and(is_old) {
                    logs.ended.pop_front()
                } else {
                    None
                }
            };
            let Some((_, weak)) = oldest else {
                return Ok(());
            };
            if let Some(batch) = weak.bind(py).upgrade_as::<Batch>()? {
                let litter = match &mut batch.get().cell.borrow(py)?.log {
                    Some(log) => log.expire(),
                    None => Vec::new(),
                };
                drop(litter);
            }
        }
    }

    /// Lets logs of ended batches go, and then the older half of this one, if all together are too big.
    pub(crate) fn bound_logs(slf: &Bound<'_, Self>, batch: BatchId) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        loop {
            let oldest = {
                let mut state = this.state.borrow(py)?;
                if !state.logs.is_full() {
                    return Ok(());
                }
                state.logs.ended.pop_front()
            };
            let Some((_, weak)) = oldest else { break };
            if let Some(batch) = weak.bind(py).upgrade_as::<Batch>()? {
                let litter = match &mut batch.get().cell.borrow(py)?.log {
                    Some(log) => log.expire(),
                    None => Vec::new(),
                };
                drop(litter);
            }
        }
        let litter = {
            let mut state = this.state.borrow(py)?;
            match state
                .record_mut(batch)
                .and_then(|record| record.log.as_deref_mut())
            {
                Some(log) => {
                    log.ring.shrink(log.ring.bytes() / 2);
                    log.count();
                    log.ring.take_forgotten()
                }
                None => Vec::new(),
            }
        };
        drop(litter);
        Ok(())
    }
}
