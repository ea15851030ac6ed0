//! `Limiter`: the registry of limits behind one lock, its clock, and who is told of grants.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use penstock_core::clock::Nanos;
use penstock_core::limit::{self, Owner, SetId, Waiter};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::convert;
use crate::error;
use crate::host::clock::HostClock;

/// Timers closer than this make uvloop spin, which rounds to milliseconds.
pub(crate) const SHORTEST_WAIT: Nanos = Nanos::from_millis(1);

/// What the lock guards.
pub(crate) struct Registry {
    pub(crate) core: limit::Limiter,
    /// The newest time that anybody brought: for destructors, which read no clock.
    pub(crate) now: Nanos,
    /// Who waits, by the owner's own number.
    pub(crate) waiters: HashMap<(Owner, u64), Waiter>,
    /// The next wake as owners were told it last: their timers go by it.
    pub(crate) told_wake: Option<Nanos>,
    pub(crate) owners: u32,
}

/// Who is to be woken.
pub(crate) enum Woken {
    /// Those who have something to fetch.
    Some(Vec<Owner>),
    /// Everybody: their timers are set too late.
    All,
}

impl Registry {
    /// The next decision, if it comes sooner than owners were told; from now on they are.
    pub(crate) fn sooner(&mut self) -> Option<Nanos> {
        let wake = self.core.next_wake();
        let told = std::mem::replace(&mut self.told_wake, wake);
        wake.filter(|wake| told.is_none_or(|told| *wake < told))
    }

    /// Whom to wake after a decision.
    pub(crate) fn whom_to_wake(&mut self) -> Woken {
        if self.sooner().is_some() {
            Woken::All
        } else {
            Woken::Some(self.core.owners_with_grants().collect())
        }
    }

    /// The same for an owner that has just fetched what it was given; most often it is alone. None
    /// has left.
    pub(crate) fn whom_to_wake_besides(&mut self, owner: Option<Owner>) -> Option<Woken> {
        let is_alone = self.owners <= u32::from(owner.is_some());
        match self.whom_to_wake() {
            Woken::All if is_alone => None,
            Woken::Some(owners) if owners.iter().all(|known| Some(*known) == owner) => None,
            woken => Some(woken),
        }
    }
}

/// What of Python is called back.
#[derive(Default)]
struct Callbacks {
    /// What wakes each owner, on any thread.
    wakers: HashMap<Owner, Py<PyAny>>,
    /// What begins new days and months: it knows time zones.
    roll: Option<Py<PyAny>>,
    /// What is told that a budget has passed a share of its amount.
    warn: Option<Py<PyAny>>,
}

/// The limits of one process. Any thread may use it.
#[pyclass(frozen, weakref, module = "penstock._native")]
pub(crate) struct Limiter {
    registry: Mutex<Registry>,
    /// The time of a virtual loop, once one is known.
    virtual_time: PyOnceLock<Py<PyAny>>,
    callbacks: Mutex<Callbacks>,
    /// When the next day or month of a limit ends, in nanoseconds; all ones for never.
    next_roll: AtomicU64,
}

impl Limiter {
    pub(crate) fn now(&self, py: Python<'_>) -> Nanos {
        match self.virtual_time.get(py) {
            None => HostClock::Monotonic.now(py),
            Some(time) => HostClock::read_virtual(py, time),
        }
    }

    /// Uses the time of a virtual loop from now on. For the engine, which knows its loop late.
    pub(crate) fn use_virtual_time(&self, py: Python<'_>, time: &Py<PyAny>) -> PyResult<()> {
        let known = self.virtual_time.get_or_init(py, || time.clone_ref(py));
        if known.bind(py).eq(time)? {
            return Ok(());
        }
        let reason = "this limiter has the time of another virtual loop already";
        Err(error::raise(
            py,
            "ConfigError",
            ("limits", "a limiter", reason),
        ))
    }

    /// The time, and days and months begun that are due at it.
    #[inline]
    pub(crate) fn today(&self, py: Python<'_>) -> PyResult<Nanos> {
        let now = self.now(py);
        if now.0 >= self.next_roll.load(Ordering::Relaxed) {
            let roll = self
                .callbacks()
                .roll
                .as_ref()
                .map(|roll| roll.clone_ref(py));
            if let Some(roll) = roll {
                roll.call0(py)?;
            }
        }
        Ok(now)
    }

    /// Has budgets told of that have passed a share, after a permit ended outside of any engine.
    pub(crate) fn tell_warnings(&self, py: Python<'_>) -> PyResult<()> {
        if !self.lock().core.has_warnings() {
            return Ok(());
        }
        let warn = self
            .callbacks()
            .warn
            .as_ref()
            .map(|warn| warn.clone_ref(py));
        warn.map_or(Ok(()), |warn| warn.call0(py).map(drop))
    }

    /// The registry, locked. Nothing of Python may happen until that is over.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Registry> {
        // A panic inside left no half-done step behind that a later one would trust.
        self.registry
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Does something with the registry, at the newest time that anybody brought.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut limit::Limiter, &Nanos) -> T) -> T {
        let mut registry = self.lock();
        let Registry { core, now, .. } = &mut *registry;
        work(core, now)
    }

    /// The names of the limits of a set.
    pub(crate) fn names(&self, set: Option<SetId>) -> Vec<String> {
        self.with(|core, _| set.map_or_else(Vec::new, |set| core.names_of(set)))
    }

    pub(crate) fn add_owner_of(&self, wake: Py<PyAny>) -> Owner {
        let owner = {
            let mut registry = self.lock();
            registry.owners += 1;
            registry.core.add_owner()
        };
        let before = self.callbacks().wakers.insert(owner, wake);
        drop(before);
        owner
    }

    pub(crate) fn remove_owner_of(&self, owner: Owner, now: Nanos) {
        let waker = self.callbacks().wakers.remove(&owner);
        let mut registry = self.lock();
        registry.core.remove_owner(owner, now);
        registry.owners = registry.owners.saturating_sub(1);
        registry.waiters.retain(|(of, _), _| *of != owner);
        drop(registry);
        drop(waker);
    }

    /// Wakes owners on whatever threads they live. A closed loop has nobody left to be told.
    pub(crate) fn wake(&self, py: Python<'_>, woken: &Woken) -> PyResult<()> {
        let owners = match woken {
            Woken::Some(owners) => owners.clone(),
            Woken::All => self.callbacks().wakers.keys().copied().collect(),
        };
        for owner in &owners {
            let waker = self
                .callbacks()
                .wakers
                .get(owner)
                .map(|waker| waker.clone_ref(py));
            let Some(waker) = waker else { continue };
            match waker.call0(py) {
                Err(closed) if closed.is_instance_of::<pyo3::exceptions::PyRuntimeError>(py) => {}
                woken => drop(woken?),
            }
        }
        Ok(())
    }

    /// After something came back: decides at once, so that those who wait need no timer for it. If
    /// the time at which something may be granted by itself comes sooner, every owner is woken to set its
    /// timer anew.
    pub(crate) fn tell_waiters(slf: &Bound<'_, Self>, now: Nanos) -> PyResult<()> {
        let this = slf.get();
        let owners = {
            let mut registry = this.lock();
            if !registry.core.is_due(now) {
                return Ok(());
            }
            registry.core.poll(now);
            registry.whom_to_wake()
        };
        this.wake(slf.py(), &owners)
    }

    fn callbacks(&self) -> MutexGuard<'_, Callbacks> {
        self.callbacks
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[pymethods]
impl Limiter {
    #[new]
    #[pyo3(signature = (clock = None, *, max_keys = 100_000, max_waiting = 100_000))]
    fn new(clock: Option<Py<PyAny>>, max_keys: u32, max_waiting: u32) -> Self {
        let config = limit::LimiterConfig {
            max_keys,
            max_waiting,
        };
        let virtual_time = PyOnceLock::new();
        if let Some(clock) = clock {
            Python::attach(|py| drop(virtual_time.set(py, clock)));
        }
        Self {
            registry: Mutex::new(Registry {
                core: limit::Limiter::new(config),
                now: Nanos::ZERO,
                waiters: HashMap::new(),
                told_wake: None,
                owners: 0,
            }),
            virtual_time,
            callbacks: Mutex::new(Callbacks::default()),
            next_roll: AtomicU64::new(u64::MAX),
        }
    }

    /// Has `roll()` called before anything is taken once so many seconds have passed; None for never.
    #[pyo3(signature = (roll, seconds))]
    fn roll_in(&self, py: Python<'_>, roll: Py<PyAny>, seconds: Option<f64>) {
        let before = self.callbacks().roll.replace(roll);
        drop(before);
        let at = seconds.map_or(u64::MAX, |seconds| {
            self.now(py).saturating_add(convert::nanos(seconds)).0
        });
        self.next_roll.store(at, Ordering::Relaxed);
    }

    /// Has `warn()` called when a budget has passed a share of its amount.
    fn on_warnings(&self, warn: Py<PyAny>) {
        let before = self.callbacks().warn.replace(warn);
        drop(before);
    }

    /// Uses the time of a virtual loop from now on.
    fn use_time(&self, py: Python<'_>, time: Py<PyAny>) -> PyResult<()> {
        self.use_virtual_time(py, &time)
    }

    /// Adds somebody who waits: `wake` is called, on any thread, when there are grants for it.
    fn add_owner(&self, wake: Py<PyAny>) -> u32 {
        self.add_owner_of(wake).0
    }

    /// Forgets an owner and all that wait in its name.
    fn remove_owner(slf: &Bound<'_, Self>, owner: u32) -> PyResult<()> {
        let now = slf.get().now(slf.py());
        slf.get().remove_owner_of(Owner(owner), now);
        Self::tell_waiters(slf, now)
    }

    /// Seconds until something may be granted by itself, at least a millisecond; None: nobody waits.
    fn next_wake(&self, py: Python<'_>) -> Option<f64> {
        let now = self.now(py);
        let mut registry = self.lock();
        let due = registry.core.next_wake();
        registry.told_wake = due;
        due.map(|due| convert::seconds(due.saturating_sub(now).max(SHORTEST_WAIT)))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Held by a thread that is about to let go: the collector comes again.
        let Ok(callbacks) = self.callbacks.try_lock() else {
            return Ok(());
        };
        visit.call(&callbacks.roll)?;
        visit.call(&callbacks.warn)?;
        let mut wakers = callbacks.wakers.values();
        wakers.try_for_each(|waker| visit.call(waker))
    }

    fn __clear__(&self) {
        let emptied = self
            .callbacks
            .try_lock()
            .map(|mut all| std::mem::take(&mut *all));
        drop(emptied);
    }
}
