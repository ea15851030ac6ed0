//! Python's view of `penstock_core::limit`: converts, locks, maps errors. It decides nothing.
//!
//! Ground rules. One lock around the registry. Nothing of Python is made, dropped or called while it
//! is held: the collector may run then, and with it somebody's destructor that wants the same lock.

pub(crate) mod cost;
pub(crate) mod feedback;
pub(crate) mod limiter;
pub(crate) mod permit;
pub(crate) mod refusal;
mod rules;
pub(crate) mod set;
mod taking;
