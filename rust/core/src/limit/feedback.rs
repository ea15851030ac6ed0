//! What a provider says in its answers, and what follows from it for one limit.
//!
//! Ground rules. A refusal (429) blocks the limit until the time it names, never sooner, and then
//! makes each unit twice as dear: the ramp. A second after the block without another refusal halves
//! the price; a refusal meanwhile doubles it, to 16 times at most. Refusals of calls that were sent
//! before the block began are news of the same event: they may prolong the block, and nothing else.
//! A block only ever moves later. Headers are believed when they are stricter than we are; they are
//! lenient only where the user allowed it.

use crate::clock::Nanos;

/// Units that an answer may speak of, in the order of the variants of `Unit`.
pub const UNITS: usize = 5;
/// Answers in a row that must name another limit than ours.
const RUN: u8 = 3;
/// The dearest that a ramp makes a unit, as a power of two: 16 times.
const STEEPEST: u8 = 4;
/// How long the ramp stays at one price.
const STEP: Nanos = Nanos::from_secs(1);
/// The first and the longest pause after a refusal without a hint.
const FIRST_PAUSE: Nanos = Nanos::from_secs(1);
const LONGEST_PAUSE: Nanos = Nanos::from_secs(60);
/// No provider may stop us for longer.
const LONGEST_HINT: Nanos = Nanos::from_secs(3_600);

/// What an answer says of one unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// What the provider admits in one of its periods; 0 says nothing.
    pub limit: Option<u64>,
    /// What is left of it.
    pub remaining: Option<u64>,
    /// How long until there is more.
    pub reset: Option<Nanos>,
}

/// What an answer says, as read from its status and headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Feedback {
    /// The status of HTTP, where there is one.
    pub status: Option<u16>,
    /// How long not to call again.
    pub retry_after: Option<Nanos>,
    /// When the call was sent that this answers.
    pub sent_at: Nanos,
    /// Of each unit, in the order of `Unit`.
    pub readings: [Reading; UNITS],
    /// This provider's `reset` is the start of a new window, not of a slow refill.
    pub renews: bool,
}

impl Feedback {
    /// The provider refused the call because of a limit.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.status == Some(429)
    }

    /// How long nothing of this unit is left: only where a window starts anew.
    #[must_use]
    pub fn empty_for(&self, unit: usize) -> Option<Nanos> {
        let reading = self.readings.get(unit)?;
        let empty = self.renews && reading.remaining == Some(0);
        reading.reset.filter(|_| empty)
    }
}

/// A balance after an answer that says what remains: it only lowers. What was granted since the
/// answered call was sent is not yet in the provider's count.
#[must_use]
pub const fn lowered(balance: u64, remaining: u64, granted_since: u64) -> u64 {
    let left = remaining.saturating_sub(granted_since);
    if left < balance { left } else { balance }
}

/// Which changes of a provider's limit a limit of ours takes over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Follow {
    /// None.
    Off,
    /// To a smaller one.
    #[default]
    Down,
    /// To any.
    Both,
}

/// What one limit has heard so far of its size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Follower {
    newest: Nanos,
    /// Answers in a row that named a smaller, and a larger limit.
    below: u8,
    above: u8,
}

impl Follower {
    /// False if a call that was sent later has been answered before: the answer is out of date.
    pub fn is_news(&mut self, sent_at: Nanos) -> bool {
        let news = sent_at >= self.newest;
        self.newest = self.newest.max(sent_at);
        news
    }

    /// The limit to change to, if the last three answers all named a smaller one than `ours`, or
    /// all a larger one, and that may be followed.
    pub fn heard(&mut self, ours: u64, theirs: u64, follow: Follow) -> Option<u64> {
        if theirs == 0 {
            return None;
        }
        self.below = if theirs < ours {
            self.below.saturating_add(1)
        } else {
            0
        };
        self.above = if theirs > ours {
            self.above.saturating_add(1)
        } else {
            0
        };
        let followed = match follow {
            Follow::Off => false,
            Follow::Down => self.below >= RUN,
            Follow::Both => self.below >= RUN || self.above >= RUN,
        };
        if followed {
            (self.below, self.above) = (0, 0);
        }
        followed.then_some(theirs)
    }
}

/// What refusals do to one limit: a block, then a ramp. The default is neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restraint {
    until: Nanos,
    /// When the last refusal came that began a block.
    began: Option<Nanos>,
    /// The price at the end of the block, as a power of two.
    steepness: u8,
    /// Pauses in a row that no hint was given for.
    pauses: u8,
}

impl Restraint {
    /// Nothing may be taken before.
    #[must_use]
    pub const fn blocked_until(&self) -> Nanos {
        self.until
    }

    /// How many times dearer a unit is at `now`: 1, 2, 4, 8 or 16.
    #[must_use]
    pub fn scale(&self, now: Nanos) -> u32 {
        1 << self.steepness_at(now)
    }

    /// No block and no ramp: forgetting this object would change nothing for the next call.
    #[must_use]
    pub fn is_at_rest(&self, now: Nanos) -> bool {
        now >= self.until && self.steepness_at(now) == 0
    }

    /// A call sent at `sent_at` was refused. `jitter_permille` (0 to 1,000) lengthens a hint by up
    /// to a tenth; it is the share that is kept of a pause without one.
    pub fn refused(
        &mut self,
        retry_after: Option<Nanos>,
        sent_at: Nanos,
        jitter_permille: u32,
        now: Nanos,
    ) {
        // Sent at the same time as the block began is before it: afterwards nothing is sent.
        let same_event = self.began.is_some_and(|began| sent_at <= began);
        if !same_event {
            self.steepness = (self.steepness_at(now) + 1).min(STEEPEST);
            self.began = Some(now);
        }
        let jitter = u64::from(jitter_permille.min(1_000));
        match retry_after {
            Some(hint) => {
                let hint = hint.min(LONGEST_HINT).0;
                self.block(now.saturating_add(Nanos(hint + hint * jitter / 10_000)));
            }
            None if same_event => {}
            None => {
                let pause = LONGEST_PAUSE.0.min(FIRST_PAUSE.0 << self.pauses.min(6));
                self.pauses = self.pauses.saturating_add(1);
                self.block(now.saturating_add(Nanos(pause * jitter / 1_000)));
            }
        }
    }

    /// A call was answered without a refusal: after the ramp, what was learnt is forgotten.
    pub fn clean(&mut self, now: Nanos) {
        if self.is_at_rest(now) {
            (self.steepness, self.pauses) = (0, 0);
        }
    }

    /// Blocks, or prolongs a block, without a refusal of our own.
    pub fn block(&mut self, until: Nanos) {
        self.until = self.until.max(until);
    }

    fn steepness_at(&self, now: Nanos) -> u8 {
        let clean = now.saturating_sub(self.until).0 / STEP.0;
        self.steepness
            .saturating_sub(u8::try_from(clean).unwrap_or(u8::MAX))
    }
}
