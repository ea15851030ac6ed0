//! Parcels: what goes in comes out, and what was damaged is an error.

#![cfg(feature = "zstd")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

mod common;
mod damage;
mod dictionary;
mod frames;
mod golden;
mod lanes;
mod laws;
mod ledger;
mod segment;
mod segments;
mod skip;
