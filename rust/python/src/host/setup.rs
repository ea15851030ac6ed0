//! What an engine tells its host once, before the first call: executors, gates, limits, tools.

use std::num::NonZeroU32;

use penstock_core::sched::{ToolId, ToolSpec};
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::clock::HostClock;
use super::engine::{GRACE, Host};
use super::limits::HostLimits;
use super::tool::{HostTool, Mode, Role};
use crate::limit::cost;
use crate::limit::limiter::Limiter;
use crate::{convert, error};

#[pymethods]
impl Host {
    /// Lets jobs of a mode be run by `start(job)`; `cancel(job)` hears of running ones that are to end.
    fn add_executor(
        &self,
        py: Python<'_>,
        mode: Bound<'_, PyString>,
        start: Py<PyAny>,
        cancel: Py<PyAny>,
    ) -> PyResult<()> {
        let known = self.executors[parse_mode(&mode)? as usize].set(py, (start, cancel));
        known.map_err(|_| error::internal(py, "an executor was added twice"))
    }

    /// Lets calls pass the limits of `limiter`; before the first tool is added. `warn()` is called when
    /// budgets have passed a share of theirs. `names_batches`: some limit speaks of every batch.
    fn use_limiter(
        slf: &Bound<'_, Self>,
        limiter: &Bound<'_, Limiter>,
        warn: Py<PyAny>,
        names_batches: bool,
    ) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        if let HostClock::Virtual(time) = &this.clock {
            limiter.get().use_virtual_time(py, time)?;
        }
        let owner = limiter.get().add_owner_of(Self::waker(slf)?);
        let mut limits = HostLimits::new(limiter.clone().unbind(), owner, warn);
        limits.next_batch = names_batches.then_some(1);
        this.state.borrow(py)?.limits = Some(Box::new(limits));
        Ok(())
    }

    /// Adds a `penstock.tools.Tool`, run by `mode`; returns its number.
    ///
    /// `gate` and `concurrency` bound its calls at once, `cost` is what one takes of its limits, if it
    /// has some. With `layers`, its calls are policies around calls of the hidden tool `attempts`. With
    /// `session` too, it is what calls of sessions are instead: they pass no gate but their batch's, for
    /// what they wait for passes the others. A hidden one that is `alone` is of no call: its runs pass the
    /// engine's gate themselves.
    #[pyo3(signature = (tool, mode, *, gate = None, concurrency = None, cost = None, limited = false, tracked = false, hidden = false, layers = None, attempts = None, session = false, alone = false))]
    #[expect(
        clippy::too_many_arguments,
        clippy::fn_params_excessive_bools,
        reason = "what an engine knows of a tool, by name"
    )]
    fn add_tool(
        &self,
        py: Python<'_>,
        tool: Bound<'_, PyAny>,
        mode: Bound<'_, PyString>,
        gate: Option<&str>,
        concurrency: Option<NonZeroU32>,
        cost: Option<Bound<'_, PyAny>>,
        limited: bool,
        tracked: bool,
        hidden: bool,
        layers: Option<Bound<'_, PyAny>>,
        attempts: Option<u32>,
        session: bool,
        alone: bool,
    ) -> PyResult<u32> {
        let chosen = parse_mode(&mode)?;
        let timeout: Option<Bound<'_, PyAny>> = tool.getattr("timeout")?.extract()?;
        let timeout = timeout
            .map(|seconds| convert::timeout(&seconds))
            .transpose()?
            .filter(|_| layers.is_none()); // the timeout of its attempts
        let has_gate = self.has_gate || concurrency.is_some() || gate.is_some() || tracked;
        let id = {
            let mut state = self.state.borrow(py)?;
            let service = gate.and_then(|name| state.services.get(name).copied());
            state.sched.add_tool(ToolSpec {
                concurrency,
                service,
                timeout,
                grace: GRACE,
                is_attempt: (hidden && !alone) || session,
            })
        };
        let role = Role {
            own_origin: chosen == Mode::Task || (chosen == Mode::Call && has_gate),
            is_limited: limited,
            is_hidden: hidden || session,
            layers: layers.as_ref(),
            attempts: attempts.map(ToolId),
        };
        let added = Py::new(py, HostTool::read(&tool, id, chosen, role)?)?;
        self.limit_tool(py, &tool, layers.is_some(), cost.as_ref())?;
        if session {
            let table = self.session_table.bind(py);
            table.set_item(&added.get().name, &added)?;
        } else if !hidden {
            self.table.bind(py).set_item(&added.get().name, &added)?;
        }
        self.state.borrow(py)?.tools.push(added);
        Ok(id.0)
    }

    /// Adds a gate that tools share by its name, before the tools that use it.
    fn add_gate(&self, py: Python<'_>, name: String, concurrency: NonZeroU32) -> PyResult<()> {
        let mut state = self.state.borrow(py)?;
        let service = state.sched.add_service(Some(concurrency));
        state.services.insert(name, service);
        Ok(())
    }
}

impl Host {
    /// Looks up which limits the calls of a new tool pass. Layered ones pass none: their attempts do.
    fn limit_tool(
        &self,
        py: Python<'_>,
        tool: &Bound<'_, PyAny>,
        is_layered: bool,
        cost: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let name: String = tool.getattr("name")?.extract()?;
        let service: Option<String> = tool.getattr("service")?.extract()?;
        let cost = cost.map(cost::read).transpose()?;
        let has_price = !tool.getattr("cost")?.is_none();
        let now = self.now(py);
        let mut state = self.state.borrow(py)?;
        let Some(limits) = &mut state.limits else {
            return Ok(());
        };
        let added = if is_layered {
            limits.add_unlimited();
            Ok(())
        } else {
            let is_priced = cost.is_none() && has_price;
            limits.add_tool(&name, service.as_deref(), cost, is_priced, now)
        };
        drop(state);
        added.map_err(|crowd| {
            let reason = format!("tool {name:?}: {crowd}");
            error::raise(py, "ConfigError", ("limits", "", reason))
        })
    }
}

fn parse_mode(name: &Bound<'_, PyString>) -> PyResult<Mode> {
    Mode::parse(name.to_str()?)
        .ok_or_else(|| error::config(name.py(), "host", name.as_any(), "no such host mode"))
}
