//! A histogram with declared bounds, as Prometheus wants it: how many took at most so long.

use crate::clock::Nanos;

/// Bounds of one histogram, at most.
pub const MAX_BOUNDS: usize = 20;

/// Bounds from 100 us to 60 s: tools that compute, look something up, ask a model.
pub const DEFAULT_BOUNDS: [Nanos; 18] = [
    Nanos::from_micros(100),
    Nanos::from_micros(250),
    Nanos::from_micros(500),
    Nanos::from_millis(1),
    Nanos::from_micros(2_500),
    Nanos::from_millis(5),
    Nanos::from_millis(10),
    Nanos::from_millis(25),
    Nanos::from_millis(50),
    Nanos::from_millis(100),
    Nanos::from_millis(250),
    Nanos::from_millis(500),
    Nanos::from_secs(1),
    Nanos::from_millis(2_500),
    Nanos::from_secs(5),
    Nanos::from_secs(10),
    Nanos::from_secs(30),
    Nanos::from_secs(60),
];

/// One octave for each number of leading zeros.
const OCTAVES: usize = 65;

/// Counts of durations by bound, and their sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// Ascending; unused places never hold a duration.
    bounds: [Nanos; MAX_BOUNDS],
    /// One more than bounds: the last is beyond them all.
    counts: [u64; MAX_BOUNDS + 1],
    used: usize,
    sum: Nanos,
    /// For each octave of durations, how many bounds lie below all of it.
    below: [u8; OCTAVES],
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new(&DEFAULT_BOUNDS)
    }
}

impl Histogram {
    /// An empty histogram. Bounds are sorted, equal ones merged, and those above 20 left out.
    #[must_use]
    pub fn new(bounds: &[Nanos]) -> Self {
        let mut sorted = bounds.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        sorted.truncate(MAX_BOUNDS);
        let mut all = [Nanos::MAX; MAX_BOUNDS];
        all[..sorted.len()].copy_from_slice(&sorted);
        let mut below = [0; OCTAVES];
        let mut least = 1 << 63; // of the octave without a leading zero
        for count in &mut below {
            *count = sorted.iter().map(|bound| u8::from(bound.0 < least)).sum();
            least >>= 1;
        }
        let used = sorted.len();
        Self {
            bounds: all,
            counts: [0; MAX_BOUNDS + 1],
            used,
            sum: Nanos::ZERO,
            below,
        }
    }

    /// Counts one duration.
    pub fn record(&mut self, duration: Nanos) {
        let mut place = usize::from(self.below[duration.0.leading_zeros() as usize]);
        // Bounds are rarely closer than an octave: one step, seldom two.
        while self
            .bounds
            .get(place)
            .is_some_and(|bound| *bound < duration)
        {
            place += 1;
        }
        self.counts[place] += 1;
        self.sum = self.sum.saturating_add(duration);
    }

    /// The bounds, ascending.
    #[must_use]
    pub fn bounds(&self) -> &[Nanos] {
        &self.bounds[..self.used]
    }

    /// Durations up to each bound and above the one before, then those beyond the last bound.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts[..=self.used]
    }

    /// All durations together.
    #[must_use]
    pub const fn sum(&self) -> Nanos {
        self.sum
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}
