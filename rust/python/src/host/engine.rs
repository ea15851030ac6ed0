//! The host of one engine: its state, and the verbs that Python reaches.
//!
//! Ground rules. The state belongs to the thread of the event loop; a borrow never lives across a
//! call into Python. The pump is scheduled at most once (`scheduled`), and never runs inside itself
//! or inside a wake-up (`pumping`): what arrives meanwhile is queued for the next turn. Whatever the
//! core answers as actions is worked off before a verb returns.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use penstock_core::arguments::ArgumentLimits;
use penstock_core::clock::Nanos;
use penstock_core::sched::{
    Actions, BatchId, CallId, CallRef, Reason, Sched, SchedConfig, ServiceId, Target, ToolId,
    ToolSpec,
};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

use super::asyncio::Asyncio;
use super::batch::{Entry, Record};
use super::call_task::CallTask;
use super::cell::OwnerCell;
use super::clock::HostClock;
use super::finish::{still_waiting, take_crowd};
use super::inbox::Inbox;
use super::job::Job;
use super::limits::HostLimits;
use super::log::Logs;
use super::origin::Origin;
use super::pump::Pump;
use super::results::HostResults;
use super::tell::Telling;
use super::tool::{HostTool, Mode, UNKNOWN_TOOL};
use super::unheard::Payload;
use crate::convert;
use crate::ring::EVENT_BYTES;

/// How long a cancelled call may tidy up before its outcome is delivered as detached.
pub(crate) const GRACE: Nanos = Nanos::from_millis(250);

/// What awaits a call that is to run in its caller's own task.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Open,
    /// Somebody watches the engine.
    Watched,
    /// No new work is taken.
    Closing,
}

/// What changes while the engine runs.
pub(crate) struct State {
    pub(crate) sched: Sched,
    pub(crate) actions: Actions,
    /// The limits of its calls, if it has any.
    pub(crate) limits: Option<Box<HostLimits>>,
    /// The store of large results, once there may be one.
    pub(crate) results: Option<Box<HostResults>>,
    pub(crate) tools: Vec<Py<HostTool>>,
    pub(crate) services: HashMap<String, ServiceId>,
    /// By the place of a batch id.
    pub(crate) records: Vec<Option<Box<Record>>>,
    /// Ended batches that wait for delivery while a newer one has their place.
    overtaken: Vec<Record>,
    /// Calls whose outcome was delivered while their code still runs.
    pub(crate) detached: HashMap<CallId, Entry>,
    /// Whom to tell when that code has ended.
    pub(crate) leaving: HashMap<CallId, Vec<Py<PyAny>>>,
    /// A call task that nobody holds, for the next call.
    pub(crate) spare: Option<Py<CallTask>>,
    /// What asyncio takes for the current task, if it is ours.
    pub(crate) current: Option<Py<CallTask>>,
    /// The call whose code is running at this moment.
    pub(crate) running: Option<CallRef>,
    /// Calls to step in the next turn: they yielded, or were woken at a bad moment.
    pub(crate) resumed: Vec<Py<CallTask>>,
    /// Batches whose outcomes are to be delivered at the end of this turn.
    pub(crate) ended: Vec<BatchId>,
    /// Batches whose log grew in this turn.
    pub(crate) grown: Vec<BatchId>,
    /// What is kept of events.
    pub(crate) logs: Logs,
    /// What calls told and is not written yet.
    pub(crate) telling: Telling,
    /// What calls told and nobody may read, until somebody drops it who holds no borrow.
    pub(crate) litter: Vec<Payload>,
    /// Futures of those who wait for room.
    pub(crate) room: Vec<Py<PyAny>>,
    /// `KeyboardInterrupt` or `SystemExit` of a tool, to leave the pump once the turn is tidied.
    pub(crate) fatal: Option<PyErr>,
    /// Jobs that were asked to end and run on, until their executors are told.
    pub(crate) stuck: Vec<Py<Job>>,
    /// What policies say of calls that have not ended.
    pub(crate) marks: HashMap<CallId, Mark>,
    /// Random enough to spread retries; see `Host::jitter`.
    chance: u64,
    pub(crate) scheduled: bool,
    pub(crate) pumping: bool,
    pub(crate) door: Door,
    pub(crate) timer: Option<(Nanos, Py<PyAny>)>,
    pub(crate) counts: Counts,
}

/// What the host itself counts.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) turns: u64,
    /// Turns that ended because the slice was over.
    pub(crate) sliced: u64,
    pub(crate) tasks_made: u64,
    pub(crate) tasks_reused: u64,
    pub(crate) modes: [u64; Mode::COUNT],
    /// Calls made in their caller's own task.
    pub(crate) single: u64,
    pub(crate) ended: u64,
    /// Inline tools that held the loop for over 5 ms.
    pub(crate) slow_inline: u64,
    pub(crate) first: Option<Nanos>,
}

impl State {
    /// Watchers of the engine came or went.
    pub(crate) fn watch_door(&mut self) {
        if self.door != Door::Closing {
            let is_watched = self.logs.is_watched();
            self.door = if is_watched {
                Door::Watched
            } else {
                Door::Open
            };
        }
    }

    pub(crate) fn record(&self, id: BatchId) -> Option<&Record> {
        let placed = self.records.get(id.place() as usize)?.as_deref();
        placed
            .filter(|record| record.id == id)
            .or_else(|| self.overtaken.iter().find(|record| record.id == id))
    }

    pub(crate) fn record_mut(&mut self, id: BatchId) -> Option<&mut Record> {
        let placed = self.records.get_mut(id.place() as usize)?.as_deref_mut();
        placed
            .filter(|record| record.id == id)
            .or_else(|| self.overtaken.iter_mut().find(|record| record.id == id))
    }

    pub(crate) fn entry_mut(&mut self, call: CallRef) -> Option<&mut Entry> {
        self.record_mut(call.batch)?
            .entries
            .get_mut(call.index as usize)
    }

    /// Notes where the code of a call is; returns what was noted before. A detached call is noted
    /// apart, for its place in the batch has the outcome.
    pub(crate) fn hold(&mut self, call: CallRef, entry: Entry) -> Option<Entry> {
        match self.entry_mut(call) {
            Some(place) if !matches!(place, Entry::Ended(_)) => {
                Some(std::mem::replace(place, entry))
            }
            _ => self.detached.insert(call.id, entry),
        }
    }

    pub(crate) fn put_record(&mut self, record: Record) {
        let place = record.id.place() as usize;
        if self.records.len() <= place {
            self.records.resize_with(place + 1, || None);
        }
        // The core gives the place of an ended batch away before the turn is over that delivers it.
        let overtaken = self.records[place].replace(Box::new(record));
        self.overtaken.extend(overtaken.map(|record| *record));
    }

    pub(crate) fn take_record(&mut self, id: BatchId) -> Option<Box<Record>> {
        let slot = self.records.get_mut(id.place() as usize)?;
        if slot.as_deref().is_some_and(|record| record.id == id) {
            return slot.take();
        }
        let at = self.overtaken.iter().position(|record| record.id == id)?;
        Some(Box::new(self.overtaken.swap_remove(at)))
    }

    pub(crate) fn tool(&self, py: Python<'_>, call: CallRef) -> Option<Py<HostTool>> {
        self.tool_at(py, call.tool)
    }

    pub(crate) fn tool_at(&self, py: Python<'_>, tool: ToolId) -> Option<Py<HostTool>> {
        let place = (tool.0 as usize).checked_sub(1)?; // the first number is UNKNOWN_TOOL
        self.tools.get(place).map(|tool| tool.clone_ref(py))
    }
}

/// The native half of an engine.
#[pyclass(frozen, weakref, module = "penstock._native")]
pub(crate) struct Host {
    pub(crate) asyncio: Asyncio,
    pub(crate) clock: HostClock,
    pub(crate) limits: ArgumentLimits,
    /// Results of at least so many bytes are looked at again: see `results.rs`.
    pub(crate) keep_from: AtomicU64,
    /// Whether all calls pass one gate: `max_parallel`.
    pub(crate) has_gate: bool,
    /// How long one turn of the pump may take before the loop gets its turn.
    pub(crate) slice: Nanos,
    /// The tools by name.
    pub(crate) table: Py<PyDict>,
    /// The same for calls of sessions.
    pub(crate) session_table: Py<PyDict>,
    /// `penstock.plan.edges`: the graph of a batch that has one.
    pub(crate) edges: Py<PyAny>,
    /// By mode: what starts a `Job`, and what is told that a running one was asked to end.
    pub(crate) executors: [PyOnceLock<(Py<PyAny>, Py<PyAny>)>; Mode::COUNT],
    /// Makes `UnknownTool` for a name.
    pub(crate) unknown: Py<PyAny>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) pump: PyOnceLock<Py<Pump>>,
    waker: PyOnceLock<Py<PyAny>>,
    /// Makes idempotency keys of different engines different.
    pub(crate) nonce: u64,
    /// References to a call task that nobody else holds, as the probe measured them.
    pub(crate) unshared: PyOnceLock<isize>,
    pub(crate) state: OwnerCell<State>,
}

impl Host {
    #[inline]
    pub(crate) fn now(&self, py: Python<'_>) -> Nanos {
        self.clock.now(py)
    }

    fn call_pump_soon(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        this.asyncio.call_soon(Self::pump(slf)?.bind(py).as_any())
    }

    /// Wakes the loop from any thread, to read the inbox.
    pub(crate) fn waker(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let (py, this) = (slf.py(), slf.get());
        let made = this.waker.get_or_try_init(py, || {
            let partial = py.import("functools")?.getattr("partial")?;
            let wake = partial.call1((&this.asyncio.call_soon_threadsafe, Self::pump(slf)?))?;
            PyResult::Ok(wake.unbind())
        })?;
        Ok(made.clone_ref(py))
    }

    /// The callback of this host's turns; one object, made when first needed.
    pub(crate) fn pump<'a>(slf: &'a Bound<'_, Self>) -> PyResult<&'a Py<Pump>> {
        let py = slf.py();
        slf.get()
            .pump
            .get_or_try_init(py, || Py::new(py, Pump::new(slf)?))
    }

    /// Has the pump run in the next turn of the loop, unless it is to run anyway.
    pub(crate) fn schedule(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this = slf.get();
        {
            let mut state = this.state.borrow(slf.py())?;
            if state.scheduled || state.pumping {
                return Ok(());
            }
            state.scheduled = true;
        }
        let called = Self::call_pump_soon(slf);
        if called.is_err() {
            this.state.borrow(slf.py())?.scheduled = false;
        }
        called
    }

    pub(crate) fn cancel(slf: &Bound<'_, Self>, target: Target, reason: Reason) -> PyResult<u32> {
        let (py, this) = (slf.py(), slf.get());
        let now = this.now(py);
        let count = {
            let mut state = this.state.borrow(py)?;
            let State { sched, actions, .. } = &mut *state;
            sched.cancel(target, reason, now, actions)
        };
        Self::settle(slf)?;
        Ok(count)
    }

    /// Works off what a verb has caused. Inside a turn that is the turn's business, but for a verb
    /// of the tool that is running: its effects are seen at once.
    pub(crate) fn settle(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (pumping, running) = {
            let state = slf.get().state.borrow(slf.py())?;
            (state.pumping, state.running.is_some())
        };
        match (pumping, running) {
            (false, _) => Self::as_turn(slf, || Ok(())),
            (true, true) => Self::act(slf),
            // Somebody's destructor, run while an outcome is on its way to its place.
            (true, false) => Ok(()),
        }
    }

    /// Does something that ends calls as a turn of its own, unless a turn is at work: between the end
    /// of a call and its outcome nobody else may work off actions or deliver.
    pub(crate) fn as_turn(
        slf: &Bound<'_, Self>,
        work: impl FnOnce() -> PyResult<()>,
    ) -> PyResult<()> {
        let inside = std::mem::replace(&mut slf.get().state.borrow(slf.py())?.pumping, true);
        let worked = work();
        if inside {
            worked
        } else {
            Self::leave_turn(slf, worked)
        }
    }
}

#[pymethods]
impl Host {
    #[new]
    #[pyo3(signature = (event_loop, *, max_pending, max_parallel, slice, virtual_time, edges, unknown, history = None))]
    #[expect(
        clippy::too_many_arguments,
        reason = "one a setting; called in one place, by name"
    )]
    fn new<'py>(
        py: Python<'py>,
        event_loop: Bound<'py, PyAny>,
        max_pending: u32,
        max_parallel: Option<NonZeroU32>,
        slice: f64,
        virtual_time: bool,
        edges: Py<PyAny>,
        unknown: Py<PyAny>,
        history: Option<usize>,
    ) -> PyResult<Self> {
        let config = SchedConfig {
            max_pending,
            max_parallel,
            ..SchedConfig::default()
        };
        let clock = if virtual_time {
            HostClock::Virtual(event_loop.getattr("time")?.unbind())
        } else {
            HostClock::Monotonic
        };
        let mut state = State::new(config);
        if let Some(history) = history {
            state.logs.config.history = history;
            // The events that watchers make of a whole history fit in any case.
            let least = history.saturating_mul(EVENT_BYTES as usize);
            state.logs.config.payload_bytes = state.logs.config.payload_bytes.max(least);
        }
        Ok(Self {
            asyncio: Asyncio::new(&event_loop)?,
            clock,
            limits: ArgumentLimits::default(),
            keep_from: AtomicU64::new(u64::MAX),
            has_gate: max_parallel.is_some(),
            slice: convert::nanos(slice),
            table: PyDict::new(py).unbind(),
            session_table: PyDict::new(py).unbind(),
            edges,
            executors: [const { PyOnceLock::new() }; Mode::COUNT],
            unknown,
            inbox: Arc::new(Inbox::new()),
            pump: PyOnceLock::new(),
            waker: PyOnceLock::new(),
            nonce: py
                .import("secrets")?
                .call_method1("randbits", (64,))?
                .extract()?,
            unshared: PyOnceLock::new(),
            state: OwnerCell::new(py, state),
        })
    }

    /// Refuses new work and asks everything that runs to end; returns how many calls were asked.
    fn close(slf: &Bound<'_, Self>, cancel: bool) -> PyResult<u32> {
        slf.get().state.borrow(slf.py())?.door = Door::Closing;
        if cancel {
            Self::cancel(slf, Target::All, Reason::Shutdown)
        } else {
            Ok(0)
        }
    }

    /// Gives up what did not end in time: coroutines are closed, which runs their `finally` blocks,
    /// threads and tasks of asyncio's own are detached. Nothing of this engine stays in the loop.
    fn give_up(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let (left, timer) = {
            let mut state = this.state.borrow(py)?;
            (state.suspended(py), state.timer.take())
        };
        if let Some((_, timer)) = timer {
            timer.call_method0(py, pyo3::intern!(py, "cancel"))?;
        }
        for task in left {
            Self::close_coroutine(slf, task.into_bound(py))?;
        }
        let now = this.now(py);
        {
            let mut state = this.state.borrow(py)?;
            let State { sched, actions, .. } = &mut *state;
            sched.cancel(Target::All, Reason::Shutdown, now, actions);
        }
        Self::act(slf)?;
        // Timers are never early: a little more than the grace, so that each of them has rung.
        Self::expire(slf, now.saturating_add(GRACE).saturating_add(GRACE))?;
        Self::settle(slf)?;
        Self::end_tower(slf)?;
        this.leave_limiter(py)
    }

    /// Whether the running code is that of a call of this engine, so that it cannot wait for it.
    fn is_inside(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let Some(call) = Origin::parent_in(slf)? else {
            return Ok(false);
        };
        Ok(slf
            .get()
            .state
            .borrow(slf.py())?
            .sched
            .state(call)
            .is_some())
    }

    /// A future that is done when a call has ended since: for those who found the engine full.
    fn room<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let future = self.asyncio.create_future(py)?;
        let crowd = {
            let mut state = self.state.borrow(py)?;
            state.room.push(future.clone().unbind());
            take_crowd(&mut state.room)
        };
        if !crowd.is_empty() {
            let waiting = still_waiting(py, crowd)?;
            self.state.borrow(py)?.room.extend(waiting);
        }
        Ok(future)
    }

    /// Calls that have a place, whatever their state.
    #[getter]
    fn pending(&self, py: Python<'_>) -> PyResult<u32> {
        Ok(self.state.borrow(py)?.sched.pending())
    }

    /// Calls that have no outcome yet.
    #[getter]
    fn unanswered(&self, py: Python<'_>) -> PyResult<u32> {
        let counts = self.state.borrow(py)?.sched.statistics();
        Ok(counts.pending - counts.detached)
    }

    /// Seconds until there may be room again, at the rate at which calls have ended so far.
    #[getter]
    pub(crate) fn retry_after(&self, py: Python<'_>) -> PyResult<f64> {
        let now = self.now(py);
        let state = self.state.borrow(py)?;
        let first = state.counts.first.unwrap_or(now);
        let elapsed = convert::seconds(now.saturating_sub(first));
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let each = elapsed / (state.counts.ended.max(1) as f64);
        Ok((each * f64::from(state.sched.pending())).clamp(0.01, 60.0))
    }

    /// All counts of the engine, as one dict; the Python side gives it types.
    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        super::statistics::read(self, py)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.table)?;
        visit.call(&self.session_table)?;
        visit.call(&self.edges)?;
        visit.call(&self.unknown)?;
        let Some(state) = self.state.peek() else {
            return Ok(());
        };
        visit.call(&state.spare)?;
        visit.call(&state.current)?;
        if let Some((_, timer)) = &state.timer {
            visit.call(timer)?;
        }
        state.resumed.iter().try_for_each(|task| visit.call(task))?;
        state
            .room
            .iter()
            .try_for_each(|future| visit.call(future))?;
        let mut told = state.leaving.values().flatten();
        told.try_for_each(|told| visit.call(told))?;
        if let Some(limits) = &state.limits {
            visit.call(&limits.limiter)?;
            visit.call(&limits.warn)?;
        }
        if let Some(results) = &state.results {
            visit.call(&results.keep)?;
        }
        state.logs.traverse(&visit)?;
        state.tools.iter().try_for_each(|tool| visit.call(tool))?;
        state
            .detached
            .values()
            .try_for_each(|entry| entry.traverse(&visit))?;
        state
            .records
            .iter()
            .flatten()
            .map(Box::as_ref)
            .chain(&state.overtaken)
            .try_for_each(|record| record.traverse(&visit))
    }

    fn __clear__(&self) {
        let emptied = self.state.peek().map(|mut state| state.empty());
        drop(emptied);
    }
}

impl Host {
    /// A number from 0 to 999, to spread what would happen at once.
    pub(crate) fn jitter(&self, py: Python<'_>) -> PyResult<u32> {
        let mut state = self.state.borrow(py)?;
        let mut chance = state.chance ^ self.nonce;
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        state.chance = chance ^ self.nonce;
        Ok(u32::try_from((chance >> 33) % 1_000).unwrap_or(0))
    }
}

/// What policies say of a call: its outcome tells it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mark {
    pub(crate) attempts: u16,
    pub(crate) cached: bool,
    pub(crate) speculative: bool,
    /// Seconds of running that the call was spared.
    pub(crate) saved: f32,
}

type Emptied = (
    Vec<Option<Box<Record>>>,
    Vec<Record>,
    (HashMap<CallId, Entry>, HashMap<CallId, Vec<Py<PyAny>>>),
    Vec<Py<PyAny>>,
    Vec<Py<CallTask>>,
    [Option<Py<CallTask>>; 2],
    Option<(Nanos, Py<PyAny>)>,
);

impl State {
    fn new(config: SchedConfig) -> Self {
        let mut sched = Sched::new(config);
        let first = sched.add_tool(ToolSpec::default());
        debug_assert_eq!(first, UNKNOWN_TOOL);
        Self {
            sched,
            actions: Actions::new(),
            limits: None,
            results: None,
            tools: Vec::new(),
            services: HashMap::new(),
            records: Vec::new(),
            overtaken: Vec::new(),
            detached: HashMap::new(),
            leaving: HashMap::new(),
            spare: None,
            current: None,
            running: None,
            resumed: Vec::new(),
            ended: Vec::new(),
            grown: Vec::new(),
            logs: Logs::default(),
            telling: Telling::default(),
            litter: Vec::new(),
            room: Vec::new(),
            fatal: None,
            stuck: Vec::new(),
            marks: HashMap::new(),
            chance: 0x9E37_79B9_7F4A_7C15,
            scheduled: false,
            pumping: false,
            door: Door::Open,
            timer: None,
            counts: Counts::default(),
        }
    }

    /// The tasks of all calls that wait, those included whose outcome was delivered.
    fn suspended(&self, py: Python<'_>) -> Vec<Py<CallTask>> {
        let mut detached: Vec<_> = self.detached.iter().collect();
        detached.sort_unstable_by_key(|(call, _)| call.to_bits());
        let detached = detached.into_iter().map(|(_, entry)| entry);
        let noted = self
            .records
            .iter()
            .flatten()
            .flat_map(|record| record.entries.iter());
        let suspended = noted.chain(detached).filter_map(|entry| match entry {
            Entry::Suspended(task) => Some(task.clone_ref(py)),
            _ => None,
        });
        suspended.collect()
    }

    fn empty(&mut self) -> Emptied {
        (
            std::mem::take(&mut self.records),
            std::mem::take(&mut self.overtaken),
            (
                std::mem::take(&mut self.detached),
                std::mem::take(&mut self.leaving),
            ),
            std::mem::take(&mut self.room),
            std::mem::take(&mut self.resumed),
            [self.spare.take(), self.current.take()],
            self.timer.take(),
        )
    }
}
