//! `Segments`: which spill file has room, and which may go.

use std::sync::Mutex;

use penstock_core::pack::segment;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::locked;

/// The segments of one folder.
#[pyclass(frozen, module = "penstock._native")]
pub(crate) struct Segments(Mutex<segment::Segments>);

#[pymethods]
impl Segments {
    #[new]
    #[pyo3(signature = (*, segment_bytes=67_108_864, quota_bytes=4_294_967_296))]
    fn new(segment_bytes: u64, quota_bytes: u64) -> Self {
        Self(Mutex::new(segment::Segments::new(
            segment_bytes,
            quota_bytes,
        )))
    }

    fn place(&self, py: Python<'_>, record_bytes: u64) -> PyResult<Option<(u32, u64, u64)>> {
        let placed = locked(py, &self.0)?.place(record_bytes);
        Ok(placed.map(|placed| (placed.segment, placed.offset, placed.new_capacity)))
    }

    fn failed(&self, py: Python<'_>, segment: u32) -> PyResult<bool> {
        Ok(locked(py, &self.0)?.failed(segment))
    }

    fn free(&self, py: Python<'_>, segment: u32, record_bytes: u64) -> PyResult<bool> {
        Ok(locked(py, &self.0)?.free(segment, record_bytes))
    }

    fn seal(&self, py: Python<'_>) -> PyResult<Option<u32>> {
        Ok(locked(py, &self.0)?.seal())
    }

    fn empty(&self, py: Python<'_>) -> PyResult<Vec<u32>> {
        Ok(locked(py, &self.0)?.empty())
    }

    fn removed(&self, py: Python<'_>, segment: u32) -> PyResult<bool> {
        Ok(locked(py, &self.0)?.removed(segment))
    }

    fn sparse(&self, py: Python<'_>) -> PyResult<Vec<u32>> {
        Ok(locked(py, &self.0)?.sparse())
    }

    fn lower_quota(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(locked(py, &self.0)?.lower_quota())
    }

    fn adopt(&self, py: Python<'_>, capacity: u64, live_bytes: u64, records: u64) -> PyResult<u32> {
        Ok(locked(py, &self.0)?.adopt(capacity, live_bytes, records))
    }

    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let statistics = locked(py, &self.0)?.statistics();
        let counts = PyDict::new(py);
        counts.set_item("open", statistics.open)?;
        counts.set_item("sealed", statistics.sealed)?;
        counts.set_item("removing", statistics.removing)?;
        counts.set_item("live_records", statistics.live_records)?;
        counts.set_item("live_bytes", statistics.live_bytes)?;
        counts.set_item("held_bytes", statistics.held_bytes)?;
        counts.set_item("quota_bytes", statistics.quota_bytes)?;
        Ok(counts)
    }
}
