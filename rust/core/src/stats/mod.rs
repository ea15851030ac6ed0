//! Statistics that cost a few nanoseconds a call: counters, a histogram, a sketch of quantiles.

mod cells;
mod counters;
mod histogram;
mod sketch;

pub(crate) use cells::Cells;
pub use counters::Counters;
pub use histogram::{DEFAULT_BOUNDS, Histogram, MAX_BOUNDS};
pub use sketch::Sketch;
