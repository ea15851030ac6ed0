//! New `bytes` that are filled without the GIL: PyO3's own way zeroes them with it, and the zeroes of
//! 64 MiB hold an event loop for 10 ms and more.
//!
//! 1. A new `bytes` object has one owner, us, until it is returned: nobody else reads or writes it,
//!    and the collector does not know it, as `bytes` are no containers.
//! 2. Memory is zeroed before it is called a slice of `u8`: nobody sees what was there.

use std::mem::MaybeUninit;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// From this size on it takes longer to fill than to give the GIL away and to get it back.
const DETACHES_FROM: usize = 32 << 10;

/// `length` bytes as `fill` writes them. A failure of `fill` comes back, and nothing is left behind.
#[allow(
    unsafe_code,
    reason = "PyO3 makes no `bytes` that can be filled without the GIL"
)]
pub(crate) fn filled<E: Send>(
    py: Python<'_>,
    length: usize,
    fill: impl FnOnce(&mut [u8]) -> Result<(), E> + Send,
) -> PyResult<Result<Bound<'_, PyBytes>, E>> {
    let size = ffi::Py_ssize_t::try_from(length)?;
    // SAFETY: invariant 1; null asks for memory of which nothing is known, and an error is checked.
    let (bytes, memory) = unsafe {
        let object = ffi::PyBytes_FromStringAndSize(std::ptr::null(), size);
        let bytes = Bound::from_owned_ptr_or_err(py, object)?;
        let start = ffi::PyBytes_AsString(bytes.as_ptr()).cast::<MaybeUninit<u8>>();
        (bytes, std::slice::from_raw_parts_mut(start, length))
    };
    let write = || fill(zeroed(memory));
    let written = if length < DETACHES_FROM {
        write()
    } else {
        py.detach(write)
    };
    Ok(match written {
        Ok(()) => Ok(bytes.cast_into::<PyBytes>()?),
        Err(error) => Err(error),
    })
}

#[allow(unsafe_code, reason = "a slice that was written whole is one of bytes")]
fn zeroed(memory: &mut [MaybeUninit<u8>]) -> &mut [u8] {
    memory.fill(MaybeUninit::new(0));
    // SAFETY: invariant 2; both types have the same layout.
    unsafe { &mut *(std::ptr::from_mut(memory) as *mut [u8]) }
}
