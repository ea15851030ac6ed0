//! What two processes learned, added up.
//!
//! Ground rules. A sum by name: which comes first does not matter. Counts are brought to the moment of the
//! merge first. What is bounded is brought back to its bounds.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use super::calibrate::Calibration;
use super::history::{Node, Scope};
use super::judge::Judge;
use super::mix::Weights;
use super::model::{Everybody, Tenant};
use super::repeats::Repeats;
use super::template::{Share, Slot, TASKS, Template};
use super::tool::{Pair, Tool};
use super::trust::Trust;

impl Tenant {
    pub(crate) fn is_empty(&self) -> bool {
        self.scope.nodes.is_empty() && self.tools.is_empty() && self.unguessed.is_empty()
    }

    /// Brings every count to now, and starts its clock again.
    pub(crate) fn settle(&mut self) {
        self.scope.settle();
        self.siblings.settle();
        self.agents
            .values_mut()
            .for_each(|agent| agent.scope.settle());
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.names.extend(other.names);
        self.scope.merge(other.scope);
        self.siblings.merge(other.siblings);
        merge_hashed(&mut self.words.nodes, other.words.nodes, Node::merge);
        merge_maps(&mut self.agents, other.agents, |agent, other| {
            agent.scope.merge(other.scope);
        });
        merge_maps(&mut self.mixer.sets, other.mixer.sets, |weights, more| {
            weights.merge(&more);
        });
        self.repeats.merge(other.repeats);
        self.judge.merge(&other.judge);
        merge_maps(
            &mut self.common.words,
            other.common.words,
            |counts, more| {
                counts.0 += more.0;
                counts.1 += more.1;
            },
        );
        self.year = self.year.max(other.year);
        merge_maps(&mut self.tools, other.tools, Tool::merge);
        self.pool.merge(&other.pool);
        self.unguessed.extend(other.unguessed);
    }
}

impl Everybody {
    pub(crate) fn merge(&mut self, other: Self) {
        merge_maps(&mut self.mixer.sets, other.mixer.sets, |weights, more| {
            weights.merge(&more);
        });
        self.repeats.merge(other.repeats);
        self.judge.merge(&other.judge);
        self.scope.merge(other.scope);
    }
}

impl Judge {
    pub(crate) fn merge(&mut self, other: &Self) {
        let whole = self.outcomes + other.outcomes;
        if whole > 0.0 {
            for (weight, that) in self.weights.iter_mut().zip(other.weights) {
                // Not fused: a sum of two products is the same both ways round.
                *weight = (*weight * self.outcomes + that * other.outcomes) / whole;
            }
        }
        for (moved, that) in self.moved.iter_mut().zip(other.moved) {
            *moved += that;
        }
        self.outcomes = whole;
    }
}

impl Repeats {
    pub(crate) fn merge(&mut self, other: Self) {
        merge_maps(&mut self.kinds, other.kinds, |ways, more| {
            ways.add(more, 1.0);
        });
    }
}

impl Scope {
    pub(crate) fn settle(&mut self) {
        for node in self.nodes.values_mut() {
            node.age(self.decisions);
            node.stamp = 0;
        }
        self.nodes.retain(|_, node| !node.targets.is_empty());
        self.decisions = 0;
    }

    pub(crate) fn merge(&mut self, other: Self) {
        merge_hashed(&mut self.nodes, other.nodes, Node::merge);
    }
}

impl Node {
    pub(crate) fn merge(&mut self, other: Self) {
        merge_maps(&mut self.targets, other.targets, |count, more| {
            *count += more;
        });
    }
}

impl Weights {
    pub(crate) fn merge(&mut self, other: &Self) {
        let whole = self.decisions + other.decisions;
        if whole > 0.0 {
            for (weight, that) in self.each.iter_mut().zip(other.each) {
                // Not fused: a sum of two products is the same both ways round.
                *weight = (*weight * self.decisions + that * other.decisions) / whole;
            }
        }
        self.decisions = whole;
    }
}

impl Tool {
    pub(crate) fn merge(&mut self, other: Self) {
        if self.stems.is_empty() {
            self.stems = other.stems;
        }
        self.lessons += other.lessons;

        merge_maps(&mut self.key_sets, other.key_sets, |count, more| {
            *count += more;
        });
        merge_maps(&mut self.slots, other.slots, Slot::merge);
        merge_maps(&mut self.pairs, other.pairs, |share, more| {
            share.merge(more);
        });
        merge_maps(&mut self.same, other.same, |share, more| {
            share.merge(more);
        });
        self.calibration.merge(&other.calibration);
        if self.form == other.form {
            self.trust.merge(&other.trust);
        } else {
            // Two versions: what is said of the one does not hold for the other.
            (self.trust, self.form) = (Trust::default(), self.form.max(other.form));
        }
        self.trim();
    }
}

impl Slot {
    pub(crate) fn merge(&mut self, other: Self) {
        let mut both: BTreeMap<u64, Template> = BTreeMap::new();
        for template in self.templates.drain(..).chain(other.templates) {
            match both.entry(template.id()) {
                std::collections::btree_map::Entry::Vacant(place) => {
                    place.insert(template);
                }
                std::collections::btree_map::Entry::Occupied(mut place) => {
                    place.get_mut().merge(template);
                }
            }
        }
        self.templates = both.into_values().collect();
        merge_maps(&mut self.constants, other.constants, |tasks, more| {
            tasks.extend(more);
            tasks.sort_unstable();
            tasks.dedup();
            tasks.truncate(TASKS);
        });
        self.trim();
    }
}

impl Template {
    pub(crate) fn merge(&mut self, other: Self) {
        self.all.merge(other.all);
        self.ranks
            .iter_mut()
            .zip(other.ranks)
            .for_each(|(hits, more)| *hits += more);
        merge_maps(&mut self.contexts, other.contexts, |share, more| {
            share.merge(more);
        });
    }
}

impl Pair {
    pub(crate) fn merge(&mut self, other: Self) {
        self.tried += other.tried;
        self.at
            .iter_mut()
            .zip(other.at)
            .for_each(|(count, more)| *count += more);
    }
}

impl Share {
    pub(crate) fn merge(&mut self, other: Self) {
        self.tried += other.tried;
        self.right += other.right;
    }
}

impl Calibration {
    pub(crate) fn merge(&mut self, other: &Self) {
        for (bin, more) in self.bins.iter_mut().zip(&other.bins) {
            bin.tried += more.tried;
            bin.hits += more.hits;
            bin.late += more.late;
        }
        self.outcomes = self.outcomes.wrapping_add(other.outcomes);
    }
}

pub(crate) fn merge_maps<K: Ord, V>(
    into: &mut BTreeMap<K, V>,
    from: BTreeMap<K, V>,
    merge: impl Fn(&mut V, V),
) {
    for (key, value) in from {
        match into.get_mut(&key) {
            Some(known) => merge(known, value),
            None => drop(into.insert(key, value)),
        }
    }
}

fn merge_hashed<K: Eq + Hash, V>(
    into: &mut HashMap<K, V>,
    from: HashMap<K, V>,
    merge: impl Fn(&mut V, V),
) {
    for (key, value) in from {
        match into.get_mut(&key) {
            Some(known) => merge(known, value),
            None => drop(into.insert(key, value)),
        }
    }
}
