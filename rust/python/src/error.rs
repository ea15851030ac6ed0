//! The only place where Rust makes Python errors: one function a class of `penstock.errors`.

use penstock_core::jsonstream::JsonError;
use penstock_core::pack::Unreadable;
use penstock_core::predict::SnapshotError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyTuple, PyType};

/// Makes `penstock.errors.<class>(*fields)` as a value, not yet raised.
pub(crate) fn make<'py>(
    py: Python<'py>,
    class: &str,
    fields: impl IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error = PyErr>,
) -> PyResult<Bound<'py, PyAny>> {
    let errors = py.import("penstock.errors")?;
    errors.getattr(class)?.call1(fields.into_pyobject(py)?)
}

/// The same as an error to return. A failure to build it is itself the error.
pub(crate) fn raise<'py>(
    py: Python<'py>,
    class: &str,
    fields: impl IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error = PyErr>,
) -> PyErr {
    match make(py, class, fields) {
        Ok(value) => PyErr::from_value(value),
        Err(error) => error,
    }
}

/// `ConfigError`: a field of a public call has a value that cannot be used.
pub(crate) fn config<'py>(
    py: Python<'py>,
    field: &str,
    value: &Bound<'py, PyAny>,
    reason: &str,
) -> PyErr {
    raise(py, "ConfigError", (field, value, reason))
}

/// The `code` of an error of ours. Others may have something by that name that does anything when it
/// is read: raise, warn, run code of a library.
pub(crate) fn code<'py>(error: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    static OURS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let py = error.py();
    if error.is_instance(OURS.import(py, "penstock.errors", "PenstockError")?)? {
        error.getattr(pyo3::intern!(py, "code")).map(Some)
    } else {
        Ok(None)
    }
}

/// `InternalError`: a rule of our own was broken; never the caller's fault.
pub(crate) fn internal(py: Python<'_>, what: &str) -> PyErr {
    raise(py, "InternalError", (what,))
}

/// `WrongThread`: an object of one event loop was touched from another thread.
pub(crate) fn wrong_thread(py: Python<'_>, what: &str) -> PyErr {
    raise(py, "WrongThread", (what,))
}

/// `BadJson`: a text in pieces cannot be read on.
pub(crate) fn bad_json(py: Python<'_>, refused: &JsonError) -> PyErr {
    let reason = refused.fault.to_string();
    raise(py, "BadJson", (reason, &refused.path, refused.offset))
}

/// `ResultUnreadable`, or `DictionaryMissing`: a parcel gives no value.
pub(crate) fn unreadable(py: Python<'_>, cause: Unreadable) -> PyErr {
    let reason = cause.to_string();
    match cause {
        Unreadable::DictionaryMissing { id } => raise(py, "DictionaryMissing", (reason, id)),
        Unreadable::TooShort { .. }
        | Unreadable::NotAParcel
        | Unreadable::Newer
        | Unreadable::Header
        | Unreadable::TooLarge { .. }
        | Unreadable::Payload
        | Unreadable::Frame { .. }
        | Unreadable::NoCodec
        | Unreadable::NoMemory => raise(py, "ResultUnreadable", (reason,)),
    }
}

/// `SnapshotError`: bytes that are no snapshot of a predictor, or not one of this version.
pub(crate) fn snapshot(py: Python<'_>, cause: SnapshotError) -> PyErr {
    raise(py, "SnapshotError", (cause.to_string(),))
}

/// `UnresolvedRef`: a parent's value has not what a `Ref` asks for.
pub(crate) fn unresolved<'py>(
    py: Python<'py>,
    call: &Bound<'py, PyString>,
    path: &str,
    reason: &str,
) -> PyErr {
    raise(py, "UnresolvedRef", (call, path, reason))
}
