//! The engine's counts as one dict: read at most a few times a second, so convenience wins.

use penstock_core::sched::{Status, ToolId};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::engine::Host;
use super::tool::{HostTool, Mode};
use crate::convert;

/// The durations that are reported of each tool.
const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)];

/// Everything that is counted, with the names of `penstock.engine.Statistics`.
pub(crate) fn read<'py>(host: &Host, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    let tools = {
        let state = host.state.borrow(py)?;
        let sched = state.sched.statistics();
        let counts = &state.counts;
        all.set_item("pending", sched.pending)?;
        all.set_item("in_flight", sched.in_flight)?;
        all.set_item("ready", sched.ready)?;
        all.set_item("detached", sched.detached)?;
        all.set_item("batches", sched.batches)?;
        all.set_item("timers", sched.timers)?;
        all.set_item("turns", counts.turns)?;
        all.set_item("sliced", counts.sliced)?;
        all.set_item("tasks_made", counts.tasks_made)?;
        all.set_item("tasks_reused", counts.tasks_reused)?;
        all.set_item("ended", counts.ended)?;
        all.set_item("single", counts.single)?;
        all.set_item("slow_inline", counts.slow_inline)?;
        let modes = PyDict::new(py);
        for (mode, name) in Mode::ALL {
            modes.set_item(name, counts.modes[mode as usize])?;
        }
        all.set_item("modes", modes)?;
        state
            .tools
            .iter()
            .map(|tool| tool.clone_ref(py))
            .collect::<Vec<_>>()
    };
    let by_name = PyDict::new(py);
    for tool in tools.iter().filter(|tool| !tool.get().is_hidden) {
        by_name.set_item(&tool.get().name, read_tool(host, py, tool.get())?)?;
    }
    all.set_item("tools", by_name)?;
    Ok(all)
}

#[pymethods]
impl Host {
    /// Of the tool with that number: calls in flight, and calls that have ended.
    fn load(&self, py: Python<'_>, tool: u32) -> PyResult<(u32, u64)> {
        let state = self.state.borrow(py)?;
        let known = state.sched.tool_statistics(ToolId(tool));
        Ok(known.map_or((0, 0), |known| {
            (known.in_flight, known.counters.by_status.iter().sum())
        }))
    }

    /// Seconds within which that share of a tool's calls would end well, if all were let: those that
    /// ended otherwise say only that it takes longer. None before `least` of them have ended well.
    fn quantile(&self, py: Python<'_>, tool: u32, share: f64, least: u64) -> PyResult<Option<f64>> {
        let state = self.state.borrow(py)?;
        let sketch = state.sched.tool_quantiles(ToolId(tool));
        let known = sketch.filter(|sketch| sketch.count_known() >= least);
        Ok(known
            .and_then(|sketch| sketch.quantile_known(share))
            .map(convert::seconds))
    }
}

fn read_tool<'py>(host: &Host, py: Python<'py>, tool: &HostTool) -> PyResult<Bound<'py, PyDict>> {
    let row = PyDict::new(py);
    let id = tool.id;
    let (known, attempts, durations) = {
        let state = host.state.borrow(py)?;
        let Some(known) = state.sched.tool_statistics(id) else {
            return Ok(row);
        };
        let sketch = state.sched.tool_quantiles(id);
        let durations = QUANTILES.map(|(name, rank)| {
            (
                name,
                sketch
                    .and_then(|sketch| sketch.quantile(rank))
                    .map(convert::seconds),
            )
        });
        let made = tool
            .attempts
            .and_then(|tool| state.sched.tool_statistics(tool));
        let attempts = made.as_ref().unwrap_or(&known).counters.attempts;
        (known, attempts, durations)
    };
    for (name, seconds) in durations {
        row.set_item(name, seconds)?;
    }
    for status in Status::ALL {
        row.set_item(status.as_str(), known.counters.by_status[status as usize])?;
    }
    row.set_item("attempts", attempts)?;
    row.set_item("in_flight", known.in_flight)?;
    row.set_item("detached", known.detached)?;
    Ok(row)
}
