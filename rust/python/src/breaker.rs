//! Python's view of `penstock_core::breaker` and of the allowance: converts and locks, no more.

use std::sync::Mutex;

use penstock_core::breaker::{self, BreakerConfig, Cause, Class, State, Ticket};
use penstock_core::clock::Nanos;
use penstock_core::limit::allowance;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{locked, nanos, permille, seconds};
use crate::error;
use crate::host::clock::HostClock;

const CLASSES: [(&str, Class); 6] = [
    ("ok", Class::Ok),
    ("slow", Class::Slow),
    ("fail", Class::Fail),
    ("connect", Class::Connect),
    ("ignored", Class::Ignored),
    ("misconfigured", Class::Misconfigured),
];

/// One breaker; times are seconds on the caller's clock, or read where people ask.
#[pyclass(frozen, module = "penstock._native")]
pub(crate) struct Breaker {
    breaker: Mutex<breaker::Breaker>,
    clock: HostClock,
}

#[pymethods]
impl Breaker {
    #[new]
    #[pyo3(signature = (*, failures=0.5, slow=0.8, min_calls=20, consecutive=5, open_for=(1.0, 60.0), time=None))]
    fn new(
        failures: f64,
        slow: f64,
        min_calls: u32,
        consecutive: u32,
        open_for: (f64, f64),
        time: Option<Py<PyAny>>,
    ) -> Self {
        let config = BreakerConfig {
            failures_permille: permille(failures),
            slow_permille: permille(slow),
            min_calls,
            consecutive,
            open_least: nanos(open_for.0),
            open_most: nanos(open_for.1),
        };
        Self {
            breaker: Mutex::new(breaker::Breaker::new(config)),
            clock: time.map_or(HostClock::Monotonic, HostClock::Virtual),
        }
    }

    #[getter]
    fn state(&self, py: Python<'_>) -> PyResult<&'static str> {
        Ok(name_of(locked(py, &self.breaker)?.state()))
    }

    #[getter]
    fn is_closed(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(locked(py, &self.breaker)?.state() == State::Closed)
    }

    fn check(&self, py: Python<'_>, now: f64) -> PyResult<Option<f64>> {
        let checked = locked(py, &self.breaker)?.check(nanos(now));
        Ok(checked.err().map(seconds))
    }

    #[pyo3(signature = (now, deadline=None))]
    fn admit(
        &self,
        py: Python<'_>,
        now: f64,
        deadline: Option<f64>,
    ) -> PyResult<(Option<u64>, f64)> {
        let admitted = locked(py, &self.breaker)?.admit(nanos(now), deadline.map(nanos));
        Ok(match admitted {
            Ok(ticket) => (Some(ticket.to_bits()), 0.0),
            Err(retry_at) => (None, seconds(retry_at)),
        })
    }

    fn record(
        &self,
        py: Python<'_>,
        ticket: u64,
        ending: &Bound<'_, PyAny>,
        now: f64,
        random: f64,
    ) -> PyResult<bool> {
        let class = class_of(ending)?;
        let ticket = Ticket::from_bits(ticket);
        Ok(locked(py, &self.breaker)?.record(ticket, class, nanos(now), permille(random)))
    }

    fn cancel(&self, py: Python<'_>, ticket: u64, now: f64) -> PyResult<()> {
        locked(py, &self.breaker)?.cancel(Ticket::from_bits(ticket), nanos(now));
        Ok(())
    }

    fn remote_open(&self, py: Python<'_>, now: f64) -> PyResult<()> {
        locked(py, &self.breaker)?.remote_open(nanos(now));
        Ok(())
    }

    #[pyo3(signature = (now=None))]
    fn reset(&self, py: Python<'_>, now: Option<f64>) -> PyResult<()> {
        let now = self.time_or(now, py);
        locked(py, &self.breaker)?.reset(now);
        Ok(())
    }

    fn transitions(
        &self,
        py: Python<'_>,
    ) -> PyResult<Vec<(&'static str, &'static str, &'static str, f64)>> {
        let mut breaker = locked(py, &self.breaker)?;
        let transitions = std::iter::from_fn(|| breaker.pop_transition());
        Ok(transitions
            .map(|change| {
                let (from, to) = (name_of(change.from), name_of(change.to));
                (from, to, reason(change.cause), seconds(change.at))
            })
            .collect())
    }

    #[pyo3(signature = (now=None))]
    fn statistics<'py>(&self, py: Python<'py>, now: Option<f64>) -> PyResult<Bound<'py, PyDict>> {
        let now = self.time_or(now, py);
        let seen = locked(py, &self.breaker)?.statistics(now);
        let all = PyDict::new(py);
        all.set_item("state", name_of(seen.state))?;
        all.set_item("recent_ok", seen.recent_ok)?;
        all.set_item("recent_slow", seen.recent_slow)?;
        all.set_item("recent_failed", seen.recent_failed)?;
        all.set_item("refused", seen.refused)?;
        all.set_item("late", seen.late)?;
        all.set_item("opened", seen.opened)?;
        all.set_item("probes", seen.probes)?;
        all.set_item("retry_at", seconds(seen.retry_at))?;
        all.set_item("next_open_time", seconds(seen.next_open_time))?;
        all.set_item("wary_until", seconds(seen.wary_until))?;
        Ok(all)
    }
}

impl Breaker {
    /// The time that was given, or the time now: before any lock, a virtual clock is Python.
    fn time_or(&self, now: Option<f64>, py: Python<'_>) -> Nanos {
        now.map_or_else(|| self.clock.now(py), nanos)
    }
}

/// The allowance of one service for retries and hedges, on one clock.
#[pyclass(frozen, module = "penstock._native")]
pub(crate) struct Allowance {
    allowance: Mutex<allowance::Allowance>,
    clock: HostClock,
}

#[pymethods]
impl Allowance {
    #[new]
    #[pyo3(signature = (time=None))]
    fn new(time: Option<Py<PyAny>>) -> Self {
        Self {
            allowance: Mutex::new(allowance::Allowance::new()),
            clock: time.map_or(HostClock::Monotonic, HostClock::Virtual),
        }
    }

    fn first_attempt(&self, py: Python<'_>) -> PyResult<()> {
        let now = self.clock.now(py); // before the lock: a virtual clock is Python
        locked(py, &self.allowance)?.first_attempt(now);
        Ok(())
    }

    fn try_spend(&self, py: Python<'_>) -> PyResult<bool> {
        let now = self.clock.now(py);
        Ok(locked(py, &self.allowance)?.try_spend(now))
    }

    #[getter]
    fn available(&self, py: Python<'_>) -> PyResult<u32> {
        let now = self.clock.now(py);
        Ok(locked(py, &self.allowance)?.available(now))
    }

    #[getter]
    fn spent(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(locked(py, &self.allowance)?.spent())
    }

    #[getter]
    fn denied(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(locked(py, &self.allowance)?.denied())
    }
}

fn class_of(ending: &Bound<'_, PyAny>) -> PyResult<Class> {
    let word = ending.extract::<&str>().unwrap_or_default();
    let class = CLASSES.iter().find(|(name, _)| *name == word);
    class.map(|(_, class)| *class).ok_or_else(|| {
        let words = CLASSES.map(|(name, _)| name).join(", ");
        error::config(
            ending.py(),
            "ending",
            ending,
            &format!("must be one of {words}"),
        )
    })
}

const fn name_of(state: State) -> &'static str {
    match state {
        State::Closed => "closed",
        State::Open => "open",
        State::HalfOpen => "half_open",
        State::Misconfigured => "misconfigured",
    }
}

const fn reason(cause: Cause) -> &'static str {
    match cause {
        Cause::Failures => "failures",
        Cause::Slow => "slow",
        Cause::Connect => "connect",
        Cause::Probe => "probe",
        Cause::Waited => "waited",
        Cause::Recovered => "recovered",
        Cause::Unauthorised => "unauthorised",
        Cause::Reset => "reset",
    }
}
