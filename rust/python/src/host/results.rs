//! Large results: they are given to the store of the engine, and while that is full, calls whose
//! results are usually large do not start.
//!
//! Ground rules. A value is looked at once, when its call has ended: a glance of nanoseconds, see `measure.rs`. Below
//! `inline_bytes` nothing more happens. Attempts and calls in their callers' tasks are not looked at:
//! their values go straight to whoever asked. The store is Python's; it is called without a borrow.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use penstock_core::sched::{CallRef, ToolId, Verdict};
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::context::{Running, running};
use super::engine::{Host, State};
use super::measure::{Size, glance, measure};
use crate::calls::{Explanation, Payload};
use crate::error;

/// What a host knows of the store of its engine.
pub(crate) struct HostResults {
    /// `keep(value, tool, tenant, encoded, resident)`: a hold on the value; None if it is not taken.
    pub(crate) keep: Py<PyAny>,
    inline_bytes: u64,
    /// What any value may have.
    value_bytes: u64,
    /// Bytes of the large results of tools so far.
    large: HashMap<ToolId, u64>,
    /// Tools that are held, while results are.
    held: Option<Vec<ToolId>>,
    /// What a call is told that waited for too long: bytes held, bytes allowed, seconds to wait.
    full: (u64, u64, f64),
}

/// A value that may have to be kept, and whose it is.
struct Found {
    keep: Py<PyAny>,
    tool: Py<PyString>,
    tenant: Option<String>,
}

impl Host {
    /// Whether the value of a call that has ended may be one for the store.
    #[inline]
    pub(crate) fn may_be_large(&self, py: Python<'_>, payload: &Payload) -> bool {
        // A glance may be wrong by half.
        let is_large = |value: &Py<PyAny>| {
            let least = self.keep_from.load(Ordering::Relaxed);
            glance(value.bind(py)).saturating_mul(2) >= least
        };
        matches!(payload, Payload::Value(value) if is_large(value))
    }

    /// Has the store take the value of a call that has ended, if it is large.
    #[cold]
    pub(crate) fn keep(
        slf: &Bound<'_, Self>,
        call: CallRef,
        verdict: Verdict,
        payload: Payload,
    ) -> PyResult<(Verdict, Payload)> {
        let (py, this) = (slf.py(), slf.get());
        let Payload::Value(value) = &payload else {
            return Ok((verdict, payload));
        };
        let size = match measure(value.bind(py)) {
            Ok(size) => size,
            Err(interrupt) => {
                // The call has ended well; the interrupt leaves the pump at the end of the turn.
                this.state.borrow(py)?.fatal = Some(interrupt);
                return Ok((verdict, payload));
            }
        };
        let Some(found) = this.state.borrow(py)?.whose(py, call, size) else {
            return Ok((verdict, payload));
        };
        let fields = (value, found.tool, found.tenant, size.encoded, size.resident);
        match found.keep.call1(py, fields) {
            Ok(kept) if kept.is_none(py) => Ok((verdict, payload)),
            Ok(kept) => {
                this.state.borrow(py)?.note_large(call.tool, size);
                Ok((verdict, Payload::Kept(kept)))
            }
            Err(error) => {
                let code = error::code(error.value(py))?;
                if code.is_some_and(|code| code.eq("result_too_large").unwrap_or(false)) {
                    let error = error.into_value(py).into_any();
                    return Ok((Verdict::Raised, Payload::Error(error)));
                }
                // The value is there, whatever befell the store.
                error.write_unraisable(py, None);
                Ok((verdict, payload))
            }
        }
    }
}

impl State {
    /// Whose value it is; None if the store has nothing to do with it.
    fn whose(&self, py: Python<'_>, call: CallRef, size: Size) -> Option<Found> {
        let results = self.results.as_deref()?;
        let tool = self.tool(py, call)?;
        if size.encoded < results.inline_bytes.min(tool.get().value_bytes) {
            return None;
        }
        let record = self.record(call.batch).filter(|record| !record.is_lone)?;
        let labels = record.labels.as_ref();
        Some(Found {
            keep: results.keep.clone_ref(py),
            tool: tool.get().name.clone_ref(py),
            tenant: labels.and_then(|labels| labels.tenant.clone()),
        })
    }

    fn note_large(&mut self, tool: ToolId, size: Size) {
        if let Some(results) = &mut self.results {
            let large = results.large.entry(tool).or_default();
            *large = large.saturating_add(size.encoded);
        }
        self.hold_large();
    }

    /// Holds the tools whose mean result is large, while results are held.
    fn hold_large(&mut self) {
        let Some(results) = &mut self.results else {
            return;
        };
        let Some(held) = &mut results.held else {
            return;
        };
        for (tool, large) in &results.large {
            let ended = self.sched.ok_calls(*tool) + 1;
            if large / ended >= results.inline_bytes && self.sched.hold_tool(*tool) {
                held.push(*tool);
            }
        }
    }

    /// Why a held call was refused.
    pub(crate) fn explain_held(&self) -> Explanation {
        let (held, limit, retry_after) = match &self.results {
            Some(results) => results.full,
            None => (0, 0, 0.0),
        };
        Explanation::ResultsFull {
            held,
            limit,
            retry_after,
        }
    }
}

#[pymethods]
impl Host {
    /// Gives values of at least `inline_bytes`, none of which may have more than `value_bytes`, to `keep(value, tool, tenant, encoded, resident)`, which
    /// answers what stands for the value: it has `value()`; or None. After the last tool was added.
    fn use_results(
        &self,
        py: Python<'_>,
        keep: Py<PyAny>,
        inline_bytes: u64,
        value_bytes: u64,
    ) -> PyResult<()> {
        let mut state = self.state.borrow(py)?;
        let sizes = state.tools.iter().map(|tool| tool.get().value_bytes);
        let least = sizes.fold(inline_bytes, u64::min);
        state.results = Some(Box::new(HostResults {
            keep,
            inline_bytes,
            value_bytes,
            large: HashMap::new(),
            held: None,
            full: (0, 0, 0.0),
        }));
        self.keep_from.store(least, Ordering::Relaxed);
        Ok(())
    }

    /// Starts no more calls of tools whose results are usually large.
    fn hold_results(&self, py: Python<'_>) -> PyResult<()> {
        let mut state = self.state.borrow(py)?;
        if let Some(results) = &mut state.results {
            results.held.get_or_insert_default();
        }
        state.hold_large();
        Ok(())
    }

    /// Lets them start again.
    fn release_results(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let now = this.now(py);
        {
            let mut state = this.state.borrow(py)?;
            let held = state.results.as_mut().and_then(|it| it.held.take());
            for tool in held.unwrap_or_default() {
                state.sched.release_tool(tool, now);
            }
        }
        Self::schedule(slf)
    }

    /// Rejects the calls that wait for room, with `ResultsFull` of these fields; returns how many.
    fn refuse_held(
        slf: &Bound<'_, Self>,
        held: u64,
        limit: u64,
        retry_after: f64,
    ) -> PyResult<u32> {
        let (py, this) = (slf.py(), slf.get());
        let now = this.now(py);
        let refused = {
            let mut state = this.state.borrow(py)?;
            let State {
                sched,
                actions,
                results,
                ..
            } = &mut *state;
            let Some(results) = results else { return Ok(0) };
            results.full = (held, limit, retry_after);
            let tools = results.held.iter().flatten();
            tools
                .map(|tool| sched.refuse_held(*tool, now, actions))
                .sum()
        };
        Self::settle(slf)?;
        Ok(refused)
    }
}

/// The most bytes that the value of the running call may have; None outside of tools that run on the
/// engine's loop.
#[pyfunction]
pub(crate) fn value_bytes(py: Python<'_>) -> PyResult<Option<u64>> {
    let (host, call) = match running(py)? {
        Running::Task(task) => {
            let call = task.get().cell.borrow(py)?.call;
            (task.get().host.clone_ref(py), call)
        }
        Running::Elsewhere(host, call) => (host, Some(call)),
        Running::Job(_) | Running::Nothing => return Ok(None),
    };
    let state = host.get().state.borrow(py)?;
    let own = call.and_then(|call| state.tool(py, call));
    let own = own.map_or(u64::MAX, |tool| tool.get().value_bytes);
    let results = state.results.as_deref();
    Ok(results.map(|results| results.value_bytes.min(own)))
}
