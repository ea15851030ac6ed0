//! Python's view of `penstock_core::flight`: converts and locks, no more.

use std::sync::Mutex;

use penstock_core::flight::{
    self, Ask, Changed, Claimed, EntryId, FlightsConfig, Keep, Reads, SessionId, Why,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{locked, nanos};
use crate::error;

type Names = Option<Vec<String>>;

/// Reads that run, are held or were guessed; times are seconds on the caller's clock.
#[pyclass(frozen, module = "penstock._native")]
pub(crate) struct Flights(Mutex<flight::Flights>);

#[pymethods]
impl Flights {
    #[new]
    #[pyo3(signature = (*, max_held = 65_536, max_bytes = 67_108_864, max_names = 100_000))]
    fn new(max_held: u32, max_bytes: u64, max_names: usize) -> Self {
        Self(Mutex::new(flight::Flights::new(FlightsConfig {
            max_held,
            max_bytes,
            max_names,
        })))
    }

    fn open(&self, py: Python<'_>, tenant: u64, shared: u64) -> PyResult<u64> {
        Ok(locked(py, &self.0)?.open(tenant, shared).0)
    }

    fn close(&self, py: Python<'_>, session: u64) -> PyResult<()> {
        locked(py, &self.0)?.close(SessionId(session));
        Ok(())
    }

    /// What there is, which, and whether it was a guess.
    fn claim(
        &self,
        py: Python<'_>,
        session: u64,
        tool: u32,
        form: &[u8],
        keep: u8,
        now: f64,
    ) -> PyResult<(&'static str, u64, bool)> {
        let ask = ask(py, session, tool, form, keep)?;
        Ok(match locked(py, &self.0)?.claim(&ask, nanos(now)) {
            Claimed::Miss => ("miss", 0, false),
            Claimed::Join { id, guessed } => ("join", id.0, guessed),
            Claimed::Done { id, guessed } => ("done", id.0, guessed),
        })
    }

    fn has(
        &self,
        py: Python<'_>,
        session: u64,
        tool: u32,
        form: &[u8],
        keep: u8,
        now: f64,
    ) -> PyResult<bool> {
        let ask = ask(py, session, tool, form, keep)?;
        Ok(locked(py, &self.0)?.has(&ask, nanos(now)))
    }

    /// A run that begins: one that was asked for, or a guess. None if the session is over.
    #[pyo3(signature = (session, tool, form, keep, now, *, names, stable_for = None, guess = false))]
    #[expect(clippy::too_many_arguments, reason = "what a run is, by name")]
    fn start(
        &self,
        py: Python<'_>,
        session: u64,
        tool: u32,
        form: &[u8],
        keep: u8,
        now: f64,
        names: Names,
        stable_for: Option<f64>,
        guess: bool,
    ) -> PyResult<Option<u64>> {
        let ask = ask(py, session, tool, form, keep)?;
        let names: Option<Vec<&str>> = names.as_ref().map(|names| texts(names));
        let reads = Reads {
            names: names.as_deref(),
            stable_for: stable_for.map(nanos),
        };
        let mut flights = locked(py, &self.0)?;
        let id = if guess {
            flights.guess(&ask, &reads, nanos(now))
        } else {
            flights.start(&ask, &reads, nanos(now))
        };
        Ok(id.map(|id| id.0))
    }

    fn began(&self, py: Python<'_>, id: u64) -> PyResult<()> {
        locked(py, &self.0)?.began(EntryId(id));
        Ok(())
    }

    fn land(&self, py: Python<'_>, id: u64, bytes: u64, now: f64) -> PyResult<bool> {
        Ok(locked(py, &self.0)?.land(EntryId(id), bytes, nanos(now)))
    }

    fn fail(&self, py: Python<'_>, id: u64) -> PyResult<()> {
        locked(py, &self.0)?.fail(EntryId(id));
        Ok(())
    }

    fn leave(&self, py: Python<'_>, id: u64) -> PyResult<bool> {
        Ok(locked(py, &self.0)?.leave(EntryId(id)))
    }

    /// A write of a session starts or ends.
    fn write(
        &self,
        py: Python<'_>,
        session: Option<u64>,
        tenant: u64,
        names: Names,
    ) -> PyResult<()> {
        let names: Option<Vec<&str>> = names.as_ref().map(|names| texts(names));
        let changed = names.as_deref().map_or(Changed::Anything, Changed::Names);
        locked(py, &self.0)?.write(session.map(SessionId), tenant, &changed);
        Ok(())
    }

    /// A write is given up whose code runs on: the number for `found`.
    fn lose(
        &self,
        py: Python<'_>,
        session: Option<u64>,
        tenant: u64,
        names: Names,
    ) -> PyResult<u64> {
        let names: Option<Vec<&str>> = names.as_ref().map(|names| texts(names));
        let changed = names.as_deref().map_or(Changed::Anything, Changed::Names);
        Ok(locked(py, &self.0)?.lose(session.map(SessionId), tenant, &changed))
    }

    /// The end of a lost write is seen.
    fn found(&self, py: Python<'_>, number: u64) -> PyResult<()> {
        locked(py, &self.0)?.found(number);
        Ok(())
    }

    #[pyo3(signature = (names, tenant = None))]
    fn changed(&self, py: Python<'_>, names: Vec<String>, tenant: Option<u64>) -> PyResult<()> {
        locked(py, &self.0)?.changed(tenant, &texts(&names));
        Ok(())
    }

    fn sweep(&self, py: Python<'_>, session: u64, now: f64) -> PyResult<()> {
        locked(py, &self.0)?.sweep(SessionId(session), nanos(now));
        Ok(())
    }

    /// What was dropped since: which, why, whether it was a guess, whether its run was over.
    fn dropped(&self, py: Python<'_>) -> PyResult<Vec<(u64, &'static str, bool, bool)>> {
        let mut flights = locked(py, &self.0)?;
        let dropped = std::iter::from_fn(|| flights.pop_dropped());
        Ok(dropped
            .map(|it| (it.id.0, word(it.why), it.guessed, it.done))
            .collect())
    }

    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let seen = locked(py, &self.0)?.statistics();
        let all = PyDict::new(py);
        all.set_item("sessions", seen.sessions)?;
        all.set_item("running", seen.running)?;
        all.set_item("held", seen.held)?;
        all.set_item("bytes", seen.bytes)?;
        all.set_item("names", seen.names)?;
        Ok(all)
    }
}

fn ask<'a>(py: Python<'_>, session: u64, tool: u32, form: &'a [u8], keep: u8) -> PyResult<Ask<'a>> {
    let keep = match keep {
        0 => Keep::Once,
        1 => Keep::Session,
        2 => Keep::Tenant,
        _ => return Err(error::internal(py, "a way of keeping that there is not")),
    };
    Ok(Ask {
        session: SessionId(session),
        tool,
        form,
        keep,
    })
}

fn texts(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

fn word(why: Why) -> &'static str {
    match why {
        Why::Changed => "changed",
        Why::Expired => "expired",
        Why::Overtaken => "overtaken",
        Why::Crowded => "crowded",
        Why::Closed => "closed",
    }
}
