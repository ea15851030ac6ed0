//! The nouns of the public face: `Call`, `Ref` and `Outcome`. Frozen; made once a call, so native.

use penstock_core::clock::Nanos;
use penstock_core::sched::Status;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyInt, PyList, PyMapping, PyString, PyTuple};

use crate::convert;
use crate::error;
use crate::host::raw;

/// Arguments nested deeper than this are refused when a call is made; the same bound as for JSON.
const MAX_DEPTH: u32 = 64;

/// A place in a parent's value, used as an argument of a later call.
///
/// `Ref("search", "items.0.url")` and `Ref("search")["items"][0]["url"]` are the same. An empty
/// path is the whole value.
#[pyclass(frozen, eq, hash, module = "penstock._native")]
pub(crate) struct Ref {
    #[pyo3(get)]
    call: Py<PyString>,
    #[pyo3(get)]
    path: Py<PyTuple>,
    text: String,
}

impl PartialEq for Ref {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl std::hash::Hash for Ref {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Ref {
    fn make(call: Bound<'_, PyString>, path: Bound<'_, PyTuple>) -> PyResult<Self> {
        // The text is the identity: call and every step with its type, so that 0 and "0" differ.
        let text = format!("{}{}", call.repr()?, path.repr()?);
        Ok(Self {
            call: call.unbind(),
            path: path.unbind(),
            text,
        })
    }

    /// The id of the call whose value is meant.
    pub(crate) fn parent<'py>(&self, py: Python<'py>) -> &Bound<'py, PyString> {
        self.call.bind(py)
    }

    /// Follows the path into `value`: keys, indexes, and attributes of objects.
    pub(crate) fn resolve<'py>(&self, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = value.py();
        let mut here = value;
        for step in self.path.bind(py).iter() {
            here = follow(&here, &step).map_err(|_| {
                let reason = format!(
                    "{} has no {}",
                    here.get_type()
                        .name()
                        .map_or_else(|_| "the value".into(), |n| n.to_string()),
                    step.repr()
                        .map_or_else(|_| "such field".into(), |r| r.to_string()),
                );
                error::unresolved(py, self.call.bind(py), &self.shown(py), &reason)
            })?;
        }
        Ok(here)
    }

    fn shown(&self, py: Python<'_>) -> String {
        let steps = self.path.bind(py).iter().map(|step| step.to_string());
        steps.collect::<Vec<_>>().join(".")
    }
}

/// One step of a path: an item if there is one, else a public attribute.
fn follow<'py>(here: &Bound<'py, PyAny>, step: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let failed = match here.get_item(step) {
        Ok(item) => return Ok(item),
        Err(failed) => failed,
    };
    let Ok(name) = step.cast::<PyString>() else {
        return Err(failed);
    };
    // "items.0.url": a number in a dotted path is an index where the value is a sequence.
    if let Ok(position) = name.to_str()?.parse::<usize>()
        && let Ok(item) = here.get_item(position)
    {
        return Ok(item);
    }
    if name.to_str()?.starts_with('_') {
        return Err(failed);
    }
    here.getattr(name)
}

#[pymethods]
impl Ref {
    #[new]
    #[pyo3(signature = (call, path = None))]
    fn new<'py>(
        py: Python<'py>,
        call: Bound<'py, PyString>,
        path: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Self> {
        let steps = match path {
            None => PyTuple::empty(py),
            Some(path) => path_steps(&path)?,
        };
        Self::make(call, steps)
    }

    fn __getitem__(&self, py: Python<'_>, key: Bound<'_, PyAny>) -> PyResult<Self> {
        check_step(&key)?;
        let mut steps: Vec<_> = self.path.bind(py).iter().collect();
        steps.push(key);
        Self::make(self.call.bind(py).clone(), PyTuple::new(py, steps)?)
    }

    /// A `Ref` is not a sequence: without this, `__getitem__` would make it look like an endless one.
    fn __iter__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a Ref stands for a value that is not known yet: it cannot be iterated",
        ))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let call = self.call.bind(py).repr()?;
        if self.path.bind(py).is_empty() {
            return Ok(format!("Ref({call})"));
        }
        Ok(format!("Ref({call}, {})", self.path.bind(py).repr()?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let (py, this) = (slf.py(), slf.get());
        let arguments = (this.call.bind(py), this.path.bind(py)).into_pyobject(py)?;
        (slf.get_type(), arguments).into_pyobject(py)
    }
}

fn path_steps<'py>(path: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyTuple>> {
    if let Ok(dotted) = path.cast::<PyString>() {
        let text = dotted.to_str()?;
        let steps = text.split('.').filter(|step| !step.is_empty());
        return PyTuple::new(path.py(), steps.collect::<Vec<_>>());
    }
    let steps: Vec<Bound<'py, PyAny>> = path.try_iter()?.collect::<PyResult<_>>()?;
    steps.iter().try_for_each(check_step)?;
    PyTuple::new(path.py(), steps)
}

fn check_step(step: &Bound<'_, PyAny>) -> PyResult<()> {
    if step.is_instance_of::<PyString>() || step.is_instance_of::<PyInt>() {
        return Ok(());
    }
    let reason = "a step of a path is a str (key or attribute) or an int (index)";
    Err(error::config(step.py(), "path", step, reason))
}

/// One request to run a tool. Arguments stay as they came until the call is about to start.
#[pyclass(frozen, module = "penstock._native")]
pub(crate) struct Call {
    #[pyo3(get)]
    pub(crate) tool: Py<PyString>,
    #[pyo3(get)]
    pub(crate) arguments: Option<Py<PyAny>>,
    #[pyo3(get)]
    pub(crate) id: Option<Py<PyString>>,
    #[pyo3(get)]
    pub(crate) priority: Option<u8>,
    #[pyo3(get)]
    pub(crate) branch: Option<Py<PyString>>,
    pub(crate) timeout: Option<Nanos>,
    /// Ids of calls that must have ended well before this one, and whose values it does not use.
    #[pyo3(get)]
    pub(crate) after: Py<PyTuple>,
    /// Every `Ref` in the arguments, in the order they are met.
    #[pyo3(get)]
    pub(crate) refs: Py<PyTuple>,
}

impl Call {
    /// Whether nothing that it holds can ever lead back to it: JSON, or nothing at all.
    fn is_plain(&self, py: Python<'_>) -> bool {
        self.arguments
            .as_ref()
            .is_none_or(|held| !raw::is_container(held.bind(py)))
    }
}

#[pymethods]
impl Call {
    #[new]
    #[pyo3(signature = (tool, arguments = None, *, id = None, priority = None, branch = None, timeout = None, after = None))]
    #[expect(
        clippy::too_many_arguments,
        reason = "the keyword arguments of the public face"
    )]
    fn new<'py>(
        py: Python<'py>,
        tool: Bound<'py, PyString>,
        arguments: Option<Bound<'py, PyAny>>,
        id: Option<Bound<'py, PyString>>,
        priority: Option<Bound<'py, PyAny>>,
        branch: Option<Bound<'py, PyString>>,
        timeout: Option<Bound<'py, PyAny>>,
        after: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Self> {
        let (arguments, refs) = take_arguments(py, arguments)?;
        Ok(Self {
            tool: tool.unbind(),
            arguments,
            id: id.map(Bound::unbind),
            priority: priority
                .map(|value| convert::priority(&value))
                .transpose()?,
            branch: branch.map(Bound::unbind),
            timeout: timeout.map(|value| convert::timeout(&value)).transpose()?,
            after: parents(py, after)?,
            refs,
        })
    }

    /// A copy in a branch, its ids and those that it names prefixed: the calls of a race.
    #[pyo3(signature = (*, branch, prefix))]
    fn replace<'py>(&self, py: Python<'py>, branch: Py<PyString>, prefix: &str) -> PyResult<Self> {
        let renamed = |id: &Bound<'py, PyAny>| PyString::new(py, &format!("{prefix}{id}"));
        let after = self.after.bind(py).iter().map(|id| renamed(&id));
        let arguments = match &self.arguments {
            Some(arguments) if !self.refs.bind(py).is_empty() => {
                Some(rename_refs(arguments.bind(py), &|id| renamed(id.as_any()))?)
            }
            other => other.as_ref().map(|arguments| arguments.bind(py).clone()),
        };
        let (arguments, refs) = take_arguments(py, arguments)?;
        Ok(Self {
            tool: self.tool.clone_ref(py),
            arguments,
            id: self
                .id
                .as_ref()
                .map(|id| renamed(id.bind(py).as_any()).unbind()),
            priority: self.priority,
            branch: Some(branch),
            timeout: self.timeout,
            after: PyTuple::new(py, after.collect::<Vec<_>>())?.unbind(),
            refs,
        })
    }

    /// Seconds from submission until the call must have ended; None means no bound of its own.
    #[getter]
    fn timeout(&self) -> Option<f64> {
        self.timeout.map(convert::seconds)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let mut text = format!("Call({}", self.tool.bind(py).repr()?);
        if let Some(arguments) = &self.arguments {
            text += &format!(
                ", {}",
                convert::cut(&arguments.bind(py).repr()?.to_string(), 80)
            );
        }
        if let Some(id) = &self.id {
            text += &format!(", id={}", id.bind(py).repr()?);
        }
        Ok(text + ")")
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.arguments)
    }
}

type Arguments = (Option<Py<PyAny>>, Py<PyTuple>);

/// Keeps bytes as they are, encodes text, copies a mapping and finds the `Ref`s in it.
fn take_arguments<'py>(
    py: Python<'py>,
    arguments: Option<Bound<'py, PyAny>>,
) -> PyResult<Arguments> {
    let Some(arguments) = arguments else {
        return Ok((None, no_items(py)));
    };
    if arguments.is_instance_of::<PyBytes>() {
        return Ok((Some(arguments.unbind()), no_items(py)));
    }
    if let Ok(text) = arguments.cast::<PyString>() {
        return Ok((Some(encode(text)?), no_items(py)));
    }
    let Ok(mapping) = arguments.cast::<PyMapping>() else {
        let reason = "give JSON (bytes or str), a mapping of argument names, or None";
        return Err(error::config(py, "arguments", &arguments, reason));
    };
    let copy = PyDict::new(py);
    copy.update(mapping)?;
    let mut found = Vec::new();
    find_refs(copy.as_any(), &mut found, 0)?;
    let refs = if found.is_empty() {
        no_items(py)
    } else {
        PyTuple::new(py, found)?.unbind()
    };
    Ok((Some(copy.into_any().unbind()), refs))
}

/// UTF-8; lone surrogates are kept in a form that the check of the arguments refuses, so that only
/// this one call is rejected and its siblings run.
fn encode(text: &Bound<'_, PyString>) -> PyResult<Py<PyAny>> {
    if let Ok(sound) = text.to_str() {
        return Ok(PyBytes::new(text.py(), sound.as_bytes())
            .into_any()
            .unbind());
    }
    let encoded = text.call_method1("encode", ("utf-8", "surrogatepass"))?;
    Ok(encoded.unbind())
}

/// The arguments with each `Ref` naming its parent by the parent's new id.
fn rename_refs<'py>(
    value: &Bound<'py, PyAny>,
    renamed: &dyn Fn(&Bound<'py, PyString>) -> Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    if let Ok(reference) = value.cast_exact::<Ref>() {
        let reference = reference.get();
        let moved = Ref::make(
            renamed(reference.call.bind(py)),
            reference.path.bind(py).clone(),
        )?;
        return Ok(Bound::new(py, moved)?.into_any());
    }
    if let Ok(dict) = value.cast_exact::<PyDict>() {
        let copy = PyDict::new(py);
        for (key, item) in dict.iter() {
            copy.set_item(key, rename_refs(&item, renamed)?)?;
        }
        return Ok(copy.into_any());
    }
    let as_list = value.is_exact_instance_of::<PyList>();
    if !as_list && !value.is_exact_instance_of::<PyTuple>() {
        return Ok(value.clone());
    }
    let items = value.try_iter()?.map(|item| rename_refs(&item?, renamed));
    let items = PyList::new(py, items.collect::<PyResult<Vec<_>>>()?)?;
    if as_list {
        Ok(items.into_any())
    } else {
        Ok(items.to_tuple().into_any())
    }
}

fn find_refs<'py>(
    value: &Bound<'py, PyAny>,
    found: &mut Vec<Bound<'py, Ref>>,
    depth: u32,
) -> PyResult<()> {
    if depth > MAX_DEPTH {
        return Ok(()); // The validator of the tool answers for values nested this deep.
    }
    if let Ok(reference) = value.cast_exact::<Ref>() {
        found.push(reference.clone());
    } else if let Ok(dict) = value.cast_exact::<PyDict>() {
        for (_, item) in dict.iter() {
            find_refs(&item, found, depth + 1)?;
        }
    } else if let Ok(list) = value.cast_exact::<PyList>() {
        for item in list.iter() {
            find_refs(&item, found, depth + 1)?;
        }
    } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
        for item in tuple.iter() {
            find_refs(&item, found, depth + 1)?;
        }
    }
    Ok(())
}

fn parents<'py>(py: Python<'py>, after: Option<Bound<'py, PyAny>>) -> PyResult<Py<PyTuple>> {
    let Some(after) = after else {
        return Ok(no_items(py));
    };
    if after.is_instance_of::<PyString>() {
        let reason = "give a list of ids or calls, not a single str";
        return Err(error::config(py, "after", &after, reason));
    }
    let mut ids = Vec::new();
    for parent in after.try_iter()? {
        ids.push(parent_id(&parent?)?);
    }
    if ids.is_empty() {
        Ok(no_items(py))
    } else {
        Ok(PyTuple::new(py, ids)?.unbind())
    }
}

fn parent_id<'py>(parent: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    if let Ok(id) = parent.cast::<PyString>() {
        return Ok(id.clone());
    }
    let named = parent
        .cast::<Call>()
        .ok()
        .and_then(|call| call.get().id.as_ref());
    named.map(|id| id.bind(parent.py()).clone()).ok_or_else(|| {
        let reason = "give the id of a call, or a Call that has an id";
        error::config(parent.py(), "after", parent, reason)
    })
}

/// The one empty tuple: most calls have neither parents nor refs.
fn no_items(py: Python<'_>) -> Py<PyTuple> {
    static EMPTY: PyOnceLock<Py<PyTuple>> = PyOnceLock::new();
    EMPTY
        .get_or_init(py, || PyTuple::empty(py).unbind())
        .clone_ref(py)
}

/// Why a call has no value of its own: enough to make the error when somebody asks for it.
///
/// Made when `Outcome.error` is first read: a cancelled batch of 10,000 calls pays for no exception.
pub(crate) enum Explanation {
    /// The whole batch, its branch or this call was cancelled; the text says by what.
    Cancelled(&'static str),
    /// A deadline or an attempt's timeout passed, after so many seconds.
    TimedOut(f64),
    /// A parent did not end well; its id.
    Skipped(String),
    /// The only calls that hold the gate are this call's own ancestors.
    WouldDeadlock(String),
    /// Too many calls of the tool ignore their cancellation.
    TooManyDetached(u32),
}

impl Explanation {
    fn error<'py>(
        &self,
        py: Python<'py>,
        tool: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Cancelled(reason) => error::make(py, "CallCancelled", (tool, *reason)),
            Self::TimedOut(seconds) => error::make(py, "CallTimeout", (tool, *seconds)),
            Self::Skipped(parent) => error::make(py, "CallSkipped", (tool, parent)),
            Self::WouldDeadlock(gate) => error::make(py, "WouldDeadlock", (tool, gate)),
            Self::TooManyDetached(limit) => error::make(py, "TooManyDetached", (tool, *limit)),
        }
    }
}

/// What a call left: a value, the tool's own error, or an error still to be made.
pub(crate) enum Payload {
    Value(Py<PyAny>),
    Error(Py<PyAny>),
    Explained(Box<(Explanation, PyOnceLock<Py<PyAny>>)>),
}

impl Payload {
    pub(crate) fn explained(explanation: Explanation) -> Self {
        Self::Explained(Box::new((explanation, PyOnceLock::new())))
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
}

impl Outcome {
    /// Whether nothing that it holds can ever lead back to it.
    pub(crate) fn is_plain(&self, py: Python<'_>) -> bool {
        match &self.payload {
            Payload::Value(value) => {
                !raw::is_container(value.bind(py)) && self.call.get().is_plain(py)
            }
            Payload::Error(_) | Payload::Explained(_) => false,
        }
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// The word for a status, as metrics, events and the API spell it.
pub(crate) fn status_name<'py>(py: Python<'py>, status: Status) -> &'py Bound<'py, PyString> {
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
        let flags = u8::from(detached) * flag::DETACHED | u8::from(late) * flag::LATE;
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

    /// What the tool returned; None unless the status is "ok".
    #[getter]
    fn value(&self, py: Python<'_>) -> Py<PyAny> {
        match &self.payload {
            Payload::Value(value) => value.clone_ref(py),
            Payload::Error(_) | Payload::Explained(_) => py.None(),
        }
    }

    /// The tool's own exception for "failed", a class of `penstock.errors` otherwise, None for "ok".
    #[getter]
    fn error(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        match &self.payload {
            Payload::Value(_) => Ok(None),
            Payload::Error(error) => Ok(Some(error.clone_ref(py))),
            Payload::Explained(explained) => {
                let (explanation, made) = &**explained;
                let tool = self.call.get().tool.bind(py);
                let error =
                    made.get_or_try_init(py, || explanation.error(py, tool).map(Bound::unbind))?;
                Ok(Some(error.clone_ref(py)))
            }
        }
    }

    /// The value, or raises the error.
    fn unwrap(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self.error(py)? {
            None => Ok(self.value(py)),
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

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let shown = match self.error(py)? {
            None => format!(
                "value={}",
                convert::cut(&self.value(py).bind(py).repr()?.to_string(), 80)
            ),
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
            Payload::Value(value) => visit.call(value),
            Payload::Error(error) => visit.call(error),
            Payload::Explained(_) => Ok(()),
        }
    }
}
