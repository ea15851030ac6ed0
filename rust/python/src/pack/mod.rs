//! Python's view of `penstock_core::pack`: converts, locks, lends threads. It decides nothing.
//!
//! Ground rules. Values are borrowed from `bytes`, which nobody can change; other buffers are copied
//! first. Under 32 KiB everything happens in place; above, the GIL is given away. No lock is held
//! while a value is packed, and none of ours while Python runs.

pub(crate) mod coders;
pub(crate) mod convert;
pub(crate) mod ledger;
pub(crate) mod packer;
pub(crate) mod parcel;
pub(crate) mod segment;
pub(crate) mod segments;
