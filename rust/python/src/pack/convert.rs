//! Conversions of packing: buffers, words, errors.

use penstock_core::pack::{Form, Media, Purpose};
use pyo3::buffer::{PyBuffer, ReadOnlyCell};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error;

/// From this size on the GIL is given away while a value is packed, unpacked or hashed.
pub(crate) const DETACHES_FROM: usize = 32 << 10;

/// Bytes to read from: borrowed from `bytes`, copied from everything else.
pub(crate) enum Input<'py> {
    Borrowed(Bound<'py, PyBytes>),
    Copied(Vec<u8>),
}

impl<'py> Input<'py> {
    pub(crate) fn of(object: &Bound<'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Self::Borrowed(bytes.clone()));
        }
        let buffer = PyBuffer::<u8>::get(object)?;
        buffer.to_vec(object.py()).map(Self::Copied)
    }

    /// Its first bytes only, if it has to be copied; and how many it has.
    pub(crate) fn beginning(object: &Bound<'py, PyAny>, most: usize) -> PyResult<(Self, usize)> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok((Self::Borrowed(bytes.clone()), bytes.as_bytes().len()));
        }
        let buffer = PyBuffer::<u8>::get(object)?;
        let Some(cells) = buffer.as_slice(object.py()) else {
            let all = buffer.to_vec(object.py())?;
            let length = all.len();
            return Ok((Self::Copied(all), length));
        };
        let copied = cells.iter().take(most).map(ReadOnlyCell::get).collect();
        Ok((Self::Copied(copied), cells.len()))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes.as_bytes(),
            Self::Copied(bytes) => bytes,
        }
    }
}

/// Runs `work` without the GIL if so many bytes make it worth it.
pub(crate) fn run<R: Send>(py: Python<'_>, bytes: usize, work: impl FnOnce() -> R + Send) -> R {
    if bytes < DETACHES_FROM {
        work()
    } else {
        py.detach(work)
    }
}

pub(crate) fn form(py: Python<'_>, word: &str) -> PyResult<Form> {
    match word {
        "bytes" => Ok(Form::Bytes),
        "text" => Ok(Form::Text),
        "json" => Ok(Form::Json),
        _ => Err(bad_word(
            py,
            "form",
            word,
            "one of \"bytes\", \"text\", \"json\"",
        )),
    }
}

pub(crate) const fn form_name(form: Form) -> &'static str {
    match form {
        Form::Bytes => "bytes",
        Form::Text => "text",
        Form::Json => "json",
    }
}

pub(crate) fn purpose(py: Python<'_>, word: &str) -> PyResult<Purpose> {
    match word {
        "keep" => Ok(Purpose::Keep),
        "wire" => Ok(Purpose::Wire),
        "cold" => Ok(Purpose::Cold),
        _ => Err(bad_word(
            py,
            "purpose",
            word,
            "one of \"keep\", \"wire\", \"cold\"",
        )),
    }
}

pub(crate) fn media<'a>(py: Python<'_>, text: &'a str) -> PyResult<Media<'a>> {
    let reason = "a media type has at most 127 visible ASCII characters";
    Media::parse(text).ok_or_else(|| bad_word(py, "media_type", text, reason))
}

/// `ConfigError`: a word that is none of those allowed.
pub(crate) fn bad_word(py: Python<'_>, field: &str, word: &str, reason: &str) -> PyErr {
    match word.into_pyobject(py) {
        Ok(word) => error::config(py, field, word.as_any(), reason),
        Err(never) => match never {},
    }
}
