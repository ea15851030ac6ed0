//! Looking limits up, taking from them, waiting, and being told.

use std::sync::atomic::{AtomicU64, Ordering};

use penstock_core::clock::Nanos;
use penstock_core::limit::{self, Ask, Owner, SetId, Taken, Who};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use super::cost;
use super::limiter::{Limiter, Registry, SHORTEST_WAIT, Woken};
use super::permit::Permit;
use super::refusal::Explained;
use super::set::LimitSet;
use crate::convert;
use crate::error;

/// The lanes that people may ask for: 0-7 their priorities, 8-10 what the engine does by itself.
const LANES: u8 = 11;

/// Arrivals of those who take without an engine: their numbers, and the names of their places.
static ARRIVALS: AtomicU64 = AtomicU64::new(0);

enum Answer {
    Granted(limit::Permit),
    /// The next decision, if it comes sooner than anybody was told.
    Waits(Option<Nanos>),
    Refused(Explained),
}

/// What `take` answers.
#[derive(IntoPyObject)]
enum Either {
    Permit(Permit),
    Place((u64, Option<f64>)),
}

impl Limiter {
    fn check(&self, py: Python<'_>, set: &LimitSet, lane: u8) -> PyResult<()> {
        if !std::ptr::eq(set.limiter.get(), self) {
            let reason = "the set of another limiter: resolve it with this one";
            return Err(error::raise(py, "ConfigError", ("set", "LimitSet", reason)));
        }
        if lane >= LANES {
            let reason = "a lane is a whole number from 0 (first) to 10";
            return Err(error::raise(py, "ConfigError", ("lane", lane, reason)));
        }
        Ok(())
    }

    fn ask(&self, ask: &Ask, now: Nanos) -> Answer {
        let mut registry = self.lock();
        registry.now = now;
        match registry.core.take(ask, now) {
            Taken::Granted(permit) => Answer::Granted(permit),
            Taken::Waiting(waiter) => {
                registry.waiters.insert((ask.owner, ask.token), waiter);
                Answer::Waits(registry.sooner())
            }
            Taken::Refused(refusal) => {
                Answer::Refused(Explained::read(&registry.core, refusal, &ask.cost, now))
            }
        }
    }
}

#[pymethods]
impl Limiter {
    /// The limits of a kind of call, looked up once for many calls.
    #[pyo3(signature = (tenant = None, agent = None, service = None, tool = None, model = None, run = None, batch = None))]
    #[expect(clippy::too_many_arguments, reason = "the parts of a scope, by name")]
    fn resolve(
        slf: &Bound<'_, Self>,
        tenant: Option<&str>,
        agent: Option<&str>,
        service: Option<&str>,
        tool: Option<&str>,
        model: Option<&str>,
        run: Option<&str>,
        batch: Option<&str>,
    ) -> PyResult<LimitSet> {
        let (py, this) = (slf.py(), slf.get());
        let who = Who {
            tenant,
            agent,
            service,
            tool,
            model,
            run,
            batch,
        };
        let now = this.now(py);
        let resolved = this.lock().core.resolve(&who, now);
        let id = resolved.map_err(|crowd| {
            let reason = format!("{crowd}: make some of them wider");
            error::raise(py, "ConfigError", ("limits", format!("{who:?}"), reason))
        })?;
        let limiter = slf.clone().unbind();
        Ok(LimitSet { limiter, id })
    }

    /// A permit if every limit pays now and nobody who waits would be delayed, else None. `first`: who
    /// gets none will wait, so that nobody was refused.
    #[pyo3(signature = (set, cost = None, lane = 4, speculative = false, *, first = false))]
    fn try_take(
        slf: &Bound<'_, Self>,
        set: &Bound<'_, LimitSet>,
        cost: Option<&Bound<'_, PyAny>>,
        lane: u8,
        speculative: bool,
        first: bool,
    ) -> PyResult<Option<Permit>> {
        let (py, this) = (slf.py(), slf.get());
        let set = set.get();
        this.check(py, set, lane)?;
        let cost = cost.map_or(Ok(limit::Cost::ONE), cost::read)?;
        let limiter = slf.clone().unbind();
        let Some(id) = set.id else {
            return Ok(Some(Permit::new(limiter, None, cost, Nanos::ZERO)));
        };
        let now = this.today(py)?;
        let taken = {
            let mut registry = this.lock();
            registry.now = now;
            let share = speculative.then(limit::Share::default);
            let taken = registry.core.try_take(id, &cost, lane, share, now);
            taken.map_err(|refusal| match refusal.kind {
                limit::RefusalKind::Exceeded if first => {
                    registry.core.forgive(&refusal); // it will wait
                    None
                }
                limit::RefusalKind::Impossible => {
                    Some(Explained::read(&registry.core, refusal, &cost, now))
                }
                _ => None,
            })
        };
        match taken {
            Ok(held) => Ok(Some(Permit::new(limiter, Some(held), cost, now))),
            Err(None) => Ok(None),
            Err(Some(never)) => Err(never.raise(py)),
        }
    }

    /// A permit; or the token that `poll` of that owner will answer with, and the seconds until the
    /// next decision if that comes sooner than anybody was told.
    #[pyo3(signature = (set, cost, lane, owner, timeout = None))]
    fn take(
        slf: &Bound<'_, Self>,
        set: &Bound<'_, LimitSet>,
        cost: &Bound<'_, PyAny>,
        lane: u8,
        owner: u32,
        timeout: Option<f64>,
    ) -> PyResult<Either> {
        let (py, this) = (slf.py(), slf.get());
        let set = set.get();
        this.check(py, set, lane)?;
        let cost = cost::read(cost)?;
        let limiter = slf.clone().unbind();
        let Some(id) = set.id else {
            let permit = Permit::new(limiter, None, cost, Nanos::ZERO);
            return Ok(Either::Permit(permit));
        };
        let now = this.today(py)?;
        let number = ARRIVALS.fetch_add(1, Ordering::Relaxed);
        let ask = Ask {
            owner: Owner(owner),
            token: number,
            set: id,
            cost,
            lane,
            arrival: now,
            number,
            deadline: timeout.map(|timeout| now.saturating_add(convert::nanos(timeout))),
        };
        match this.ask(&ask, now) {
            Answer::Granted(held) => {
                Ok(Either::Permit(Permit::new(limiter, Some(held), cost, now)))
            }
            Answer::Waits(sooner) => {
                let wait = |wake: Nanos| wake.saturating_sub(now).max(SHORTEST_WAIT);
                let seconds = sooner.map(|wake| convert::seconds(wait(wake)));
                Ok(Either::Place((number, seconds)))
            }
            Answer::Refused(why) => Err(why.raise(py)),
        }
    }

    /// Gives up a place. What came before that is refunded by whoever gets it.
    fn forget(slf: &Bound<'_, Self>, owner: u32, token: u64) -> PyResult<()> {
        let this = slf.get();
        let now = this.now(slf.py());
        {
            let mut registry = this.lock();
            let Registry { core, waiters, .. } = &mut *registry;
            if let Some(waiter) = waiters.remove(&(Owner(owner), token)) {
                core.forget(waiter, now);
            }
        }
        Self::tell_waiters(slf, now)
    }

    /// Decides what can be decided now. Returns what this owner was granted or refused, in order;
    /// others are woken for theirs.
    fn poll<'py>(slf: &Bound<'py, Self>, owner: u32) -> PyResult<Bound<'py, PyList>> {
        let (py, this) = (slf.py(), slf.get());
        let owner = Owner(owner);
        let now = this.today(py)?;
        let mut told = Vec::new();
        let others = {
            let mut registry = this.lock();
            let Registry {
                core,
                waiters,
                now: newest,
                ..
            } = &mut *registry;
            *newest = now;
            if core.is_due(now) {
                core.poll(now);
            }
            while let Some(grant) = core.pop_grant(owner) {
                waiters.remove(&(owner, grant.token));
                let result = grant
                    .result
                    .map_err(|refusal| Explained::read(core, refusal, &grant.cost, now));
                told.push((grant.token, grant.cost, result));
            }
            Woken::Some(core.owners_with_grants().collect())
        };
        this.wake(py, &others)?;
        let answers = told.into_iter().map(|(token, cost, result)| {
            let answer = match result {
                Ok(held) => {
                    let permit = Permit::new(slf.clone().unbind(), Some(held), cost, now);
                    Bound::new(py, permit)?.into_any()
                }
                Err(why) => why.error(py)?,
            };
            (token, answer).into_pyobject(py)
        });
        PyList::new(py, answers.collect::<PyResult<Vec<Bound<'py, PyTuple>>>>()?)
    }

    /// The error that `take` would raise now if it did not wait; None if it would be let in.
    #[pyo3(signature = (set, cost))]
    fn refusal<'py>(
        slf: &Bound<'py, Self>,
        set: &Bound<'py, LimitSet>,
        cost: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (py, this) = (slf.py(), slf.get());
        let cost = cost::read(cost)?;
        let Some(id) = set.get().id else {
            return Ok(None);
        };
        let now = this.today(py)?;
        let explained = {
            let mut registry = this.lock();
            let refusal = registry.core.refusal_now(id, &cost, now);
            refusal.map(|refusal| Explained::read(&registry.core, refusal, &cost, now))
        };
        explained.map(|explained| explained.error(py)).transpose()
    }

    /// How full the tightest limit of the set is, 0.0 to 1.0.
    fn fill(slf: &Bound<'_, Self>, set: &Bound<'_, LimitSet>) -> PyResult<f64> {
        let this = slf.get();
        let now = this.today(slf.py())?;
        Ok(this.with(|core, _| set.get().id.map_or(0.0, |id: SetId| core.fill(id, now))))
    }

    /// Seconds until the cost could be paid if nobody waited, and the name of the limit that binds;
    /// None: never.
    fn available_in(
        slf: &Bound<'_, Self>,
        set: &Bound<'_, LimitSet>,
        cost: &Bound<'_, PyAny>,
    ) -> PyResult<Option<(f64, Option<String>)>> {
        let this = slf.get();
        let (now, cost) = (this.today(slf.py())?, cost::read(cost)?);
        let Some(id) = set.get().id else {
            return Ok(Some((0.0, None)));
        };
        Ok(this.with(|core, _| {
            let (at, rule) = core.payable_at(id, &cost, now)?;
            let wait = at.saturating_sub(now);
            let binding = (wait > Nanos::ZERO).then(|| core.name_of(rule).to_owned());
            Some((convert::seconds(wait), binding))
        }))
    }
}
