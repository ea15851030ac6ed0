//! Guesses the next tool calls of a conversation from those before. No clock, no I/O, no second model.
//!
//! A [`Predictor`] is told what happens ([`Predictor::observe`]) and answers with candidates
//! ([`Predictor::predict`]). Read `history` for which tool comes next and `mix` for whom it trusts, then
//! `values`, `template` and `bind` for the arguments, and `signs`, `judge` and
//! `calibrate` for what a chance means. [`gate`]
//! says whether a launch is worth it; [`key`] is the identity of a call.
//!
//! Ground rules. Only what really happened trains. The same events in the same order give the same
//! model and the same candidates. Everything is bounded by the bytes it was given; what was used longest
//! ago leaves.

mod backoff;
mod bind;
mod calibrate;
mod candidates;
mod chain;
mod codec;
mod confirm;
mod decide;
pub mod gate;
mod history;
mod json;
mod judge;
pub mod key;
mod memory;
mod merge;
mod mix;
mod model;
mod outlook;
mod predictor;
mod repeats;
mod session;
mod sibling;
mod signs;
mod snapshot;
mod source;
mod stored;
mod suppose;
mod template;
mod tokens;
mod tool;
mod transform;
mod trust;
mod values;
mod words;

pub use backoff::Reach;
pub use chain::{BEAM, DEPTH, Supposed};
pub use key::{Key, KeyError, canonical};
pub use model::Parts;
pub use predictor::{Candidate, Decision, Event, Predictor, PredictorConfig, Start, Statistics};
pub use session::Outcome;
pub use sibling::Evidence;
pub use snapshot::SnapshotError;
