//! The nouns of the public face: `Call`, `Ref` and `Outcome`. Frozen; made once a call, so native.

mod call;
mod outcome;
mod reference;

pub(crate) use call::{Call, plain_calls};
pub(crate) use outcome::{Explanation, Outcome, Payload, flag};
pub(crate) use reference::Ref;
