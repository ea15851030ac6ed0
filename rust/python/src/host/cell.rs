//! The owner cell: state that belongs to one thread, the one that runs the event loop.
//!
//! Invariants:
//! 1. The value is reached only from the thread that made the cell: every entry checks it.
//! 2. On that thread a `RefCell` refuses a second borrow: a mistake of ours is `InternalError`,
//!    never undefined behaviour.
//! 3. No borrow lives across a call into Python: tools re-enter the engine.
//! 4. Dropping the cell may happen on any thread, which is why the value must be `Send`.
#![allow(
    unsafe_code,
    reason = "`Sync` is promised by the thread check of invariant 1"
)]

use std::cell::{RefCell, RefMut};

use pyo3::ffi;
use pyo3::prelude::*;

use crate::error;

/// The address of the interpreter's record of this thread: different in every live thread, and
/// cheaper to ask for than a thread-local of our own.
#[inline]
fn here(_py: Python<'_>) -> usize {
    // SAFETY: the token proves that the thread is attached, which is all this needs.
    unsafe { ffi::PyThreadState_Get() as usize }
}

/// A value that only the thread of its event loop may touch.
pub(crate) struct OwnerCell<T> {
    owner: usize,
    value: RefCell<T>,
}

// SAFETY: invariants 1 and 4: no reference to the value is handed out on any other thread.
unsafe impl<T: Send> Sync for OwnerCell<T> {}

impl<T> OwnerCell<T> {
    pub(crate) fn new(py: Python<'_>, value: T) -> Self {
        Self {
            owner: here(py),
            value: RefCell::new(value),
        }
    }

    /// Borrows the value, or raises `WrongThread` or `InternalError`.
    #[inline]
    pub(crate) fn borrow(&self, py: Python<'_>) -> PyResult<RefMut<'_, T>> {
        if self.owner != here(py) {
            return Err(wrong_thread(py));
        }
        self.value.try_borrow_mut().map_err(|_| borrowed_twice(py))
    }

    /// For the garbage collector, which may run at any moment on any attached thread, and gives no
    /// token: None means "not now".
    pub(crate) fn peek(&self) -> Option<RefMut<'_, T>> {
        // SAFETY: the collector runs on a thread that is attached.
        let here = unsafe { ffi::PyThreadState_Get() as usize };
        if self.owner == here {
            self.value.try_borrow_mut().ok()
        } else {
            None
        }
    }

    /// Whether the calling thread is the owner.
    pub(crate) fn is_here(&self, py: Python<'_>) -> bool {
        self.owner == here(py)
    }
}

#[cold]
fn wrong_thread(py: Python<'_>) -> PyErr {
    error::wrong_thread(py, "An engine, or a batch or a task of one,")
}

#[cold]
fn borrowed_twice(py: Python<'_>) -> PyErr {
    error::internal(py, "the engine's state was entered twice")
}
