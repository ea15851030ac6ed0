//! Reading logs: what a watcher wants is drawn under a borrow, and made into events out of it.
//!
//! An event object is made for whoever reads its record. It is kept in the place of the payload once
//! somebody has asked for its JSON: those who read it later get that very object.

use penstock_core::clock::Nanos;
use penstock_core::ring::{CallState, Fact, Kind, Look, Record, RingConfig, Snapshot, Told};
use penstock_core::sched::Status;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyBytesMethods, PyDict, PyList, PyString, PyTuple};

use super::batch::{Batch, Entry};
use super::engine::Host;
use super::finish::{still_waiting, take_crowd};
use super::log::{Counts, LIFE, NO_BATCH, Tower};
use crate::calls::{About, Data, Event, Outcome, Type, status_name};
use crate::ring::{Kept, Log};
use crate::{convert, error};

/// What belongs to a record, cloned to be shown.
pub(crate) enum Found {
    Event(Py<Event>),
    Payload(Kept),
    Outcome(Py<Outcome>),
    Counts(Counts),
    Nothing,
}

/// Where a record is from.
pub(crate) struct Whence<'a, 'py> {
    pub(crate) calls: &'a Bound<'py, PyTuple>,
    pub(crate) batch: u64,
    pub(crate) began: Nanos,
}

impl<'py> Whence<'_, 'py> {
    pub(crate) fn event(
        &self,
        py: Python<'py>,
        seq: u64,
        fact: &Fact,
        found: &Found,
    ) -> PyResult<Event> {
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
            batch: (self.batch != NO_BATCH).then_some(self.batch),
            data: Data::Nothing,
            status: None,
            outcome: None,
            account: None,
            is_bare: false,
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
        is_kind
            && call.is_none_or(|calls| calls.get(record.call as usize).is_some_and(|it| *it != 0))
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

fn draw(
    py: Python<'_>,
    log: &mut Log,
    wanted: &Wanted<'_>,
    outcome: &dyn Fn(u32) -> Found,
) -> Drawn {
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
                let outcomes = own
                    .outcomes
                    .as_ref()
                    .map(|outcomes| outcomes.bind(py).clone());
                let outcome = |index: u32| {
                    let item = outcomes
                        .as_ref()
                        .and_then(|it| it.get_item(index as usize).ok());
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
                Err(error::raise(
                    py,
                    "StreamExpired",
                    ("its batch ended too long ago",),
                ))
            }
            None => Err(error::raise(
                py,
                "StreamExpired",
                ("nobody was to watch this batch",),
            )),
        }
    }
}

/// `(look, position, events)` for Python.
fn shown(
    py: Python<'_>,
    drawn: Drawn,
    values: bool,
    account: impl Fn() -> Option<std::sync::Arc<crate::calls::Account>>,
) -> PyResult<Bound<'_, PyTuple>> {
    let look = match drawn.look {
        Look::Records { .. } => pyo3::intern!(py, "records"),
        Look::Gap { .. } => pyo3::intern!(py, "gap"),
        Look::Nothing => pyo3::intern!(py, "nothing"),
        Look::End => pyo3::intern!(py, "end"),
    };
    let mut events = Vec::with_capacity(drawn.records.len());
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
                    event.make(py)?
                }
            };
            events.push(if values {
                event
            } else {
                Event::without_values(&event)?.into_bound(py)
            });
        }
    }
    (look, drawn.position, PyList::new(py, events)?).into_pyobject(py)
}

#[pymethods]
impl Batch {
    /// Whether this is the thread that may read the log.
    fn is_here(&self, py: Python<'_>) -> bool {
        self.cell.is_here(py)
    }

    /// The event loop of that thread.
    #[getter]
    fn event_loop(&self, py: Python<'_>) -> Py<PyAny> {
        self.host.get().asyncio.event_loop.clone_ref(py)
    }

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
    #[pyo3(signature = (after, limit, kinds = 4_294_967_295, calls = None, values = true))]
    fn read<'py>(
        &self,
        py: Python<'py>,
        after: u64,
        limit: u64,
        kinds: u32,
        calls: Option<Bound<'py, PyBytes>>,
        values: bool,
    ) -> PyResult<Bound<'py, PyTuple>> {
        self.check_alive(py)?;
        let wanted = Wanted {
            after,
            limit,
            kinds,
            calls: calls.as_ref().map(PyBytesMethods::as_bytes),
        };
        let drawn = self.with_log(py, |log, outcome| {
            let litter = log.keep_encoded();
            (draw(py, log, &wanted, outcome), litter)
        })?;
        let (drawn, litter) = drawn.ok_or_else(|| error::internal(py, "a log that went away"))?;
        drop(litter);
        let account = || {
            self.with_log(py, |log, _| log.account.clone())
                .ok()
                .flatten()
        };
        shown(py, drawn, values, account)
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
                let branches: Vec<_> = table
                    .branches()
                    .iter()
                    .map(|(number, kept)| (*number, *kept))
                    .collect();
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
    /// Whether this is the thread of the engine.
    fn is_here(&self, py: Python<'_>) -> bool {
        self.state.is_here(py)
    }

    /// The event loop of that thread.
    #[getter]
    fn event_loop(&self, py: Python<'_>) -> Py<PyAny> {
        self.asyncio.event_loop.clone_ref(py)
    }

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
                has_ended: false,
                pending: Vec::new(),
            })
        });
        tower.open += 1;
        state.watch_door();
        Ok(EngineLog {
            host: slf.clone().unbind(),
        })
    }
}

impl EngineLog {
    fn has_ended(&self, py: Python<'_>) -> PyResult<bool> {
        let state = self.host.get().state.borrow(py)?;
        Ok(state.logs.tower.as_ref().is_some_and(|it| it.has_ended))
    }

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
        self.with_log(py, |log| log.ring.position(after))?
            .map_err(|refused| {
                error::raise(py, "StreamPosition", (after.unwrap_or(0), refused.newest))
            })
    }

    /// As that of a batch; there are never values.
    #[pyo3(signature = (after, limit, kinds = 4_294_967_295, calls = None, values = false))]
    fn read<'py>(
        &self,
        py: Python<'py>,
        after: u64,
        limit: u64,
        kinds: u32,
        calls: Option<Bound<'py, PyBytes>>,
        values: bool,
    ) -> PyResult<Bound<'py, PyTuple>> {
        drop(calls); // a log of many batches cannot tell calls by their places
        let wanted = Wanted {
            after,
            limit,
            kinds,
            calls: None,
        };
        let mut drawn = self.with_log(py, |log| draw(py, log, &wanted, &|_| Found::Nothing))?;
        if matches!(drawn.look, Look::Nothing) && self.has_ended(py)? {
            drawn.look = Look::End;
        }
        shown(py, drawn, values, || None)
    }

    /// As that of a batch.
    fn grown<'py>(&self, py: Python<'py>, after: u64) -> PyResult<Bound<'py, PyAny>> {
        let future = self.host.get().asyncio.create_future(py)?;
        let has_ended = self.has_ended(py)?;
        let ready = self.with_log(py, |log| {
            let ready = log.ring.newest() > after || has_ended;
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
            let litter = if tower.open == 0 {
                tower.log.ring.interrupt();
                tower.log.count();
                (
                    tower.log.ring.take_forgotten(),
                    std::mem::take(&mut tower.pending),
                )
            } else {
                (Vec::new(), Vec::new())
            };
            state.watch_door();
            litter
        };
        drop(litter);
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.host)
    }
}
