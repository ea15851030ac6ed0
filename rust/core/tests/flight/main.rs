//! Reads that run, are held or were guessed: single facts, and laws against a slow, obvious model.

#![expect(clippy::expect_used, reason = "a test that cannot go on must stop")]

mod common;
mod facts;
mod laws;
