//! What comes next: counts of targets after contexts of tools, outcomes and what remains.
//!
//! Ground rules. A context is the hash of its last 0 to 4 symbols; END is a target and never a symbol.
//! Counts halve every 2,000 decisions of their scope, lazily: a node keeps the decision of its last
//! change. Within a scope Witten-Bell: what a context has not seen gets as much as it has kinds of
//! targets, shared out by the next shorter context.

use std::collections::{BTreeMap, HashMap};

use super::key::combine;

/// Contexts have up to so many symbols.
pub(crate) const ORDERS: usize = 6;
const HALVES_EVERY: f32 = 2_000.0;
/// A target with less than this is as good as never seen.
const FORGOTTEN: f32 = 0.02;

/// The target that stands for "the model answers in words".
pub(crate) const END: u64 = 0;

/// The targets seen after one context.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Node {
    /// The scope's decisions at the last change.
    pub(crate) stamp: u32,
    pub(crate) targets: BTreeMap<u64, f32>,
}

impl Node {
    /// Brings the counts to `now`.
    pub(crate) fn age(&mut self, now: u32) {
        if self.stamp != now {
            let factor = decay(self.stamp, now);
            self.targets.retain(|_, count| {
                *count *= factor;
                *count >= FORGOTTEN
            });
            self.stamp = now;
        }
    }

    fn total(&self) -> f32 {
        self.targets.values().sum()
    }
}

fn decay(from: u32, to: u32) -> f32 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "decisions between two uses of a node"
    )]
    let age = to.wrapping_sub(from) as f32;
    (-age / HALVES_EVERY).exp2()
}

/// All contexts of one agent, tenant, or of everybody.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Scope {
    pub(crate) decisions: u32,
    pub(crate) nodes: HashMap<u64, Node>,
}

/// One event of the past: exactly, and by its tool alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Symbol {
    pub(crate) exact: u64,
    pub(crate) tool: u64,
    /// What it was like, whatever the tool; 0 if it was no call.
    pub(crate) kind: u64,
}

impl Symbol {
    /// By what the user's words are told apart: too few messages have the same codes.
    pub(crate) const fn before_words(&self) -> u64 {
        if self.kind == 0 {
            self.tool
        } else {
            self.exact
        }
    }
}

/// The contexts of a decision, each with more of the past than the one before: nothing, the last tool,
/// the last event, and further back the tools only.
pub(crate) fn contexts(symbols: &[Symbol]) -> [u64; ORDERS] {
    let nothing = Symbol {
        exact: 1,
        tool: 1,
        kind: 0,
    };
    let back = |steps: usize| {
        symbols
            .len()
            .checked_sub(steps)
            .map_or(nothing, |at| symbols[at])
    };
    let (last, second, third, fourth) = (back(1), back(2), back(3), back(4));
    let three = combine(&[3, last.exact, second.exact]);
    [
        0,
        combine(&[1, last.tool]),
        combine(&[2, last.exact]),
        combine(&[3, last.exact, second.tool]),
        combine(&[4, three, third.tool]),
        combine(&[5, three, third.exact, fourth.tool]),
    ]
}

impl Scope {
    /// Adds what a decision became.
    pub(crate) fn learn(&mut self, contexts: &[u64; ORDERS], truth: &[(u64, f32)]) {
        self.decisions = self.decisions.wrapping_add(1);
        for context in contexts {
            let node = self.nodes.entry(*context).or_default();
            node.age(self.decisions);
            for (target, weight) in truth {
                *node.targets.entry(*target).or_default() += weight;
            }
        }
    }

    /// Fills `into[order]` with the chance of each of `targets`, and says how long a context is known.
    pub(crate) fn chances(
        &self,
        contexts: &[u64; ORDERS],
        targets: &[u64],
        into: &mut [Vec<f32>],
    ) -> usize {
        #[expect(clippy::cast_precision_loss, reason = "a few hundred tools")]
        let mut lower = vec![1.0 / targets.len().max(1) as f32; targets.len()];
        let mut longest = 0;
        for (order, chances) in into.iter_mut().enumerate().take(ORDERS) {
            if let Some(node) = self.nodes.get(&contexts[order]) {
                longest = order + usize::from(!node.targets.is_empty());
                self.blend(node, targets, &mut lower);
            }
            chances.clone_from(&lower);
        }
        longest
    }

    pub(crate) fn blend(&self, node: &Node, targets: &[u64], chances: &mut [f32]) {
        let factor = decay(node.stamp, self.decisions);
        #[expect(clippy::cast_precision_loss, reason = "a few hundred tools")]
        let kinds = node.targets.len() as f32;
        let whole = node.total().mul_add(factor, kinds);
        if whole <= 0.0 {
            return;
        }
        for (target, chance) in targets.iter().zip(chances) {
            let count = node.targets.get(target).copied().unwrap_or_default();
            *chance = count.mul_add(factor, kinds * *chance) / whole;
        }
    }

    /// Every target ever seen here.
    pub(crate) fn targets(&self) -> impl Iterator<Item = u64> + '_ {
        let root = self.nodes.get(&0);
        root.into_iter()
            .flat_map(|node| node.targets.keys().copied())
    }
}
