//! Parcels: values packed for a store, a file or another process. Bytes in, bytes out.
//!
//! Read [`parcel`] first: it is the format. [`choose`] says how a value is packed and [`skip`] when it
//! is not worth it; [`codec`] does it, with the [`dictionary`] of a tool if there is one. [`frames`]
//! puts these together. [`lanes`] remembers what was learned of each tool. [`segment`] is the layout
//! of spill files, and [`ledger`] says what is held where and what leaves memory next.

pub mod choose;
pub mod codec;
pub mod dictionary;
pub mod error;
pub mod frames;
pub mod lanes;
mod learning;
pub mod ledger;
mod library;
pub mod media;
pub mod parcel;
pub mod segment;
pub mod skip;
mod verdict;

pub use choose::{Choice, Purpose, choose};
pub use codec::{Codec, Coder};
pub use dictionary::{Dictionary, DictionaryId};
pub use error::Unreadable;
pub use lanes::{Lanes, LanesConfig, PackStatistics, Plan, Source};
pub use ledger::Ledger;
pub use media::Media;
pub use parcel::{FRAME_BYTES, Form, Parcel, Sheet};
