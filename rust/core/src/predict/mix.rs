//! Weighs the contexts: which length to trust, learned online.
//!
//! Ground rules. The mixture is geometric: a target's score is the weighted sum of the logarithms of
//! what each expert gives it. Weights are chosen by the longest context that is known, and move
//! against the gradient of the true target's surprise. Sums only: two mixers merge by their decisions.

use std::collections::BTreeMap;

use super::history::ORDERS;

/// Each order of the agent's scope, then of the tenant's, then what words, names and repetition say.
pub(crate) const EXPERTS: usize = 2 * ORDERS + 3;
const RATE: f32 = 0.02;
const FLOOR: f32 = 1e-3;
const STEEPEST: f32 = 1.5;
/// Decisions of everybody that weigh as much as a tenant's own.
const BLEND: f32 = 200.0;

/// One set of weights.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Weights {
    pub(crate) decisions: f32,
    pub(crate) each: [f32; EXPERTS],
}

impl Weights {
    /// The best guess before any decision: orders 1 to 4 of the agent share what there is. After a call
    /// that was made again, only what is known of such calls counts: no context has seen many.
    pub(crate) fn fresh(set: u8) -> Self {
        let mut each = [0.0; EXPERTS];
        if set % KINDS == KINDS - 1 {
            each[EXPERTS - 1] = 1.0;
        } else {
            each[1] = 0.1;
            each[2] = 0.3;
            each[3] = 0.4;
            each[4] = 0.2;
        }
        Self {
            decisions: 0.0,
            each,
        }
    }
}

/// Kinds of decisions: after a call, after the user wrote, after a call that was made again.
pub(crate) const KINDS: u8 = 3;

/// The weights of one agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Mixer {
    pub(crate) sets: BTreeMap<u8, Weights>,
}

impl Mixer {
    /// The chance of each target, of what the experts say (`experts[expert][target]`).
    pub(crate) fn mix(&self, everybody: &Self, set: u8, experts: &[Vec<f32>]) -> Vec<f32> {
        mixture(&self.weights(everybody, set), experts)
    }

    /// This tenant's weights; as long as it made few decisions, rather those of everybody.
    fn weights(&self, everybody: &Self, set: u8) -> [f32; EXPERTS] {
        let fresh = Weights::fresh(set);
        let all = everybody.sets.get(&set).unwrap_or(&fresh);
        let Some(own) = self.sets.get(&set) else {
            return all.each;
        };
        let share = own.decisions / (own.decisions + BLEND);
        let mut each = own.each;
        for (weight, that) in each.iter_mut().zip(all.each) {
            *weight = share.mul_add(*weight - that, that);
        }
        each
    }

    /// Moves the weights towards what would have been less surprised by `truth` (weights by target).
    pub(crate) fn learn(
        &mut self,
        everybody: &mut Self,
        set: u8,
        experts: &[Vec<f32>],
        truth: &[f32],
    ) {
        everybody
            .sets
            .entry(set)
            .or_insert_with(|| Weights::fresh(set))
            .learn(experts, truth);
        self.sets
            .entry(set)
            .or_insert_with(|| Weights::fresh(set))
            .learn(experts, truth);
    }
}

impl Weights {
    fn learn(&mut self, experts: &[Vec<f32>], truth: &[f32]) {
        let mixed = mixture(&self.each, experts);
        for (weight, chances) in self.each.iter_mut().zip(experts) {
            let slope: f32 = chances
                .iter()
                .zip(truth.iter().zip(&mixed))
                .map(|(chance, (truth, mixed))| (truth - mixed) * chance.max(FLOOR).ln())
                .sum();
            *weight += RATE * slope.clamp(-STEEPEST, STEEPEST);
        }
        self.decisions += 1.0;
    }
}

fn mixture(weights: &[f32; EXPERTS], experts: &[Vec<f32>]) -> Vec<f32> {
    let targets = experts.first().map_or(0, Vec::len);
    let mut scores = vec![0.0; targets];
    for (weight, chances) in weights.iter().zip(experts) {
        if *weight != 0.0 {
            for (score, chance) in scores.iter_mut().zip(chances) {
                *score += weight * chance.max(FLOOR).ln();
            }
        }
    }
    normalise(&mut scores);
    scores
}

/// Scores to chances that sum to 1.
fn normalise(scores: &mut [f32]) {
    let most = scores.iter().copied().fold(f32::MIN, f32::max);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - most).exp();
        sum += *score;
    }
    for score in scores {
        *score /= sum;
    }
}
