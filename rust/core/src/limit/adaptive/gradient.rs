//! The limit by latency: the ratio of what calls take without load to what they take now.
//!
//! Ground rules. Ends are gathered into samples of 64, or of 100 ms. A sample moves the limit by
//! its gradient, and moves each class's baseline, a slow average. Under lasting load the baseline
//! would drift up to the loaded latency, and after a change of the service it would lag for
//! minutes; so each minute, give or take a fifth, a probe halves the limit for a round trip, and
//! what calls take that start thereafter is the new baseline. Signs of overload end a probe.
//! Source: Netflix concurrency-limits, `Gradient2Limit`, and its issues 137 and 165.

use super::is_in_use;
use crate::clock::Nanos;

const CLASSES: usize = 3;
/// A sample is over after so many ends, or this time after its first.
const SAMPLE_ENDS: u32 = 64;
const SAMPLE_TIME: Nanos = Nanos::from_millis(100);
/// Latency may be this many times its baseline before the limit falls.
const TOLERANCE: f64 = 1.5;
const STEEPEST: f64 = 0.5;
/// The weight of a sample's gradient, and what a sample without queue adds to the limit.
const WEIGHT: f64 = 0.2;
const HEADROOM: f64 = 4.0;
/// A baseline is the mean of the first ten samples, later an average over 600 of 100 ms.
const WARM: u32 = 10;
const DRIFT: f64 = 1.0 / 600.0;
/// Upwards it moves more slowly, for a queue raises it: it then may rise by 16 % between two probes
/// that are furthest apart. With `TOLERANCE` the limit is at most 1.74 times what the service takes
/// without a queue, so that half of it, in a probe, has none. At full weight it would be 2.7 times,
/// each probe would measure a queue, and the limit would climb for ever.
const DRIFT_UP: f64 = DRIFT / 4.0;
/// A baseline above twice the present latency is out of date, and forgotten faster.
const STALE_RATIO: f64 = 2.0;
const STALE: f64 = 0.95;
/// Probes are 48 to 72 s apart.
const LEAST_PAUSE: Nanos = Nanos::from_secs(48);
const PAUSE_SPREAD: Nanos = Nanos::from_secs(24);

/// Latency of one class of calls.
#[derive(Clone, Copy, Debug, Default)]
struct Class {
    /// Of a call without load, in nanoseconds; meaningless before the first sample.
    baseline: f64,
    samples: u32,
    /// Of the running sample.
    ends: u32,
    sum: f64,
}

#[derive(Clone, Copy, Debug, Default)]
enum Probe {
    /// The next one begins with the first sample that closes then; `None` until the first has.
    #[default]
    Unplanned,
    At(Nanos),
    /// Only calls that started then or later are measured.
    Since(Nanos),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Gradient {
    classes: [Class; CLASSES],
    /// Of the running sample: ends, the most in flight, its time.
    ends: u32,
    busiest: u32,
    from: Nanos,
    until: Nanos,
    /// The mean latency of the last sample.
    round_trip: Nanos,
    probe: Probe,
}

impl Gradient {
    pub(super) const fn is_probing(&self) -> bool {
        matches!(self.probe, Probe::Since(_))
    }

    pub(super) fn baseline(&self, class: u8) -> Option<Nanos> {
        let class = self.classes[place_of(class)];
        (class.samples > 0).then(|| to_nanos(class.baseline))
    }

    /// Takes an end into the running sample.
    #[inline]
    pub(super) fn count(&mut self, started: Nanos, latency: Nanos, in_flight: u32, class: u8) {
        if matches!(self.probe, Probe::Since(since) if started < since) {
            return;
        }
        let class = &mut self.classes[place_of(class)];
        class.ends += 1;
        class.sum += from_nanos(latency);
        self.ends += 1;
        self.busiest = self.busiest.max(in_flight);
    }

    /// The limit after the ends counted so far.
    #[inline]
    pub(super) fn next_limit(&mut self, limit: f64, now: Nanos) -> f64 {
        match self.ends {
            0 => limit,
            1 => {
                let probe_time = if self.is_probing() {
                    self.round_trip
                } else {
                    Nanos::ZERO
                };
                self.from = now;
                self.until = now.saturating_add(SAMPLE_TIME.max(probe_time));
                limit
            }
            ends if ends < SAMPLE_ENDS && now < self.until => limit,
            _ => self.close_sample(limit, now),
        }
    }

    /// Drops the running sample, and the probe if there is one.
    pub(super) fn forget_sample(&mut self) {
        self.empty();
        if let Probe::Since(since) = self.probe {
            self.probe = Probe::At(next_probe(since));
        }
    }

    fn close_sample(&mut self, limit: f64, now: Nanos) -> f64 {
        let sum: f64 = self.classes.iter().map(|class| class.sum).sum();
        self.round_trip = to_nanos(sum / f64::from(self.ends));
        let limit = if self.is_probing() {
            self.classes.iter_mut().for_each(Class::renew);
            limit
        } else {
            let time = now.saturating_sub(self.from).min(SAMPLE_TIME);
            let share = from_nanos(time) / from_nanos(SAMPLE_TIME);
            self.classes.iter_mut().for_each(|class| class.drift(share));
            moved(limit, self.gradient(), self.busiest)
        };
        self.empty();
        self.plan(now);
        limit
    }

    fn plan(&mut self, now: Nanos) {
        self.probe = match self.probe {
            Probe::At(at) if now < at => Probe::At(at),
            Probe::At(_) => Probe::Since(now.saturating_add(self.round_trip)),
            Probe::Unplanned | Probe::Since(_) => Probe::At(next_probe(now)),
        };
    }

    /// 1 without a queue, less the longer calls take. Classes weigh as many ends as they had.
    fn gradient(&self) -> f64 {
        let used = self.classes.iter().filter(|class| class.ends > 0);
        let inflated: f64 = used.map(|class| class.sum / class.baseline).sum();
        (TOLERANCE * f64::from(self.ends) / inflated).clamp(STEEPEST, 1.0)
    }

    fn empty(&mut self) {
        for class in &mut self.classes {
            (class.ends, class.sum) = (0, 0.0);
        }
        (self.ends, self.busiest) = (0, 0);
    }
}

impl Class {
    /// Moves the baseline a little towards the sample, which took a share of its longest time.
    fn drift(&mut self, share: f64) {
        if self.ends == 0 {
            return;
        }
        let latency = self.sum / f64::from(self.ends);
        let weight = if self.samples < WARM {
            1.0 / f64::from(self.samples + 1)
        } else if latency > self.baseline {
            DRIFT_UP * share
        } else {
            DRIFT * share
        };
        self.samples = self.samples.saturating_add(1);
        self.baseline += (latency - self.baseline) * weight;
        if self.baseline > STALE_RATIO * latency {
            self.baseline *= STALE;
        }
    }

    /// Takes the sample as the baseline: it was measured without load.
    fn renew(&mut self) {
        if self.ends > 0 {
            self.baseline = self.sum / f64::from(self.ends);
            self.samples = self.samples.max(WARM);
        }
    }
}

fn moved(limit: f64, gradient: f64, busiest: u32) -> f64 {
    let headroom = if gradient < 1.0 {
        0.0
    } else if is_in_use(limit, busiest) {
        HEADROOM
    } else {
        return limit;
    };
    (1.0 - WEIGHT) * limit + WEIGHT * (limit * gradient + headroom)
}

/// Limits that were made together must not probe together: the odd nanoseconds at which a sample
/// happens to close spread them, without any randomness.
fn next_probe(now: Nanos) -> Nanos {
    let spread = now.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) % PAUSE_SPREAD.0;
    now.saturating_add(LEAST_PAUSE)
        .saturating_add(Nanos(spread))
}

fn place_of(class: u8) -> usize {
    usize::from(class).min(CLASSES - 1)
}

/// At least 1 ns, so that no ratio is by zero.
#[expect(
    clippy::cast_precision_loss,
    reason = "53 bits of nanoseconds are 104 days"
)]
fn from_nanos(span: Nanos) -> f64 {
    span.0.max(1) as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a mean of nanoseconds; a float cast saturates"
)]
fn to_nanos(span: f64) -> Nanos {
    Nanos(span as u64)
}
