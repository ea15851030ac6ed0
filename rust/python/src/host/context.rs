//! What a tool can know about its own call: the `Context` parameter, and the function `cancelled` for
//! tools that do not take it. `tell.rs` is what it can say.

use penstock_core::ring::{Fact, Kind};
use penstock_core::sched::{CallId, CallRef};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::call_task::CallTask;
use super::engine::{Host, Mark};
use super::job::Job;
use super::origin::Origin;
use super::tell::{Told, tell_for};
use super::unheard::Unheard;
use crate::convert;
use crate::error;
use crate::ring::Kept;

/// What an event of a policy takes, about.
const NOTE_BYTES: u32 = 256;

/// The call that the code runs for.
#[pyclass(frozen, weakref, module = "penstock._native")]
pub(crate) struct Context {
    host: Py<Host>,
    pub(crate) call: CallRef,
    /// The call itself, also for its attempts: stable over them.
    identity: CallId,
    #[pyo3(get)]
    pub(crate) call_id: String,
    #[pyo3(get)]
    tool: String,
    /// Who the call is charged to, if anybody was named.
    #[pyo3(get)]
    tenant: Option<String>,
    /// Counts from 1; a retry is the next attempt.
    #[pyo3(get)]
    attempt: u32,
    /// Monotonic seconds by which the call must have ended; None if nothing bounds it.
    #[pyo3(get)]
    deadline: Option<f64>,
}

impl Context {
    /// The context object of a call that starts.
    pub(crate) fn of<'py>(host: &Bound<'py, Host>, call: CallRef) -> PyResult<Bound<'py, Self>> {
        let (py, this) = (host.py(), host.get());
        let (request, tool, started, deadline, tenant, attempt_of) = {
            let state = this.state.borrow(py)?;
            let request = state
                .record(call.batch)
                .and_then(|record| record.call(py, call.index));
            let record = state.record(call.batch);
            let attempt_of = record.and_then(|record| record.attempt.as_deref());
            let of = attempt_of.and_then(|of| state.record(of.call.batch));
            let deadline = of.or(record).and_then(|record| record.deadline);
            let submitted = of.or(record).map(|record| record.submitted);
            let labels = record.and_then(|record| record.labels.as_deref());
            let own = request.as_ref().and_then(|request| request.get().timeout);
            let own = submitted
                .zip(own)
                .map(|(submitted, own)| submitted.saturating_add(own));
            let started = state.sched.started(call.id).unwrap_or_default();
            (
                request,
                state.tool(py, call),
                started,
                deadline.into_iter().chain(own).min(),
                labels.and_then(|labels| labels.tenant.clone()),
                attempt_of.map(|of| (of.call.id, of.call_id.clone(), of.number)),
            )
        };
        let (Some(request), Some(tool)) = (request, tool) else {
            return Err(error::internal(py, "a context for a call that is over"));
        };
        let tool = tool.get();
        let id = request.get().id.as_ref().map(|id| id.bind(py).to_string());
        let id = id.unwrap_or_else(|| convert::made_up_id(call.index));
        let (identity, call_id, number) = attempt_of.unwrap_or((call.id, id, 1));
        let attempt = (tool.timeout_seconds > 0.0)
            .then(|| started.saturating_add(convert::nanos(tool.timeout_seconds)));
        let made = Self {
            host: host.clone().unbind(),
            call,
            identity,
            call_id,
            tenant,
            tool: tool.name.bind(py).to_string(),
            attempt: number,
            deadline: deadline
                .into_iter()
                .chain(attempt)
                .min()
                .map(convert::seconds),
        };
        Bound::new(py, made)
    }
}

#[pymethods]
impl Context {
    /// Stable over the attempts of one call: what a service needs to recognise a repeat.
    #[getter]
    fn idempotency_key(&self) -> String {
        let engine = self.host.get().nonce;
        format!(
            "{}-{:016x}{engine:016x}",
            self.call_id,
            self.identity.to_bits()
        )
    }

    /// Whether the call was asked to end.
    #[getter]
    fn cancelled(&self, py: Python<'_>) -> PyResult<bool> {
        let host = self.host.get();
        if !host.state.is_here(py) {
            return Ok(Job::current(py).is_some_and(|job| job.get().is_cancelled()));
        }
        let state = host.state.borrow(py)?;
        Ok(state.sched.reason(self.call.id).is_some())
    }

    /// Tells watchers of the batch how far the call is.
    #[pyo3(signature = (done = None, total = None, message = None))]
    fn progress(
        &self,
        py: Python<'_>,
        done: Option<Bound<'_, PyAny>>,
        total: Option<Bound<'_, PyAny>>,
        message: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let told = Told::progress(py, done, total, message)?;
        let what = "progress() of a call of another thread";
        tell_for(self.host.bind(py), self.call, told, what)
    }

    /// Gives watchers of the batch a part of the call's result.
    fn output(&self, py: Python<'_>, part: Bound<'_, PyAny>) -> PyResult<()> {
        let what = "output() of a call of another thread";
        tell_for(self.host.bind(py), self.call, Told::output(&part)?, what)
    }

    /// What the call's policies do, for those who watch. Not for tools.
    #[pyo3(signature = (r#type, data = None, attempt = 0))]
    fn note(
        &self,
        py: Python<'_>,
        r#type: &str,
        data: Option<Py<PyAny>>,
        attempt: u16,
    ) -> PyResult<()> {
        let Some(kind) = Kind::parse(r#type) else {
            return Err(error::internal(py, "an event of no known type"));
        };
        let host = self.host.get();
        let fact = Fact {
            attempt,
            ..Fact::new(kind, self.call.index, host.now(py))
        };
        let data = data.map(|data| (Kept::Data(data), NOTE_BYTES));
        let mut state = host.state.borrow(py)?;
        if state
            .record(self.call.batch)
            .is_some_and(|record| !record.has_ended(self.call.index))
        {
            state.note(py, self.call.batch, fact, data);
        }
        Ok(())
    }

    /// Tells of the call what a guess has told that it takes over, at the times of then. Not for tools.
    fn retell(&self, py: Python<'_>, unheard: &Bound<'_, Unheard>) -> PyResult<()> {
        let host = self.host.bind(py);
        let told = unheard.get().take(py, self.call.index)?;
        let (is_full, litter) = {
            let mut state = host.get().state.borrow(py)?;
            let litter = state.retell(py, self.call, told);
            (state.logs.is_full(), litter)
        };
        drop(litter);
        if is_full {
            Host::bound_logs(host, self.call.batch)?;
        }
        Ok(())
    }

    /// What the call's policies say of it, for its outcome: how often its code was started, whether the
    /// value is another call's or of a run before it was asked for, and the seconds that were saved. Not
    /// for tools.
    #[pyo3(signature = (attempts, cached, speculative = false, saved = 0.0))]
    fn mark(
        &self,
        py: Python<'_>,
        attempts: u16,
        cached: bool,
        speculative: bool,
        saved: f32,
    ) -> PyResult<()> {
        let mut state = self.host.get().state.borrow(py)?;
        if state.sched.state(self.call.id).is_some() {
            let mark = Mark {
                attempts,
                cached,
                speculative,
                saved,
            };
            state.marks.insert(self.call.id, mark);
        }
        Ok(())
    }

    /// A logger whose records carry the tool and the call.
    #[getter]
    fn log<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let logging = py.import("logging")?;
        let logger =
            logging.call_method1("getLogger", (format!("penstock.tool.{}", self.tool),))?;
        let extra = PyDict::new(py);
        extra.set_item("call_id", &self.call_id)?;
        extra.set_item("tool", &self.tool)?;
        logging.getattr("LoggerAdapter")?.call1((logger, extra))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.host)
    }

    fn __repr__(&self) -> String {
        format!("<Context of {} {:?}>", self.tool, self.call_id)
    }
}

/// The call that the running code belongs to.
pub(crate) enum Running {
    Job(Py<Job>),
    Task(Py<CallTask>),
    Elsewhere(Py<Host>, CallRef),
    Nothing,
}

pub(crate) fn running(py: Python<'_>) -> PyResult<Running> {
    if let Some(job) = Job::current(py) {
        return Ok(Running::Job(job));
    }
    let asyncio = py.import(pyo3::intern!(py, "asyncio"))?;
    let task = asyncio.call_method0(pyo3::intern!(py, "current_task"));
    if let Ok(task) = task
        && let Ok(task) = task.cast_into_exact::<CallTask>()
    {
        return Ok(Running::Task(task.unbind()));
    }
    let Some(origin) = Origin::current(py)? else {
        return Ok(Running::Nothing);
    };
    let host = origin.get().host.clone_ref(py);
    if !host.get().state.is_here(py) {
        return Ok(Running::Nothing); // A thread that the tool has started by itself.
    }
    let call = origin.get().call(py)?;
    Ok(call.map_or(Running::Nothing, |call| Running::Elsewhere(host, call)))
}

/// Whether the call that the running code belongs to was asked to end. False outside of tools.
#[pyfunction]
pub(crate) fn cancelled(py: Python<'_>) -> PyResult<bool> {
    match running(py)? {
        Running::Job(job) => Ok(job.get().is_cancelled()),
        Running::Task(task) => Ok(task.get().cell.borrow(py)?.is_cancelling()),
        Running::Elsewhere(host, call) => {
            Ok(host.get().state.borrow(py)?.sched.reason(call.id).is_some())
        }
        Running::Nothing => Ok(false),
    }
}
