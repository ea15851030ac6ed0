//! What a provider answered to a call, told by the tool while it runs: `penstock.observe`.

use penstock_core::limit::{Cost, Feedback};
use penstock_core::sched::CallRef;
use pyo3::prelude::*;

use super::context::{Running, running};
use super::engine::Host;
use super::inbox::Message;
use super::job::Job;
use super::origin::Origin;
use crate::limit::cost as costs;
use crate::limit::feedback::{self, Readings};

impl Host {
    /// Tells the limits of a call what its provider answered; what it cost is kept until its permit is
    /// settled. A call without limits needs none of it.
    pub(crate) fn note_answer(
        slf: &Bound<'_, Self>,
        call: CallRef,
        mut feedback: Option<Box<Feedback>>,
        actual: Option<Cost>,
    ) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let (jitter, now) = (this.jitter(py)?, this.now(py));
        let mut state = this.state.borrow(py)?;
        let started = state.sched.started(call.id);
        let permit = state.sched.permit(call.id);
        let (Some(sent_at), Some(limits)) = (started, state.limits.as_mut()) else {
            return Ok(());
        };
        if let Some(feedback) = &mut feedback {
            feedback.sent_at = sent_at;
        }
        let Some(permit) = permit else {
            limits.book(
                call,
                feedback.as_deref(),
                actual.as_ref(),
                jitter,
                sent_at,
                now,
            );
            return Ok(());
        };
        if let Some(feedback) = feedback {
            limits.hear(call.id, permit, &feedback, jitter, now);
        }
        if let Some(actual) = actual {
            limits.note_cost(call.id, actual);
        }
        Ok(())
    }
}

/// Tells the limits of the running call what its provider answered, and what the call took. Does
/// nothing outside of tools.
#[pyfunction]
#[pyo3(signature = (status = None, retry_after = None, readings = None, cost = None))]
pub(crate) fn observe(
    py: Python<'_>,
    status: Option<u16>,
    retry_after: Option<f64>,
    readings: Option<Readings>,
    cost: Option<Bound<'_, PyAny>>,
) -> PyResult<()> {
    let actual = cost.map(|cost| costs::read(&cost)).transpose()?;
    let said = status.is_some() || retry_after.is_some() || readings.is_some();
    let feedback = said.then(|| Box::new(feedback::read(status, retry_after, readings)));
    if let Some(job) = Job::current(py) {
        return job.get().post_answer(py, feedback, actual);
    }
    if let Some((host, call)) = paying(py)? {
        Host::note_answer(host.bind(py), call, feedback, actual)?;
    }
    Ok(())
}

/// The call that holds the permit: an attempt in its caller's task is named by its context alone.
fn paying(py: Python<'_>) -> PyResult<Option<(Py<Host>, CallRef)>> {
    if let Some(origin) = Origin::current(py)?
        && origin.get().host.get().state.is_here(py)
        && let Some(call) = origin.get().call(py)?
    {
        return Ok(Some((origin.get().host.clone_ref(py), call)));
    }
    Ok(match running(py)? {
        Running::Elsewhere(host, call) => Some((host, call)),
        Running::Task(task) => {
            let call = task.get().cell.borrow(py)?.call;
            call.map(|call| (task.get().host.clone_ref(py), call))
        }
        Running::Job(_) | Running::Nothing => None,
    })
}

/// What a thread says of its call's provider.
pub(crate) fn message(
    call: CallRef,
    feedback: Option<Box<Feedback>>,
    actual: Option<Cost>,
) -> Message {
    Message::Answered(call, feedback, actual.map(Box::new))
}
