//! Limits: what may start now, who is next, what it costs.
//!
//! One [`Limiter`] holds all limits of a process and all calls that wait for them. A caller names
//! who calls ([`Who`]) once and gets a set: every limit that speaks of such a call. A call takes
//! from all limits of its set or from none, now or when its turn comes, and holds a [`Permit`] until
//! it ends. Nothing here reads a clock, waits or calls back: verbs take `now`, answers of calls that
//! waited are fetched from the outbox of their owner after a `poll`, which is due when something was
//! given back or when [`Limiter::next_wake`] has come.
//!
//! Read `pass.rs` first: it is the meaning of admission (`queue.rs` is about lines, `crowd.rs` about
//! very many of them). Then `balance.rs` and the shapes it joins
//! (`bucket.rs`, `window.rs`, `calendar.rs`, `slots.rs`, `budget.rs`, `lease.rs`), `permit.rs` for
//! what an end gives back, `registry.rs` for rules, scopes and sets.

pub mod adaptive;
pub mod allowance;
mod balance;
mod bucket;
mod budget;
mod calendar;
mod control;
mod cost;
mod crowd;
pub mod feedback;
mod inspect;
mod lease;
mod observe;
mod outbox;
mod pass;
mod permit;
mod queue;
mod registry;
mod rule;
mod run;
mod scope;
mod sent;
mod slots;
mod speculate;
mod state;
mod statistics;
mod strain;
mod waiters;
mod window;

pub use adaptive::{Adaptive, AdaptiveConfig, End, Mode};
pub use allowance::Allowance;
pub use budget::Overrun;
pub use cost::{Cost, MOST_UNITS, Unit};
pub use feedback::{Feedback, Follow, Follower, Reading, Restraint};
pub use lease::Chunk;
pub use observe::Observed;
pub use registry::MOST_LIMITS;
pub use rule::{AddError, Change, RuleSpec, Shape};
pub use run::Run;
pub use scope::{Part, Scope, ScopeError, Who};
pub use speculate::Share;
pub use statistics::{LimiterStatistics, RuleStatistics, StateStatistics, Warning};
pub use strain::Strain;

use std::fmt;

use crate::clock::Nanos;
use outbox::Outbox;
use pass::Admission;
use permit::Holds;
use registry::Registry;
use waiters::{Key, Waiters};

/// One limit as it was defined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub u32);

/// All limits that one kind of call must pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SetId(pub u32);

/// What an admitted call holds; it is ended once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Permit(pub u32);

/// A call that waits; stale once its answer was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Waiter(pub u32);

/// An event loop that asks and fetches answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Owner(pub u32);

/// How much a limiter may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimiterConfig {
    /// Values of `*` that have a limit of their own.
    pub max_keys: u32,
    /// Calls that may wait, of all limits.
    pub max_waiting: u32,
}

impl Default for LimiterConfig {
    fn default() -> Self {
        Self {
            max_keys: 100_000,
            max_waiting: 100_000,
        }
    }
}

/// A call that may wait. Its place in the order is (arrival + lane, number): one that asks again
/// after a refusal of the provider brings its old arrival and number, and is where it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// Whose outbox gets the answer.
    pub owner: Owner,
    /// What the answer is called there.
    pub token: u64,
    /// Its limits.
    pub set: SetId,
    /// What it costs.
    pub cost: Cost,
    /// Its priority: each lane is a second of arrival; 8 to 15 are guesses, an hour behind.
    pub lane: u8,
    /// When it first came.
    pub arrival: Nanos,
    /// How many came before it; unique.
    pub number: u64,
    /// It is no use later.
    pub deadline: Option<Nanos>,
}

/// The answer to [`Limiter::take`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It may go now.
    Granted(Permit),
    /// The answer comes into the outbox.
    Waiting(Waiter),
    /// It may not go, nor wait.
    Refused(Refusal),
}

/// Why a call does not go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The limit that decides.
    pub rule: RuleId,
    /// Its state: see [`Limiter::scope_of`].
    pub state: u32,
    /// What is the matter.
    pub kind: RefusalKind,
    /// When it may be worth asking again, if anybody knows.
    pub retry_at: Option<Nanos>,
    /// Units that are left; of a budget those that are not spent.
    pub remaining: u64,
}

/// What is the matter with a refused call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// Not now, and it did not want to wait.
    Exceeded,
    /// It costs more than the limit ever has.
    Impossible,
    /// It costs more than the budget has left.
    Budget,
    /// Its turn comes after its deadline.
    Deadline,
    /// Too many wait.
    QueueFull,
    /// Whoever hands in units is away.
    Away,
}

/// The answer to a call that waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// As in [`Ask`].
    pub token: u64,
    /// As in [`Ask`].
    pub cost: Cost,
    /// Its permit, or why it gets none after all.
    pub result: Result<Permit, Refusal>,
    /// From asking to the answer.
    pub waited: Nanos,
}

/// More limits speak of a call than a set may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyLimits {
    /// How many.
    pub limits: usize,
}

impl fmt::Display for TooManyLimits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = self.limits;
        write!(
            formatter,
            "{limits} limits apply to one call, {MOST_LIMITS} are allowed"
        )
    }
}

impl std::error::Error for TooManyLimits {}

/// All limits of a process, and all calls that wait for them.
#[derive(Debug)]
pub struct Limiter {
    config: LimiterConfig,
    /// The latest time that a caller brought: it never runs back, for callers read their clocks
    /// before they get here in turn.
    now: Nanos,
    /// Some limit is restrained by a provider: ends of calls must be told to it.
    watched: bool,
    book: Registry,
    waiters: Waiters,
    holds: Holds,
    admission: Admission,
    outboxes: Vec<Outbox>,
    warnings: Vec<Warning>,
}

impl Default for Limiter {
    fn default() -> Self {
        Self::new(LimiterConfig::default())
    }
}

impl Limiter {
    /// A limiter without limits.
    #[must_use]
    pub fn new(config: LimiterConfig) -> Self {
        Self {
            config,
            now: Nanos::ZERO,
            watched: false,
            book: Registry::new(config.max_keys),
            waiters: Waiters::default(),
            holds: Holds::default(),
            admission: Admission::default(),
            outboxes: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Adds a limit. Sets that were resolved before do not have it.
    pub fn add(&mut self, spec: RuleSpec, now: Nanos) -> Result<RuleId, AddError> {
        let now = self.tick(now);
        self.book.add(spec, now)
    }

    /// Removes a limit: calls that hold or await it go on without it.
    pub fn remove(&mut self, rule: RuleId, now: Nanos) {
        self.tick(now);
        if self.book.rule(rule).is_some() {
            self.states_of(rule)
                .into_iter()
                .for_each(|state| self.mark(state));
            self.book.retire(rule);
        }
    }

    /// The limits that speak of a call; `None` if none does. The set is pinned once more: it stays
    /// until as many `unpin`.
    pub fn resolve(&mut self, who: &Who<'_>, now: Nanos) -> Result<Option<SetId>, TooManyLimits> {
        let now = self.tick(now);
        self.book.resolve(who, now)
    }

    /// Keeps a set although nobody holds or awaits it.
    pub fn pin(&mut self, set: SetId) {
        self.book.sets[set.0].pins += 1;
    }

    /// Lets go of a set that was pinned.
    pub fn unpin(&mut self, set: SetId) {
        let entry = &mut self.book.sets[set.0];
        entry.pins = entry.pins.saturating_sub(1);
        self.book.tidy_set(set.0);
    }

    /// Asks for a permit that is needed now or never. Nobody who waits is delayed by it. One for a
    /// guess also pays the share of each limit that guesses have for themselves, and leaves a fifth
    /// of it to others.
    pub fn try_take(
        &mut self,
        set: SetId,
        cost: &Cost,
        lane: u8,
        guess: Option<Share>,
        now: Nanos,
    ) -> Result<Permit, Refusal> {
        let now = self.begin(now);
        match guess {
            Some(share) => self.speculate(set, cost, share, now),
            None => self.try_now(set.0, cost, Key::new(now, lane, u64::MAX), now),
        }
    }

    #[inline]
    fn tick(&mut self, now: Nanos) -> Nanos {
        self.now = self.now.max(now);
        self.now
    }
}
