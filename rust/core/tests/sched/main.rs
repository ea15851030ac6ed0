//! The scheduler, verb by verb: one behaviour a test, its name is the fact.

mod cancel;
mod common;
mod end;
mod gates;
mod order;
mod submit;
mod timers;
