//! `Event`: one fact about a call, a batch or an engine, as those who watch get it.
//!
//! Made when a watcher reads a record. It is kept with the record once somebody has asked for its JSON:
//! who reads it later gets that very object. The JSON is made once, also for those who read before.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use penstock_core::ring::Kind;
use penstock_core::sched::Status;
use pyo3::basic::CompareOp;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::call::Call;
use super::outcome::{Outcome, parse_status, status_name};
use crate::convert;
use crate::host::raw;

/// What events of one log were encoded as: each of them once, however many hold it.
#[derive(Debug, Default)]
pub(crate) struct Account(Mutex<Noted>);

/// The event, its number, and the bytes of its JSON.
pub(crate) type EncodedEvent = (u64, Py<Event>, u32);

#[derive(Debug, Default)]
struct Noted {
    /// By number, and whether values are left out.
    made: BTreeMap<(u64, bool), Py<PyAny>>,
    /// Those that the log has not heard of yet.
    fresh: Vec<EncodedEvent>,
    /// The log is gone: what is noted now would hold itself for ever.
    is_closed: bool,
}

impl Account {
    fn noted(&self) -> MutexGuard<'_, Noted> {
        // Nothing can panic while the lock is held, so a poisoned one is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, py: Python<'_>, key: (u64, bool)) -> Option<Py<PyAny>> {
        self.noted().made.get(&key).map(|made| made.clone_ref(py))
    }

    fn note(&self, event: &Bound<'_, Event>, made: &Py<PyAny>, bytes: usize) {
        let (py, this) = (event.py(), event.get());
        let mut noted = self.noted();
        if noted.is_closed {
            return;
        }
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        noted
            .made
            .insert((this.seq, this.is_bare), made.clone_ref(py));
        noted.fresh.push((this.seq, event.clone().unbind(), bytes));
    }

    /// What was encoded since the log asked last.
    pub(crate) fn take(&self) -> Vec<EncodedEvent> {
        std::mem::take(&mut self.noted().fresh)
    }

    /// Lets go of what records older than that were encoded as.
    pub(crate) fn forget(&self, oldest: u64) -> BTreeMap<(u64, bool), Py<PyAny>> {
        let mut noted = self.noted();
        let kept = noted.made.split_off(&(oldest, false));
        std::mem::replace(&mut noted.made, kept)
    }

    /// Nothing is noted from now on.
    pub(crate) fn close(&self) -> impl Sized + use<> {
        let mut noted = self.noted();
        noted.is_closed = true;
        (
            std::mem::take(&mut noted.fresh),
            std::mem::take(&mut noted.made),
        )
    }
}

/// Of which call an event tells.
pub(crate) enum About {
    /// A whole batch, a branch of it, or the stream.
    Batch,
    /// The call at a place of a batch: its names are looked up when somebody asks for them.
    Call(Py<PyTuple>, u32),
    /// One that is known by its names only.
    Named {
        call: Option<Py<PyString>>,
        index: Option<u32>,
        tool: Option<Py<PyString>>,
    },
}

/// What happened.
pub(crate) enum Type {
    Recorded(Kind),
    Other(Py<PyString>),
}

/// What an event tells besides.
pub(crate) enum Data {
    Nothing,
    Given(Py<PyAny>),
    /// The attempt that starts, and the milliseconds since the batch was submitted.
    Started(u16, f64),
}

/// One fact. Compare `seq` to know which of two is newer.
#[pyclass(frozen, module = "penstock._native")]
pub(crate) struct Event {
    #[pyo3(get)]
    pub(crate) seq: u64,
    pub(crate) what: Type,
    #[pyo3(get)]
    pub(crate) time: f64,
    pub(crate) about: About,
    /// The branch of an event that tells of one; that of a call is looked up.
    pub(crate) named_branch: Option<Py<PyString>>,
    #[pyo3(get)]
    pub(crate) batch: Option<u64>,
    pub(crate) data: Data,
    pub(crate) status: Option<Status>,
    pub(crate) outcome: Option<Py<Outcome>>,
    pub(crate) account: Option<Arc<Account>>,
    /// Whether an outcome was left out.
    pub(crate) is_bare: bool,
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

impl About {
    fn clone_ref(&self, py: Python<'_>) -> Self {
        let clone = |text: &Option<Py<PyString>>| text.as_ref().map(|text| text.clone_ref(py));
        match self {
            Self::Batch => Self::Batch,
            Self::Call(calls, index) => Self::Call(calls.clone_ref(py), *index),
            Self::Named { call, index, tool } => Self::Named {
                call: clone(call),
                index: *index,
                tool: clone(tool),
            },
        }
    }

    /// The call itself, if it is known.
    fn call<'py>(&self, py: Python<'py>) -> Option<Bound<'py, Call>> {
        let Self::Call(calls, index) = self else {
            return None;
        };
        let item = calls.bind(py).get_item(*index as usize).ok()?;
        item.cast_into_exact::<Call>().ok()
    }
}

impl Data {
    fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::Nothing => Self::Nothing,
            Self::Given(data) => Self::Given(data.clone_ref(py)),
            Self::Started(attempt, queued_ms) => Self::Started(*attempt, *queued_ms),
        }
    }
}

impl Event {
    /// Makes the object. One that can lead to no other container is kept from the garbage collector,
    /// as its outcome is: 100,000 of them would be walked again and again.
    pub(crate) fn make(self, py: Python<'_>) -> PyResult<Bound<'_, Self>> {
        let is_plain = !matches!(self.data, Data::Given(_))
            && self
                .outcome
                .as_ref()
                .is_none_or(|outcome| outcome.get().is_plain(py));
        let made = Bound::new(py, self)?;
        if is_plain {
            raw::untrack(made.as_any());
        }
        Ok(made)
    }

    /// The same event without values.
    pub(crate) fn without_values(slf: &Bound<'_, Self>) -> PyResult<Py<Self>> {
        let (py, this) = (slf.py(), slf.get());
        if this.outcome.is_none() {
            return Ok(slf.clone().unbind());
        }
        let what = match &this.what {
            Type::Recorded(kind) => Type::Recorded(*kind),
            Type::Other(name) => Type::Other(name.clone_ref(py)),
        };
        let bare = this.bare.get_or_try_init(py, || {
            let bare = Self {
                seq: this.seq,
                what,
                time: this.time,
                about: this.about.clone_ref(py),
                named_branch: this.named_branch.as_ref().map(|name| name.clone_ref(py)),
                batch: this.batch,
                data: this.data.clone_ref(py),
                status: this.status,
                outcome: None,
                account: this.account.clone(),
                is_bare: true,
                encoded: PyOnceLock::new(),
                bare: PyOnceLock::new(),
            };
            bare.make(py).map(Bound::unbind)
        })?;
        Ok(bare.clone_ref(py))
    }

    fn status_of(&self, py: Python<'_>) -> Option<Py<PyString>> {
        let outcome = self.outcome.as_ref().map(|outcome| outcome.get().status);
        let status = self.status.or(outcome)?;
        Some(status_name(py, status).clone().unbind())
    }

    /// What was given as data, as it is kept.
    pub(crate) fn given<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        match &self.data {
            Data::Given(data) => Some(data.bind(py).clone()),
            Data::Nothing | Data::Started(..) => None,
        }
    }

    fn fields<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let fields = (
            self.seq,
            self.r#type(py),
            self.time,
            self.call(py),
            self.index(),
            self.branch(py),
            self.data(py)?,
            &self.outcome,
            self.status_of(py),
            self.tool(py),
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
            what: Type::Other(PyString::intern(py, r#type.bind(py).to_str()?).unbind()),
            time,
            about: About::Named { call, index, tool },
            named_branch: branch,
            batch,
            data: data.map_or(Data::Nothing, Data::Given),
            status,
            outcome,
            account: None,
            is_bare: false,
            encoded: PyOnceLock::new(),
            bare: PyOnceLock::new(),
        })
    }

    #[getter]
    fn r#type(&self, py: Python<'_>) -> Py<PyString> {
        match &self.what {
            Type::Recorded(kind) => kind_name(py, *kind),
            Type::Other(name) => name.clone_ref(py),
        }
    }

    /// The id of the call.
    #[getter]
    fn call(&self, py: Python<'_>) -> Option<Py<PyString>> {
        if let About::Named { call, .. } = &self.about {
            return call.as_ref().map(|call| call.clone_ref(py));
        }
        let (call, index) = (self.about.call(py)?, self.index()?);
        Some(match &call.get().id {
            Some(id) => id.clone_ref(py),
            None => PyString::new(py, &convert::made_up_id(index)).unbind(),
        })
    }

    #[getter]
    fn index(&self) -> Option<u32> {
        match &self.about {
            About::Batch => None,
            About::Call(_, index) => Some(*index),
            About::Named { index, .. } => *index,
        }
    }

    #[getter]
    fn branch(&self, py: Python<'_>) -> Option<Py<PyString>> {
        if let Some(name) = &self.named_branch {
            return Some(name.clone_ref(py));
        }
        let call = self.about.call(py)?;
        call.get().branch.as_ref().map(|name| name.clone_ref(py))
    }

    #[getter]
    fn tool(&self, py: Python<'_>) -> Option<Py<PyString>> {
        match &self.about {
            About::Named { tool, .. } => tool.as_ref().map(|tool| tool.clone_ref(py)),
            about => Some(about.call(py)?.get().tool.clone_ref(py)),
        }
    }

    /// What else is known, by the type of the event.
    #[getter]
    fn data(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let (attempt, queued_ms) = match &self.data {
            Data::Nothing => return Ok(None),
            Data::Given(data) => return Ok(Some(data.clone_ref(py))),
            Data::Started(attempt, queued_ms) => (*attempt, *queued_ms),
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
        let key = (this.seq, this.is_bare);
        let known = this
            .account
            .as_ref()
            .and_then(|account| account.find(py, key));
        if let Some(known) = known {
            return Ok(this.encoded.get_or_init(py, || known).clone_ref(py));
        }
        let encode = ENCODE.import(py, "penstock.streams.encode", "encode")?;
        let made = encode.call1((slf,))?;
        let bytes = made.len()?;
        let kept = this.encoded.get_or_init(py, || made.unbind());
        if let Some(account) = &this.account {
            account.note(slf, kept, bytes);
        }
        Ok(kept.clone_ref(py))
    }

    fn __richcmp__(
        &self,
        py: Python<'_>,
        other: &Bound<'_, PyAny>,
        op: CompareOp,
    ) -> PyResult<Py<PyAny>> {
        let Ok(other) = other.cast_exact::<Self>() else {
            return Ok(py.NotImplemented());
        };
        let equal = || self.fields(py)?.eq(other.get().fields(py)?);
        match op {
            CompareOp::Eq => Ok(equal()?.into_pyobject(py)?.to_owned().into_any().unbind()),
            CompareOp::Ne => Ok((!equal()?)
                .into_pyobject(py)?
                .to_owned()
                .into_any()
                .unbind()),
            _ => Ok(py.NotImplemented()),
        }
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        (self.seq, self.r#type(py), self.time)
            .into_pyobject(py)?
            .hash()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let mut parts = vec![
            self.seq.to_string(),
            self.r#type(py).bind(py).repr()?.to_string(),
        ];
        if let Some(call) = self.call(py) {
            parts.push(format!("call={}", call.bind(py).repr()?));
        }
        if let Some(status) = self.status_of(py) {
            parts.push(format!("status={}", status.bind(py).repr()?));
        }
        if let Some(data) = self.given(py) {
            let data = data.repr()?.to_string();
            parts.push(format!("data={}", convert::cut(&data, 80)));
        }
        Ok(format!("Event({})", parts.join(", ")))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Data::Given(data) = &self.data {
            visit.call(data)?;
        }
        if let About::Call(calls, _) = &self.about {
            visit.call(calls)?;
        }
        visit.call(&self.outcome)
    }
}
