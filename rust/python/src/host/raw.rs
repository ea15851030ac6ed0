//! The CPython calls that PyO3 lacks or wraps too dearly for one per tool call.
//!
//! Invariants:
//! 1. Every pointer comes from a live `Bound` or `Py` that outlives the call.
//! 2. What a function returns is an owned reference or null with an error set, as its CPython
//!    documentation says, and is turned into a `Bound` or a `PyErr` at once.
//! 3. The thread is attached to the interpreter: each function takes a `Python` or a `Bound`.
//! 4. No Python error is set when one of these is called.
#![allow(
    unsafe_code,
    reason = "calls of the C API, wrapped here so that no other file needs them"
)]

use std::ptr;

use penstock_core::clock::Nanos;
use pyo3::exceptions::PyStopIteration;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// What one step of a coroutine gave.
pub(crate) enum Step<'py> {
    Yielded(Bound<'py, PyAny>),
    Returned(Bound<'py, PyAny>),
    Raised(PyErr),
}

/// Steps a coroutine, or any iterator of `__await__`, with None.
#[inline]
pub(crate) fn send<'py>(coroutine: &Bound<'py, PyAny>) -> Step<'py> {
    let py = coroutine.py();
    let mut value = ptr::null_mut();
    // SAFETY: invariants 1, 3 and 4; `value` is written before it is read.
    let answer = unsafe { ffi::PyIter_Send(coroutine.as_ptr(), ffi::Py_None(), &raw mut value) };
    match answer {
        // SAFETY: invariant 2: `value` is an owned reference for these two answers.
        ffi::PySendResult::PYGEN_NEXT => Step::Yielded(unsafe { Bound::from_owned_ptr(py, value) }),
        ffi::PySendResult::PYGEN_RETURN => {
            // SAFETY: as above.
            Step::Returned(unsafe { Bound::from_owned_ptr(py, value) })
        }
        ffi::PySendResult::PYGEN_ERROR => Step::Raised(PyErr::fetch(py)),
    }
}

/// Throws `error` into a coroutine and steps it.
pub(crate) fn throw<'py>(coroutine: &Bound<'py, PyAny>, error: &Bound<'py, PyAny>) -> Step<'py> {
    let py = coroutine.py();
    let Ok(Some(throw)) = coroutine.getattr_opt(pyo3::intern!(py, "throw")) else {
        // An iterator without `throw`, which some awaitables give: what waits in it is dropped.
        return Step::Raised(PyErr::from_value(error.clone()));
    };
    match throw.call1((error,)) {
        Ok(value) => Step::Yielded(value),
        Err(raised) if raised.is_instance_of::<PyStopIteration>(py) => {
            match raised.value(py).getattr(pyo3::intern!(py, "value")) {
                Ok(value) => Step::Returned(value),
                Err(error) => Step::Raised(error),
            }
        }
        Err(raised) => Step::Raised(raised),
    }
}

/// Calls `function` with the items of `values`; the last of them are named by `names`.
#[inline]
pub(crate) fn call<'py>(
    function: &Bound<'py, PyAny>,
    values: &Bound<'py, PyTuple>,
    names: Option<&Bound<'py, PyTuple>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = function.py();
    if names.is_some_and(|names| names.len() > values.len()) {
        return Err(crate::error::internal(
            py,
            "fewer arguments than names for them",
        ));
    }
    // SAFETY: invariant 1: a tuple's items are contiguous and live as long as the tuple; there are
    // no fewer values than names, as was just checked.
    unsafe {
        let items = (&raw const (*values.as_ptr().cast::<ffi::PyTupleObject>()).ob_item);
        let by_name = names.map_or(0, |names| ffi::PyTuple_GET_SIZE(names.as_ptr()));
        let positional = ffi::PyTuple_GET_SIZE(values.as_ptr()) - by_name;
        let names = names.map_or(ptr::null_mut(), Bound::as_ptr);
        let result = ffi::PyObject_Vectorcall(
            function.as_ptr(),
            items.cast(),
            positional.unsigned_abs(),
            names,
        );
        Bound::from_owned_ptr_or_err(py, result)
    }
}

/// Calls `function(first, context=context)`: how a callback is given to a future or the loop.
pub(crate) fn call_in_context<'py>(
    function: &Bound<'py, PyAny>,
    first: &Bound<'py, PyAny>,
    context: &Bound<'py, PyAny>,
    names: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    let items = [first.as_ptr(), context.as_ptr()];
    // SAFETY: invariants 1 to 4; `names` is the tuple ("context",).
    unsafe {
        let result = ffi::PyObject_Vectorcall(function.as_ptr(), items.as_ptr(), 1, names.as_ptr());
        Bound::from_owned_ptr_or_err(function.py(), result)
    }
}

/// Calls `function(first, second)` for builtins, without a tuple.
#[inline]
pub(crate) fn call_two<'py>(
    function: &Bound<'py, PyAny>,
    first: &Bound<'py, PyAny>,
    second: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let items = [first.as_ptr(), second.as_ptr()];
    // SAFETY: invariants 1 to 4.
    unsafe {
        let result =
            ffi::PyObject_Vectorcall(function.as_ptr(), items.as_ptr(), 2, ptr::null_mut());
        Bound::from_owned_ptr_or_err(function.py(), result)
    }
}

/// A shallow copy of a `contextvars.Context`: constant time, the values are shared until set.
#[inline]
pub(crate) fn copy_context<'py>(context: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: invariants 1 to 4; a wrong type is an error, not undefined.
    unsafe { Bound::from_owned_ptr_or_err(context.py(), ffi::PyContext_Copy(context.as_ptr())) }
}

/// A copy of the context of the running thread.
pub(crate) fn current_context(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: invariants 2 to 4.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContext_CopyCurrent()) }
}

/// A context with nothing set.
pub(crate) fn empty_context(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: invariants 2 to 4.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContext_New()) }
}

/// Runs `body` inside `context`. Fails if the context is already entered, by anybody.
#[inline]
pub(crate) fn in_context<T>(context: &Bound<'_, PyAny>, body: impl FnOnce() -> T) -> PyResult<T> {
    // SAFETY: invariants 1, 3 and 4. The guard leaves what was entered also when `body` panics;
    // bodies of this crate fetch their Python errors, so none is set at the exit.
    if unsafe { ffi::PyContext_Enter(context.as_ptr()) } != 0 {
        return Err(PyErr::fetch(context.py()));
    }
    let entered = Entered(context);
    let result = body();
    drop(entered);
    Ok(result)
}

/// The value of a context variable in the context of the running code, if it has one.
#[inline]
pub(crate) fn variable<'py>(variable: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let mut value = ptr::null_mut();
    // SAFETY: invariants 1 to 4; `value` is null or an owned reference when the answer is 0.
    unsafe {
        if ffi::PyContextVar_Get(variable.as_ptr(), ptr::null_mut(), &raw mut value) != 0 {
            return Err(PyErr::fetch(variable.py()));
        }
        Ok(Bound::from_owned_ptr_or_opt(variable.py(), value))
    }
}

/// Sets a context variable in the context that is entered; returns the token to set it back.
#[inline]
pub(crate) fn set_variable<'py, T>(
    variable: &Bound<'py, PyAny>,
    value: &Bound<'py, T>,
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: invariants 1 to 4; a wrong type is an error, not undefined.
    unsafe {
        let token = ffi::PyContextVar_Set(variable.as_ptr(), value.as_ptr());
        Bound::from_owned_ptr_or_err(value.py(), token)
    }
}

struct Entered<'a, 'py>(&'a Bound<'py, PyAny>);

impl Drop for Entered<'_, '_> {
    fn drop(&mut self) {
        // SAFETY: invariant 1; this context was entered by `in_context` on this thread.
        unsafe { ffi::PyContext_Exit(self.0.as_ptr()) };
    }
}

/// Whether the garbage collector can find other objects through this one.
#[inline]
pub(crate) fn is_container(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: invariant 1.
    unsafe { ffi::PyObject_IS_GC(object.as_ptr()) != 0 }
}

/// Takes an object that can be part of no cycle off the garbage collector's lists, as CPython does
/// with tuples of plain values.
#[inline]
pub(crate) fn untrack(object: &Bound<'_, PyAny>) {
    // SAFETY: invariant 1; only called for `Call` and `Outcome`, types that the collector knows.
    unsafe { ffi::PyObject_GC_UnTrack(object.as_ptr().cast()) };
}

/// References to an object, as the reuse rule of the call task counts them.
#[inline]
pub(crate) fn references(object: &Bound<'_, PyAny>) -> isize {
    // SAFETY: invariants 1 and 3.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) }
}

/// Whether a weak reference to the object exists. Its type must support them.
#[inline]
pub(crate) fn is_weakly_referenced(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: invariant 1; only called for `CallTask`, whose type has a weak reference list.
    unsafe { !(*ffi::PyObject_GET_WEAKREFS_LISTPTR(object.as_ptr())).is_null() }
}

/// Whether the object is a native coroutine, the common case that needs no look at `__await__`.
#[inline]
pub(crate) fn is_coroutine(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: invariant 1.
    unsafe { ffi::PyCoro_CheckExact(object.as_ptr()) != 0 }
}

/// Whether the object is a plain generator, for asyncio's error text about a missing `from`.
pub(crate) fn is_generator(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: invariant 1.
    unsafe { ffi::PyGen_CheckExact(object.as_ptr()) != 0 }
}

/// The system's monotonic clock, without the detour over `Instant`'s arithmetic.
#[cfg(target_os = "linux")]
#[inline]
pub(crate) fn clock_monotonic() -> Nanos {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: invariant 1; with a valid clock and pointer this cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    Nanos(time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs())
}
