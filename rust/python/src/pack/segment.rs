//! Spill files: their bytes, for whoever writes and maps them.

use std::borrow::Cow;

use penstock_core::pack::segment::{self, Head, Header, Kind};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::convert::{self, Input, bad_word};
use crate::error;

#[pyfunction]
#[pyo3(signature = (capacity, nonce, created_ms, key_id=""))]
pub(crate) fn segment_header<'py>(
    py: Python<'py>,
    capacity: u64,
    nonce: u64,
    created_ms: u64,
    key_id: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let header = Header {
        capacity,
        nonce,
        created_ms,
        key_name: key_id,
    };
    let reason = "the name of a key has at most 28 visible ASCII characters";
    let header = header
        .render()
        .ok_or_else(|| bad_word(py, "key_id", key_id, reason))?;
    Ok(PyBytes::new(py, &header))
}

#[pyfunction]
#[pyo3(signature = (nonce, kind, id, parts, *, label=Cow::Borrowed(&[][..]), sealed=false))]
pub(crate) fn record_head<'py>(
    py: Python<'py>,
    nonce: u64,
    kind: &str,
    id: &Bound<'py, PyBytes>,
    parts: Vec<Bound<'py, PyBytes>>,
    label: Cow<'_, [u8]>,
    sealed: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let kind = kind_of(py, kind)?;
    let reason = "an id has exactly 16 bytes";
    let sixteen = id.as_bytes().try_into().ok();
    let id = sixteen.ok_or_else(|| error::config(py, "id", id.as_any(), reason))?;
    let pieces: Vec<&[u8]> = parts.iter().map(PyBytesMethods::as_bytes).collect();
    let length = pieces.iter().map(|piece| piece.len()).sum();
    let head = Head {
        kind,
        id,
        label: &label,
        sealed,
    };
    let rendered = convert::run(py, length, || head.render(nonce, &pieces));
    let shown = PyBytes::new(py, &label[..label.len().min(100)]);
    let reason = "a label has at most 1,000 bytes";
    let rendered = rendered.ok_or_else(|| error::config(py, "label", shown.as_any(), reason))?;
    Ok(PyBytes::new(py, &rendered))
}

#[pyfunction]
pub(crate) fn record_bytes(label_length: usize, body_length: u64) -> u64 {
    segment::record_bytes(label_length, body_length)
}

/// One sound record of a segment.
#[pyclass(frozen, get_all, module = "penstock._native")]
pub(crate) struct RecordInfo {
    kind: &'static str,
    id: Py<PyBytes>,
    label: Py<PyBytes>,
    sealed: bool,
    offset: usize,
    length: usize,
    body_offset: usize,
    body_length: usize,
}

/// What a segment holds.
#[pyclass(frozen, get_all, module = "penstock._native")]
pub(crate) struct Scan {
    capacity: u64,
    nonce: u64,
    created_ms: u64,
    key_id: Py<PyString>,
    records: Vec<Py<RecordInfo>>,
    broken: usize,
    broken_bytes: usize,
    end: usize,
    torn: bool,
}

#[pyfunction]
pub(crate) fn scan(segment: &Bound<'_, PyAny>) -> PyResult<Scan> {
    let py = segment.py();
    let input = Input::of(segment)?;
    let bytes = input.bytes();
    let found = convert::run(py, bytes.len(), || segment::scan(bytes));
    let reason = "the header of the segment is damaged";
    let found = found.ok_or_else(|| error::raise(py, "ResultUnreadable", (reason,)))?;
    let records = found.records.iter().map(|record| info(py, record));
    Ok(Scan {
        capacity: found.header.capacity,
        nonce: found.header.nonce,
        created_ms: found.header.created_ms,
        key_id: PyString::new(py, found.header.key_name).unbind(),
        records: records.collect::<PyResult<_>>()?,
        broken: found.broken,
        broken_bytes: found.broken_bytes,
        end: found.end,
        torn: found.torn,
    })
}

fn info(py: Python<'_>, record: &segment::Record<'_>) -> PyResult<Py<RecordInfo>> {
    let info = RecordInfo {
        kind: match record.head.kind {
            Kind::Parcel => "parcel",
            Kind::Dictionary => "dictionary",
        },
        id: PyBytes::new(py, &record.head.id).unbind(),
        label: PyBytes::new(py, record.head.label).unbind(),
        sealed: record.head.sealed,
        offset: record.offset,
        length: record.length,
        body_offset: record.body_offset,
        body_length: record.body.len(),
    };
    Py::new(py, info)
}

fn kind_of(py: Python<'_>, word: &str) -> PyResult<Kind> {
    match word {
        "parcel" => Ok(Kind::Parcel),
        "dictionary" => Ok(Kind::Dictionary),
        _ => Err(bad_word(
            py,
            "kind",
            word,
            "one of \"parcel\", \"dictionary\"",
        )),
    }
}
