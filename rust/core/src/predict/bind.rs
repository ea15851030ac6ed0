//! From templates to arguments: a beam over the arguments of a key set.
//!
//! Ground rules. The chance of arguments is the product over them of what their best template gives the
//! value. A source whose values stand in the same object as one that is bound already gives that
//! object's value with the share that the pair was seen with, and the others with the rest. Beams are 8
//! wide; ties go to the newest value, then to the smaller text, so the answer is the same each time.

use std::borrow::Cow;
use std::collections::HashMap;

use super::history::Symbol;
use super::key::{combine, name_of};
use super::source::Source;
use super::template::Given;
use super::tool::{DISTANCES, EQUAL, Tool, distance, pair};
use super::values::Values;

const BEAM: usize = 8;
const KEY_SETS: usize = 3;
const LEAST_KEY_SET: f32 = 0.05;
const LEAST: f32 = 0.004;
/// Leaves of a source among which one of an object is looked for.
const LOOKED_AT: usize = 48;
/// What an unseen pair of sources counts as: mostly in the same object.
const PRIOR: [f32; DISTANCES] = [1.0, 0.3, 0.2, 0.1, 0.1, 0.3];

/// One way to fill in the arguments.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) chance: f32,
    /// Path, canonical text, number of the template.
    pub(crate) leaves: Vec<(u64, Box<str>, u64)>,
    /// The newest and the oldest item that its values are from; 0 without any.
    pub(crate) newest: u32,
    pub(crate) oldest: u32,
    /// Whether it is the last call once more.
    pub(crate) again: bool,
}

/// A value that an argument may get.
#[derive(Clone, Debug)]
struct Choice {
    given: Given,
    chance: f32,
    source: u64,
    template: u64,
    /// Whether the user said it.
    said: bool,
}

/// What a binding is made for.
pub(crate) struct Scene<'a> {
    pub(crate) tool: u64,
    pub(crate) context: Symbol,
    pub(crate) values: &'a Values,
    pub(crate) joins: bool,
    /// Without them, only what the tool had before and constants.
    pub(crate) templates: bool,
    /// Arguments that are known already, by their paths.
    pub(crate) closed: &'a [(u64, Box<str>)],
}

#[derive(Clone, Debug)]
struct Partial {
    chance: f32,
    chosen: Vec<(u64, Choice)>,
}

impl Partial {
    /// The same with one more argument.
    fn with(&self, chance: f32, path: u64, choice: Choice) -> Self {
        let mut chosen = Vec::with_capacity(self.chosen.len() + 1);
        chosen.extend_from_slice(&self.chosen);
        chosen.push((path, choice));
        Self { chance, chosen }
    }
}

/// The likeliest arguments of a tool, best first.
pub(crate) fn bind(tool: &Tool, scene: &Scene<'_>) -> Vec<Bound> {
    let has_closed = |keys: &Vec<u64>| scene.closed.iter().all(|(path, _)| keys.contains(path));
    let possible = tool.key_sets.iter().filter(|(keys, _)| has_closed(keys));
    let whole: f32 = possible.clone().map(|(_, count)| count).sum();
    let mut sets: Vec<(&Vec<u64>, f32)> = possible
        .map(|(keys, count)| (keys, count / whole.max(f32::MIN_POSITIVE)))
        .filter(|(_, share)| *share >= LEAST_KEY_SET)
        .collect();
    sets.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(other.0)));
    let mut choices = HashMap::new();
    let mut found: Vec<Bound> = Vec::new();
    for (keys, share) in sets.into_iter().take(KEY_SETS) {
        found.extend(bind_set(tool, scene, keys, share, &mut choices));
    }
    found.sort_by(|one, other| {
        let newest = other
            .chance
            .total_cmp(&one.chance)
            .then(other.newest.cmp(&one.newest));
        newest.then_with(|| one.leaves.cmp(&other.leaves))
    });
    found.truncate(BEAM);
    found
}

fn bind_set(
    tool: &Tool,
    scene: &Scene<'_>,
    keys: &[u64],
    share: f32,
    choices: &mut HashMap<u64, Vec<Choice>>,
) -> Vec<Bound> {
    let mut beam = vec![Partial {
        chance: share,
        chosen: Vec::new(),
    }];
    for path in keys {
        let all = choices
            .entry(*path)
            .or_insert_with(|| narrowed(scene, *path, choices_of(tool, scene, *path)));
        let mut next: Vec<(f32, usize, Choice)> = Vec::new();
        for (at, partial) in beam.iter().enumerate() {
            for mut choice in merged(tool, scene, *path, partial, all) {
                if scene.joins && scene.closed.iter().all(|closed| closed.0 != *path) {
                    choice.chance *= unlike(tool, *path, partial, &choice);
                }
                let chance = partial.chance * choice.chance;
                if chance >= LEAST {
                    next.push((chance, at, choice));
                }
            }
        }
        next.sort_by(|one, other| other.0.total_cmp(&one.0));
        next.truncate(BEAM);
        let longer = next.into_iter();
        beam = longer
            .map(|(chance, at, choice)| beam[at].with(chance, *path, choice))
            .collect();
    }
    beam.into_iter()
        .filter_map(|partial| finish(scene, partial))
        .collect()
}

fn finish(scene: &Scene<'_>, partial: Partial) -> Option<Bound> {
    let items = partial.chosen.iter().map(|(_, choice)| choice.given.item);
    let (newest, oldest) = (items.clone().max(), items.filter(|item| *item > 0).min());
    let leaves = partial.chosen.into_iter().map(|(path, choice)| {
        let text = match choice.given.text {
            Some(text) => text.as_ref().into(),
            None => scene.values.text(choice.given.value)?.into(),
        };
        Some((path, text, choice.template))
    });
    Some(Bound {
        chance: partial.chance,
        leaves: leaves.collect::<Option<Vec<_>>>()?,
        newest: newest.unwrap_or_default(),
        oldest: oldest.unwrap_or_default(),
        again: false,
    })
}

/// Every value of every template of an argument.
fn choices_of(tool: &Tool, scene: &Scene<'_>, path: u64) -> Vec<Choice> {
    let Some(slot) = tool.slots.get(&path) else {
        return Vec::new();
    };
    let name = combine(&[scene.tool, path]);
    let mut choices = Vec::new();
    for (number, template) in (1..).zip(&slot.templates) {
        let chance = template.chance(scene.context);
        let is_plain = matches!(
            template.source,
            Source::Argument { .. } | Source::Constant { .. }
        );
        if chance < LEAST || !(scene.templates || is_plain) {
            continue;
        }
        let source = template.source.id();
        let given = template.gives(scene.values, name, scene.values.year);
        for (rank, given) in given.into_iter().enumerate() {
            choices.push(Choice {
                given,
                chance: chance * template.rank_share(rank),
                source,
                template: number,
                said: matches!(template.source, Source::Input { .. }),
            });
        }
    }
    choices
}

/// The choices of an argument that give the value that it is known to have; there is always one.
fn narrowed(scene: &Scene<'_>, path: u64, mut choices: Vec<Choice>) -> Vec<Choice> {
    let Some((_, text)) = scene.closed.iter().find(|closed| closed.0 == path) else {
        return choices;
    };
    let value = name_of(text);
    choices.retain(|choice| choice.given.value == value);
    if choices.is_empty() {
        choices.push(Choice {
            given: Given {
                value,
                text: Some(text.as_ref().into()),
                record: 0,
                item: 0,
            },
            chance: 1.0,
            source: 0,
            template: CLOSED,
            said: false,
        });
    }
    for choice in &mut choices {
        choice.chance = 1.0;
    }
    choices
}

/// Stands for a template where the value is known already and no template gives it.
pub(crate) const CLOSED: u64 = u64::MAX;

/// Whether arguments have the values that are known already.
pub(crate) fn agrees(bound: &Bound, closed: &[(u64, Box<str>)]) -> bool {
    let has = |(path, text): &(u64, Box<str>)| {
        let mut leaves = bound.leaves.iter();
        leaves.any(|leaf| leaf.0 == *path && leaf.1 == *text)
    };
    closed.iter().all(has)
}

/// One choice a value: the surest of the templates that look at what was seen, and of those that look
/// at what the user said, together: they are witnesses of different kinds. They sum to 1 at most.
fn merged(
    tool: &Tool,
    scene: &Scene<'_>,
    path: u64,
    partial: &Partial,
    all: &[Choice],
) -> Vec<Choice> {
    let mut merged: Vec<Choice> = Vec::new();
    // Of each value: by what was seen, and by what the user said.
    let mut surest: Vec<[f32; 2]> = Vec::new();
    for group in all.chunk_by(|one, other| one.template == other.template) {
        let mut group = Cow::Borrowed(group);
        let factors = if scene.joins {
            joint(tool, scene, path, partial, &mut group)
        } else {
            None
        };
        for choice in group.iter() {
            let factor = factors.map_or(1.0, |(place, factors)| {
                factors[distance(place, place_of(choice))]
            });
            let chance = choice.chance * factor;
            if chance < LEAST {
                continue;
            }
            let said = usize::from(choice.said);
            let known = merged
                .iter()
                .position(|known| known.given.value == choice.given.value);
            let place = known.unwrap_or_else(|| {
                merged.push(Choice {
                    chance: 0.0,
                    ..choice.clone()
                });
                surest.push([0.0; 2]);
                merged.len() - 1
            });
            if chance > surest[place][0].max(surest[place][1]) {
                merged[place] = choice.clone();
            }
            surest[place][said] = surest[place][said].max(chance);
        }
    }
    for (choice, [seen, said]) in merged.iter_mut().zip(surest) {
        choice.chance = (1.0 - seen).mul_add(-(1.0 - said), 1.0);
    }
    let sum: f32 = merged.iter().map(|choice| choice.chance).sum();
    if sum > 1.0 {
        for choice in &mut merged {
            choice.chance /= sum;
        }
    }
    merged.sort_by(|one, other| {
        let newest = other
            .chance
            .total_cmp(&one.chance)
            .then(other.given.item.cmp(&one.given.item));
        newest.then_with(|| text(scene, one).cmp(text(scene, other)))
    });
    merged.truncate(BEAM);
    merged
}

fn text<'a>(scene: &Scene<'a>, choice: &'a Choice) -> &'a str {
    let own = choice.given.text.as_deref();
    own.or_else(|| scene.values.text(choice.given.value))
        .unwrap_or_default()
}

/// What is left of a chance where another argument has the same value already.
fn unlike(tool: &Tool, path: u64, partial: &Partial, choice: &Choice) -> f32 {
    let same = partial
        .chosen
        .iter()
        .filter(|(_, chosen)| chosen.given.value == choice.given.value);
    let shares = same.filter_map(|(other, _)| tool.pairs.get(&pair(*other, EQUAL, path, EQUAL)));
    shares
        .map(|seen| (seen.at[0] + 0.5) / (seen.tried + 1.0))
        .fold(1.0, f32::min)
}

/// Where a choice stands: its item and record.
const fn place_of(choice: &Choice) -> (u32, u32) {
    (choice.given.item, choice.given.record)
}

/// The value of a source in an object, where its choices have none from there: it may be one that
/// another object has too.
fn beside(scene: &Scene<'_>, place: (u32, u32), group: &[Choice]) -> Option<Choice> {
    let first = group.first()?;
    if first.given.text.is_some() || group.iter().any(|each| place_of(each) == place) {
        return None;
    }
    let mut leaves = scene.values.of_source(first.source).take(LOOKED_AT);
    let leaf = leaves.find(|leaf| (leaf.item, leaf.record) == place)?;
    let given = Given {
        value: leaf.value,
        text: None,
        record: leaf.record,
        item: leaf.item,
    };
    Some(Choice {
        given,
        chance: LEAST,
        ..first.clone()
    })
}

/// How a source's chances move once an argument before is bound: that one's place, and the factors of
/// each distance from it.
fn joint(
    tool: &Tool,
    scene: &Scene<'_>,
    path: u64,
    partial: &Partial,
    group: &mut Cow<'_, [Choice]>,
) -> Option<((u32, u32), [f32; DISTANCES])> {
    let source = group.first()?.source;
    let known = partial.chosen.iter().filter_map(|(other, choice)| {
        let seen = tool.pairs.get(&pair(*other, choice.source, path, source))?;
        let place = place_of(choice);
        let together = choice.given.record > 0 && seen.at[0] > 0.0;
        let beside = if together {
            beside(scene, place, group)
        } else {
            None
        };
        let near = group
            .iter()
            .any(|each| distance(place, place_of(each)) + 1 < DISTANCES);
        (choice.given.record > 0 && (near || beside.is_some())).then_some((place, seen, beside))
    });
    let (place, seen, beside) = known.max_by(|one, other| one.1.tried.total_cmp(&other.1.tried))?;
    if let Some(beside) = beside {
        group.to_mut().push(beside);
    }
    let mut sums = [0.0; DISTANCES];
    for choice in group.iter() {
        sums[distance(place, place_of(choice))] += choice.chance;
    }
    let shares: [f32; DISTANCES] = std::array::from_fn(|at| {
        if sums[at] > 0.0 {
            seen.at[at] + PRIOR[at]
        } else {
            0.0
        }
    });
    let (whole, all): (f32, f32) = (sums.iter().sum(), shares.iter().sum());
    let factors = std::array::from_fn(|at| {
        if sums[at] > 0.0 {
            shares[at] / all * whole / sums[at]
        } else {
            1.0
        }
    });
    Some((place, factors))
}

/// Which kind of place a template looks at, for people.
pub(crate) const fn kind(source: &Source) -> &'static str {
    match source {
        Source::Result { .. } => "result",
        Source::Text { .. } => "text",
        Source::Input { .. } => "input",
        Source::Argument { .. } => "argument",
        Source::Constant { .. } => "constant",
    }
}
