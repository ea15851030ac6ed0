//! Runs that prepare calls which are not made yet, in a lane of their own: nobody waits longer for them.
//!
//! Each is a batch of one that nobody sees, of nobody and inside of nothing. Its tool is a hidden one that
//! is `alone`: its runs pass the engine's gate and no other, and no limit.

use penstock_core::sched::{BatchId, CallId, CallRef, ToolId};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::attempt::{AttemptOf, Kind, Lone};
use super::batch::{Batch, Entry};
use super::engine::Host;
use super::raw;
use crate::calls::Call;

/// Behind what callers want and what they want twice, before what nobody asked for.
pub(super) const PREPARE_LANE: u8 = 9;

#[pymethods]
impl Host {
    /// Runs a hidden tool for a call that is not made yet. `starting()` is called right before its code.
    fn prepare<'py>(
        slf: &Bound<'py, Self>,
        tool: u32,
        call: Bound<'py, Call>,
        arguments: Bound<'py, PyTuple>,
        starting: Py<PyAny>,
    ) -> PyResult<Bound<'py, Batch>> {
        let tool = ToolId(tool);
        let of = AttemptOf {
            call: CallRef {
                id: CallId::from_bits(0), // of nothing: there is nobody to tell
                tool,
                batch: BatchId::from_bits(0),
                index: 0,
            },
            call_id: String::new(),
            number: 1,
            is_hedge: false,
            starting: Some(starting),
            guess: None,
        };
        let lone = Lone {
            tool,
            request: call,
            entry: Entry::Prepared(arguments.unbind()),
            cost: None,
            of: Some(of),
            context: raw::current_context(slf.py())?.unbind(),
            kind: Kind::Prepare,
            timeout: None,
        };
        let (_, handle) = Self::submit_lone(slf, lone)?;
        Self::settle(slf)?;
        Ok(handle)
    }
}
