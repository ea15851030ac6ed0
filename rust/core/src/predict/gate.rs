//! Whether a launch is worth it: what it saves against what it takes. Pure functions and one small state.
//!
//! Ground rules. Money is in micro-dollars, time in seconds. A launch saves the smaller of a tool's
//! latency and the window, if the call comes in the coming step, and all of the latency if it comes
//! later. It costs its price if it is wrong, and what it takes from calls that are real: tokens of a
//! limit that is nearly used up, a slot of a tool that is nearly full. How sure a guess must be at
//! least moves with what the waste budget has left. Nothing is launched at a point
//! of the control group, against which the gain is reported.

use super::key::{combine, name_of};

/// A limit's fill below which its tokens are too dear, and from which they are free.
const SCARCE: f64 = 0.2;
const PLENTY: f64 = 0.7;
/// A tool as busy as this has no slot for guesses.
const BUSY: f64 = 0.8;

/// What is asked about one launch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Offer {
    /// The chance that the coming step has the call.
    pub chance: f64,
    /// The chance that only a later step has it.
    pub late: f64,
    /// E[min(L, W)], seconds: of the tool's latency and the window; None without samples of either.
    pub overlap: Option<f64>,
    /// E[L], seconds; None without samples.
    pub latency: Option<f64>,
    /// Micro-dollars that the tool takes for a call.
    pub price: f64,
    /// Tokens that the call takes of a limit, the seconds in which one flows in, and how full it is.
    pub tokens: f64,
    /// Seconds in which a token flows in.
    pub seconds_per_token: f64,
    /// How full the limit is, 0 to 1.
    pub fill: f64,
    /// Real calls in flight, as a share of the adaptive limit.
    pub busy: f64,
    /// What the tenant's waste budget holds.
    pub waste_left: f64,
}

/// What a saved second is worth, and how sure a guess must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Micro-dollars a second.
    pub value_per_second: f64,
    /// For tools without a price.
    pub least_chance: f64,
    /// For tools with one.
    pub least_chance_priced: f64,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            value_per_second: 1_000.0,
            least_chance: 0.2,
            least_chance_priced: 0.5,
        }
    }
}

/// The answer: launch, or why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is worth it.
    Launch,
    /// Nobody knows yet how long the tool or the model takes: only what would have been is counted.
    Shadow,
    /// Too unlikely, whatever it saves.
    Unlikely,
    /// It costs more than it saves.
    Dear,
}

/// What a launch saves, in micro-dollars.
#[must_use]
pub fn benefit(terms: &Terms, chance: f64, late: f64, overlap: f64, latency: f64) -> f64 {
    terms.value_per_second * chance.mul_add(overlap, late * latency)
}

/// What a token of a limit is worth to real calls, in micro-dollars: nothing while there are plenty.
#[must_use]
pub fn token_price(terms: &Terms, seconds_per_token: f64, fill: f64) -> f64 {
    if fill >= PLENTY {
        0.0
    } else if fill <= SCARCE {
        f64::INFINITY
    } else {
        terms.value_per_second * seconds_per_token * (PLENTY - fill) / (fill - SCARCE)
    }
}

/// What a second in a slot is worth to real calls, in micro-dollars.
#[must_use]
pub fn slot_price(terms: &Terms, busy: f64) -> f64 {
    if busy >= BUSY {
        f64::INFINITY
    } else {
        let busy = busy.max(0.0);
        terms.value_per_second * busy / (1.0 - busy)
    }
}

/// What a launch takes, in micro-dollars.
#[must_use]
pub fn cost(terms: &Terms, offer: &Offer, latency: f64) -> f64 {
    // Nothing of something priceless costs nothing: 0 times infinity would be no number.
    let of = |price: f64, amount: f64| if amount > 0.0 { price * amount } else { 0.0 };
    (1.0 - offer.chance).mul_add(
        offer.price,
        of(
            token_price(terms, offer.seconds_per_token, offer.fill),
            offer.tokens,
        ) + of(slot_price(terms, offer.busy), latency),
    )
}

/// By how much a guess must be surer than usual: what is left of the budget goes to the best ones.
///
/// A tenant that rarely loses a launch may try what is a little less sure; one that has nearly nothing
/// left keeps it for what is twice as sure. Between the points it is a line.
#[must_use]
pub fn scarcity(waste_left: f64) -> f64 {
    const POINTS: [(f64, f64); 5] = [
        (1.0, 2.0),
        (5.0, 1.5),
        (12.0, 1.1),
        (24.0, 0.9),
        (40.0, 0.65),
    ];
    let mut before = POINTS[0];
    for point in POINTS {
        if waste_left <= point.0 {
            let part = (waste_left - before.0) / (point.0 - before.0).max(f64::MIN_POSITIVE);
            return (point.1 - before.1).mul_add(part.max(0.0), before.1);
        }
        before = point;
    }
    before.1
}

/// What a launch gains: what it saves less what it takes, in micro-dollars; `None` if nobody knows how
/// long things take. Those that gain more go first, and make room last.
#[must_use]
pub fn gain(terms: &Terms, offer: &Offer) -> Option<f64> {
    let (overlap, latency) = offer.overlap.zip(offer.latency)?;
    let benefit = benefit(terms, offer.chance, offer.late, overlap, latency);
    Some(benefit - cost(terms, offer, latency))
}

/// Weighs one launch.
#[must_use]
pub fn weigh(terms: &Terms, offer: &Offer) -> Verdict {
    let Some(gain) = gain(terms, offer) else {
        return Verdict::Shadow;
    };
    let least = if offer.price > 0.0 {
        terms.least_chance_priced
    } else {
        terms.least_chance
    };
    if offer.chance < least * scarcity(offer.waste_left) {
        return Verdict::Unlikely;
    }
    if gain > 0.0 {
        Verdict::Launch
    } else {
        Verdict::Dear
    }
}

/// Whether nothing is launched at a decision point: one in a hundred, by hash.
#[must_use]
pub fn is_control(session: &str, number: u64, permille: u32) -> bool {
    combine(&[name_of(session), number]) % 1_000 < u64::from(permille)
}

/// What a tenant may lose: every launch pays 1, every promotion gives it back, every real call adds 0.3.
///
/// So however wrong the guesses are, waste is at most 5 + 0.3 times the real calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WasteBudget {
    tenths: u32,
}

const LAUNCH: u32 = 10;
const CALL: u32 = 3;
const START: u32 = 50;
const MOST: u32 = 500;

impl Default for WasteBudget {
    fn default() -> Self {
        Self { tenths: START }
    }
}

impl WasteBudget {
    /// Pays for a launch; false, and nothing paid, if there is less than 1.
    pub const fn launch(&mut self) -> bool {
        if self.tenths < LAUNCH {
            return false;
        }
        self.tenths -= LAUNCH;
        true
    }

    /// A launch was promoted.
    pub fn promoted(&mut self) {
        self.add(LAUNCH);
    }

    /// A real call was made.
    pub fn call(&mut self) {
        self.add(CALL);
    }

    fn add(&mut self, tenths: u32) {
        self.tenths = (self.tenths + tenths).min(MOST);
    }

    /// How many launches could be lost.
    #[must_use]
    pub fn left(&self) -> f64 {
        f64::from(self.tenths) / 10.0
    }
}
