//! The event log: records, cursors, forgetting, snapshots; and what thins the stream at its source.

mod cursors;
mod laws;
mod model;
mod source;
mod table;
