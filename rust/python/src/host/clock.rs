//! The engine's clock: `CLOCK_MONOTONIC`, or the loop's own time when that is virtual.
//!
//! `loop.time()` of uvloop is cached for a whole turn, so it is not used for measuring.

use penstock_core::clock::Nanos;
use pyo3::prelude::*;

use crate::convert;

/// Reads the time for one engine.
pub(crate) enum HostClock {
    /// Nanoseconds on the scale of `time.monotonic()`.
    Monotonic,
    /// `loop.time` of a virtual loop: tests decide when time passes.
    Virtual(Py<PyAny>),
}

impl HostClock {
    #[inline]
    pub(crate) fn now(&self, py: Python<'_>) -> Nanos {
        match self {
            Self::Monotonic => monotonic(py),
            Self::Virtual(time) => Self::read_virtual(py, time),
        }
    }

    /// The time of a virtual loop.
    pub(crate) fn read_virtual(py: Python<'_>, time: &Py<PyAny>) -> Nanos {
        let now = time.call0(py).and_then(|now| now.extract::<f64>(py));
        now.map_or(Nanos(1), convert::nanos)
    }
}

/// `CLOCK_MONOTONIC` is what Python's `time.monotonic()` reads on Linux, so the scales agree.
#[cfg(target_os = "linux")]
#[inline]
fn monotonic(_py: Python<'_>) -> Nanos {
    super::raw::clock_monotonic()
}

/// Elsewhere the offset between Rust's clock and Python's is read once a process.
#[cfg(not(target_os = "linux"))]
fn monotonic(py: Python<'_>) -> Nanos {
    use std::sync::OnceLock;
    use std::time::Instant;

    static ORIGIN: OnceLock<(Instant, u64)> = OnceLock::new();
    let (origin, offset) = ORIGIN.get_or_init(|| {
        let python = py
            .import("time")
            .and_then(|time| time.call_method0("monotonic_ns"));
        let offset = python.and_then(|now| now.extract::<u64>()).unwrap_or(1);
        #[expect(
            clippy::disallowed_methods,
            reason = "this file is the home of the clock"
        )]
        let origin = Instant::now();
        (origin, offset)
    });
    let since = u64::try_from(origin.elapsed().as_nanos()).unwrap_or(u64::MAX - offset);
    Nanos(offset + since)
}
