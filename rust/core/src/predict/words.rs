//! What the user's words say about the next tool, beside what happened before.
//!
//! Ground rules. Per word and last event the targets that followed; words are kept as hashes. Each word
//! moves the chances by how much more often a target follows with it than without; a word seen once
//! moves little. Bounded: at 65,536 words the rarely seen half is forgotten.

use std::collections::{BTreeMap, HashMap};

use super::history::Node;
use super::key::combine;

const MOST: usize = 1 << 16;
const COMMON: usize = 1 << 14;
const OFTEN: f32 = 4.0;
const SELDOM: f32 = 10.0;
/// How many decisions the chance without the word weighs.
const PRIOR: f32 = 3.0;

/// Counts by word and last event.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Words {
    pub(crate) nodes: HashMap<u64, Node>,
}

impl Words {
    pub(crate) fn learn(&mut self, words: &[u64], last: u64, truth: &[(u64, f32)]) {
        for word in words {
            let node = self.nodes.entry(combine(&[*word, last])).or_default();
            for (target, weight) in truth {
                *node.targets.entry(*target).or_default() += weight;
            }
        }
        if self.nodes.len() > MOST {
            self.forget();
        }
    }

    /// Forgets the half that was seen least, the same one each time.
    pub(crate) fn forget(&mut self) {
        let mut all: Vec<(u64, f32)> = self
            .nodes
            .iter()
            .map(|(word, node)| (*word, node.targets.values().sum()))
            .collect();
        all.sort_by(|one, other| one.1.total_cmp(&other.1).then(one.0.cmp(&other.0)));
        for (word, _) in all.iter().take(all.len() / 2) {
            self.nodes.remove(word);
        }
    }

    /// The chances, given what they are without words.
    pub(crate) fn chances(
        &self,
        words: &[u64],
        last: u64,
        targets: &[u64],
        without: &[f32],
    ) -> Vec<f32> {
        let mut scores: Vec<f32> = without.iter().map(|chance| chance.max(1e-4).ln()).collect();
        for word in words {
            let Some(node) = self.nodes.get(&combine(&[*word, last])) else {
                continue;
            };
            let seen: f32 = node.targets.values().sum();
            if seen < 2.0 {
                continue;
            }
            for (score, (target, chance)) in scores.iter_mut().zip(targets.iter().zip(without)) {
                let chance = chance.max(1e-4);
                let count = node.targets.get(target).copied().unwrap_or_default();
                let with = PRIOR.mul_add(chance, count) / (seen + PRIOR);
                *score += (with / chance).ln() * 0.5;
            }
        }
        let most = scores.iter().copied().fold(f32::MIN, f32::max);
        let sum: f32 = scores.iter().map(|score| (score - most).exp()).sum();
        scores
            .iter()
            .map(|score| (score - most).exp() / sum)
            .collect()
    }
}

/// Words of any conversation, which are values of none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Common {
    /// Messages that had the word, calls that had it as an argument.
    pub(crate) words: BTreeMap<u64, (f32, f32)>,
}

impl Common {
    /// A message had this word.
    pub(crate) fn seen(&mut self, word: u64) {
        if self.words.len() < COMMON || self.words.contains_key(&word) {
            self.words.entry(word).or_default().0 += 1.0;
        } else {
            self.words.retain(|_, (seen, _)| *seen >= 2.0);
        }
    }

    /// A call had this value.
    pub(crate) fn used(&mut self, value: u64) {
        if let Some((_, used)) = self.words.get_mut(&value) {
            *used += 1.0;
        }
    }

    /// Whether a word is said so often, and used so seldom, that it is no value.
    pub(crate) fn has(&self, word: u64) -> bool {
        let known = self.words.get(&word);
        known.is_some_and(|(seen, used)| *seen >= OFTEN && used * SELDOM < *seen)
    }
}
