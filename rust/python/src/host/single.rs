//! A call in its caller's own task: `engine.call` and `engine.bind`.
//!
//! The wrapper around the tool is Python, generated with the tool's signature; here are its two
//! ends. `begin` takes the gates if they are free. If they are not, the call waits in the lanes like
//! any other, as a *ticket*: a future that the pump resolves when it is the call's turn.

use penstock_core::clock::Nanos;
use penstock_core::sched::{CallRef, Status, ToolId, Verdict};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::batch::Entry;
use super::engine::{Door, Host, State};
use super::origin::Origin;
use crate::calls::Payload;
use crate::error;

/// Both ends of one tool's calls that run in their callers' tasks.
#[pyclass(frozen, module = "penstock._native")]
pub(crate) struct Single {
    host: Py<Host>,
    tool: ToolId,
    /// Every call needs a ticket: it holds a gate, and those who wait for it must find it.
    is_tracked: bool,
    /// Those who watch the engine hear of its calls; attempts are told of by their call.
    is_shown: bool,
}

impl Single {
    /// Whether a call needs a ticket because somebody watches the engine: what has a place in the
    /// lanes has events. Watching refuses nobody, so it does without where there is no room.
    #[cold]
    fn needs_events(&self, py: Python<'_>) -> PyResult<bool> {
        let parent = Origin::parent_in(self.host.bind(py))?;
        let state = self.host.get().state.borrow(py)?;
        if state.door == Door::Closing {
            return Err(error::raise(py, "EngineClosed", ("closing",)));
        }
        Ok(self.is_shown && state.door == Door::Watched && state.sched.has_room(parent))
    }

    /// As `begin`, where batches have budgets: the call may be made inside of one that pays for it.
    #[cold]
    fn begin_charged(&self, py: Python<'_>) -> PyResult<f64> {
        let parent = Origin::parent_in(self.host.bind(py))?;
        let host = self.host.get();
        let mut state = host.state.borrow(py)?;
        let around = parent.and_then(|parent| state.sched.batch_of(parent));
        let record = around.and_then(|batch| state.record(batch));
        let labels = record.and_then(|record| record.labels.as_ref());
        let pays = labels.is_some_and(|labels| labels.batch.is_some());
        let entered = !pays && state.sched.try_enter(self.tool);
        drop(state);
        Ok(if entered { stamp(host.now(py)) } else { 0.0 })
    }

    fn leave(&self, py: Python<'_>, started: f64, status: Status) -> PyResult<()> {
        let host = self.host.get();
        let now = host.now(py);
        let waiting = {
            let mut state = host.state.borrow(py)?;
            let State { sched, actions, .. } = &mut *state;
            sched.leave(self.tool, status, from_stamp(started), now, actions);
            !actions.is_empty() || sched.has_ready()
        };
        if waiting {
            Host::settle(self.host.bind(py))
        } else {
            Ok(())
        }
    }
}

/// Nanoseconds as a float: Python makes and reads those faster than large integers. Exact for 104
/// days of uptime, and off by a nanosecond or two after that.
#[expect(clippy::cast_precision_loss, reason = "described above")]
fn stamp(now: Nanos) -> f64 {
    now.0.max(1) as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates"
)]
fn from_stamp(stamp: f64) -> Nanos {
    Nanos(stamp as u64)
}

#[pymethods]
impl Single {
    #[new]
    #[pyo3(signature = (host, tool, shown = false))]
    fn new(py: Python<'_>, host: Py<Host>, tool: u32, shown: bool) -> PyResult<Self> {
        let tool = ToolId(tool);
        let known = host.get().state.borrow(py)?.tool_at(py, tool);
        Ok(Self {
            is_tracked: known.is_some_and(|known| known.get().needs_ticket),
            is_shown: shown,
            host,
            tool,
        })
    }

    /// The start stamp, or 0 if a gate is full and the call must wait for a ticket.
    fn begin(&self, py: Python<'_>) -> PyResult<f64> {
        let host = self.host.get();
        let entered = {
            let mut state = host.state.borrow(py)?;
            // One question for what is rare: nobody pays for watchers who are not there.
            if state.door != Door::Open {
                drop(state);
                let needs_events = self.needs_events(py)?;
                state = host.state.borrow(py)?;
                if needs_events {
                    state.counts.single += 1;
                    return Ok(0.0);
                }
            }
            state.counts.single += 1;
            let charged = state
                .limits
                .as_ref()
                .is_some_and(|limits| limits.has_batch_budgets);
            if charged && !self.is_tracked {
                drop(state);
                return self.begin_charged(py);
            }
            !self.is_tracked && state.sched.try_enter(self.tool)
        };
        Ok(if entered { stamp(host.now(py)) } else { 0.0 })
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.host)
    }

    /// Ends a call before its code has run.
    fn refuse(&self, py: Python<'_>, started: f64) -> PyResult<()> {
        self.leave(py, started, Status::Rejected)
    }

    /// Ends a call that returned.
    fn end(&self, py: Python<'_>, started: f64) -> PyResult<()> {
        self.leave(py, started, Status::Ok)
    }

    /// Ends a call that raised.
    fn end_raised(&self, py: Python<'_>, started: f64, error: &Bound<'_, PyAny>) -> PyResult<()> {
        let timeout = error.is_instance_of::<pyo3::exceptions::PyTimeoutError>();
        let status = if self.host.get().asyncio.is_cancellation(error) {
            Status::Cancelled
        } else if timeout && error::code(error)?.is_some() {
            Status::Timeout
        } else {
            Status::Failed
        };
        self.leave(py, started, status)
    }
}

impl Host {
    /// Tells the caller of a bound call that its turn has come. If it has gone away, the call ends.
    pub(crate) fn admit_ticket(
        slf: &Bound<'_, Self>,
        call: CallRef,
        future: &Bound<'_, PyAny>,
        now: Nanos,
    ) -> PyResult<Nanos> {
        let py = slf.py();
        if future
            .call_method0(pyo3::intern!(py, "done"))?
            .is_truthy()?
        {
            let error = slf.get().asyncio.cancellation(py, None)?.unbind();
            slf.get().state.borrow(py)?.unspent(call, now);
            return Self::finish(slf, call, Verdict::Cancelled, Payload::Error(error));
        }
        {
            let mut state = slf.get().state.borrow(py)?;
            state.running = None;
            state.sched.suspended(call.id, now);
        }
        future.call_method1(pyo3::intern!(py, "set_result"), (py.None(),))?;
        Ok(now)
    }
}

/// Ends a call that ran on a ticket; called by the wrapper with the place it was given.
pub(crate) fn end_ticket(
    host: &Bound<'_, Host>,
    call: CallRef,
    end: super::call_task::End,
) -> PyResult<()> {
    let (verdict, payload) = end.into_parts();
    Host::as_turn(host, || {
        Host::finish(host, call, verdict, payload).map(drop)
    })
}

/// The place in the lanes of one bound call.
#[pyclass(frozen, module = "penstock._native")]
pub(crate) struct Ticket {
    pub(crate) host: Py<Host>,
    pub(crate) call: CallRef,
    pub(crate) granted: Py<PyAny>,
}

#[pymethods]
impl Ticket {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.host)?;
        visit.call(&self.granted)
    }

    /// The future that is done when it is this call's turn.
    #[getter]
    fn granted(&self, py: Python<'_>) -> Py<PyAny> {
        self.granted.clone_ref(py)
    }

    /// Its turn has come: what runs until `leave` belongs to the call.
    fn enter<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Origin::enter(self.host.bind(py), self.call)
    }

    #[staticmethod]
    fn leave(token: &Bound<'_, PyAny>) -> PyResult<()> {
        Origin::leave(token)
    }

    /// Ends the call before its code has run: nothing was spent.
    fn refuse(&self, py: Python<'_>, error: Bound<'_, PyAny>) -> PyResult<()> {
        let host = self.host.bind(py);
        Host::as_turn(host, || {
            let payload = Payload::Error(error.unbind());
            Host::finish(host, self.call, Verdict::Rejected, payload).map(drop)
        })
    }

    /// Ends the call of a caller who went away while it waited: its code has not run.
    fn forgo(&self, py: Python<'_>, error: Bound<'_, PyAny>) -> PyResult<()> {
        let host = self.host.get();
        let now = host.now(py);
        host.state.borrow(py)?.unspent(self.call, now);
        self.end(py, py.None(), Some(error))
    }

    /// Ends the call: with its value, or with what it raised.
    #[pyo3(signature = (value, error = None))]
    fn end(
        &self,
        py: Python<'_>,
        value: Py<PyAny>,
        error: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let host = self.host.bind(py);
        let end = match error {
            None => super::call_task::End::Value(value),
            Some(error) if host.get().asyncio.is_cancellation(&error) => {
                super::call_task::End::Cancelled(error.unbind())
            }
            Some(error) => super::call_task::End::Error(error.unbind()),
        };
        end_ticket(host, self.call, end)
    }
}

impl Ticket {
    /// Turns the only call of a batch into a ticket, before it can start.
    pub(crate) fn issue<'py>(host: &Bound<'py, Host>, call: CallRef) -> PyResult<Bound<'py, Self>> {
        let (py, this) = (host.py(), host.get());
        let granted = this.asyncio.create_future(py)?.unbind();
        let held = Entry::Ticket(granted.clone_ref(py));
        let before = {
            let mut state = this.state.borrow(py)?;
            state
                .entry_mut(call)
                .map(|entry| std::mem::replace(entry, held))
        };
        drop(before);
        Bound::new(
            py,
            Self {
                host: host.clone().unbind(),
                call,
                granted,
            },
        )
    }
}
