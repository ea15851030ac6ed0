//! A model as bytes: to keep over a restart, and to join what several processes learned.
//!
//! Ground rules. Magic, version, checksum (xxh3-64 of the rest), then the model; anything else is an
//! error that changes nothing. Counts are brought to the moment of the snapshot, so those of two
//! processes add up. Sessions are not in it. Merge is a sum by name: which comes first does not matter.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::Hash;

use xxhash_rust::xxh3::xxh3_64;

use super::calibrate::{Bin, Calibration};
use super::codec::{Stored, stored};
use super::history::{Node, Scope};
use super::judge::Judge;
use super::mix::{Mixer, Weights};
use super::model::{Agent, Everybody, Tenant};
use super::predictor::Predictor;
use super::repeats::{Repeats, Ways};
use super::source::Source;
use super::template::{Share, Slot, TASKS, Template, Which};
use super::tool::{Pair, Tool};
use super::transform::Transform;
use super::trust::{Said, Trust};
use super::words::{Common, Words};

const MAGIC: &[u8; 8] = b"PENSPRED";
const VERSION: u32 = 3;

/// Why bytes are no snapshot. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotError {
    /// They do not begin as a snapshot does.
    Magic,
    /// Written by another release.
    Version {
        /// Its number.
        found: u32,
    },
    /// Some bytes were changed, or are missing.
    Checksum,
    /// The bytes are as they were written, and mean nothing.
    Content,
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => write!(
                formatter,
                "it does not begin as a snapshot of a predictor does"
            ),
            Self::Version { found } => {
                write!(
                    formatter,
                    "it has version {found}, and this release reads {VERSION}"
                )
            }
            Self::Checksum => write!(formatter, "its checksum is wrong: cut off or damaged"),
            Self::Content => write!(formatter, "its content makes no sense"),
        }
    }
}

impl std::error::Error for SnapshotError {}

impl Predictor {
    /// The model as bytes. Equal models give equal bytes.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let mut tenants = self.tenants.clone();
        // One that was only followed has learned nothing.
        tenants.retain(|_, tenant| !tenant.is_empty());
        tenants.values_mut().for_each(Tenant::settle);
        let mut content = Vec::new();
        let mut everybody = self.everybody.clone();
        everybody.scope.settle();
        everybody.write(&mut content);
        tenants.write(&mut content);
        let mut out = MAGIC.to_vec();
        VERSION.write(&mut out);
        xxh3_64(&content).write(&mut out);
        out.append(&mut content);
        out
    }

    /// Replaces the model; sessions stay.
    pub fn load(&mut self, snapshot: &[u8]) -> Result<(), SnapshotError> {
        (self.everybody, self.tenants) = read(snapshot)?;
        self.tenants.values_mut().for_each(Tenant::renew);
        self.fit();
        Ok(())
    }

    /// Adds what another process learned.
    pub fn merge(&mut self, snapshot: &[u8]) -> Result<(), SnapshotError> {
        let mut theirs = read(snapshot)?;
        let own = self.snapshot();
        let mut ours = read(&own)?;
        // Sums of floats depend on their order: it is the same whoever merges whom.
        if own.as_slice() > snapshot {
            std::mem::swap(&mut ours, &mut theirs);
        }
        let (everybody, others) = theirs;
        (self.everybody, self.tenants) = ours;
        self.everybody.merge(everybody);
        self.tenants.values_mut().for_each(Tenant::settle);
        merge_maps(&mut self.tenants, others, Tenant::merge);
        self.tenants.values_mut().for_each(Tenant::renew);
        self.fit();
        Ok(())
    }
}

fn read(snapshot: &[u8]) -> Result<(Everybody, BTreeMap<u64, Tenant>), SnapshotError> {
    let mut rest = snapshot.strip_prefix(MAGIC).ok_or(SnapshotError::Magic)?;
    let found = u32::read(&mut rest).ok_or(SnapshotError::Checksum)?;
    if found != VERSION {
        return Err(SnapshotError::Version { found });
    }
    let checksum = u64::read(&mut rest).ok_or(SnapshotError::Checksum)?;
    if xxh3_64(rest) != checksum {
        return Err(SnapshotError::Checksum);
    }
    let model = Stored::read(&mut rest).ok_or(SnapshotError::Content)?;
    if rest.is_empty() {
        Ok(model)
    } else {
        Err(SnapshotError::Content)
    }
}

impl Tenant {
    fn is_empty(&self) -> bool {
        self.scope.nodes.is_empty() && self.tools.is_empty() && self.unguessed.is_empty()
    }

    /// Brings every count to now, and starts its clock again.
    fn settle(&mut self) {
        self.scope.settle();
        self.siblings.settle();
        self.agents
            .values_mut()
            .for_each(|agent| agent.scope.settle());
    }

    fn merge(&mut self, other: Self) {
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
    fn merge(&mut self, other: Self) {
        merge_maps(&mut self.mixer.sets, other.mixer.sets, |weights, more| {
            weights.merge(&more);
        });
        self.repeats.merge(other.repeats);
        self.judge.merge(&other.judge);
        self.scope.merge(other.scope);
    }
}

impl Judge {
    fn merge(&mut self, other: &Self) {
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
    fn merge(&mut self, other: Self) {
        merge_maps(&mut self.kinds, other.kinds, |ways, more| {
            ways.add(more, 1.0);
        });
    }
}

impl Scope {
    fn settle(&mut self) {
        for node in self.nodes.values_mut() {
            node.age(self.decisions);
            node.stamp = 0;
        }
        self.nodes.retain(|_, node| !node.targets.is_empty());
        self.decisions = 0;
    }

    fn merge(&mut self, other: Self) {
        merge_hashed(&mut self.nodes, other.nodes, Node::merge);
    }
}

impl Node {
    fn merge(&mut self, other: Self) {
        merge_maps(&mut self.targets, other.targets, |count, more| {
            *count += more;
        });
    }
}

impl Weights {
    fn merge(&mut self, other: &Self) {
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
    fn merge(&mut self, other: Self) {
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
    fn merge(&mut self, other: Self) {
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
    fn merge(&mut self, other: Self) {
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
    fn merge(&mut self, other: Self) {
        self.tried += other.tried;
        self.at
            .iter_mut()
            .zip(other.at)
            .for_each(|(count, more)| *count += more);
    }
}

impl Share {
    fn merge(&mut self, other: Self) {
        self.tried += other.tried;
        self.right += other.right;
    }
}

impl Calibration {
    fn merge(&mut self, other: &Self) {
        for (bin, more) in self.bins.iter_mut().zip(&other.bins) {
            bin.tried += more.tried;
            bin.hits += more.hits;
            bin.late += more.late;
        }
        self.outcomes = self.outcomes.wrapping_add(other.outcomes);
    }
}

fn merge_maps<K: Ord, V>(
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

stored!(Tenant { names, scope, siblings, mixer, words, repeats, common, judge, year, agents, tools, pool, unguessed } default used_at);
stored!(Agent { scope });
stored!(Everybody {
    mixer,
    repeats,
    judge,
    scope
});
stored!(Judge {
    outcomes,
    weights,
    moved
});
stored!(Trust {
    decisions,
    bins,
    is_live
});
stored!(Said {
    tried,
    chances,
    hits
});
stored!(Repeats { kinds });
stored!(Ways {
    same_call,
    same_tool,
    other,
    end
});
stored!(Common { words });
stored!(Scope { decisions, nodes });
stored!(Node { stamp, targets });
stored!(Words { nodes });
stored!(Mixer { sets });
stored!(Weights { decisions, each });
stored!(Tool {
    stems,
    lessons,
    key_sets,
    slots,
    pairs,
    same,
    calibration,
    trust,
    form
});
stored!(Slot {
    templates,
    constants
});
stored!(Template {
    source,
    transform,
    which,
    all,
    ranks,
    contexts
});
stored!(Share { tried, right });
stored!(Pair { tried, at });
stored!(Calibration { bins, outcomes } default table);
stored!(Bin { tried, hits, late });

impl Stored for Transform {
    fn write(&self, out: &mut Vec<u8>) {
        self.code().write(out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        Self::from_code(u8::read(from)?)
    }
}

impl Stored for Which {
    fn write(&self, out: &mut Vec<u8>) {
        (*self as u8).write(out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        Self::ALL.get(usize::from(u8::read(from)?)).copied()
    }
}

impl Stored for Source {
    fn write(&self, out: &mut Vec<u8>) {
        let (code, one, other) = match self {
            Self::Result { tool, path } => (1_u8, *tool, *path),
            Self::Text { tool, shape } => (2, *tool, *shape),
            Self::Input { shape, left } => (3, *shape, *left),
            Self::Argument { tool, path } => (4, *tool, *path),
            Self::Constant { value } => {
                5_u8.write(out);
                value.write(out);
                return;
            }
        };
        code.write(out);
        one.write(out);
        other.write(out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        let code = u8::read(from)?;
        if code == 5 {
            return Some(Self::Constant {
                value: Stored::read(from)?,
            });
        }
        let (one, other) = (u64::read(from)?, u64::read(from)?);
        match code {
            1 => Some(Self::Result {
                tool: one,
                path: other,
            }),
            2 => Some(Self::Text {
                tool: one,
                shape: other,
            }),
            3 => Some(Self::Input {
                shape: one,
                left: other,
            }),
            4 => Some(Self::Argument {
                tool: one,
                path: other,
            }),
            _ => None,
        }
    }
}
