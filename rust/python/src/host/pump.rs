//! The pump: one turn of the engine, as a callback of the loop, never inside a task's step.
//!
//! A turn: 1 what threads left in the inbox, 2 timers that are due, 3 what the limiter grants,
//! 4 calls that yielded or were woken at a bad moment, 5 calls that may start, until none is left or
//! the slice is over, 6 watchers are woken and ended batches delivered, 7 asyncio's current task is
//! left, also after an error.
//! A wake-up of one call is a short turn: its step, what that made ready, then 6 and 7.

use penstock_core::clock::Nanos;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::call_task::CallTask;
use super::engine::{Host, State};
use crate::convert;

/// The clock is asked whether the slice is over after so many calls.
const CALLS_BETWEEN_LOOKS: u32 = 64;
/// Timers closer than this make uvloop spin, which rounds to milliseconds.
const SHORTEST_TIMER: Nanos = Nanos::from_millis(1);

/// What the loop calls: holds its host weakly, so that a forgotten engine can go.
#[pyclass(frozen, module = "penstock._native")]
pub(crate) struct Pump {
    host: Py<pyo3::types::PyWeakrefReference>,
}

impl Pump {
    pub(crate) fn new(host: &Bound<'_, Host>) -> PyResult<Self> {
        let host = pyo3::types::PyWeakrefReference::new(host)?.unbind();
        Ok(Self { host })
    }
}

#[pymethods]
impl Pump {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        use pyo3::types::PyWeakrefMethods;
        match self.host.bind(py).upgrade_as::<Host>()? {
            Some(host) => Host::turn(&host),
            None => Ok(()),
        }
    }
}

impl Host {
    /// A whole turn.
    fn turn(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let now = this.now(py);
        {
            let mut state = this.state.borrow(py)?;
            state.scheduled = false;
            if state.pumping {
                return Ok(()); // Called inside a step of ours: that turn goes on afterwards.
            }
            state.pumping = true;
            state.counts.turns += 1;
        }
        let worked = Self::work(slf, now);
        Self::leave_turn(slf, worked)
    }

    fn work(slf: &Bound<'_, Self>, now: Nanos) -> PyResult<()> {
        Self::read_inbox(slf)?;
        Self::expire(slf, now)?;
        Self::exchange(slf, now)?;
        let resumed = std::mem::take(&mut slf.get().state.borrow(slf.py())?.resumed);
        let mut resumed = resumed.into_iter();
        while let Some(task) = resumed.next() {
            let stepped = Self::resume_step(slf, task.into_bound(slf.py()));
            if stepped.is_err() || Self::is_interrupted(slf)? {
                // What was not stepped yet keeps its turn, before those that came meanwhile.
                let mut state = slf.get().state.borrow(slf.py())?;
                let later = std::mem::replace(&mut state.resumed, resumed.collect());
                state.resumed.extend(later);
                return stepped;
            }
        }
        Self::run_ready(slf, now)
    }

    fn is_interrupted(slf: &Bound<'_, Self>) -> PyResult<bool> {
        Ok(slf.get().state.borrow(slf.py())?.fatal.is_some())
    }

    pub(crate) fn expire(slf: &Bound<'_, Self>, now: Nanos) -> PyResult<()> {
        let this = slf.get();
        {
            let mut state = this.state.borrow(slf.py())?;
            state.flush_due(slf.py(), now);
            let State { sched, actions, .. } = &mut *state;
            if sched.next_due().is_none_or(|due| due > now) {
                return Ok(());
            }
            sched.expire(now, actions);
        }
        Self::act(slf)
    }

    /// Starts calls until none is ready or the slice is over.
    pub(crate) fn run_ready(slf: &Bound<'_, Self>, began: Nanos) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let mut now = began;
        let mut started = 0;
        loop {
            while let Some(granted) = Self::grant(slf, now)? {
                now = Self::start(slf, granted, now)?;
                started += 1;
                if started % CALLS_BETWEEN_LOOKS == 0 && this.is_over(py, began)? {
                    return Ok(());
                }
            }
            // What these calls gave back may let others in, in this very turn.
            let owes = this.state.borrow(py)?.owes_limits(now);
            if !owes || !Self::exchange(slf, now)? || this.is_over(py, began)? {
                return Ok(());
            }
        }
    }

    /// Whether the turn must end: the slice is over, or a tool asked the program to stop.
    fn is_over(&self, py: Python<'_>, began: Nanos) -> PyResult<bool> {
        let over = self.now(py).saturating_sub(began) > self.slice;
        let mut state = self.state.borrow(py)?;
        state.counts.sliced += u64::from(over);
        Ok(over || state.fatal.is_some())
    }

    /// Steps a call whose future is done, at once if this is a good moment.
    pub(crate) fn wake(slf: &Bound<'_, Self>, task: &Bound<'_, CallTask>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let busy = std::mem::replace(&mut this.state.borrow(py)?.pumping, true);
        if busy || !Self::seat(slf, task).unwrap_or(false) {
            this.state.borrow(py)?.pumping = busy;
            return Self::resume(slf, task);
        }
        let worked = Self::step(slf, task.clone()).and_then(|()| {
            let (scheduled, owes) = {
                let state = this.state.borrow(py)?;
                (state.scheduled, state.owes_limits(Nanos::ZERO))
            };
            if owes && !scheduled {
                Self::exchange(slf, this.now(py))?;
            }
            if scheduled || !this.state.borrow(py)?.sched.has_ready() {
                return Ok(()); // The backlog has its own turn: a wake-up does not add a slice to it.
            }
            Self::run_ready(slf, this.now(py))
        });
        Self::leave_turn(slf, worked)
    }

    /// Has a call stepped in the next turn.
    pub(crate) fn resume(slf: &Bound<'_, Self>, task: &Bound<'_, CallTask>) -> PyResult<()> {
        slf.get()
            .state
            .borrow(slf.py())?
            .resumed
            .push(task.clone().unbind());
        Self::schedule(slf)
    }

    /// Ends a turn, whatever happened in it.
    pub(crate) fn leave_turn(slf: &Bound<'_, Self>, worked: PyResult<()>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let left = Self::unseat(slf);
        let mut delivered = Ok(());
        loop {
            delivered = delivered.and(Self::act(slf));
            // Before batches are delivered: a budget's warning is written while their logs are open.
            let owes = this.state.borrow(py)?.owes_limits(Nanos::ZERO);
            if owes {
                delivered = delivered.and(Self::exchange(slf, this.now(py)).map(drop));
            }
            delivered = delivered.and(Self::deliver(slf));
            let state = this.state.borrow(py)?;
            // What a destructor asked for while outcomes were delivered.
            let is_quiet = state.actions.is_empty() && state.ended.is_empty();
            if is_quiet && !state.owes_limits(Nanos::ZERO) {
                break;
            }
        }
        this.state.borrow(py)?.pumping = false;
        let kept = Self::keep_running(slf);
        let fatal = this.state.borrow(py)?.fatal.take();
        match fatal {
            Some(fatal) => Err(fatal),
            None => worked.and(left).and(delivered).and(kept),
        }
    }

    /// Has the loop call again if anything is left to do, now or later.
    pub(crate) fn keep_running(slf: &Bound<'_, Self>) -> PyResult<()> {
        let more = {
            let state = slf.get().state.borrow(slf.py())?;
            state.sched.has_ready() || !state.resumed.is_empty()
        };
        if more {
            Self::schedule(slf)?;
        }
        Self::set_timer(slf)
    }

    /// One timer of the loop for everything; it is replaced only by one that is much earlier.
    fn set_timer(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let due = {
            let state = this.state.borrow(py)?;
            let granting = state.limits.as_ref().and_then(|limits| limits.next_wake());
            let due = state.sched.next_due().into_iter().chain(granting);
            let Some(due) = due.chain(state.telling.next_due()).min() else {
                return Ok(());
            };
            let set = state.timer.as_ref().map(|(set, _)| *set);
            if set.is_some_and(|set| set <= due.saturating_add(SHORTEST_TIMER)) {
                return Ok(());
            }
            due
        };
        // Whole milliseconds, rounded up: uvloop rounds to the nearest, and a timer that rings early
        // finds nothing due and costs another millisecond.
        let wait = due
            .saturating_sub(this.now(py))
            .0
            .div_ceil(SHORTEST_TIMER.0)
            .max(1);
        let wait = Nanos(wait * SHORTEST_TIMER.0);
        let alarm = Py::new(
            py,
            Alarm {
                host: slf.clone().unbind(),
            },
        )?;
        let handle = this
            .asyncio
            .call_later(convert::seconds(wait), alarm.bind(py).as_any())?;
        let before = this.state.borrow(py)?.timer.replace((due, handle.unbind()));
        if let Some((_, before)) = before {
            before.call_method0(py, pyo3::intern!(py, "cancel"))?;
        }
        Ok(())
    }
}

/// The callback of the loop's timer.
#[pyclass(frozen, module = "penstock._native")]
struct Alarm {
    host: Py<Host>,
}

#[pymethods]
impl Alarm {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let host = self.host.bind(py);
        let rung = host.get().state.borrow(py)?.timer.take();
        drop(rung);
        Host::turn(host)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.host)
    }
}
