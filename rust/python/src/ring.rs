//! The log of a batch or of an engine: `penstock_core::ring` with Python's objects in it.
//!
//! It is written while the host's state is borrowed, so nothing here makes an object of Python's, and
//! what the ring lets go of waits there until somebody takes it who holds no borrow.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use penstock_core::clock::Nanos;
use penstock_core::ring::{Fact, Kind, Ring, RingConfig};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};

use crate::calls::{Account, Event};
use crate::convert;

/// What an event takes that was made for watchers, about: it is counted as payload.
pub(crate) const EVENT_BYTES: u32 = 224;

/// A payload.
#[derive(Debug)]
pub(crate) enum Kept {
    /// What somebody told, ready to be shown.
    Data(Py<PyAny>),
    Text(String),
    Bytes(Vec<u8>),
    /// Parts of output that are neither text nor bytes.
    Items(Vec<Py<PyAny>>),
    /// The limit that a call waits for, and until when at least.
    Gate(Box<str>, Option<Nanos>),
    /// The budget that has passed a share.
    Budget(Box<Passed>),
    /// The branch that the event is about.
    Branch(Py<PyString>),
    /// What was told by a guess before somebody asked for it.
    Guessed(Box<Kept>),
    /// The event, once somebody has read it: the rest is inside.
    Event(Py<Event>),
}

impl Kept {
    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::Data(data) => Self::Data(data.clone_ref(py)),
            Self::Text(text) => Self::Text(text.clone()),
            Self::Bytes(bytes) => Self::Bytes(bytes.clone()),
            Self::Items(items) => Self::Items(items.iter().map(|it| it.clone_ref(py)).collect()),
            Self::Gate(name, until) => Self::Gate(name.clone(), *until),
            Self::Budget(passed) => Self::Budget(passed.clone()),
            Self::Branch(name) => Self::Branch(name.clone_ref(py)),
            Self::Guessed(kept) => Self::Guessed(Box::new(kept.clone_ref(py))),
            Self::Event(event) => Self::Event(event.clone_ref(py)),
        }
    }

    /// As `Event.data` shows it.
    pub(crate) fn data<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let named = |name: &Bound<'py, PyString>, value: Bound<'py, PyAny>| {
            let data = PyDict::new(py);
            data.set_item(name, value)?;
            PyResult::Ok(Some(data.into_any()))
        };
        match self {
            Self::Data(data) => Ok(Some(data.bind(py).clone())),
            Self::Text(text) => named(
                pyo3::intern!(py, "text"),
                PyString::new(py, text).into_any(),
            ),
            Self::Bytes(bytes) => named(
                pyo3::intern!(py, "bytes"),
                PyBytes::new(py, bytes).into_any(),
            ),
            Self::Items(items) => named(
                pyo3::intern!(py, "items"),
                PyList::new(py, items)?.into_any(),
            ),
            Self::Gate(name, until) => {
                let data = PyDict::new(py);
                data.set_item(pyo3::intern!(py, "gate"), &**name)?;
                data.set_item(pyo3::intern!(py, "retry_at"), until.map(convert::seconds))?;
                Ok(Some(data.into_any()))
            }
            Self::Budget(passed) => {
                let data = PyDict::new(py);
                data.set_item(pyo3::intern!(py, "budget"), &passed.budget)?;
                data.set_item(pyo3::intern!(py, "scope"), &passed.scope)?;
                data.set_item(pyo3::intern!(py, "share"), passed.share)?;
                Ok(Some(data.into_any()))
            }
            Self::Branch(_) => Ok(None),
            Self::Guessed(kept) => {
                let data = kept.data(py)?;
                if let Some(data) = data.as_ref().and_then(|data| data.cast::<PyDict>().ok()) {
                    data.set_item(pyo3::intern!(py, "speculative"), true)?;
                }
                Ok(data)
            }
            Self::Event(event) => Ok(event.get().given(py)),
        }
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Data(data) => visit.call(data),
            Self::Guessed(kept) => kept.traverse(visit),
            Self::Items(items) => items.iter().try_for_each(|item| visit.call(item)),
            Self::Event(event) => visit.call(event),
            Self::Text(_) | Self::Bytes(_) | Self::Gate(..) | Self::Budget(_) | Self::Branch(_) => {
                Ok(())
            }
        }
    }
}

/// A share of a budget that was passed: 0 to 1.
#[derive(Clone, Debug)]
pub(crate) struct Passed {
    pub(crate) budget: String,
    pub(crate) scope: String,
    pub(crate) share: f64,
}

/// What all logs of an engine hold together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Total(Arc<AtomicUsize>);

impl Total {
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A log, and those who wait for it to grow.
pub(crate) struct Log {
    pub(crate) ring: Ring<Kept>,
    /// The calls of the batch; empty for the log of an engine.
    pub(crate) calls: Py<PyTuple>,
    pub(crate) batch: u64,
    /// When the batch was submitted.
    pub(crate) began: Nanos,
    /// Futures of those who wait for the log to grow.
    pub(crate) watchers: Vec<Py<PyAny>>,
    /// Whether the pump has been told to look at it at the end of the turn.
    is_noted: bool,
    pub(crate) is_expired: bool,
    /// Outcomes by status, once the batch has ended.
    pub(crate) counts: [u32; 6],
    pub(crate) account: Arc<Account>,
    total: Total,
    counted: usize,
}

impl Log {
    pub(crate) fn new(
        config: RingConfig,
        calls: Py<PyTuple>,
        batch: u64,
        began: Nanos,
        total: Total,
    ) -> Self {
        Self {
            ring: Ring::new(config),
            calls,
            batch,
            began,
            watchers: Vec::new(),
            is_noted: false,
            is_expired: false,
            counts: [0; 6],
            account: Arc::default(),
            total,
            counted: 0,
        }
    }

    /// The log of a batch, with its first record.
    pub(crate) fn begin(
        config: RingConfig,
        calls: Py<PyTuple>,
        count: u32,
        batch: u64,
        now: Nanos,
        total: Total,
    ) -> Self {
        let mut log = Self::new(config, calls, batch, now, total);
        // Most calls start and end, and nothing else is told of them.
        log.ring.reserve(2 * count as usize + 2);
        log.write(Fact::new(Kind::BatchStarted, count, now), None);
        log
    }

    /// Writes a fact; true if the pump has to look at the log at the end of the turn: somebody waits
    /// for it, or something is to be dropped.
    #[inline]
    pub(crate) fn write(&mut self, fact: Fact, payload: Option<(Kept, u32)>) -> bool {
        match payload {
            None => self.ring.append(fact),
            Some((payload, bytes)) => self.ring.append_with(fact, payload, bytes),
        };
        if self.ring.bytes() != self.counted {
            self.count();
        }
        let is_news = !self.watchers.is_empty() || self.ring.has_forgotten();
        is_news && !std::mem::replace(&mut self.is_noted, true)
    }

    /// Brings what all logs hold up to date.
    pub(crate) fn count(&mut self) {
        let bytes = self.ring.bytes();
        if bytes >= self.counted {
            self.total
                .0
                .fetch_add(bytes - self.counted, Ordering::Relaxed);
        } else {
            self.total
                .0
                .fetch_sub(self.counted - bytes, Ordering::Relaxed);
        }
        self.counted = bytes;
    }

    /// Those who wait, and what is to be dropped.
    pub(crate) fn take_news(&mut self) -> (Vec<Py<PyAny>>, Vec<Kept>) {
        self.is_noted = false;
        (
            std::mem::take(&mut self.watchers),
            self.ring.take_forgotten(),
        )
    }

    /// Keeps the events that were encoded, and counts what that takes; returns what is to be dropped.
    pub(crate) fn keep_encoded(&mut self) -> Vec<Kept> {
        let mut litter = Vec::new();
        let encoded = self.account.take();
        if encoded.is_empty() {
            return litter;
        }
        for (seq, event, bytes) in encoded {
            let bytes = bytes.saturating_add(EVENT_BYTES);
            if event.get().is_bare {
                self.ring.charge(seq, bytes);
                litter.push(Kept::Event(event));
            } else {
                litter.extend(self.ring.attach(seq, Kept::Event(event), bytes));
            }
        }
        self.count();
        litter.extend(self.ring.take_forgotten());
        let forgotten = self.account.forget(self.ring.oldest());
        litter.extend(forgotten.into_values().map(Kept::Data));
        litter
    }

    pub(crate) fn expire(&mut self) -> Vec<Kept> {
        self.is_expired = true;
        self.ring.expire();
        self.count();
        self.ring.take_forgotten()
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.calls)?;
        self.watchers
            .iter()
            .try_for_each(|future| visit.call(future))?;
        self.ring
            .payloads()
            .try_for_each(|kept| kept.traverse(visit))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.total.0.fetch_sub(self.counted, Ordering::Relaxed);
        drop(self.account.close());
    }
}
