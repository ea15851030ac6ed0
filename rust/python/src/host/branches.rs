//! Branches of a batch: given up or kept, and what watchers hear of it.
//!
//! Ground rules. An event tells that a branch is open no longer, once, whether or not any call of it
//! still runs; it is written before what it causes.

use penstock_core::clock::Nanos;
use penstock_core::ring::{Fact, Kind};
use penstock_core::sched::{BatchId, Reason, Target};
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::engine::{Host, State};
use crate::ring::Kept;

impl State {
    fn note_branch(
        &mut self,
        py: Python<'_>,
        batch: BatchId,
        (kind, branch): (Kind, u32),
        name: Py<PyString>,
        now: Nanos,
    ) {
        let fact = Fact::new(kind, branch, now);
        self.note(py, batch, fact, Some((Kept::Branch(name), 0)));
    }
}

impl Host {
    /// Asks the calls of a branch to end; returns how many were not asked before.
    pub(crate) fn cancel_branch(
        slf: &Bound<'_, Self>,
        batch: BatchId,
        branch: u32,
        name: Py<PyString>,
    ) -> PyResult<u32> {
        let (py, this) = (slf.py(), slf.get());
        let now = this.now(py);
        let count = {
            let mut state = this.state.borrow(py)?;
            if state.sched.open_branches(batch).contains(&branch) {
                state.note_branch(py, batch, (Kind::BranchCancelled, branch), name, now);
            }
            let State { sched, actions, .. } = &mut *state;
            let target = Target::Branch(batch, branch);
            sched.cancel(target, Reason::Branch, now, actions)
        };
        Self::settle(slf)?;
        Ok(count)
    }

    /// Lets held calls start; returns how many were held.
    pub(crate) fn release(slf: &Bound<'_, Self>, batch: BatchId, calls: &[u32]) -> PyResult<u32> {
        let (py, this) = (slf.py(), slf.get());
        let now = this.now(py);
        let count = this.state.borrow(py)?.sched.release(batch, calls, now);
        Self::schedule(slf)?;
        Ok(count)
    }

    /// Keeps a branch: those that are open are cancelled. `names` are of all of them, in order.
    pub(crate) fn commit_branch(
        slf: &Bound<'_, Self>,
        batch: BatchId,
        branch: u32,
        names: Vec<Py<PyString>>,
    ) -> PyResult<bool> {
        let (py, this) = (slf.py(), slf.get());
        let now = this.now(py);
        let kept = {
            let mut state = this.state.borrow(py)?;
            let open = state.sched.open_branches(batch);
            let State { sched, actions, .. } = &mut *state;
            let kept = sched.commit(batch, branch, now, actions);
            if open.contains(&branch) {
                let losers = open.iter().filter(|number| **number != branch);
                let losers = losers.map(|number| (Kind::BranchCancelled, *number));
                for (kind, number) in [(Kind::BranchCommitted, branch)].into_iter().chain(losers) {
                    let name = names
                        .get(number as usize - 1)
                        .map(|name| name.clone_ref(py));
                    let Some(name) = name else { continue };
                    state.note_branch(py, batch, (kind, number), name, now);
                }
            }
            kept
        };
        Self::settle(slf)?;
        Ok(kept)
    }
}
