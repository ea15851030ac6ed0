//! What a parcel says of itself, and the header of a raw one.

use penstock_core::pack::frames::Packed;
use penstock_core::pack::parcel::Outline;
use penstock_core::pack::{Codec, Form, dictionary};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::convert::{self, Input, form_name};
use crate::error;

/// Copied of a buffer that is only described; longer headers belong to values above 8 GiB.
const BEGINNING: usize = 64 << 10;

/// What the header of a parcel says.
#[pyclass(frozen, get_all, module = "penstock._native")]
pub(crate) struct ParcelInfo {
    codec: &'static str,
    form: &'static str,
    media_type: String,
    dictionary: u32,
    raw_length: u64,
    frames: usize,
    header_length: usize,
    length: usize,
}

#[pymethods]
impl ParcelInfo {
    fn __repr__(&self) -> String {
        let Self {
            codec,
            form,
            media_type,
            raw_length,
            length,
            ..
        } = self;
        format!("<ParcelInfo: {form} {media_type:?}, {raw_length} bytes in {length}, {codec}>")
    }
}

#[pyfunction]
#[pyo3(signature = (parcel, total=None))]
pub(crate) fn describe(parcel: &Bound<'_, PyAny>, total: Option<usize>) -> PyResult<ParcelInfo> {
    let (input, length) = Input::beginning(parcel, BEGINNING)?;
    let outline = Outline::parse(input.bytes(), total.unwrap_or(length));
    let outline = outline.map_err(|cause| error::unreadable(parcel.py(), cause))?;
    let sheet = outline.sheet();
    Ok(ParcelInfo {
        codec: match sheet.codec {
            Codec::Raw => "raw",
            Codec::Zstd => "zstd",
        },
        form: form_name(sheet.form),
        media_type: sheet.media.as_str().to_owned(),
        dictionary: sheet.dictionary,
        raw_length: sheet.raw_length,
        frames: outline.frame_count(),
        header_length: outline.header_length(),
        length: outline.length(),
    })
}

#[pyfunction]
pub(crate) fn needed(
    header: &Bound<'_, PyBytes>,
    offset: u64,
    length: usize,
) -> PyResult<(usize, usize)> {
    let outline = Outline::parse(header.as_bytes(), usize::MAX);
    let outline = outline.map_err(|cause| error::unreadable(header.py(), cause))?;
    let bytes = outline.span(offset, length).bytes;
    Ok((bytes.start, bytes.end))
}

#[pyfunction]
#[pyo3(signature = (value, media_type="", form="bytes"))]
pub(crate) fn raw_header<'py>(
    value: &Bound<'py, PyBytes>,
    media_type: &str,
    form: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let py = value.py();
    let (media, form): (_, Form) = (convert::media(py, media_type)?, convert::form(py, form)?);
    let bytes = value.as_bytes();
    let header = convert::run(py, bytes.len(), || Packed::raw(bytes).header(form, media));
    Ok(PyBytes::new(py, &header))
}

#[pyfunction]
pub(crate) fn train<'py>(
    py: Python<'py>,
    samples: Vec<Bound<'py, PyBytes>>,
) -> Option<Bound<'py, PyBytes>> {
    let samples: Vec<&[u8]> = samples.iter().map(PyBytesMethods::as_bytes).collect();
    let trained = py.detach(|| dictionary::train(&samples, |_| false));
    trained.map(|trained| PyBytes::new(py, trained.bytes()))
}
