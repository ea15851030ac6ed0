//! What the last values of one tool and media type say about the next one.
//!
//! Ground rules. A verdict holds for 1,000 values, of which each 64th is tried all the same. It takes
//! four poor values in a row to stop trying, as one picture among JSON must not; one good one is
//! enough to begin again. A wrong verdict costs space or time, never a value.

use super::skip::Skipped;

const HOLDS: u16 = 1_000;
const TRIED_AGAIN: u16 = 64;
const POOR_IN_A_ROW: u8 = 4;

/// What to do with the next value before it is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Its first bytes and its noise.
    All,
    /// Its first bytes: the values before it were worth packing.
    Format,
    /// Nothing: it stays raw.
    Never,
}

/// The verdict on one tool and media type.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Verdict {
    packs: bool,
    /// Values for which it holds; 0 is no verdict.
    left: u16,
    poor: u8,
}

impl Verdict {
    /// What to do with the next value.
    pub(crate) const fn next(&mut self) -> Look {
        if self.left == 0 {
            return Look::All;
        }
        self.left -= 1;
        match (self.packs, self.left % TRIED_AGAIN) {
            (_, 0) => Look::All,
            (true, _) => Look::Format,
            (false, _) => Look::Never,
        }
    }

    /// What came of a value that was looked at.
    pub(crate) const fn record(&mut self, skipped: Option<Skipped>) {
        match skipped {
            Some(Skipped::Small | Skipped::Verdict) => {}
            Some(Skipped::Format | Skipped::Noise | Skipped::Poor) => self.record_poor(),
            None if self.packs && self.left > 0 => self.poor = 0,
            None => {
                *self = Self {
                    packs: true,
                    left: HOLDS,
                    poor: 0,
                }
            }
        }
    }

    const fn record_poor(&mut self) {
        self.poor = self.poor.saturating_add(1);
        if self.poor >= POOR_IN_A_ROW && (self.packs || self.left == 0) {
            *self = Self {
                packs: false,
                left: HOLDS,
                poor: self.poor,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(verdict: &mut Verdict, values: usize) -> Vec<Look> {
        (0..values).map(|_| verdict.next()).collect()
    }

    fn poor(values: u8) -> Verdict {
        let mut verdict = Verdict::default();
        (0..values).for_each(|_| verdict.record(Some(Skipped::Noise)));
        verdict
    }

    #[test]
    fn without_a_verdict_everything_is_looked_at() {
        assert_eq!(looks(&mut Verdict::default(), 3), [Look::All; 3]);
        assert_eq!(poor(3).next(), Look::All);
    }

    #[test]
    fn four_poor_values_stop_looking_but_for_each_sixty_fourth() {
        let looked = looks(&mut poor(4), 1_000);
        let tried = looked.iter().filter(|look| **look == Look::All).count();
        assert_eq!(tried, 1_000 / 64 + 1);
        assert!(looked.iter().all(|look| *look != Look::Format));
    }

    #[test]
    fn a_verdict_ends_after_a_thousand_values() {
        let mut verdict = poor(4);
        looks(&mut verdict, 1_000);
        assert_eq!(looks(&mut verdict, 2), [Look::All; 2]);
    }

    #[test]
    fn one_good_value_turns_it_around() {
        let mut verdict = poor(9);
        verdict.record(None);
        assert_eq!(verdict.next(), Look::Format);
    }

    #[test]
    fn one_poor_value_among_good_ones_changes_nothing() {
        let mut verdict = Verdict::default();
        for _ in 0..20 {
            (0..3).for_each(|_| verdict.record(Some(Skipped::Format)));
            verdict.record(None);
        }
        assert_eq!(verdict.next(), Look::Format);
    }
}
