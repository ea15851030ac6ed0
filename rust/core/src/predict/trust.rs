//! Whether what is said of a tool's guesses holds: before that it is in shadow.
//!
//! Ground rules. A tool is in shadow until 20 decisions had guesses of it and chances came true as said:
//! their mean distance from what came (over 10 bins) is under 0.1. It falls back when over 2,000 guesses
//! the distance is above that. A tool with another version or schema is a new one. Sums only, so two of
//! them merge by adding.

/// Decisions before anything of a tool is launched.
const DECISIONS: u32 = 20;
/// Guesses over which it is judged again.
const JUDGED_EVERY: f32 = 2_000.0;
/// The mean distance between what is said and what comes that is too much.
const MOST: f32 = 0.1;
pub(crate) const BINS: usize = 10;

/// Guesses of about one chance: how many, what was said, what came true.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Said {
    pub(crate) tried: f32,
    pub(crate) chances: f32,
    pub(crate) hits: f32,
}

/// What was said of one tool, and what came true.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Trust {
    pub(crate) decisions: u32,
    pub(crate) bins: [Said; BINS],
    pub(crate) is_live: bool,
}

impl Trust {
    /// Counts one decision: what was said of each of its guesses, and whether it came true.
    pub(crate) fn record(&mut self, guesses: impl Iterator<Item = (f32, bool)>) {
        self.decisions = self.decisions.saturating_add(1);
        for (chance, hit) in guesses {
            let bin = &mut self.bins[bin_of(chance)];
            bin.tried += 1.0;
            bin.chances += chance;
            bin.hits += f32::from(u8::from(hit));
        }
        self.judge();
    }

    /// Adds what another process has seen.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.decisions = self.decisions.saturating_add(other.decisions);
        for (bin, more) in self.bins.iter_mut().zip(&other.bins) {
            bin.tried += more.tried;
            bin.chances += more.chances;
            bin.hits += more.hits;
        }
        self.is_live |= other.is_live;
        self.judge();
    }

    fn judge(&mut self) {
        let tried: f32 = self.bins.iter().map(|bin| bin.tried).sum();
        if !self.is_live {
            self.is_live = self.decisions >= DECISIONS && self.error() < MOST;
        }
        if tried < JUDGED_EVERY {
            return;
        }
        if self.error() > MOST {
            *self = Self::default();
        } else {
            for bin in &mut self.bins {
                bin.tried /= 2.0;
                bin.chances /= 2.0;
                bin.hits /= 2.0;
            }
        }
    }

    /// The mean distance between what was said and what came, weighed by the guesses of each bin.
    fn error(&self) -> f32 {
        let tried: f32 = self.bins.iter().map(|bin| bin.tried).sum();
        let distances = self.bins.iter().map(|bin| (bin.chances - bin.hits).abs());
        distances.sum::<f32>() / tried.max(1.0)
    }
}

fn bin_of(chance: f32) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "0 to 10"
    )]
    let bin = (chance.clamp(0.0, 1.0) * BINS as f32) as usize;
    bin.min(BINS - 1)
}

#[cfg(test)]
mod tests {
    use super::{DECISIONS, Trust};

    fn told(trust: &mut Trust, decisions: u32, chance: f32, hits: impl Fn(u32) -> bool) {
        for decision in 0..decisions {
            trust.record([(chance, hits(decision))].into_iter());
        }
    }

    #[test]
    fn a_tool_is_live_after_twenty_decisions_that_were_said_right() {
        let mut trust = Trust::default();
        told(&mut trust, DECISIONS - 1, 0.5, |decision| decision % 2 == 0);
        assert!(!trust.is_live);
        told(&mut trust, 1, 0.5, |_| false);
        assert!(trust.is_live);
    }

    #[test]
    fn what_is_said_wrong_stays_in_shadow() {
        let mut trust = Trust::default();
        told(&mut trust, 300, 0.9, |decision| decision % 2 == 0);
        assert!(!trust.is_live);
    }

    #[test]
    fn it_falls_back_over_two_thousand_guesses_and_may_come_again() {
        let mut trust = Trust::default();
        told(&mut trust, 100, 0.95, |_| true);
        assert!(trust.is_live);
        told(&mut trust, 1_800, 0.95, |_| false);
        assert!(trust.is_live, "not yet judged again");
        told(&mut trust, 100, 0.95, |_| false);
        assert!(!trust.is_live);
        told(&mut trust, DECISIONS, 0.95, |_| true);
        assert!(trust.is_live);
    }

    #[test]
    fn merging_adds_and_its_order_does_not_matter() {
        let (mut one, mut other) = (Trust::default(), Trust::default());
        told(&mut one, 12, 0.5, |decision| decision % 2 == 0);
        told(&mut other, 12, 0.5, |decision| decision % 2 == 1);
        let (first, second) = (one.clone(), other.clone());
        one.merge(&second);
        other.merge(&first);
        assert_eq!(one, other);
        assert!(one.is_live && !first.is_live);
    }
}
