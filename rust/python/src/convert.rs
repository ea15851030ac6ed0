//! Conversions between Python's seconds, numbers and texts, and the core's types.

use std::sync::{Mutex, MutexGuard};

use penstock_core::clock::Nanos;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBool, PyFloat, PyInt};

use crate::error;

/// The longest timeout: the wheel is exact to 30 days, and a longer one is a mistake.
const MAX_TIMEOUT_SECONDS: f64 = 30.0 * 86_400.0;

#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 ns are 104 days of uptime at full precision"
)]
pub(crate) fn seconds(nanos: Nanos) -> f64 {
    nanos.0 as f64 / 1e9
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates: negative and NaN become 0"
)]
pub(crate) fn nanos(seconds: f64) -> Nanos {
    Nanos((seconds * 1e9).round() as u64)
}

/// A timeout in seconds: above 0, at most 30 days.
pub(crate) fn timeout(value: &Bound<'_, PyAny>) -> PyResult<Nanos> {
    let number = (value.is_instance_of::<PyFloat>() || value.is_instance_of::<PyInt>())
        && !value.is_instance_of::<PyBool>();
    let given = if number {
        value.extract::<f64>().ok()
    } else {
        None
    };
    match given {
        Some(given) if given > 0.0 && given <= MAX_TIMEOUT_SECONDS => {
            Ok(nanos(given).max(Nanos(1)))
        }
        _ => {
            let reason = "a timeout is a number of seconds above 0 and at most 2,592,000 (30 days)";
            Err(error::config(value.py(), "timeout", value, reason))
        }
    }
}

/// A caller's priority: 0 (first) to 7.
pub(crate) fn priority(value: &Bound<'_, PyAny>) -> PyResult<u8> {
    match value.extract::<u8>() {
        Ok(priority @ 0..=7) if !value.is_instance_of::<PyBool>() => Ok(priority),
        _ => Err(error::config(
            value.py(),
            "priority",
            value,
            "a priority is an int from 0 (first) to 7",
        )),
    }
}

/// Locks an object of the core. A panic under the lock left it in an unknown state: it is refused.
pub(crate) fn locked<'a, T>(py: Python<'_>, mutex: &'a Mutex<T>) -> PyResult<MutexGuard<'a, T>> {
    let locked = mutex.lock_py_attached(py);
    locked.map_err(|_| error::internal(py, "a panic has left this object in an unknown state"))
}

/// A number from 0 to 1 as thousandths, as the core takes chance.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates: negative and NaN become 0"
)]
pub(crate) fn permille(share: f64) -> u32 {
    (share * 1e3).round().min(1e3) as u32
}

/// The same as millionths, as the core takes shares of limits.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates: negative and NaN become 0"
)]
pub(crate) fn millionths(share: f64) -> u32 {
    (share * 1e6).round().min(1e6) as u32
}

/// The name of a call that came without an id.
pub(crate) fn made_up_id(index: u32) -> String {
    format!("call-{index}")
}

/// At most `limit` characters, with a mark where something was cut.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
