//! Timers: one wheel for deadlines, attempt timeouts, sleeps and grace periods.

mod wheel;

pub use wheel::{Target, TimerKey, Wheel};
