//! Reads that run, are held or were guessed: single facts, and laws against a slow, obvious model.

mod common;
mod facts;
mod laws;
