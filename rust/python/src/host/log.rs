//! Events: written into the logs of batches and of the engine, read by those who watch.
//!
//! Ground rules. Writing happens under the borrow of the host's state, and makes no Python object:
//! an unwatched batch pays for its records and nothing else. The log of a batch is in its record
//! while it runs, then in its handle. An event object is made by the first who reads the record, out
//! of any borrow, and kept in the place of the payload. The engine's own log is written while
//! somebody watches the engine: facts wait in `pending` until the end of the turn, when events are
//! made of them. Watchers are futures; the pump sets them once a turn.

use std::collections::VecDeque;

use penstock_core::clock::Nanos;
use penstock_core::ring::{CallState, Fact, Kind, Look, Record, RingConfig, Snapshot, Told};
use penstock_core::sched::{BatchId, CallRef, Status};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{
    PyBytes, PyDict, PyList, PyString, PyTuple, PyWeakrefMethods, PyWeakrefReference,
};

use super::batch::{Batch, Entry};
use super::engine::{Host, State};
use super::finish::{set_done, still_waiting, take_crowd};
use crate::calls::{About, Data, Event, Outcome, Type, status_name};
use crate::ring::{EVENT_BYTES, Kept, Log, Total};
use crate::{convert, error};

/// How long the log of an ended batch can be read.
const LIFE: Nanos = Nanos::from_secs(60);
/// Ended batches whose logs can be read.
const ENDED_LOGS: usize = 1_000;
/// What all logs of an engine may hold together; then those of ended batches go first.
const ALL_LOGS_BYTES: usize = 256 << 20;

/// The logs of one engine.
#[derive(Default)]
pub(crate) struct Logs {
    pub(crate) config: RingConfig,
    pub(crate) total: Total,
    /// Weak references to ended batches, and when each has ended.
    ended: VecDeque<(Nanos, Py<PyWeakrefReference>)>,
    /// The engine's own log, once somebody has watched the engine.
    tower: Option<Box<Tower>>,
}

/// The engine's own log.
struct Tower {
    log: Log,
    /// Watchers; nothing is written while there are none.
    open: usize,
    pending: Vec<Pending>,
}

/// A fact for the engine's log, with what is needed to make an event of it.
struct Pending {
    fact: Fact,
    calls: Py<PyTuple>,
    batch: u64,
    began: Nanos,
    payload: Option<Kept>,
    counts: Option<Counts>,
}

/// Outcomes by status.
pub(crate) type Counts = [u32; 6];

/// What belongs to a record, cloned to be shown.
enum Found {
    Event(Py<Event>),
    Payload(Kept),
    Outcome(Py<Outcome>),
    Counts(Counts),
    Nothing,
}

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
        self.tower.as_ref().is_some_and(|tower| !tower.pending.is_empty())
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(tower) = &self.tower else { return Ok(()) };
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

    #[cold]
    pub(crate) fn note_tower(
        &mut self,
        py: Python<'_>,
        batch: BatchId,
        fact: Fact,
        payload: Option<Kept>,
    ) {
        let counts = None;
        let Some(record) = self.record(batch) else {
            return;
        };
        if record.attempt.is_some() || (record.is_lone && !fact.kind.is_of_call()) {
            return; // What is inside of a call, and batches that nobody made.
        }
        let (calls, began) = (record.calls.clone_ref(py), record.submitted);
        let batch = batch.to_bits();
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
        let known = self.record(call.batch).map(|it| (it.calls.clone_ref(py), it.submitted));
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
    pub(crate) fn note_end(
        &mut self,
        py: Python<'_>,
        record: &super::batch::Record,
        counts: Counts,
        now: Nanos,
    ) {
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
                tower.log.write(fact, Some((Kept::Event(event), EVENT_BYTES)));
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
            match state.record_mut(batch).and_then(|record| record.log.as_deref_mut()) {
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
            let Some((_, weak)) = oldest else { return Ok(()) };
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
            match state.record_mut(batch).and_then(|record| record.log.as_deref_mut()) {
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

/// Where a record is from.
struct Whence<'a, 'py> {
    calls: &'a Bound<'py, PyTuple>,
    batch: u64,
    began: Nanos,
}

impl<'py> Whence<'_, 'py> {
    fn event(&self, py: Python<'py>, seq: u64, fact: &Fact, found: &Found) -> PyResult<Event> {
        let mut event = Event {
            seq,
            what: Type::Recorded(fact.kind),
            time: convert::seconds(fact.time),
            about: if fact.kind.is_of_call() {
                About::Call(self.calls.clone().unbind(), fact.call)
            } else {
                About::Batch
            },
            named_branch: None,
            batch: Some(self.batch),
            data: Data::Nothing,
            status: None,
            outcome: None,
            account: None,
            encoded: pyo3::sync::PyOnceLock::new(),
            bare: pyo3::sync::PyOnceLock::new(),
        };
        match found {
            Found::Payload(Kept::Branch(name)) => event.named_branch = Some(name.clone_ref(py)),
            Found::Payload(payload) => {
                let data = payload.data(py)?;
                event.data = data.map_or(Data::Nothing, |data| Data::Given(data.unbind()));
            }
            Found::Outcome(outcome) => event.outcome = Some(outcome.clone_ref(py)),
            Found::Counts(counts) => {
                event.data = Data::Given(counted(py, counts)?.unbind().into_any());
            }
            Found::Event(_) | Found::Nothing => {}
        }
        match fact.kind {
            Kind::CallStarted => {
                let waited = fact.time.saturating_sub(self.began);
                let waited = convert::seconds(waited) * 1e3;
                event.data = Data::Started(fact.attempt.max(1), waited);
            }
            Kind::CallEnded => event.status = Status::ALL.get(fact.detail as usize).copied(),
            Kind::BatchStarted => {
                let data = PyDict::new(py);
                data.set_item(pyo3::intern!(py, "calls"), fact.call)?;
                event.data = Data::Given(data.unbind().into_any());
            }
            _ => {}
        }
        Ok(event)
    }
}

fn counted<'py>(py: Python<'py>, counts: &Counts) -> PyResult<Bound<'py, PyDict>> {
    let by_status = PyDict::new(py);
    for (status, count) in Status::ALL.into_iter().zip(counts) {
        if *count > 0 {
            by_status.set_item(status_name(py, status), count)?;
        }
    }
    let data = PyDict::new(py);
    data.set_item(pyo3::intern!(py, "counts"), by_status)?;
    Ok(data)
}

/// What a watcher wants of a log.
struct Wanted<'a> {
    after: u64,
    limit: u64,
    /// A bit a kind.
    kinds: u32,
    /// A byte a call: whether it is wanted; None for all.
    calls: Option<&'a [u8]>,
}

impl Wanted<'_> {
    fn takes(&self, record: &Record) -> bool {
        let is_kind = self.kinds & (1 << record.kind as u32) != 0;
        let call = self.calls.filter(|_| record.kind.is_of_call());
        is_kind && call.is_none_or(|calls| calls.get(record.call as usize).is_some_and(|it| *it != 0))
    }
}

/// Records that were drawn from a log under a borrow, to be made events of without one.
struct Drawn {
    look: Look,
    position: u64,
    records: Vec<(u64, Fact, Found)>,
    calls: Option<Py<PyTuple>>,
    batch: u64,
    began: Nanos,
}

const fn fact_of(record: &Record) -> Fact {
    Fact {
        kind: record.kind,
        time: record.time,
        call: record.call,
        attempt: record.attempt,
        detail: record.detail,
    }
}

fn draw(py: Python<'_>, log: &mut Log, wanted: &Wanted<'_>, outcome: &dyn Fn(u32) -> Found) -> Drawn {
    let look = log.ring.look(wanted.after, wanted.limit);
    let mut drawn = Drawn {
        look,
        position: wanted.after,
        records: Vec::new(),
        calls: None,
        batch: log.batch,
        began: log.began,
    };
    let Look::Records { first, last } = look else {
        return drawn;
    };
    drawn.position = last;
    for seq in first..=last {
        let Some((record, payload)) = log.ring.get(seq) else {
            continue;
        };
        if !wanted.takes(record) {
            continue;
        }
        let found = match payload {
            Some(Kept::Event(event)) => Found::Event(event.clone_ref(py)),
            Some(payload) => Found::Payload(payload.clone_ref(py)),
            None if record.kind == Kind::CallEnded => outcome(record.call),
            None if record.kind == Kind::BatchEnded => Found::Counts(log.counts),
            None => Found::Nothing,
        };
        drawn.records.push((seq, fact_of(record), found));
    }
    drawn.calls = Some(log.calls.clone_ref(py));
    drawn
}

impl Batch {
    /// Does something with the log, wherever it is; None if the batch has none.
    fn with_log<T>(
        &self,
        py: Python<'_>,
        act: impl FnOnce(&mut Log, &dyn Fn(u32) -> Found) -> T,
    ) -> PyResult<Option<T>> {
        let outcomes = {
            let mut own = self.cell.borrow(py)?;
            let own = &mut *own;
            if let Some(log) = &mut own.log {
                let outcomes = own.outcomes.as_ref().map(|outcomes| outcomes.bind(py).clone());
                let outcome = |index: u32| {
                    let item = outcomes.as_ref().and_then(|it| it.get_item(index as usize).ok());
                    let outcome = item.and_then(|item| item.cast_into_exact::<Outcome>().ok());
                    outcome.map_or(Found::Nothing, |outcome| Found::Outcome(outcome.unbind()))
                };
                return Ok(Some(act(log, &outcome)));
            }
            own.outcomes.is_some()
        };
        if outcomes {
            return Ok(None);
        }
        let mut state = self.host.get().state.borrow(py)?;
        let Some(record) = state.record_mut(self.id) else {
            return Ok(None);
        };
        let entries = &record.entries;
        let outcome = |index: u32| match entries.get(index as usize) {
            Some(Entry::Ended(outcome)) => Found::Outcome(outcome.clone_ref(py)),
            _ => Found::Nothing,
        };
        Ok(record.log.as_deref_mut().map(|log| act(log, &outcome)))
    }

    /// Lets the log go if its time is over, and says so.
    fn check_alive(&self, py: Python<'_>) -> PyResult<()> {
        let now = self.host.get().now(py);
        let expired = self.with_log(py, |log, _| {
            let ended = log.ring.ended();
            let is_over = ended.is_some_and(|ended| now.saturating_sub(ended) > LIFE);
            if log.is_expired {
                return Some(Vec::new());
            }
            is_over.then(|| log.expire())
        })?;
        match expired {
            Some(None) => Ok(()),
            Some(Some(litter)) => {
                drop(litter);
                Err(error::raise(py, "StreamExpired", ("its batch ended too long ago",)))
            }
            None => Err(error::raise(py, "StreamExpired", ("nobody was to watch this batch",))),
        }
    }
}

/// `(look, position, events)` for Python; what was made is kept by `attach`.
fn shown<'py>(
    py: Python<'py>,
    drawn: Drawn,
    values: bool,
    attach: Option<impl FnOnce(Vec<(u64, Py<Event>)>) -> PyResult<()>>,
    account: impl Fn() -> Option<std::sync::Arc<crate::calls::Account>>,
) -> PyResult<Bound<'py, PyTuple>> {
    let look = match drawn.look {
        Look::Records { .. } => pyo3::intern!(py, "records"),
        Look::Gap { .. } => pyo3::intern!(py, "gap"),
        Look::Nothing => pyo3::intern!(py, "nothing"),
        Look::End => pyo3::intern!(py, "end"),
    };
    let mut events = Vec::with_capacity(drawn.records.len());
    let mut made = Vec::new();
    if let Some(calls) = &drawn.calls {
        let of = Whence {
            calls: calls.bind(py),
            batch: drawn.batch,
            began: drawn.began,
        };
        let account = account();
        for (seq, fact, found) in &drawn.records {
            let event = match found {
                Found::Event(event) => event.bind(py).clone(),
                found => {
                    let mut event = of.event(py, *seq, fact, found)?;
                    event.account.clone_from(&account);
                    let event = event.make(py)?;
                    if attach.is_some() {
                        made.push((*seq, event.clone().unbind()));
                    }
                    event
                }
            };
            events.push(if values {
                event
            } else {
                Event::without_values(&event)?.into_bound(py)
            });
        }
    }
    if let Some(attach) = attach {
        attach(made)?;
    }
    (look, drawn.position, PyList::new(py, events)?).into_pyobject(py)
}

#[pymethods]
impl Batch {
    /// The number of the newest event.
    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        let newest = self.with_log(py, |log, _| log.ring.newest())?;
        Ok(usize::try_from(newest.unwrap_or(0)).unwrap_or(usize::MAX))
    }

    /// Where somebody begins who knows the events up to `after`; None for from now.
    fn position(&self, py: Python<'_>, after: Option<u64>) -> PyResult<u64> {
        self.check_alive(py)?;
        let position = self.with_log(py, |log, _| log.ring.position(after))?;
        position.unwrap_or(Ok(0)).map_err(|refused| {
            error::raise(py, "StreamPosition", (after.unwrap_or(0), refused.newest))
        })
    }

    /// What follows event `after`: `("records", new position, events)`, or why there is none, `"gap"`,
    /// `"nothing"` or `"end"`. Events that a filter leaves out move the position too.
    #[pyo3(signature = (after, limit, kinds = u32::MAX, calls = None, values = true, keep = true))]
    #[expect(clippy::too_many_arguments, reason = "what a watcher wants, by name")]
    fn read<'py>(
        &self,
        py: Python<'py>,
        after: u64,
        limit: u64,
        kinds: u32,
        calls: Option<Bound<'py, PyBytes>>,
        values: bool,
        keep: bool,
    ) -> PyResult<Bound<'py, PyTuple>> {
        self.check_alive(py)?;
        let wanted = Wanted {
            after,
            limit,
            kinds,
            calls: calls.as_ref().map(|calls| calls.as_bytes()),
        };
        let drawn = self.with_log(py, |log, outcome| {
            let litter = log.keep_encoded();
            (draw(py, log, &wanted, outcome), litter)
        })?;
        let (drawn, litter) = drawn.ok_or_else(|| error::internal(py, "a log that went away"))?;
        drop(litter);
        let attach = |made: Vec<(u64, Py<Event>)>| {
            let litter = self.with_log(py, |log, _| {
                let mut litter = Vec::new();
                for (seq, event) in made {
                    litter.extend(log.ring.attach(seq, Kept::Event(event), EVENT_BYTES));
                }
                log.count();
                litter.extend(log.ring.take_forgotten());
                litter
            })?;
            drop(litter);
            Ok(())
        };
        let account = || self.with_log(py, |log, _| log.account.clone()).ok().flatten();
        shown(py, drawn, values, keep.then_some(attach), account)
    }

    /// A future that is done when the log has grown beyond `after`, at once if it has.
    fn grown<'py>(&self, py: Python<'py>, after: u64) -> PyResult<Bound<'py, PyAny>> {
        self.refuse_own_call(py)?;
        let future = self.host.get().asyncio.create_future(py)?;
        let waiting = self.with_log(py, |log, _| {
            if log.ring.newest() > after || log.ring.ended().is_some() {
                return None;
            }
            log.watchers.push(future.clone().unbind());
            Some(take_crowd(&mut log.watchers))
        })?;
        match waiting.flatten() {
            Some(crowd) if !crowd.is_empty() => {
                let waiting = still_waiting(py, crowd)?;
                self.with_log(py, |log, _| log.watchers.extend(waiting))?;
            }
            Some(_) => {}
            None => {
                future.call_method1(pyo3::intern!(py, "set_result"), (py.None(),))?;
            }
        }
        Ok(future)
    }

    /// Which snapshot somebody takes who missed events: `(number, whether it is to be made)`.
    fn snapshot(&self, py: Python<'_>) -> PyResult<(u64, bool)> {
        let snapshot = self.with_log(py, |log, _| log.ring.snapshot())?;
        Ok(match snapshot {
            Some(Snapshot::Kept(seq)) => (seq, false),
            Some(Snapshot::Make(seq)) => (seq, true),
            None => (0, true),
        })
    }

    /// What all events so far add up to: `(number of the newest, calls, branches, whether it has
    /// ended)`, a call as `(state, attempt, status, progress, output, outcome)`.
    fn fold<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let (newest, rows, told, branches, has_ended) = self
            .with_log(py, |log, outcome| {
                let table = log.ring.fold();
                let rows: Vec<_> = (0u32..)
                    .zip(table.rows())
                    .map(|(index, row)| match row.state {
                        CallState::Ended => (*row, outcome(index)),
                        _ => (*row, Found::Nothing),
                    })
                    .collect();
                let told: Vec<_> = table
                    .told()
                    .iter()
                    .map(|(call, told)| (*call, clone_told(py, told)))
                    .collect();
                let branches: Vec<_> =
                    table.branches().iter().map(|(number, kept)| (*number, *kept)).collect();
                (log.ring.newest(), rows, told, branches, table.has_ended())
            })?
            .ok_or_else(|| error::internal(py, "a log that went away"))?;
        let mut told = told.into_iter().peekable();
        let calls = PyList::empty(py);
        for (index, (row, found)) in (0u32..).zip(rows) {
            let (mut progress, output) = (py.None().into_bound(py), PyList::empty(py));
            if let Some((_, (last, parts))) = told.next_if(|(call, _)| *call == index) {
                if let Some(last) = last.map(|last| last.data(py)).transpose()?.flatten() {
                    progress = last;
                }
                for part in parts {
                    output.append(part.data(py)?)?;
                }
            }
            let status = Status::ALL
                .get(row.status as usize)
                .filter(|_| row.state == CallState::Ended)
                .map(|status| status_name(py, *status));
            let outcome = match found {
                Found::Outcome(outcome) => Some(outcome),
                _ => None,
            };
            let state = PyString::intern(py, row.state.as_str());
            calls.append((state, row.attempt, status, progress, output, outcome))?;
        }
        (newest, calls, branches, has_ended).into_pyobject(py)
    }
}

type Parts = (Option<Kept>, Vec<Kept>);

fn clone_told(py: Python<'_>, told: &Told<&Kept>) -> Parts {
    let progress = told.progress.map(|progress| progress.clone_ref(py));
    let output = told.output.iter().map(|(part, _)| part.clone_ref(py));
    (progress, output.collect())
}

/// The log of a whole engine, written while somebody holds one of these open.
#[pyclass(frozen, module = "penstock._native")]
pub(crate) struct EngineLog {
    host: Py<Host>,
}

#[pymethods]
impl Host {
    /// Begins to watch the engine. `EngineLog.close` ends that.
    fn watch(slf: &Bound<'_, Self>) -> PyResult<EngineLog> {
        let (py, this) = (slf.py(), slf.get());
        let nothing = PyTuple::empty(py).unbind();
        let now = this.now(py);
        let mut state = this.state.borrow(py)?;
        let logs = &mut state.logs;
        let config = RingConfig {
            folds: false,
            ..logs.config
        };
        let total = logs.total.clone();
        let tower = logs.tower.get_or_insert_with(|| {
            Box::new(Tower {
                log: Log::new(config, nothing, 0, now, total),
                open: 0,
                pending: Vec::new(),
            })
        });
        tower.open += 1;
        Ok(EngineLog {
            host: slf.clone().unbind(),
        })
    }
}

impl EngineLog {
    fn with_log<T>(&self, py: Python<'_>, act: impl FnOnce(&mut Log) -> T) -> PyResult<T> {
        let mut state = self.host.get().state.borrow(py)?;
        match &mut state.logs.tower {
            Some(tower) => Ok(act(&mut tower.log)),
            None => Err(error::internal(py, "a log that was never opened")),
        }
    }
}

#[pymethods]
impl EngineLog {
    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        let newest = self.with_log(py, |log| log.ring.newest())?;
        Ok(usize::try_from(newest).unwrap_or(usize::MAX))
    }

    /// As that of a batch.
    fn position(&self, py: Python<'_>, after: Option<u64>) -> PyResult<u64> {
        self.with_log(py, |log| log.ring.position(after))?.map_err(|refused| {
            error::raise(py, "StreamPosition", (after.unwrap_or(0), refused.newest))
        })
    }

    /// As that of a batch; there are never values.
    #[pyo3(signature = (after, limit, kinds = u32::MAX, calls = None, values = false, keep = true))]
    #[expect(clippy::too_many_arguments, reason = "as that of a batch")]
    fn read<'py>(
        &self,
        py: Python<'py>,
        after: u64,
        limit: u64,
        kinds: u32,
        calls: Option<Bound<'py, PyBytes>>,
        values: bool,
        keep: bool,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let _ = (calls, keep); // its events are made when they are written
        let wanted = Wanted {
            after,
            limit,
            kinds,
            calls: None,
        };
        let drawn = self.with_log(py, |log| draw(py, log, &wanted, &|_| Found::Nothing))?;
        let nothing: Option<fn(Vec<(u64, Py<Event>)>) -> PyResult<()>> = None;
        shown(py, drawn, values, nothing, || None)
    }

    /// As that of a batch.
    fn grown<'py>(&self, py: Python<'py>, after: u64) -> PyResult<Bound<'py, PyAny>> {
        let future = self.host.get().asyncio.create_future(py)?;
        let ready = self.with_log(py, |log| {
            let ready = log.ring.newest() > after;
            if !ready {
                log.watchers.push(future.clone().unbind());
            }
            ready
        })?;
        if ready {
            future.call_method1(pyo3::intern!(py, "set_result"), (py.None(),))?;
        }
        Ok(future)
    }

    /// The numbers of the log that can be read: the oldest and the newest.
    fn range(&self, py: Python<'_>) -> PyResult<(u64, u64)> {
        self.with_log(py, |log| (log.ring.oldest(), log.ring.newest()))
    }

    /// Ends one watch. Without watchers nothing is written, and those who come back find a gap.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let litter = {
            let mut state = self.host.get().state.borrow(py)?;
            let Some(tower) = &mut state.logs.tower else {
                return Ok(());
            };
            tower.open = tower.open.saturating_sub(1);
            if tower.open == 0 {
                tower.log.ring.interrupt();
                tower.log.count();
                (tower.log.ring.take_forgotten(), std::mem::take(&mut tower.pending))
            } else {
                (Vec::new(), Vec::new())
            }
        };
        drop(litter);
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.host)
    }
}
