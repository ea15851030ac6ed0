//! The decisions of Penstock: which call runs next, when it must end, what it cost.
//!
//! Pure Rust: no Python, no I/O, no clock reads. Every verb takes the time and returns what to do.
//! Read [`sched`] first: it is the life of a call. [`timer`] and [`stats`] are its tools.
#![forbid(unsafe_code)]

pub mod arguments;
pub mod breaker;
pub mod clock;
pub mod error;
pub mod flight;
pub mod jsonstream;
pub mod limit;
pub mod pack;
pub mod predict;
pub mod ring;
pub mod sched;
pub mod stats;
pub mod timer;
