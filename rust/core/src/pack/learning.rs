//! When a tool gets a dictionary, and when a new one.
//!
//! Ground rules. Samples are collected until there are 250, handed out once for training, and
//! forgotten. A tool whose results have nothing in common is left alone for 10,000 of them. With a
//! dictionary in use nothing is collected, until 500 results in a row pack 20 % worse than the first
//! 500 did. What a dictionary gains is a share of the raw size; sums, never averages of ratios.

use super::dictionary::{JUDGING, TRAINING};

const SAMPLES: usize = TRAINING + JUDGING;
const REST: u32 = 10_000;
const WINDOW: u32 = 500;
/// Hundredths of the first window's share.
const WORSE: u64 = 120;

/// One value, as training sees it.
pub(crate) type Sample = Box<[u8]>;

/// Where a tool is on its way to a dictionary.
#[derive(Debug)]
pub(crate) enum Learning {
    Collecting(Vec<Sample>),
    /// Enough samples; somebody must train.
    Due(Vec<Sample>),
    /// Somebody trains, or has a dictionary to store.
    Training,
    /// Nothing was gained; so many results until the next try.
    Resting(u32),
    /// A dictionary is in use.
    Using(Watch),
}

impl Default for Learning {
    fn default() -> Self {
        Self::Collecting(Vec::new())
    }
}

impl Learning {
    /// Whether the next result is wanted as a sample.
    pub(crate) fn wants(&mut self) -> bool {
        match self {
            Self::Collecting(_) => true,
            Self::Resting(0) => {
                *self = Self::Collecting(Vec::new());
                true
            }
            Self::Resting(left) => {
                *left -= 1;
                false
            }
            Self::Due(_) | Self::Training | Self::Using(_) => false,
        }
    }

    /// Takes in a sample; true if training is due from now on.
    pub(crate) fn offer(&mut self, sample: &[u8]) -> bool {
        let Self::Collecting(samples) = self else {
            return false;
        };
        samples.push(sample.into());
        if samples.len() < SAMPLES {
            return false;
        }
        *self = Self::Due(std::mem::take(samples));
        true
    }

    /// The samples, once, for training.
    pub(crate) fn take(&mut self) -> Option<Vec<Sample>> {
        let Self::Due(samples) = self else {
            return None;
        };
        let samples = std::mem::take(samples);
        *self = Self::Training;
        Some(samples)
    }

    /// Nothing came of the training, or of the samples.
    pub(crate) fn rest(&mut self) {
        *self = Self::Resting(REST);
    }

    /// A dictionary is in use from now on.
    pub(crate) fn begin_use(&mut self) {
        *self = Self::Using(Watch::default());
    }

    /// A result was packed with the dictionary.
    pub(crate) fn record(&mut self, raw: usize, packed: usize) {
        if let Self::Using(watch) = self
            && watch.record(raw as u64, packed as u64)
        {
            *self = Self::default();
        }
    }
}

/// What a dictionary gained at first, and what it gains now.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    first: Option<(u64, u64)>,
    results: u32,
    raw: u64,
    packed: u64,
}

impl Watch {
    /// True if it has become too bad.
    fn record(&mut self, raw: u64, packed: u64) -> bool {
        self.results += 1;
        self.raw += raw;
        self.packed += packed;
        if self.results < WINDOW {
            return false;
        }
        let (raw, packed) = (self.raw, self.packed);
        (self.results, self.raw, self.packed) = (0, 0, 0);
        // packed / raw > 1.2 * first_packed / first_raw; sums of 500 values below 8 KiB
        let &mut (first_raw, first_packed) = self.first.get_or_insert((raw, packed));
        packed * first_raw * 100 > first_packed * raw * WORSE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected() -> Learning {
        let mut learning = Learning::default();
        for number in 1..=250 {
            assert!(learning.wants());
            assert_eq!(learning.offer(b"sample"), number == 250);
        }
        learning
    }

    fn using() -> Learning {
        let mut learning = collected();
        learning.begin_use();
        learning
    }

    fn run(learning: &mut Learning, results: usize, packed: usize) {
        (0..results).for_each(|_| learning.record(1_000, packed));
    }

    #[test]
    fn samples_are_handed_out_once() {
        let mut learning = collected();
        assert_eq!(learning.take().map(|samples| samples.len()), Some(250));
        assert!(learning.take().is_none());
        assert!(!learning.wants());
    }

    #[test]
    fn a_tool_without_gain_is_left_alone() {
        let mut learning = collected();
        learning.rest();
        assert!((0..10_000).all(|_| !learning.wants()));
        assert!(learning.wants());
    }

    #[test]
    fn a_dictionary_that_stays_good_stays() {
        let mut learning = using();
        run(&mut learning, 500, 300);
        run(&mut learning, 5_000, 350);
        assert!(!learning.wants());
    }

    #[test]
    fn five_hundred_worse_results_begin_a_new_one() {
        let mut learning = using();
        run(&mut learning, 500, 300);
        run(&mut learning, 499, 370);
        assert!(!learning.wants());
        run(&mut learning, 1, 370);
        assert!(learning.wants());
    }
}
