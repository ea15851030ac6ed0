//! `Outcome`: what became of a call.

use std::sync::OnceLock;

use penstock_core::clock::Nanos;
use penstock_core::sched::Status;
use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::call::Call;
use crate::host::measure::measure;
use crate::host::raw;
use crate::{convert, error};

/// Why a call has no value of its own: enough to make the error when somebody asks for it.
///
/// Made when `Outcome.error` is first read: a cancelled batch of 10,000 calls pays for no exception.
pub(crate) enum Explanation {
    /// The whole batch, its branch or this call was cancelled; the text says by what.
    Cancelled(String),
    /// A deadline or an attempt's timeout passed, after so many seconds.
    TimedOut(f64),
    /// A parent did not end well; its id.
    Skipped(String),
    /// The only calls that hold the gate are this call's own ancestors.
    WouldDeadlock(String),
    /// Too many calls of the tool ignore their cancellation.
    TooManyDetached(u32),
    /// Results filled the memory for too long: bytes held, bytes allowed, seconds to wait.
    ResultsFull {
        held: u64,
        limit: u64,
        retry_after: f64,
    },
}

impl Explanation {
    fn error<'py>(
        &self,
        py: Python<'py>,
        tool: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Cancelled(reason) => error::make(py, "CallCancelled", (tool, reason)),
            Self::TimedOut(seconds) => error::make(py, "CallTimeout", (tool, *seconds)),
            Self::Skipped(parent) => error::make(py, "CallSkipped", (tool, parent)),
            Self::WouldDeadlock(gate) => error::make(py, "WouldDeadlock", (tool, gate)),
            Self::TooManyDetached(limit) => error::make(py, "TooManyDetached", (tool, *limit)),
            Self::ResultsFull {
                held,
                limit,
                retry_after,
            } => error::make(py, "ResultsFull", (*held, *limit, *retry_after)),
        }
    }
}

/// What a call left: a value, the tool's own error, or an error still to be made.
pub(crate) enum Payload {
    Value(Py<PyAny>),
    /// A large value, held in the store: a `penstock.results.ResultRef`.
    Kept(Py<PyAny>),
    Error(Py<PyAny>),
    /// What happened, and the error once somebody has asked for it.
    Explained(Box<(Explanation, OnceLock<Py<PyAny>>)>),
}

impl Payload {
    pub(crate) fn explained(explanation: Explanation) -> Self {
        Self::Explained(Box::new((explanation, OnceLock::new())))
    }
}

/// Flags of an outcome.
pub(crate) mod flag {
    /// Delivered while the tool's code was still running.
    pub(crate) const DETACHED: u8 = 1;
    /// Ended by itself after it was asked to stop.
    pub(crate) const LATE: u8 = 2;
    /// Answered from a cache.
    pub(crate) const CACHED: u8 = 4;
    /// Run before it was asked for.
    pub(crate) const SPECULATIVE: u8 = 8;
}

/// What became of a call. Every call gets exactly one.
#[pyclass(frozen, weakref, module = "penstock._native")]
pub(crate) struct Outcome {
    pub(crate) call: Py<Call>,
    pub(crate) payload: Payload,
    pub(crate) submitted: Nanos,
    /// Zero: the call never started.
    pub(crate) started: Nanos,
    pub(crate) ended: Nanos,
    #[pyo3(get)]
    pub(crate) index: u32,
    #[pyo3(get)]
    pub(crate) attempts: u16,
    pub(crate) status: Status,
    pub(crate) flags: u8,
    /// Seconds of running that the call was spared.
    pub(crate) saved: f32,
}

impl Outcome {
    /// Whether nothing that it holds can ever lead back to it.
    pub(crate) fn is_plain(&self, py: Python<'_>) -> bool {
        match &self.payload {
            Payload::Value(value) => {
                !raw::is_container(value.bind(py)) && self.call.get().is_plain(py)
            }
            Payload::Kept(_) | Payload::Error(_) | Payload::Explained(_) => false,
        }
    }

    /// What the tool returned, which the store may have to fetch.
    pub(crate) fn fetch(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match &self.payload {
            Payload::Value(value) => Ok(value.clone_ref(py)),
            Payload::Kept(kept) => kept.call_method0(py, pyo3::intern!(py, "value")),
            Payload::Error(_) | Payload::Explained(_) => Ok(py.None()),
        }
    }

    /// Asks a kept value, or what `penstock.results.inline` says of one that is not.
    fn ask<'py>(
        &self,
        py: Python<'py>,
        what: &str,
        extra: Option<i64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (whom, value) = match &self.payload {
            Payload::Kept(kept) => (kept.bind(py).clone(), None),
            _ => (
                py.import("penstock.results.inline")?.into_any(),
                Some(self.fetch(py)?),
            ),
        };
        let asked = whom.getattr(what)?;
        match (value, extra) {
            (None, None) => asked.call0(),
            (None, Some(extra)) => asked.call1((extra,)),
            (Some(value), None) => asked.call1((value,)),
            (Some(value), Some(extra)) => asked.call1((value, extra)),
        }
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// The word for a status, as metrics, events and the API spell it.
pub(crate) fn status_name(py: Python<'_>, status: Status) -> &Bound<'_, PyString> {
    match status {
        Status::Ok => pyo3::intern!(py, "ok"),
        Status::Failed => pyo3::intern!(py, "failed"),
        Status::Rejected => pyo3::intern!(py, "rejected"),
        Status::Skipped => pyo3::intern!(py, "skipped"),
        Status::Cancelled => pyo3::intern!(py, "cancelled"),
        Status::Timeout => pyo3::intern!(py, "timeout"),
    }
}

pub(crate) fn parse_status(name: &Bound<'_, PyString>) -> PyResult<Status> {
    match name.to_str()? {
        "ok" => Ok(Status::Ok),
        "failed" => Ok(Status::Failed),
        "rejected" => Ok(Status::Rejected),
        "skipped" => Ok(Status::Skipped),
        "cancelled" => Ok(Status::Cancelled),
        "timeout" => Ok(Status::Timeout),
        other => Err(PyValueError::new_err(format!("unknown status {other:?}"))),
    }
}

#[pymethods]
impl Outcome {
    /// Makes an outcome by hand. For tests and for formats; the engine makes its own.
    #[staticmethod]
    #[pyo3(signature = (call, *, value = None, error = None, status = None, index = 0, submitted = 0.0, started = None, ended = 0.0, detached = false, late = false))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments, one a field")]
    fn make<'py>(
        py: Python<'py>,
        call: Py<Call>,
        value: Option<Py<PyAny>>,
        error: Option<Py<PyAny>>,
        status: Option<Bound<'py, PyString>>,
        index: u32,
        submitted: f64,
        started: Option<f64>,
        ended: f64,
        detached: bool,
        late: bool,
    ) -> PyResult<Self> {
        let implied = if error.is_some() {
            Status::Failed
        } else {
            Status::Ok
        };
        let status = status.map_or(Ok(implied), |name| parse_status(&name))?;
        let payload = match error {
            Some(error) => Payload::Error(error),
            None => Payload::Value(value.unwrap_or_else(|| py.None())),
        };
        let flags = (u8::from(detached) * flag::DETACHED) | (u8::from(late) * flag::LATE);
        Ok(Self {
            call,
            payload,
            submitted: convert::nanos(submitted),
            started: started.map_or(Nanos(0), convert::nanos),
            ended: convert::nanos(ended),
            index,
            attempts: u16::from(started.is_some()),
            status,
            flags,
            saved: 0.0,
        })
    }

    #[getter]
    fn call(&self, py: Python<'_>) -> Py<Call> {
        self.call.clone_ref(py)
    }

    /// The call's own id; a call without one is named by its place in the batch.
    #[getter]
    fn id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        match &self.call.get().id {
            Some(id) => id.bind(py).clone(),
            None => PyString::new(py, &convert::made_up_id(self.index)),
        }
    }

    #[getter]
    fn tool(&self, py: Python<'_>) -> Py<PyString> {
        self.call.get().tool.clone_ref(py)
    }

    #[getter]
    fn status<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        status_name(py, self.status).clone()
    }

    #[getter]
    fn ok(&self) -> bool {
        matches!(self.status, Status::Ok)
    }

    /// What the tool returned; None unless the status is "ok". A large value may have left memory, and
    /// is read and decoded in place: `await load()` before, if that may take long.
    #[getter]
    fn value(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.fetch(py)
    }

    /// The hold on a large value, for `engine.results`; None if the outcome has the value itself.
    #[getter(r#ref)]
    fn kept(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        match &self.payload {
            Payload::Kept(kept) => Some(kept.clone_ref(py)),
            Payload::Value(_) | Payload::Error(_) | Payload::Explained(_) => None,
        }
    }

    /// Where the value is now: "object", "packed", "disk" or "remote".
    #[getter]
    fn r#where<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match &self.payload {
            Payload::Kept(kept) => kept.bind(py).getattr(pyo3::intern!(py, "where")),
            _ => Ok(pyo3::intern!(py, "object").clone().into_any()),
        }
    }

    /// Bytes of the value as JSON, as text or as it is; estimated until they were needed.
    #[getter]
    fn size<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match &self.payload {
            Payload::Kept(kept) => kept.bind(py).getattr(pyo3::intern!(py, "size")),
            Payload::Value(value) => {
                let size = measure(value.bind(py))?.encoded;
                Ok(size.into_pyobject(py)?.into_any())
            }
            Payload::Error(_) | Payload::Explained(_) => Ok(0_u64.into_pyobject(py)?.into_any()),
        }
    }

    /// The bytes of the value's JSON, its text or itself, read-only. Of a large value that lies on disk
    /// as it is, a piece of the file's map.
    #[getter]
    fn raw<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match &self.payload {
            Payload::Kept(kept) => kept.bind(py).getattr(pyo3::intern!(py, "raw")),
            _ => self.ask(py, "raw", None),
        }
    }

    /// Fetches and unpacks a large value beside the loop, so that `value` only decodes.
    fn load<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, "load", None)
    }

    /// The first characters of what a model would read; loads no more than those.
    fn preview<'py>(&self, py: Python<'py>, characters: i64) -> PyResult<Bound<'py, PyAny>> {
        self.ask(py, "preview", Some(characters))
    }

    /// The tool's own exception for "failed", a class of `penstock.errors` otherwise, None for "ok".
    #[getter]
    fn error(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        match &self.payload {
            Payload::Value(_) | Payload::Kept(_) => Ok(None),
            Payload::Error(error) => Ok(Some(error.clone_ref(py))),
            Payload::Explained(explained) => {
                let (explanation, made) = &**explained;
                if made.get().is_none() {
                    // Made without a lock: another thread may be first, and then its error stays.
                    let error = explanation.error(py, self.call.get().tool.bind(py))?;
                    drop(made.set(error.unbind()));
                }
                Ok(made.get().map(|error| error.clone_ref(py)))
            }
        }
    }

    /// The same outcome at another place: for calls that were submitted one by one and belong together.
    fn moved<'py>(slf: &Bound<'py, Self>, index: u32) -> PyResult<Bound<'py, Self>> {
        let (py, this) = (slf.py(), slf.get());
        if this.index == index {
            return Ok(slf.clone());
        }
        let payload = match &this.payload {
            Payload::Value(value) => Payload::Value(value.clone_ref(py)),
            Payload::Kept(kept) => Payload::Kept(kept.clone_ref(py)),
            Payload::Error(_) | Payload::Explained(_) => {
                Payload::Error(this.error(py)?.unwrap_or_else(|| py.None()))
            }
        };
        let call = this.call.clone_ref(py);
        let moved = Self {
            call,
            payload,
            index,
            ..*this
        };
        Bound::new(py, moved)
    }

    /// The value, or raises the error.
    fn unwrap(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self.error(py)? {
            None => self.value(py),
            Some(error) => Err(PyErr::from_value(error.into_bound(py))),
        }
    }

    /// Seconds on the monotonic clock.
    #[getter]
    fn submitted(&self) -> f64 {
        convert::seconds(self.submitted)
    }

    #[getter]
    fn started(&self) -> Option<f64> {
        (self.started != Nanos(0)).then(|| convert::seconds(self.started))
    }

    #[getter]
    fn ended(&self) -> f64 {
        convert::seconds(self.ended)
    }

    /// Seconds from start to end; 0.0 for a call that never started.
    #[getter]
    fn duration(&self) -> f64 {
        if self.started == Nanos(0) {
            return 0.0;
        }
        convert::seconds(Nanos(self.ended.0.saturating_sub(self.started.0)))
    }

    /// Seconds from submission to start, or to the end of a call that never started.
    #[getter]
    fn waited(&self) -> f64 {
        let until = if self.started == Nanos(0) {
            self.ended
        } else {
            self.started
        };
        convert::seconds(Nanos(until.0.saturating_sub(self.submitted.0)))
    }

    #[getter]
    fn detached(&self) -> bool {
        self.has(flag::DETACHED)
    }

    #[getter]
    fn late(&self) -> bool {
        self.has(flag::LATE)
    }

    #[getter]
    fn cached(&self) -> bool {
        self.has(flag::CACHED)
    }

    #[getter]
    fn speculative(&self) -> bool {
        self.has(flag::SPECULATIVE)
    }

    #[getter]
    fn saved_seconds(&self) -> f64 {
        f64::from(self.saved)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let shown = match self.error(py)? {
            // Showing a large value must not bring it back.
            None => match &self.payload {
                Payload::Kept(kept) => format!("value={}", kept.bind(py).repr()?),
                _ => format!(
                    "value={}",
                    convert::cut(&self.value(py)?.bind(py).repr()?.to_string(), 80)
                ),
            },
            Some(error) => format!(
                "error={}",
                convert::cut(&error.bind(py).repr()?.to_string(), 80)
            ),
        };
        let (id, tool) = (self.id(py).repr()?, self.call.get().tool.bind(py).repr()?);
        Ok(format!(
            "Outcome({}, tool={tool}, id={id}, {shown})",
            status_name(py, self.status)
        ))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.call)?;
        match &self.payload {
            Payload::Value(held) | Payload::Kept(held) | Payload::Error(held) => visit.call(held),
            Payload::Explained(explained) => match explained.1.get() {
                Some(error) => visit.call(error),
                None => Ok(()),
            },
        }
    }
}
