//! The decisions of Penstock: which call runs next, when it must end, what it cost.
//!
//! Pure Rust: no Python, no I/O, no clock reads. Every verb takes the time and returns what to do.
#![forbid(unsafe_code)]
