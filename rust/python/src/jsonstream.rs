//! Python's view of `penstock_core::jsonstream`: converts, locks, maps errors. It decides nothing.
//!
//! Making Python objects may collect garbage, and so run anybody's code. The stream is therefore taken
//! out of its mutex while it reads: who meets it then is told so, and nothing waits for itself.

use std::sync::Mutex;

use penstock_core::jsonstream::{self, JsonError, JsonEvent, Limits, Path, Segment};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use crate::convert::locked;
use crate::error;

/// A stream, and the events of its last piece: their memory is used again.
struct Reading {
    stream: jsonstream::JsonStream,
    events: Vec<JsonEvent>,
    /// Whether values are wanted, or the end only.
    values: bool,
}

/// JSON that comes in pieces; says of every value when it is complete.
#[pyclass(frozen, module = "penstock._native")]
pub(crate) struct JsonStream(Mutex<Option<Box<Reading>>>);

#[pymethods]
impl JsonStream {
    #[new]
    #[pyo3(signature = (*, arguments = true, values = true, depth = 64, items = 65_536, bytes = 1_048_576))]
    fn new(arguments: bool, values: bool, depth: u32, items: u32, bytes: u32) -> Self {
        let limits = Limits {
            depth,
            items,
            bytes,
        };
        let stream = if arguments {
            jsonstream::JsonStream::new(limits)
        } else {
            jsonstream::JsonStream::any(limits)
        };
        let reading = Reading {
            stream,
            events: Vec::new(),
            values,
        };
        Self(Mutex::new(Some(Box::new(reading))))
    }

    /// Reads on; the values that the piece completed, inner ones first: path and JSON.
    #[pyo3(signature = (piece, /))]
    fn feed<'py>(&self, piece: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let py = piece.py();
        self.with(py, |reading| {
            if let Ok(text) = piece.cast::<PyString>() {
                return match text.to_str() {
                    Ok(text) => reading.feed(py, text.as_bytes()),
                    Err(_) => reading.feed(py, surrogates(text)?.as_bytes()),
                };
            }
            reading.feed(py, piece.cast::<PyBytes>()?.as_bytes())
        })
    }

    /// There are no more pieces; what that completed.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.with(py, |reading| {
            let finished = reading.stream.finish(&mut reading.events);
            reading.told(py, finished)
        })
    }

    /// Whether the outermost value is complete.
    #[getter]
    fn ended(&self, py: Python<'_>) -> PyResult<bool> {
        self.with(py, |reading| Ok(reading.stream.is_ended()))
    }
}

impl JsonStream {
    fn with<T>(
        &self,
        py: Python<'_>,
        verb: impl FnOnce(&mut Reading) -> PyResult<T>,
    ) -> PyResult<T> {
        let taken = locked(py, &self.0)?.take();
        let Some(mut reading) = taken else {
            return Err(error::wrong_thread(py, "A JsonStream that is being read"));
        };
        let result = verb(&mut reading);
        *locked(py, &self.0)? = Some(reading);
        result
    }
}

impl Reading {
    fn feed<'py>(&mut self, py: Python<'py>, piece: &[u8]) -> PyResult<Bound<'py, PyList>> {
        let fed = self.stream.feed(piece, &mut self.events);
        self.told(py, fed)
    }

    fn told<'py>(
        &mut self,
        py: Python<'py>,
        result: Result<(), JsonError>,
    ) -> PyResult<Bound<'py, PyList>> {
        let values = PyList::empty(py);
        let wanted = if self.values { &*self.events } else { &[] };
        for event in wanted {
            if let JsonEvent::Closed { path, span, .. } = event {
                let json = PyBytes::new(py, self.stream.slice(*span));
                values.append((steps(py, &self.stream, *path)?, json))?;
            }
        }
        self.events.clear();
        result.map_err(|refused| error::bad_json(py, &refused))?;
        Ok(values)
    }
}

fn steps<'py>(
    py: Python<'py>,
    stream: &jsonstream::JsonStream,
    path: Path,
) -> PyResult<Bound<'py, PyTuple>> {
    let step = |segment: &Segment<'_>| match segment {
        Segment::Key(key) => Ok(PyString::new(py, key).into_any()),
        Segment::Index(index) => Ok(index.into_pyobject(py)?.into_any()),
    };
    let steps = stream.steps(path);
    let steps = steps.iter().map(step).collect::<PyResult<Vec<_>>>()?;
    PyTuple::new(py, steps)
}

/// Text with lone surrogates has no UTF-8: in this form the core refuses it, with its place.
fn surrogates<'py>(text: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyBytes>> {
    let encoded = text.call_method1("encode", ("utf-8", "surrogatepass"))?;
    Ok(encoded.cast_into::<PyBytes>()?)
}
