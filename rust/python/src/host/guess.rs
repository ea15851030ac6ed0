//! Guesses: runs that nobody asked for yet, and what it says whether they are worth it.
//!
//! A guess is a batch of one in the last lane. It never waits for a limit: where one does not pay at once,
//! from the share that guesses have, it is rejected. Nobody is told of it before somebody asks for what
//! it runs; then it goes on in the lane of that call, and counts as no guess.

use penstock_core::clock::Nanos;
use penstock_core::limit::{Cost, Share};
use penstock_core::sched::{BatchId, CallId, CallRef, Room, ToolId};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::attempt::{AttemptOf, Kind, Lone};
use super::batch::{Batch, Entry};
use super::context::Context;
use super::engine::Host;
use super::labels::Labels;
use super::raw;
use super::submit::GivenLabels;
use super::unheard::Unheard;
use crate::calls::Call;
use crate::convert::{self, locked};
use crate::limit::cost;
use crate::stats::Sketch;

/// What a run has that began as a guess.
pub(crate) struct Guess {
    /// Of each limit.
    pub(crate) share: Share,
    pub(crate) unheard: Py<Unheard>,
    /// Somebody has asked for it.
    pub(crate) is_asked: bool,
}

/// Bound, calls in it, guesses among these.
type Places = (u32, u32, u32);
/// What a call takes, seconds in which one flows in, the share that is left.
type Strained = (u64, f64, f64);

#[pymethods]
impl Host {
    /// A run that nobody asked for yet, in the last lane, those that are worth more first. It never waits
    /// for a limit: where the share of guesses does not pay at once it is rejected. What it tells goes to
    /// `unheard`. `starting` is as for attempts.
    #[pyo3(signature = (
        tool, call, arguments, *, starting, unheard, worth, share, labels = None, group = None, cost = None,
        timeout = None
    ))]
    #[expect(clippy::too_many_arguments, reason = "what a guess is, by name")]
    fn guess<'py>(
        slf: &Bound<'py, Self>,
        tool: u32,
        call: Bound<'py, Call>,
        arguments: Bound<'py, PyTuple>,
        starting: Py<PyAny>,
        unheard: Py<Unheard>,
        worth: f64,
        share: f64,
        labels: Option<GivenLabels>,
        group: Option<u64>,
        cost: Option<Bound<'py, PyAny>>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, Batch>> {
        let name = call.get().id.as_ref();
        let of = AttemptOf {
            call: CallRef {
                id: CallId::from_bits(0), // of nothing: there is nobody to tell
                tool: ToolId(tool),
                batch: BatchId::from_bits(0),
                index: 0,
            },
            call_id: name.map_or_else(String::new, |id| id.bind(slf.py()).to_string()),
            number: 1,
            is_hedge: false,
            starting: Some(starting),
            guess: Some(Guess {
                share: Share::millionths(convert::millionths(share)),
                unheard,
                is_asked: false,
            }),
        };
        let lone = Lone {
            tool: ToolId(tool),
            request: call,
            entry: Entry::Prepared(arguments.unbind()),
            cost: cost.map(|cost| cost::read(&cost)).transpose()?,
            of: Some(of),
            context: raw::current_context(slf.py())?.unbind(),
            kind: Kind::Guess {
                labels,
                group,
                worth: thousandths(worth),
            },
            timeout: timeout.map(convert::nanos),
        };
        let (_, handle) = Self::submit_lone(slf, lone)?;
        Self::settle(slf)?;
        Ok(handle)
    }

    /// Somebody asked for what a guess runs: it goes on in the lane of that call, and counts as no guess.
    /// What it tells from now on is told of that call.
    fn promote(
        &self,
        py: Python<'_>,
        guess: &Bound<'_, Batch>,
        of: &Bound<'_, Context>,
    ) -> PyResult<()> {
        let now = self.now(py);
        let mut state = self.state.borrow(py)?;
        let (batch, call) = (guess.get().id(), of.get().call);
        let Some(id) = state.sched.call_at(batch, 0) else {
            return Ok(());
        };
        if let Some(attempt) = state.record_mut(batch).and_then(|it| it.attempt.as_mut()) {
            attempt.call = call;
            if let Some(guess) = &mut attempt.guess {
                guess.is_asked = true;
            }
        }
        let lane = state.sched.lane(call.id).unwrap_or_default();
        state.sched.promote(id, lane);
        let permit = state.sched.permit(id);
        if let (Some(permit), Some(limits)) = (permit, &mut state.limits) {
            limits.promote(permit, now);
        }
        Ok(())
    }

    /// A call is about to take over what a guess has run, since `taken` if it is over: the limits of the
    /// call that the guess did not pay are charged. False if one of them does not pay now.
    #[pyo3(signature = (tool, of, cost = None, taken = None))]
    fn adopt(
        &self,
        py: Python<'_>,
        tool: u32,
        of: &Bound<'_, Context>,
        cost: Option<Bound<'_, PyAny>>,
        taken: Option<f64>,
    ) -> PyResult<bool> {
        let given = cost.map(|cost| cost::read(&cost)).transpose()?;
        let now = self.now(py);
        let state = self.state.borrow(py)?;
        let record = state.record(of.get().call.batch);
        let labels = record.and_then(|record| record.labels.as_deref());
        let (Some(limits), labels) = (&state.limits, labels.cloned().unwrap_or_default()) else {
            return Ok(true);
        };
        let charged = Labels {
            run: None,
            batch: None,
            ..labels.clone()
        };
        let taken = taken.map(convert::nanos);
        Ok(limits.adopt(ToolId(tool), (&labels, &charged), given, taken, now))
    }

    /// How much room a guess would have: the places with a bound that it would be in, and of the scarcest
    /// limit that it pays what it takes, the seconds in which one unit flows in, and the share that is left.
    #[pyo3(signature = (tool, labels, cost = None))]
    fn pressure(
        &self,
        py: Python<'_>,
        tool: u32,
        labels: GivenLabels,
        cost: Option<Bound<'_, PyAny>>,
    ) -> PyResult<(Vec<Places>, Option<Strained>)> {
        let given = cost.map(|cost| cost::read(&cost)).transpose()?;
        let now = self.now(py);
        let state = self.state.borrow(py)?;
        let places = |room: Room| (room.bound, room.used, room.guesses);
        let mut rooms: Vec<Places> = state.sched.rooms(ToolId(tool)).map(places).collect();
        let (tenant, agent, run, batch) = labels;
        let labels = Labels {
            tenant,
            agent,
            run,
            batch,
        };
        let limits = state.limits.as_ref();
        let strain = limits.and_then(|limits| {
            limits.glance(ToolId(tool), &labels, now, |core, set, cost: Cost| {
                rooms.extend(core.rooms(set).map(places));
                core.strain(set, &given.unwrap_or(cost), now)
            })?
        });
        let strain = strain.map(|strain| (strain.units, strain.seconds_per_unit, strain.left));
        Ok((rooms, strain))
    }

    /// Seconds that a run of a tool takes, expected, and the seconds of these that lie within a wait, of
    /// which `waits` has samples. None before `least` runs have ended well, or without a sample of a wait.
    fn expect(
        &self,
        py: Python<'_>,
        tool: u32,
        waits: &Bound<'_, Sketch>,
        least: u64,
    ) -> PyResult<Option<(f64, f64)>> {
        let state = self.state.borrow(py)?;
        let runs = state.sched.tool_quantiles(ToolId(tool));
        let Some(runs) = runs.filter(|runs| runs.count_known() >= least) else {
            return Ok(None);
        };
        let waits = locked(py, &waits.get().0)?;
        let means = runs.mean_known().zip(runs.mean_of_shorter(&waits));
        Ok(means.map(|(run, overlap): (Nanos, Nanos)| {
            (convert::seconds(run), convert::seconds(overlap))
        }))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates: negative and NaN become 0"
)]
fn thousandths(amount: f64) -> u64 {
    (amount * 1e3).round() as u64
}
