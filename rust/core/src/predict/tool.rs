//! What a tenant has learned of one tool: which arguments are given, where their values come from.
//!
//! Ground rules. Arguments are flattened to leaves, lists whole; the set of their paths is the key set.
//! The calls of one step to one tool are one lesson: a template is tried once for them all. Two
//! arguments whose values stood in the same object are counted as a pair.

use std::collections::BTreeMap;

use super::calibrate::Calibration;
use super::history::Symbol;
use super::json::{Json, write_text};
use super::key::{combine, name_of};
use super::template::{Lesson, Share, Slot, Template};
use super::trust::Trust;
use super::values::Values;

/// Between the keys of a nested argument; no name of an argument has it.
const BETWEEN: char = '\u{1f}';
const KEY_SETS: usize = 16;
const PAIRS: usize = 1_024;
const HALVES_EVERY: f32 = 2_000.0;

/// The leaves of a call's arguments: hash of the path, canonical text; sorted by path.
pub(crate) type Flat = Vec<(u64, Box<str>)>;

/// One tool of one tenant.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tool {
    /// The words of its name, as `session::stem` gives them.
    pub(crate) stems: Vec<u64>,
    pub(crate) lessons: f32,
    pub(crate) key_sets: BTreeMap<Vec<u64>, f32>,
    pub(crate) slots: BTreeMap<u64, Slot>,
    pub(crate) pairs: BTreeMap<u64, Pair>,
    /// By argument: how often it was the same in two calls of one step, of the pairs seen.
    pub(crate) same: BTreeMap<u64, Share>,
    pub(crate) calibration: Calibration,
    pub(crate) trust: Trust,
    /// Hash of its version and schema; 0 while nobody said.
    pub(crate) form: u64,
}

/// What the calls of one step to one tool teach.
pub(crate) struct Calls<'a> {
    pub(crate) tool: u64,
    pub(crate) context: Symbol,
    pub(crate) task: u64,
    pub(crate) values: &'a Values,
    pub(crate) transforms: bool,
    pub(crate) joins: bool,
    pub(crate) arguments: Vec<&'a Flat>,
}

impl Tool {
    /// Learns from the calls of one step, before their step is in `values`.
    pub(crate) fn learn(&mut self, calls: &Calls<'_>) {
        let factor = (-1.0 / HALVES_EVERY).exp2();
        self.lessons = self.lessons.mul_add(factor, 1.0);
        self.count_key_sets(calls, factor);
        let mut paths: Vec<u64> = calls
            .arguments
            .iter()
            .flat_map(|flat| flat.iter().map(|(path, _)| *path))
            .collect();
        paths.sort_unstable();
        paths.dedup();
        for path in paths {
            let mut truth: Vec<&str> = Vec::new();
            for (_, text) in calls
                .arguments
                .iter()
                .flat_map(|flat| flat.iter())
                .filter(|(each, _)| *each == path)
            {
                if !truth.contains(&text.as_ref()) {
                    truth.push(text);
                }
            }
            let slot = self.slots.entry(path).or_default();
            slot.templates
                .iter_mut()
                .for_each(|template| template.scale(factor));
            slot.learn(&Lesson {
                values: calls.values,
                slot: combine(&[calls.tool, path]),
                context: calls.context,
                task: calls.task,
                year: calls.values.year,
                transforms: calls.transforms,
                truth: &truth,
            });
        }
        if calls.joins {
            for flat in &calls.arguments {
                self.count_pairs(calls.values, flat);
            }
        }
    }

    fn count_key_sets(&mut self, calls: &Calls<'_>, factor: f32) {
        self.key_sets
            .values_mut()
            .for_each(|count| *count *= factor);
        #[expect(clippy::cast_precision_loss, reason = "a few calls")]
        let weight = 1.0 / calls.arguments.len().max(1) as f32;
        for flat in &calls.arguments {
            let keys: Vec<u64> = flat.iter().map(|(path, _)| *path).collect();
            *self.key_sets.entry(keys).or_default() += weight;
        }
        self.trim();
    }

    /// A template of an argument by its number, from 1; None if that is the number of none.
    pub(crate) fn template(&self, path: u64, number: u64) -> Option<&Template> {
        let place = usize::try_from(number.checked_sub(1)?).ok()?;
        self.slots.get(&path)?.templates.get(place)
    }

    /// Brings it back to its bounds.
    pub(crate) fn trim(&mut self) {
        while self.pairs.len() > PAIRS {
            self.pairs.pop_last();
        }
        while self.key_sets.len() > KEY_SETS {
            let least = self
                .key_sets
                .iter()
                .min_by(|one, other| one.1.total_cmp(other.1));
            let Some(least) = least.map(|(keys, _)| keys.clone()) else {
                break;
            };
            self.key_sets.remove(&least);
        }
    }

    /// Counts, for each two arguments, whether their sources' values came from one object.
    fn count_pairs(&mut self, values: &Values, flat: &Flat) {
        for (at, (path, text)) in flat.iter().enumerate() {
            for (other_path, other_text) in &flat[at + 1..] {
                self.count_equal(*path, *other_path, text == other_text);
                self.count_pair(values, (*path, text), (*other_path, other_text));
            }
        }
    }

    /// Counts whether two arguments had the same value.
    fn count_equal(&mut self, path: u64, other: u64, equal: bool) {
        let distance = if equal { 0 } else { DISTANCES - 1 };
        self.pairs
            .entry(pair(path, EQUAL, other, EQUAL))
            .or_default()
            .count(distance);
    }

    fn count_pair(&mut self, values: &Values, one: (u64, &str), other: (u64, &str)) {
        let places = |text: &str| {
            let leaves = values.of_value(name_of(text)).take(16);
            leaves.copied().collect::<Vec<_>>()
        };
        let (ones, others) = (places(one.1), places(other.1));
        let mut nearest: Vec<(u64, usize)> = Vec::new();
        for place in &ones {
            for that in &others {
                let pair = pair(one.0, place.source, other.0, that.source);
                let at = distance((place.item, place.record), (that.item, that.record));
                match nearest.iter_mut().find(|(known, _)| *known == pair) {
                    Some((_, known)) => *known = at.min(*known),
                    None => nearest.push((pair, at)),
                }
            }
        }
        for (pair, at) in nearest {
            if self.pairs.len() < PAIRS || self.pairs.contains_key(&pair) {
                self.pairs.entry(pair).or_default().count(at);
            }
        }
    }
}

/// Ways in which two values may stand to each other: in one object, in the next, the one after that,
/// the one before, two before, elsewhere. The words of a text are objects too.
pub(crate) const DISTANCES: usize = 6;

/// How far the values of two arguments stood from each other.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Pair {
    pub(crate) tried: f32,
    pub(crate) at: [f32; DISTANCES],
}

impl Pair {
    fn count(&mut self, distance: usize) {
        self.tried += 1.0;
        self.at[distance] += 1.0;
    }
}

/// How far an item and record stands from another one.
pub(crate) fn distance(one: (u32, u32), other: (u32, u32)) -> usize {
    let (from, to) = (i64::from(one.1), i64::from(other.1));
    match to - from {
        0 => 0,
        _ if one.0 != other.0 => DISTANCES - 1,
        1 => 1,
        2 => 2,
        -1 => 3,
        -2 => 4,
        _ => DISTANCES - 1,
    }
}

/// Stands for both sources where two arguments are compared with each other.
pub(crate) const EQUAL: u64 = 1;

/// Identifies two sources of two arguments.
pub(crate) fn pair(path: u64, source: u64, other_path: u64, other_source: u64) -> u64 {
    combine(&[path, source, other_path, other_source])
}

/// Flattens the arguments of a call; `names` hears of each path. `None` if a number was rounded.
pub(crate) fn flatten(arguments: &Json, names: &mut dyn FnMut(u64, &str)) -> Option<Flat> {
    let mut flat = Vec::new();
    let mut path = String::new();
    let complete = flatten_into(arguments, &mut path, &mut flat, names);
    flat.sort();
    complete.then_some(flat)
}

fn flatten_into(
    value: &Json,
    path: &mut String,
    flat: &mut Flat,
    names: &mut dyn FnMut(u64, &str),
) -> bool {
    match value {
        Json::Map(members) if path.is_empty() || !members.is_empty() => {
            members.iter().all(|(key, value)| {
                let length = path.len();
                if length > 0 {
                    path.push(BETWEEN);
                }
                path.push_str(key);
                let complete = flatten_into(value, path, flat, names);
                path.truncate(length);
                complete
            })
        }
        leaf => {
            let name = name_of(path);
            names(name, path);
            leaf.canonical()
                .map(|text| flat.push((name, text.into())))
                .is_some()
        }
    }
}

/// The canonical text of flattened arguments: keys sorted at each depth.
pub(crate) fn render(leaves: &mut [(&str, &str)]) -> String {
    leaves.sort_unstable();
    let mut out = String::new();
    render_level(leaves, 0, &mut out);
    out
}

/// Writes leaves that share their first `from` bytes.
fn render_level(leaves: &[(&str, &str)], from: usize, out: &mut String) {
    out.push('{');
    let mut at = 0;
    while let Some((path, text)) = leaves.get(at) {
        if at > 0 {
            out.push(',');
        }
        let rest = path.get(from..).unwrap_or_default();
        let Some((key, _)) = rest.split_once(BETWEEN) else {
            write_text(rest, out);
            out.push(':');
            out.push_str(text);
            at += 1;
            continue;
        };
        let deeper = from + key.len() + BETWEEN.len_utf8();
        let prefix = &path[..deeper];
        let end = leaves[at..]
            .iter()
            .take_while(|(path, _)| path.starts_with(prefix))
            .count();
        write_text(key, out);
        out.push(':');
        render_level(&leaves[at..at + end], deeper, out);
        at += end;
    }
    out.push('}');
}
