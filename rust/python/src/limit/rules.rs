//! What is limited: rules added, changed, blocked, counted.

use penstock_core::clock::Nanos;
use penstock_core::limit::{
    AdaptiveConfig, AddError, Change, Follow, Mode, Observed, Overrun, RuleId, RuleSpec, Scope,
    Shape, StateStatistics,
};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::feedback::{Readings, parse_unit, read};
use super::limiter::Limiter;
use super::permit::Permit;
use super::set::LimitSet;
use crate::convert;
use crate::error;

/// A rule as Python spells it. The values are checked there; what is wrong here is a fault of ours.
struct Spelled {
    name: String,
    scope: String,
    shape: String,
    unit: String,
    n: u64,
    per: Option<f64>,
    burst: Option<u64>,
    /// Seconds from now until the window ends.
    ends: Option<f64>,
    max_waiting: u32,
    follow: String,
    warn: Vec<f64>,
    overrun: String,
    adaptive: Option<SpelledAdaptive>,
}

/// `(least, most, mode, latency)`
type SpelledAdaptive = (u32, u32, String, String);

impl Spelled {
    fn shape(&self, now: Nanos) -> Option<Shape> {
        let n = self.n;
        let per = self.per.map(convert::nanos);
        let ends = self
            .ends
            .map(|ends| now.saturating_add(convert::nanos(ends)));
        Some(match self.shape.as_str() {
            "bucket" => Shape::Bucket {
                n,
                per: per?,
                burst: self.burst?,
            },
            "window" => Shape::Window { n, per: per? },
            "calendar" => Shape::Calendar { n, ends: ends? },
            "slots" => Shape::Slots {
                n: u32::try_from(n).ok()?,
                adaptive: self.adaptive.as_ref().map(adaptive),
            },
            "budget" => Shape::Budget {
                amount: n,
                ends,
                warn: self.warn.iter().map(|share| permille(*share)).collect(),
                overrun: match self.overrun.as_str() {
                    "cancel" => Overrun::Cancel,
                    _ => Overrun::Finish,
                },
            },
            "each" => Shape::Each { most: n },
            _ => return None,
        })
    }

    fn spec(&self, now: Nanos) -> Option<RuleSpec> {
        Some(RuleSpec {
            name: self.name.clone(),
            scope: Scope::parse(&self.scope).ok()?,
            unit: parse_unit(&self.unit)?,
            shape: self.shape(now)?,
            max_waiting: self.max_waiting,
            follow: match self.follow.as_str() {
                "off" => Follow::Off,
                "both" => Follow::Both,
                _ => Follow::Down,
            },
        })
    }
}

fn adaptive((least, most, mode, _): &SpelledAdaptive) -> AdaptiveConfig {
    AdaptiveConfig {
        least: *least,
        most: *most,
        mode: match mode.as_str() {
            "gradient" => Mode::Gradient,
            _ => Mode::Aimd,
        },
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share from 0 to 1"
)]
fn permille(share: f64) -> u16 {
    (share * 1_000.0).round() as u16
}

fn refused(py: Python<'_>, name: &str, fault: &AddError) -> PyErr {
    error::raise(py, "ConfigError", ("limits", name, fault.to_string()))
}

#[pymethods]
impl Limiter {
    /// Adds a limit; returns its number.
    #[pyo3(signature = (name, scope, *, shape, unit, n, max_waiting, follow, per = None, burst = None, ends = None, warn = Vec::new(), overrun = None, adaptive = None))]
    #[expect(clippy::too_many_arguments, reason = "what a limit is, by name")]
    fn add(
        &self,
        py: Python<'_>,
        name: String,
        scope: String,
        shape: String,
        unit: String,
        n: u64,
        max_waiting: u32,
        follow: String,
        per: Option<f64>,
        burst: Option<u64>,
        ends: Option<f64>,
        warn: Vec<f64>,
        overrun: Option<String>,
        adaptive: Option<SpelledAdaptive>,
    ) -> PyResult<u32> {
        let spelled = Spelled {
            name,
            scope,
            shape,
            unit,
            n,
            per,
            burst,
            ends,
            max_waiting,
            follow,
            warn,
            overrun: overrun.unwrap_or_default(),
            adaptive,
        };
        let now = self.now(py);
        let spec = spelled
            .spec(now)
            .ok_or_else(|| error::internal(py, "a limit that was not checked"))?;
        let added = self.lock().core.add(spec, now);
        added
            .map(|rule| rule.0)
            .map_err(|fault| refused(py, &spelled.name, &fault))
    }

    /// Removes a limit. What waits for it looks again.
    fn remove(slf: &Bound<'_, Self>, rule: u32) -> PyResult<()> {
        let this = slf.get();
        let now = this.now(slf.py());
        this.with(|core, _| core.remove(RuleId(rule), now));
        Self::tell_waiters(slf, now)
    }

    /// Changes a limit at run time: what is spent stays spent, who waits stays.
    #[pyo3(signature = (name, *, n = None, per = None, burst = None, revision = None))]
    fn change(
        slf: &Bound<'_, Self>,
        name: &str,
        n: Option<u64>,
        per: Option<f64>,
        burst: Option<u64>,
        revision: Option<u64>,
    ) -> PyResult<()> {
        let _ = revision; // which of two shared limits wins is for their backend to say
        let (py, this) = (slf.py(), slf.get());
        let now = this.now(py);
        let change = Change {
            n,
            per: per.map(convert::nanos),
            burst,
        };
        let changed = {
            let mut registry = this.lock();
            match registry.core.rule_called(name) {
                Some(rule) => registry.core.change(rule, change, now),
                None => Err(AddError::UnknownRule),
            }
        };
        changed.map_err(|fault| refused(py, name, &fault))?;
        Self::tell_waiters(slf, now)
    }

    /// Lets nothing pass a limit for so many seconds.
    fn block(&self, py: Python<'_>, name: &str, seconds: f64) -> PyResult<()> {
        let until = self.now(py).saturating_add(convert::nanos(seconds));
        let mut registry = self.lock();
        let Some(rule) = registry.core.rule_called(name) else {
            drop(registry);
            return Err(refused(py, name, &AddError::UnknownRule));
        };
        registry.core.block(rule, until);
        Ok(())
    }

    /// The limits whose day or month is over, so that `roll` must say when the next one ends.
    fn rolls_due(&self, py: Python<'_>) -> Vec<u32> {
        let now = self.now(py);
        self.with(|core, _| core.rolls_due(now).map(|rule| rule.0).collect())
    }

    /// Starts a new day or month of a limit, which ends in so many seconds.
    fn roll(slf: &Bound<'_, Self>, rule: u32, ends: f64) -> PyResult<()> {
        let this = slf.get();
        let now = this.now(slf.py());
        let ends = now.saturating_add(convert::nanos(ends));
        this.with(|core, _| core.roll(RuleId(rule), ends, now));
        Self::tell_waiters(slf, now)
    }

    /// Hears what a provider answered to a call with a permit, or to some call of a set.
    ///
    /// `jitter` is a number from 0 to 1 that spreads what would else happen at once.
    #[pyo3(signature = (target, status, retry_after, readings, jitter = 0.0))]
    fn observe(
        slf: &Bound<'_, Self>,
        target: &Bound<'_, PyAny>,
        status: Option<u16>,
        retry_after: Option<f64>,
        readings: Option<Readings>,
        jitter: f64,
    ) -> PyResult<()> {
        let this = slf.get();
        let now = this.now(slf.py());
        let (observed, sent_at) = if let Ok(permit) = target.cast::<Permit>() {
            let permit = permit.get();
            (permit.live().map(Observed::Permit), permit.taken)
        } else {
            let set = target.cast::<LimitSet>()?.get();
            (set.id.map(Observed::Set), now)
        };
        let Some(observed) = observed else {
            return Ok(());
        };
        let mut feedback = read(status, retry_after, readings);
        feedback.sent_at = sent_at;
        this.with(|core, _| {
            core.observe(
                observed,
                &feedback,
                u32::from(permille(jitter.clamp(0.0, 1.0))),
                now,
            );
        });
        Self::tell_waiters(slf, now)
    }

    /// The budgets that passed one of their shares since the last time: `(name, scope, share)`.
    fn warnings(&self) -> Vec<(String, String, f64)> {
        self.with(|core, _| {
            let passed: Vec<_> = core.warnings().collect();
            let told = passed.into_iter().map(|warning| {
                let share = f64::from(warning.share) / 1_000.0;
                let scope = core.scope_of(warning.state).to_owned();
                (core.name_of(warning.rule).to_owned(), scope, share)
            });
            told.collect()
        })
    }

    /// One row a limit and scope, as `limits/limiter.py` names the columns.
    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let now = self.now(py);
        let rows = self.with(|core, _| {
            let rules: Vec<RuleId> = core.rules().collect();
            let mut rows = Vec::new();
            for rule in rules {
                let name = core.name_of(rule).to_owned();
                let states: Vec<_> = core.state_statistics(rule, now).collect();
                rows.extend(states.into_iter().map(|state| (name.clone(), state)));
            }
            rows
        });
        let rows = rows
            .into_iter()
            .map(|(name, state)| row(py, &name, &state, now));
        PyList::new(py, rows.collect::<PyResult<Vec<_>>>()?)
    }
}

fn row<'py>(
    py: Python<'py>,
    name: &str,
    state: &StateStatistics,
    now: Nanos,
) -> PyResult<Bound<'py, PyDict>> {
    let row = PyDict::new(py);
    let until = |at: Option<Nanos>| at.map(|at| convert::seconds(at.saturating_sub(now)));
    row.set_item("name", name)?;
    row.set_item("scope", &state.scope)?;
    row.set_item("used", state.used)?;
    row.set_item("spent", state.spent)?;
    row.set_item("most", state.most)?;
    row.set_item("waiting", state.waiting)?;
    row.set_item("granted", state.granted)?;
    row.set_item("refused", state.refused)?;
    row.set_item("refunded", state.refunded)?;
    row.set_item("dropped", state.dropped)?;
    row.set_item("blocked_for", until(state.blocked_until))?;
    row.set_item("ramp", state.ramp)?;
    row.set_item("resets_in", until(state.resets_at))?;
    Ok(row)
}
