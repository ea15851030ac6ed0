//! `penstock._native`: table of contents.
use pyo3::prelude::*;

/// The native half of Penstock.
#[pymodule(gil_used = false)]
mod _native {}
