//! Who waits for whom: ids become edges between positions, for batches whose calls name each other.
//!
//! Only the plain case is answered here. Whenever an id is missing, shared or the call's own, the
//! answer is None, and `penstock.plan.edges` finds the words for what is wrong.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::calls::{Call, Ref};

/// An edge from a parent's position to its child's.
pub(crate) type Edge = (u32, u32);

/// Where each id is; None for an id that several calls share.
pub(crate) fn positions<'py>(calls: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyDict>> {
    let known = PyDict::new(calls.py());
    for (index, call) in (0u32..).zip(each(calls)) {
        let Some(id) = &call.get().id else { continue };
        let shared = known.contains(id)?;
        known.set_item(id, (!shared).then_some(index))?;
    }
    Ok(known)
}

/// The edges of a batch, each once; None if its calls name each other in any unusual way.
pub(crate) fn edges(
    calls: &Bound<'_, PyTuple>,
    positions: &Bound<'_, PyDict>,
) -> PyResult<Option<Vec<Edge>>> {
    let py = calls.py();
    let mut edges = Vec::new();
    for (child, call) in (0u32..).zip(each(calls)) {
        let first = edges.len();
        let (refs, after) = (call.get().refs.bind(py), call.get().after.bind(py));
        let by_value = refs.iter_borrowed().filter_map(|item| {
            item.cast_exact::<Ref>()
                .ok()
                .map(|parent| parent.get().parent(py).clone().into_any())
        });
        for id in by_value.chain(after.iter()) {
            let parent = positions
                .get_item(id)?
                .and_then(|found| found.extract::<u32>().ok());
            match parent {
                Some(parent) if parent != child => {
                    if !edges[first..].contains(&(parent, child)) {
                        edges.push((parent, child));
                    }
                }
                _ => return Ok(None),
            }
        }
    }
    Ok(Some(edges))
}

/// The edges of a plan, which keeps them as pairs of 32-bit numbers in the machine's order.
pub(crate) fn unpack(packed: &Bound<'_, PyBytes>) -> Vec<Edge> {
    let number = |bytes: &[u8]| u32::from_ne_bytes(bytes.try_into().unwrap_or_default());
    let pairs = packed.as_bytes().chunks_exact(8);
    pairs
        .map(|pair| (number(&pair[..4]), number(&pair[4..])))
        .collect()
}

fn each<'a, 'py>(calls: &'a Bound<'py, PyTuple>) -> impl Iterator<Item = Bound<'py, Call>> + 'a {
    calls
        .iter()
        .filter_map(|item| item.cast_into_exact::<Call>().ok())
}
