//! `penstock._native`: table of contents.
#![deny(unsafe_code)]
#![allow(
    clippy::needless_pass_by_value,
    clippy::unused_self,
    reason = "PyO3 decides the signatures of methods: owned arguments, and a self that may be unused"
)]

mod breaker;
mod calls;
mod convert;
mod error;
mod flight;
mod host;
mod jsonstream;
mod limit;
mod pack;
mod predict;
mod ring;
mod stats;

use pyo3::prelude::*;

/// The native half of Penstock: the nouns of the public face, and the host that runs calls.
#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::breaker::{Allowance, Breaker};
    #[pymodule_export]
    use crate::calls::{Call, Event, Outcome, Ref, plain_calls};
    #[pymodule_export]
    use crate::flight::Flights;
    #[pymodule_export]
    use crate::host::arguments::is_sound_json;
    #[pymodule_export]
    use crate::host::batch::Batch;
    #[pymodule_export]
    use crate::host::call_task::CallTask;
    #[pymodule_export]
    use crate::host::context::{Context, cancelled};
    #[pymodule_export]
    use crate::host::engine::Host;
    #[pymodule_export]
    use crate::host::job::Job;
    #[pymodule_export]
    use crate::host::measure::{exceeds, measured};
    #[pymodule_export]
    use crate::host::observe::observe;
    #[pymodule_export]
    use crate::host::results::value_bytes;
    #[pymodule_export]
    use crate::host::single::{Single, Ticket};
    #[pymodule_export]
    use crate::host::sleep::Sleep;
    #[pymodule_export]
    use crate::host::tell::{output, progress, tell_through};
    #[pymodule_export]
    use crate::host::unheard::Unheard;
    #[pymodule_export]
    use crate::host::watch::EngineLog;
    #[pymodule_export]
    use crate::jsonstream::JsonStream;
    #[pymodule_export]
    use crate::limit::{cost::Cost, limiter::Limiter, permit::Permit, set::LimitSet};
    #[pymodule_export]
    use crate::pack::{
        ledger::Ledger,
        packer::Packer,
        parcel::{ParcelInfo, describe, needed, raw_header, train},
        segment::{RecordInfo, Scan, record_bytes, record_head, scan, segment_header},
        segments::Segments,
    };
    #[pymodule_export]
    use crate::predict::{
        Candidate, Decision, Predictor, WasteBudget, canonical, is_control, weigh,
    };
    #[pymodule_export]
    use crate::stats::Sketch;
}
