//! What tools tell while they run: progress, and parts of their output.
//!
//! It is thinned at the source (`penstock_core::ring::Source`), so that no tool floods a log: what
//! waits there is written when it is due, or when the call ends. A batch that nobody can watch
//! forgets it at once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use penstock_core::clock::Nanos;
use penstock_core::ring::{Fact, Flush, Kind, Passed, Source};
use penstock_core::sched::{BatchId, CallRef, Reason, Target};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use super::context::{Running, running};
use super::engine::{Host, State};
use super::unheard::Waiting;
use crate::ring::Kept;

/// Batch and place of a call.
pub(crate) type Place = (u64, u32);
pub(crate) type Telling = Source<Place, (Kept, u32)>;

/// Bytes that the progress of a call may take.
const MOST_PROGRESS_BYTES: usize = 64 << 10;
/// What a payload takes besides its text.
pub(crate) const OVERHEAD: u32 = 64;

/// Something that a call tells.
pub(crate) enum Told {
    Progress(Kept, u32),
    Output(Kept, u32),
}

impl Told {
    pub(crate) fn progress(
        py: Python<'_>,
        done: Option<Bound<'_, PyAny>>,
        total: Option<Bound<'_, PyAny>>,
        message: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let data = PyDict::new(py);
        let mut bytes = 0;
        for (name, value) in [("done", done), ("total", total), ("message", message)] {
            if let Some(value) = value {
                bytes += size_of_item(&value)?;
                data.set_item(name, value)?;
            }
        }
        if bytes > MOST_PROGRESS_BYTES {
            let text = format!("progress of {bytes} bytes: at most {MOST_PROGRESS_BYTES} are told");
            return Err(PyValueError::new_err(text));
        }
        let bytes = u32::try_from(bytes)
            .unwrap_or(u32::MAX)
            .saturating_add(OVERHEAD);
        Ok(Self::Progress(Kept::Data(data.into_any().unbind()), bytes))
    }

    pub(crate) fn output(part: &Bound<'_, PyAny>) -> PyResult<Self> {
        let kept = if let Ok(text) = part.cast::<PyString>() {
            // A lone surrogate is no text that could be sent anywhere.
            Kept::Text(text.to_string_lossy().into_owned())
        } else if let Ok(bytes) = part.cast::<PyBytes>() {
            Kept::Bytes(bytes.as_bytes().to_vec())
        } else {
            let bytes = u32::try_from(size_of_item(part)?).unwrap_or(u32::MAX);
            return Ok(Self::Output(
                Kept::Items(vec![part.clone().unbind()]),
                bytes,
            ));
        };
        let bytes = match &kept {
            Kept::Text(text) => text.len(),
            Kept::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
        Ok(Self::Output(kept, u32::try_from(bytes).unwrap_or(u32::MAX)))
    }
}

impl Told {
    /// Calls `teller(what, told)`.
    fn give(self, teller: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = teller.py();
        let (progress, output) = (pyo3::intern!(py, "progress"), pyo3::intern!(py, "output"));
        match self {
            Self::Output(Kept::Text(text), _) => teller.call1((output, text))?,
            Self::Output(Kept::Bytes(bytes), _) => {
                teller.call1((output, PyBytes::new(py, &bytes)))?
            }
            Self::Output(kept, _) => match kept {
                Kept::Items(items) => teller.call1((output, items.first()))?,
                _ => return Ok(()),
            },
            Self::Progress(kept, _) => teller.call1((progress, kept.data(py)?))?,
        };
        Ok(())
    }
}

/// The bytes of a value, as JSON for what is neither a number nor text.
fn size_of_item(value: &Bound<'_, PyAny>) -> PyResult<usize> {
    let py = value.py();
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(text.to_string_lossy().len());
    }
    let is_number = value.is_instance_of::<pyo3::types::PyInt>()
        || value.is_instance_of::<pyo3::types::PyFloat>()
        || value.is_none();
    if is_number {
        return Ok(8);
    }
    py.import("penstock._codec")?
        .call_method1("encode", (value,))
        .and_then(|json| json.len())
}

impl State {
    /// Whether anybody could read what a call tells.
    fn listens(&self, call: CallRef) -> bool {
        let Some(record) = self.record(call.batch) else {
            return false;
        };
        let is_guess = record.attempt.as_ref().is_some_and(|of| of.guess.is_some());
        let is_read = record.log.is_some() || self.logs.is_watched() || is_guess;
        is_read && !record.has_ended(call.index)
    }

    fn write_flushed(
        &mut self,
        py: Python<'_>,
        place: Place,
        flush: Flush<(Kept, u32)>,
        now: Nanos,
    ) {
        let (batch, index) = (BatchId::from_bits(place.0), place.1);
        let (kind, parts) = match flush {
            Flush::Progress(told) => (Kind::CallProgress, vec![told]),
            Flush::Output(parts, _) => (Kind::CallOutput, join(parts)),
        };
        for part in parts {
            self.write_told(py, batch, Fact::new(kind, index, now), part);
        }
    }

    /// Writes what a call tells. What a guess tells waits for somebody who asks for it, and is about that
    /// one's call then.
    fn write_told(&mut self, py: Python<'_>, batch: BatchId, fact: Fact, told: (Kept, u32)) {
        let attempt = self.record(batch).and_then(|it| it.attempt.as_deref());
        let Some((of, guess)) = attempt.and_then(|of| Some((of.call, of.guess.as_ref()?))) else {
            return self.note(py, batch, fact, Some(told));
        };
        if !guess.is_asked {
            let too_much = guess.unheard.get().keep(py, fact, told);
            if let Some(told) = too_much {
                self.litter.push(told);
                self.stop_telling(batch, fact.time);
            }
        } else if self.listens(of) {
            let fact = Fact {
                call: of.index,
                ..fact
            };
            self.note(py, of.batch, fact, Some(told));
        } else {
            self.litter.push(told);
        }
    }

    /// A guess tells more than can wait for somebody to ask.
    #[cold]
    fn stop_telling(&mut self, batch: BatchId, now: Nanos) {
        if let Some(record) = self.record_mut(batch) {
            let why = "the guess tells more than is kept for it".to_owned();
            record.notes.push((None, why));
        }
        let Self { sched, actions, .. } = self;
        sched.cancel(Target::Batch(batch), Reason::Caller, now, actions);
    }

    /// Tells of a call what a guess has told that it takes over; gives it back if nobody could read it.
    pub(crate) fn retell(
        &mut self,
        py: Python<'_>,
        call: CallRef,
        told: Vec<Waiting>,
    ) -> Vec<Waiting> {
        if !self.listens(call) {
            return told;
        }
        for (fact, payload) in told {
            self.note(py, call.batch, fact, Some(payload));
        }
        Vec::new()
    }

    /// Writes what a call has told and not seen written, as it ends.
    pub(crate) fn flush_told(&mut self, py: Python<'_>, call: CallRef, now: Nanos) {
        let place = (call.batch.to_bits(), call.index);
        for flush in self.telling.end(place).into_iter().flatten() {
            self.write_flushed(py, place, flush, now);
        }
    }

    /// Writes what is due.
    pub(crate) fn flush_due(&mut self, py: Python<'_>, now: Nanos) {
        while let Some((place, flush)) = self.telling.pop_due(now) {
            self.write_flushed(py, place, flush, now);
        }
    }
}

/// Text to text, bytes to bytes, items to items: as few events as there are changes of kind.
fn join(parts: Vec<(Kept, u32)>) -> Vec<(Kept, u32)> {
    let mut joined: Vec<(Kept, u32)> = Vec::with_capacity(1);
    for (part, bytes) in parts {
        let part = match (joined.last_mut(), part) {
            (Some((Kept::Text(text), sum)), Kept::Text(more)) => {
                text.push_str(&more);
                *sum = sum.saturating_add(bytes);
                continue;
            }
            (Some((Kept::Bytes(data), sum)), Kept::Bytes(more)) => {
                data.extend_from_slice(&more);
                *sum = sum.saturating_add(bytes);
                continue;
            }
            (Some((Kept::Items(items), sum)), Kept::Items(more)) => {
                items.extend(more);
                *sum = sum.saturating_add(bytes);
                continue;
            }
            (_, part) => part,
        };
        joined.push((part, bytes));
    }
    for (_, bytes) in &mut joined {
        *bytes = bytes.saturating_add(OVERHEAD);
    }
    joined
}

impl Host {
    /// Takes what a call tells, if anybody may read it. Nothing follows the end of a call.
    pub(crate) fn hear_told(slf: &Bound<'_, Self>, call: CallRef, told: Told) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let now = this.now(py);
        let (replaced, is_full, litter) = {
            let mut state = this.state.borrow(py)?;
            // What an attempt tells is about its call; what a guess tells may be of no call yet.
            let record = state.record(call.batch);
            let of = record.and_then(|record| record.attempt.as_ref());
            let (of, is_guess) = of.map_or((call, false), |of| (of.call, of.guess.is_some()));
            let call = if is_guess { call } else { of };
            if !state.listens(call) {
                return Ok(());
            }
            let place = (call.batch.to_bits(), call.index);
            let mut replaced = None;
            let passed = match told {
                Told::Progress(kept, bytes) => {
                    match state.telling.progress(place, (kept, bytes), now) {
                        Passed::Now(told) => Some(Flush::Progress(told)),
                        Passed::Later(before) => {
                            replaced = before;
                            None
                        }
                    }
                }
                Told::Output(kept, bytes) => {
                    state
                        .telling
                        .output(place, (kept, bytes), bytes as usize, now)
                }
            };
            if let Some(flush) = passed {
                state.write_flushed(py, place, flush, now);
            }
            let litter = std::mem::take(&mut state.litter);
            (replaced, state.logs.is_full().then_some(call.batch), litter)
        };
        drop((replaced, litter));
        match is_full {
            Some(batch) => Self::bound_logs(slf, batch),
            None => Ok(()),
        }
    }
}

fn tell(host: &Bound<'_, Host>, call: CallRef, told: Told) -> PyResult<()> {
    Host::hear_told(host, call, told)?;
    Host::settle(host)
}

/// Tells for a call whose context somebody holds, or for a job in its thread.
pub(crate) fn tell_for(
    host: &Bound<'_, Host>,
    call: CallRef,
    told: Told,
    what: &str,
) -> PyResult<()> {
    let py = host.py();
    if host.get().state.is_here(py) {
        return tell(host, call, told);
    }
    match super::job::Job::current(py) {
        Some(job) => job.get().tell(py, told),
        None => Err(crate::error::wrong_thread(py, what)),
    }
}

/// What is told in a process that has no engine: a worker's.
static TELLER: Mutex<Option<Py<PyAny>>> = Mutex::new(None);

fn teller() -> MutexGuard<'static, Option<Py<PyAny>>> {
    // Nothing can panic while the lock is held, so a poisoned one is whole.
    TELLER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has what is told where no call is known given to `teller`.
#[pyfunction]
#[pyo3(signature = (teller))]
pub(crate) fn tell_through(teller: Option<Py<PyAny>>) {
    let before = std::mem::replace(&mut *self::teller(), teller);
    drop(before);
}

fn tell_running(py: Python<'_>, told: impl FnOnce() -> PyResult<Told>) -> PyResult<()> {
    match running(py)? {
        Running::Job(job) => job.get().tell(py, told()?),
        Running::Elsewhere(host, call) => tell(host.bind(py), call, told()?),
        Running::Nothing => {
            let teller = teller().as_ref().map(|teller| teller.clone_ref(py));
            teller.map_or(Ok(()), |teller| told()?.give(teller.bind(py)))
        }
        Running::Task(task) => {
            let Some(call) = task.get().cell.borrow(py)?.call else {
                return Ok(());
            };
            tell(task.get().host.bind(py), call, told()?)
        }
    }
}

/// Tells watchers of the batch how far the running call is. Does nothing outside of tools.
#[pyfunction]
#[pyo3(signature = (done = None, total = None, message = None))]
pub(crate) fn progress(
    py: Python<'_>,
    done: Option<Bound<'_, PyAny>>,
    total: Option<Bound<'_, PyAny>>,
    message: Option<Bound<'_, PyAny>>,
) -> PyResult<()> {
    tell_running(py, || Told::progress(py, done, total, message))
}

/// Gives watchers of the batch a part of the result of the running call: text, bytes, or a value that
/// has a JSON form. Does nothing outside of tools.
#[pyfunction]
pub(crate) fn output(py: Python<'_>, part: Bound<'_, PyAny>) -> PyResult<()> {
    tell_running(py, || Told::output(&part))
}
