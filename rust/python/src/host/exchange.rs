//! The exchange with the limiter: what calls gave back goes in, what the limiter decided comes out.

use penstock_core::clock::Nanos;
use penstock_core::sched::{CallId, Permit};
use pyo3::prelude::*;

use super::engine::{Host, State};
use crate::limit::limiter::Woken;
use crate::limit::refusal::Explained;

/// What is to be done after an exchange, when nothing is locked any more.
struct Exchanged {
    /// Owners on other loops that have something to fetch.
    others: Option<Woken>,
    /// Budgets have passed a share.
    warn: bool,
    /// Calls ended.
    act: bool,
    /// A call is ready that was not.
    ready: bool,
}

impl State {
    /// Gives back and fetches, until nothing more changes.
    fn exchange(&mut self, py: Python<'_>, now: Nanos) -> Option<Exchanged> {
        let Self {
            sched,
            actions,
            limits,
            ..
        } = self;
        let limits = limits.as_mut().filter(|limits| limits.is_used())?;
        let had_ready = sched.has_ready();
        let (limiter, owner) = (limits.limiter.clone_ref(py), limits.owner);
        let mut registry = limiter.get().lock();
        registry.now = now;
        let core = &mut registry.core;
        limits.end_run(core, now);
        while let Some(returned) = sched.pop_returned() {
            limits.take_back(core, returned, now);
        }
        // Again after a grant that came too late: what it gives back is somebody else's.
        while core.is_due(now) || owner.is_some_and(|owner| core.has_grants(owner)) {
            core.poll(now);
            while let Some(grant) = owner.and_then(|owner| core.pop_grant(owner)) {
                let call = CallId::from_bits(grant.token);
                match grant.result {
                    Ok(permit) if sched.granted(call, Permit(permit.0)) => {}
                    Ok(permit) => core.refund(permit, now),
                    Err(refusal) => {
                        let why = Explained::read(core, refusal, &grant.cost, now);
                        limits.note_refusal(call, why);
                        sched.refused(call, now, actions);
                    }
                }
            }
        }
        limits.note_wake(core.next_wake());
        let exchanged = Exchanged {
            warn: core.has_warnings(),
            others: registry.whom_to_wake_besides(owner),
            act: !actions.is_empty(),
            ready: sched.has_ready() && !had_ready,
        };
        drop(registry);
        if exchanged.warn {
            self.note_warnings(py, now);
        }
        Some(exchanged)
    }
}

impl Host {
    /// Gives back what calls did not use, and lets in those whose turn has come. True if a call is
    /// ready that was not.
    pub(crate) fn exchange(slf: &Bound<'_, Self>, now: Nanos) -> PyResult<bool> {
        let (py, this) = (slf.py(), slf.get());
        let (exchanged, limiter, warn) = {
            let mut state = this.state.borrow(py)?;
            let Some(exchanged) = state.exchange(py, now) else {
                return Ok(false);
            };
            let known = state.limits.as_ref();
            let told = known.filter(|_| exchanged.others.is_some() || exchanged.warn);
            let told = told.map(|limits| (limits.limiter.clone_ref(py), limits.warn.clone_ref(py)));
            let (limiter, warn) = told.unzip();
            (exchanged, limiter, warn)
        };
        if let Some(warn) = warn.filter(|_| exchanged.warn) {
            warn.call0(py)?;
        }
        if let Some((limiter, others)) = limiter.zip(exchanged.others) {
            limiter.get().wake(py, &others)?;
        }
        if exchanged.act {
            Self::act(slf)?;
        }
        Ok(exchanged.ready)
    }
}
