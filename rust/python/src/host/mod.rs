//! The host: steps coroutines, keeps the Python objects of calls, and asks the core what to do.
//!
//! Read `engine.rs` (state and verbs), then `pump.rs` (one turn), `step.rs` (one step of a call)
//! and `finish.rs` (its end). Rules that hold everywhere here: no borrow of the state lives across a
//! call into Python, and what must be dropped is dropped after the borrow, for tools re-enter.

pub(crate) mod arguments;
pub(crate) mod asyncio;
pub(crate) mod attempt;
pub(crate) mod batch;
pub(crate) mod branches;
pub(crate) mod bytes;
pub(crate) mod call_task;
pub(crate) mod cell;
pub(crate) mod clock;
pub(crate) mod context;
pub(crate) mod engine;
pub(crate) mod exchange;
pub(crate) mod finish;
pub(crate) mod graph;
pub(crate) mod guess;
pub(crate) mod inbox;
pub(crate) mod job;
pub(crate) mod labels;
pub(crate) mod leaving;
pub(crate) mod limits;
pub(crate) mod log;
pub(crate) mod measure;
pub(crate) mod modes;
pub(crate) mod observe;
pub(crate) mod origin;
pub(crate) mod prepare;
pub(crate) mod probe;
pub(crate) mod pump;
pub(crate) mod raw;
pub(crate) mod results;
pub(crate) mod setup;
pub(crate) mod shares;
pub(crate) mod single;
pub(crate) mod sleep;
pub(crate) mod statistics;
pub(crate) mod step;
pub(crate) mod submit;
pub(crate) mod tell;
pub(crate) mod tool;
pub(crate) mod unheard;
pub(crate) mod watch;
