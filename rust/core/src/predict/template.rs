//! Where the arguments of a tool come from: per argument, a few sources and how often each was right.
//!
//! Ground rules. A template is a source, a transform, and whether it means values that the argument had
//! before or new ones. It is tried whenever it gives a value; a hit counts at the value's place among
//! those it gives. What follows the last event is counted apart and blended in. At most 32 templates an
//! argument, the least useful leaves; counts halve every 2,000 calls of the tool.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::history::Symbol;
use super::key::{combine, name_of};
use super::source::Source;
use super::transform::Transform;
use super::values::{Leaf, Values};

/// Places at which hits are counted.
pub(crate) const RANKS: usize = 8;
const TEMPLATES: usize = 32;
const CONTEXTS: usize = 48;
const CONSTANTS: usize = 32;
/// A value is a constant after so many different tasks.
pub(crate) const TASKS: usize = 3;
/// Leaves that a search for a transform looks at.
const SEARCHED: usize = 1_024;
/// How many calls the tool-wide share weighs beside what was seen after the same event.
const BLEND: f32 = 2.0;

/// How often something was tried, and was right.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Share {
    pub(crate) tried: f32,
    pub(crate) right: f32,
}

/// Which values of a source are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// Those that the argument did not have before in this session.
    Fresh,
    /// Those that it had.
    Again,
    /// Those in objects of which the user spoke, the most mentioned first.
    Mentioned,
}

impl Which {
    pub(crate) const ALL: [Self; 3] = [Self::Fresh, Self::Again, Self::Mentioned];
}

/// One way to find a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template {
    pub(crate) source: Source,
    pub(crate) transform: Transform,
    pub(crate) which: Which,
    pub(crate) all: Share,
    pub(crate) ranks: [f32; RANKS],
    pub(crate) contexts: BTreeMap<u64, Share>,
}

/// A value that a template gives.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) value: u64,
    /// Set where the value is not one of the index.
    pub(crate) text: Option<Rc<str>>,
    pub(crate) record: u32,
    pub(crate) item: u32,
}

impl Template {
    pub(crate) fn id(&self) -> u64 {
        identity(&self.source, self.transform, self.which)
    }

    /// The chance that one of its values is the one, after `context`.
    pub(crate) fn chance(&self, context: Symbol) -> f32 {
        let mut chance = (self.all.right + 0.2) / (self.all.tried + 1.0);
        for context in [context.tool, context.exact] {
            if let Some(here) = self.contexts.get(&context) {
                chance = chance.mul_add(BLEND, here.right) / (here.tried + BLEND);
            }
        }
        chance
    }

    /// The share of its hits at a place.
    pub(crate) fn rank_share(&self, rank: usize) -> f32 {
        let prior = if rank == 0 { 0.5 } else { 0.1 };
        (self.ranks[rank] + prior) / (self.all.right + 1.0)
    }

    /// What it gives: up to 8 different values, newest first.
    pub(crate) fn gives(&self, values: &Values, slot: u64, year: Option<u16>) -> Vec<Given> {
        let mut given: Vec<Given> = Vec::new();
        if let Source::Constant { value } = &self.source {
            given.push(Given {
                value: name_of(value),
                text: Some(value.as_ref().into()),
                record: 0,
                item: 0,
            });
            return given;
        }
        let leaves = values.of_source(self.source.id());
        if self.which == Which::Mentioned {
            return self.gives_mentioned(values, leaves, year);
        }
        for leaf in leaves {
            let Some(found) = self.given(values, leaf, year) else {
                continue;
            };
            let is_new = given.iter().all(|seen| seen.value != found.value);
            if is_new && values.is_used(slot, found.value) == (self.which == Which::Again) {
                given.push(found);
                if given.len() == RANKS {
                    break;
                }
            }
        }
        given
    }

    /// The values of mentioned objects, unless all are mentioned alike.
    fn gives_mentioned<'a>(
        &self,
        values: &Values,
        leaves: impl Iterator<Item = &'a Leaf>,
        year: Option<u16>,
    ) -> Vec<Given> {
        let mut scored: Vec<(u8, &Leaf)> = leaves
            .take(SEARCHED)
            .map(|leaf| (values.mentioned(leaf.record), leaf))
            .collect();
        let least = scored
            .iter()
            .map(|(score, _)| *score)
            .min()
            .unwrap_or_default();
        scored.retain(|(score, _)| *score > least);
        scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        let mut given: Vec<Given> = Vec::new();
        for (_, leaf) in scored {
            if let Some(found) = self.given(values, leaf, year)
                && given.iter().all(|seen| seen.value != found.value)
            {
                given.push(found);
                if given.len() == RANKS {
                    break;
                }
            }
        }
        given
    }

    fn given(&self, values: &Values, leaf: &Leaf, year: Option<u16>) -> Option<Given> {
        let (value, text) = match self.transform {
            Transform::Identity => (leaf.value, None),
            other => {
                let text = other.apply(values.text(leaf.value)?, year)?;
                (name_of(&text), Some(text.into()))
            }
        };
        Some(Given {
            value,
            text,
            record: leaf.record,
            item: leaf.item,
        })
    }

    fn count(&mut self, context: Symbol, given: &[Given], truth: &[u64]) {
        let mut right = 0.0;
        for (place, given) in given.iter().enumerate() {
            if truth.contains(&given.value) {
                self.ranks[place] += 1.0;
                right = 1.0;
            }
        }
        self.all.tried += 1.0;
        self.all.right += right;
        for context in [context.tool, context.exact] {
            if self.contexts.len() < CONTEXTS || self.contexts.contains_key(&context) {
                let here = self.contexts.entry(context).or_default();
                here.tried += 1.0;
                here.right += right;
            }
        }
    }

    /// What losing it would cost: right often, and of what it was tried.
    fn use_of(&self) -> f32 {
        self.all.right * self.all.right / (self.all.tried + 1.0)
    }

    pub(crate) fn scale(&mut self, factor: f32) {
        self.all.tried *= factor;
        self.all.right *= factor;
        self.ranks.iter_mut().for_each(|hits| *hits *= factor);
        for share in self.contexts.values_mut() {
            share.tried *= factor;
            share.right *= factor;
        }
    }
}

pub(crate) fn identity(source: &Source, transform: Transform, which: Which) -> u64 {
    combine(&[source.id(), u64::from(transform.code()), which as u64])
}

/// What is known of one argument of one tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Slot {
    pub(crate) templates: Vec<Template>,
    /// Values that may become constants, with the tasks that used them.
    pub(crate) constants: BTreeMap<Box<str>, Vec<u64>>,
}

/// What a slot learns from: one step's values of the argument, and what was there before.
pub(crate) struct Lesson<'a> {
    pub(crate) values: &'a Values,
    pub(crate) slot: u64,
    pub(crate) context: Symbol,
    pub(crate) task: u64,
    pub(crate) year: Option<u16>,
    pub(crate) transforms: bool,
    /// Canonical texts of the values, each once.
    pub(crate) truth: &'a [&'a str],
}

impl Slot {
    /// Counts what the templates would have given, then looks for new ones.
    pub(crate) fn learn(&mut self, lesson: &Lesson<'_>) {
        let truth: Vec<u64> = lesson.truth.iter().map(|text| name_of(text)).collect();
        for template in &mut self.templates {
            let given = template.gives(lesson.values, lesson.slot, lesson.year);
            if !given.is_empty() {
                template.count(lesson.context, &given, &truth);
            }
        }
        for (text, value) in lesson.truth.iter().zip(&truth) {
            let found = self.discover(lesson, *value, &truth);
            if !found && lesson.transforms {
                self.discover_transformed(lesson, text, &truth);
            }
            self.note_constant(lesson, text);
        }
    }

    /// Adds each source where the value stands. False if it stands nowhere.
    fn discover(&mut self, lesson: &Lesson<'_>, value: u64, truth: &[u64]) -> bool {
        let mut sources: Vec<u64> = Vec::new();
        for leaf in lesson.values.of_value(value) {
            if !sources.contains(&leaf.source) {
                sources.push(leaf.source);
            }
        }
        for id in &sources {
            if let Some(source) = lesson.values.source(*id) {
                self.add(lesson, source, Transform::Identity, truth);
            }
        }
        !sources.is_empty()
    }

    fn discover_transformed(&mut self, lesson: &Lesson<'_>, text: &str, truth: &[u64]) {
        let newest = lesson.values.leaves.iter().rev().take(SEARCHED);
        let mut found = Vec::new();
        for leaf in newest {
            let Some(origin) = lesson.values.text(leaf.value) else {
                continue;
            };
            let fits = Transform::ALL
                .iter()
                .find(|transform| transform.apply(origin, lesson.year).as_deref() == Some(text));
            if let Some(transform) = fits
                && !found.contains(&(leaf.source, *transform))
            {
                found.push((leaf.source, *transform));
            }
        }
        for (source, transform) in found {
            if let Some(source) = lesson.values.source(source) {
                self.add(lesson, source, transform, truth);
            }
        }
    }

    fn add(&mut self, lesson: &Lesson<'_>, source: &Source, transform: Transform, truth: &[u64]) {
        for which in Which::ALL {
            let id = identity(source, transform, which);
            if self.templates.iter().any(|known| known.id() == id) {
                continue;
            }
            let mut template = Template {
                source: source.clone(),
                transform,
                which,
                all: Share::default(),
                ranks: [0.0; RANKS],
                contexts: BTreeMap::new(),
            };
            let given = template.gives(lesson.values, lesson.slot, lesson.year);
            template.count(lesson.context, &given, truth);
            if template.all.right > 0.0 {
                self.keep(template);
            }
        }
    }

    pub(crate) fn keep(&mut self, template: Template) {
        if self.templates.len() < TEMPLATES {
            self.templates.push(template);
            return;
        }
        let least = self.templates.iter_mut().min_by(|one, other| {
            one.use_of()
                .total_cmp(&other.use_of())
                .then(one.id().cmp(&other.id()))
        });
        if let Some(least) = least
            && least.use_of() < template.use_of()
        {
            *least = template;
        }
    }

    /// Brings it back to its bounds after a merge.
    pub(crate) fn trim(&mut self) {
        self.templates.sort_by(|one, other| {
            other
                .use_of()
                .total_cmp(&one.use_of())
                .then(one.id().cmp(&other.id()))
        });
        self.templates.truncate(TEMPLATES);
        for template in &mut self.templates {
            while template.contexts.len() > CONTEXTS {
                template.contexts.pop_last();
            }
        }
        while self.constants.len() > CONSTANTS {
            self.constants.pop_last();
        }
    }

    fn note_constant(&mut self, lesson: &Lesson<'_>, text: &str) {
        if self.constants.len() >= CONSTANTS && !self.constants.contains_key(text) {
            return;
        }
        let tasks = self.constants.entry(text.into()).or_default();
        if tasks.len() < TASKS && !tasks.contains(&lesson.task) {
            tasks.push(lesson.task);
            tasks.sort_unstable();
            if tasks.len() == TASKS {
                self.keep(Template {
                    source: Source::Constant { value: text.into() },
                    transform: Transform::Identity,
                    which: Which::Fresh,
                    all: Share {
                        tried: 6.0,
                        right: 1.0,
                    },
                    ranks: [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
                    contexts: BTreeMap::new(),
                });
            }
        }
    }
}
