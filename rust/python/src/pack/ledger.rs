//! `Ledger`: what is held where, and what leaves memory next.

use std::sync::Mutex;

use penstock_core::pack::ledger::{self, Entry, Place};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::convert::bad_word;
use crate::convert::locked;

const PLACES: [(&str, Place); 4] = [
    ("object", Place::Object),
    ("packed", Place::Packed),
    ("disk", Place::Disk),
    ("remote", Place::Remote),
];

/// The entries of one store.
#[pyclass(frozen, module = "penstock._native")]
pub(crate) struct Ledger(Mutex<ledger::Ledger>);

#[pymethods]
impl Ledger {
    #[new]
    #[pyo3(signature = (memory_bytes, *, spills=true))]
    fn new(memory_bytes: u64, spills: bool) -> Self {
        Self(Mutex::new(ledger::Ledger::new(memory_bytes, spills)))
    }

    #[pyo3(signature = (resident_bytes, *, plain))]
    fn add(&self, py: Python<'_>, resident_bytes: u64, plain: bool) -> PyResult<u64> {
        Ok(locked(py, &self.0)?.add(resident_bytes, plain).to_bits())
    }

    fn hold(&self, py: Python<'_>, entry: u64) -> PyResult<bool> {
        Ok(locked(py, &self.0)?.hold(Entry::from_bits(entry)))
    }

    fn release(&self, py: Python<'_>, entry: u64) -> PyResult<bool> {
        Ok(locked(py, &self.0)?.release(Entry::from_bits(entry)))
    }

    fn pin(&self, py: Python<'_>, entry: u64) -> PyResult<bool> {
        Ok(locked(py, &self.0)?.pin(Entry::from_bits(entry)))
    }

    fn unpin(&self, py: Python<'_>, entry: u64) -> PyResult<bool> {
        Ok(locked(py, &self.0)?.unpin(Entry::from_bits(entry)))
    }

    fn touch(&self, py: Python<'_>, entry: u64) -> PyResult<bool> {
        Ok(locked(py, &self.0)?.touch(Entry::from_bits(entry)))
    }

    fn next_move(&self, py: Python<'_>) -> PyResult<Option<(u64, &'static str)>> {
        let next = locked(py, &self.0)?.next_move();
        Ok(next.map(|next| (next.entry.to_bits(), name_of(next.to))))
    }

    #[pyo3(signature = (entry, r#where, resident_bytes))]
    fn moved(
        &self,
        py: Python<'_>,
        entry: u64,
        r#where: &str,
        resident_bytes: u64,
    ) -> PyResult<bool> {
        let place = place_of(py, r#where)?;
        Ok(locked(py, &self.0)?.moved(Entry::from_bits(entry), place, resident_bytes))
    }

    fn stuck(&self, py: Python<'_>, entry: u64) -> PyResult<bool> {
        Ok(locked(py, &self.0)?.stuck(Entry::from_bits(entry)))
    }

    fn set_spills(&self, py: Python<'_>, spills: bool) -> PyResult<()> {
        locked(py, &self.0)?.set_spills(spills);
        Ok(())
    }

    #[pyo3(name = "where")]
    fn place(&self, py: Python<'_>, entry: u64) -> PyResult<Option<&'static str>> {
        let place = locked(py, &self.0)?.place(Entry::from_bits(entry));
        Ok(place.map(name_of))
    }

    #[getter]
    fn held_bytes(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(locked(py, &self.0)?.held_bytes())
    }

    #[getter]
    fn is_full(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(locked(py, &self.0)?.is_full())
    }

    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let statistics = locked(py, &self.0)?.statistics();
        let counts = PyDict::new(py);
        counts.set_item("entries", statistics.entries)?;
        counts.set_item("pinned", statistics.pinned)?;
        counts.set_item("opaque", statistics.opaque)?;
        counts.set_item("moving", statistics.moving)?;
        counts.set_item("object_bytes", statistics.object_bytes)?;
        counts.set_item("packed_bytes", statistics.packed_bytes)?;
        counts.set_item("disk", statistics.on_disk)?;
        counts.set_item("remote", statistics.remote)?;
        counts.set_item("memory_bytes", statistics.memory_bytes)?;
        counts.set_item("demoted_packed", statistics.demoted_packed)?;
        counts.set_item("demoted_disk", statistics.demoted_disk)?;
        counts.set_item("promoted", statistics.promoted)?;
        Ok(counts)
    }
}

const fn name_of(place: Place) -> &'static str {
    match place {
        Place::Object => "object",
        Place::Packed => "packed",
        Place::Disk => "disk",
        Place::Remote => "remote",
    }
}

fn place_of(py: Python<'_>, word: &str) -> PyResult<Place> {
    let known = PLACES.iter().find(|(name, _)| *name == word);
    let reason = "one of \"object\", \"packed\", \"disk\", \"remote\"";
    let place = known.map(|(_, place)| *place);
    place.ok_or_else(|| bad_word(py, "where", word, reason))
}
