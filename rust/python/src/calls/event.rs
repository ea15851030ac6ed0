//! `Event`: one fact about a call, a batch or an engine, as those who watch get it.
//!
//! Made when the first watcher reads a record, and kept with it: all watchers get one object, and its
//! JSON is made once.

use std::sync::{Arc, Mutex, PoisonError};

use penstock_core::ring::Kind;
use penstock_core::sched::Status;
use pyo3::basic::CompareOp;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::outcome::{Outcome, parse_status, status_name};

/// What the JSON of a log's events takes, noted until the log counts it.
#[derive(Debug, Default)]
pub(crate) struct Account(Mutex<Vec<(u64, u32)>>);

impl Account {
    fn note(&self, seq: u64, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.push((seq, bytes));
    }

    pub(crate) fn take(&self) -> Vec<(u64, u32)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One fact. Compare `seq` to know which of two is newer.
#[pyclass(frozen, weakref, module = "penstock._native")]
pub(crate) struct Event {
    #[pyo3(get)]
    pub(crate) seq: u64,
    pub(crate) name: Py<PyString>,
    #[pyo3(get)]
    pub(crate) time: f64,
    #[pyo3(get)]
    pub(crate) call: Option<Py<PyString>>,
    #[pyo3(get)]
    pub(crate) index: Option<u32>,
    #[pyo3(get)]
    pub(crate) branch: Option<Py<PyString>>,
    #[pyo3(get)]
    pub(crate) tool: Option<Py<PyString>>,
    #[pyo3(get)]
    pub(crate) batch: Option<u64>,
    pub(crate) data: Option<Py<PyAny>>,
    /// The attempt that starts, and the milliseconds since the batch was submitted.
    pub(crate) started: Option<(u16, f64)>,
    pub(crate) status: Option<Status>,
    pub(crate) outcome: Option<Py<Outcome>>,
    pub(crate) account: Option<Arc<Account>>,
    pub(crate) encoded: PyOnceLock<Py<PyAny>>,
    /// The same without the outcome, for those who want no values.
    pub(crate) bare: PyOnceLock<Py<Self>>,
}

/// The name of a kind: one object of Python's each.
pub(crate) fn kind_name(py: Python<'_>, kind: Kind) -> Py<PyString> {
    static NAMES: PyOnceLock<Vec<Py<PyString>>> = PyOnceLock::new();
    let intern = |kind: &Kind| PyString::intern(py, kind.as_str()).unbind();
    let names = NAMES.get_or_init(py, || Kind::ALL.iter().map(intern).collect());
    names[kind as usize].clone_ref(py)
}

impl Event {
    /// The same event without values.
    pub(crate) fn without_values(slf: &Bound<'_, Self>) -> PyResult<Py<Self>> {
        let (py, this) = (slf.py(), slf.get());
        if this.outcome.is_none() {
            return Ok(slf.clone().unbind());
        }
        let clone = |text: &Option<Py<PyString>>| text.as_ref().map(|text| text.clone_ref(py));
        let bare = this.bare.get_or_try_init(py, || {
            let bare = Self {
                seq: this.seq,
                name: this.name.clone_ref(py),
                time: this.time,
                call: clone(&this.call),
                index: this.index,
                branch: clone(&this.branch),
                tool: clone(&this.tool),
                batch: this.batch,
                started: this.started,
                data: this.data.as_ref().map(|data| data.clone_ref(py)),
                status: this.status,
                outcome: None,
                account: this.account.clone(),
                encoded: PyOnceLock::new(),
                bare: PyOnceLock::new(),
            };
            Py::new(py, bare)
        })?;
        Ok(bare.clone_ref(py))
    }

    fn status_of(&self, py: Python<'_>) -> Option<Py<PyString>> {
        let outcome = self.outcome.as_ref().map(|outcome| outcome.get().status);
        let status = self.status.or(outcome)?;
        Some(status_name(py, status).clone().unbind())
    }

    fn fields<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let fields = (
            self.seq,
            &self.name,
            self.time,
            &self.call,
            self.index,
            &self.branch,
            self.data(py)?,
            &self.outcome,
            self.status_of(py),
            &self.tool,
            self.batch,
        );
        fields.into_pyobject(py)
    }
}

#[pymethods]
impl Event {
    /// Makes an event by hand: for tests, and for streams that come from elsewhere.
    #[new]
    #[pyo3(signature = (seq, r#type, time, call = None, index = None, branch = None, data = None, outcome = None, status = None, tool = None, batch = None))]
    #[expect(clippy::too_many_arguments, reason = "one a field")]
    fn new(
        py: Python<'_>,
        seq: u64,
        r#type: Py<PyString>,
        time: f64,
        call: Option<Py<PyString>>,
        index: Option<u32>,
        branch: Option<Py<PyString>>,
        data: Option<Py<PyAny>>,
        outcome: Option<Py<Outcome>>,
        status: Option<Bound<'_, PyString>>,
        tool: Option<Py<PyString>>,
        batch: Option<u64>,
    ) -> PyResult<Self> {
        let status = status.map(|name| parse_status(&name)).transpose()?;
        let status = status.or_else(|| outcome.as_ref().map(|outcome| outcome.get().status));
        Ok(Self {
            seq,
            name: PyString::intern(py, r#type.bind(py).to_str()?).unbind(),
            time,
            call,
            index,
            branch,
            tool,
            batch,
            data,
            started: None,
            status,
            outcome,
            account: None,
            encoded: PyOnceLock::new(),
            bare: PyOnceLock::new(),
        })
    }

    #[getter]
    fn r#type(&self, py: Python<'_>) -> Py<PyString> {
        self.name.clone_ref(py)
    }

    /// What else is known, by the type of the event.
    #[getter]
    fn data(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let Some((attempt, queued_ms)) = self.started else {
            return Ok(self.data.as_ref().map(|data| data.clone_ref(py)));
        };
        let data = PyDict::new(py);
        data.set_item(pyo3::intern!(py, "attempt"), attempt)?;
        data.set_item(pyo3::intern!(py, "queued_ms"), queued_ms)?;
        Ok(Some(data.into_any().unbind()))
    }

    /// What became of the call, when it has ended; None for those who wanted no values.
    #[getter]
    fn outcome(&self, py: Python<'_>) -> Option<Py<Outcome>> {
        self.outcome.as_ref().map(|outcome| outcome.clone_ref(py))
    }

    /// The status of the call, when it has ended.
    #[getter]
    fn status(&self, py: Python<'_>) -> Option<Py<PyString>> {
        self.status_of(py)
    }

    /// The event as JSON and as a server-sent event: made once, whoever asks.
    #[getter]
    fn encoded(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        static ENCODE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let (py, this) = (slf.py(), slf.get());
        if let Some(encoded) = this.encoded.get(py) {
            return Ok(encoded.clone_ref(py));
        }
        let encode = ENCODE.import(py, "penstock.streams.encode", "encode")?;
        let made = encode.call1((slf,))?;
        let bytes = made.len()?;
        let kept = this.encoded.get_or_init(py, || made.unbind());
        if let Some(account) = &this.account {
            account.note(this.seq, bytes);
        }
        Ok(kept.clone_ref(py))
    }

    fn __richcmp__(&self, py: Python<'_>, other: &Bound<'_, PyAny>, op: CompareOp) -> PyResult<Py<PyAny>> {
        let Ok(other) = other.cast_exact::<Self>() else {
            return Ok(py.NotImplemented());
        };
        let equal = || self.fields(py)?.eq(other.get().fields(py)?);
        match op {
            CompareOp::Eq => Ok(equal()?.into_pyobject(py)?.to_owned().into_any().unbind()),
            CompareOp::Ne => Ok((!equal()?).into_pyobject(py)?.to_owned().into_any().unbind()),
            _ => Ok(py.NotImplemented()),
        }
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        (self.seq, &self.name, self.time).into_pyobject(py)?.hash()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let mut text = format!("Event({}, {}", self.seq, self.name.bind(py).repr()?);
        if let Some(call) = &self.call {
            text += &format!(", call={}", call.bind(py).repr()?);
        }
        if let Some(status) = self.status_of(py) {
            text += &format!(", status={}", status.bind(py).repr()?);
        }
        if let Some(data) = &self.data {
            let data = data.bind(py).repr()?.to_string();
            text += &format!(", data={}", crate::convert::cut(&data, 80));
        }
        Ok(text + ")")
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.data)?;
        visit.call(&self.outcome)
    }
}
