//! The nouns of the public face: `Call`, `Ref`, `Outcome` and `Event`. Frozen; made once a call, so native.

mod call;
mod event;
mod outcome;
mod reference;

pub(crate) use call::{Call, plain_calls};
pub(crate) use event::{About, Account, Data, Event, Type};
pub(crate) use outcome::{Explanation, Outcome, Payload, flag, status_name};
pub(crate) use reference::Ref;
