//! What is known of a guess beside its raw chance: for the judge.
//!
//! Ground rules. Nothing here names a tool, an argument or a value: only where arguments come from, how
//! many alternatives there are, and what the conversation is like. So what one tool teaches holds for
//! others.

use super::backoff::Reach;
use super::bind::Bound;
use super::judge::{Signs, odds};
use super::session::{Session, made};
use super::source::Source;
use super::tool::Tool;

/// Kinds of places that arguments come from.
const PLACES: usize = 5;
const CONSTANT: usize = 4;
/// Counts are shares of it.
const MANY: f32 = 8.0;
const ARGUMENTS: f32 = 4.0;

/// What holds for all guesses of one decision.
pub(crate) struct Around<'a> {
    pub(crate) session: &'a Session,
    /// Who knows the chances of tools.
    pub(crate) reach: Reach,
    /// The chance that the model answers in words.
    pub(crate) end: f32,
    /// Of the likeliest tool.
    pub(crate) surest: f32,
    /// The raw chance of the likeliest guess.
    pub(crate) first: f32,
}

/// A tool that may come, with its likeliest arguments.
pub(crate) struct Likely<'a> {
    pub(crate) id: u64,
    pub(crate) name: &'a str,
    pub(crate) tool: &'a Tool,
    pub(crate) chance: f32,
    pub(crate) bounds: Vec<Bound>,
}

impl Likely<'_> {
    /// The raw chance of its likeliest guess.
    pub(crate) fn first(&self) -> Option<f32> {
        Some(self.chance * self.bounds.first()?.chance)
    }

    /// What is known of its guess at a place, counted from the likeliest.
    pub(crate) fn signs(&self, at: usize, around: &Around<'_>) -> Signs {
        let bound = &self.bounds[at];
        let raw = self.chance * bound.chance;
        let better: f32 = self.bounds[..at].iter().map(|each| each.chance).sum();
        let next = self.bounds.get(at + 1).map_or(0.0, |next| next.chance);
        let places = self.places(bound);
        let session = around.session;
        let age = |item: u32| count(session.values.items.saturating_sub(item) as usize);
        let wide = count(session.widest - 1).min(ARGUMENTS) / ARGUMENTS;
        [
            // Chances of the whole and of its parts.
            1.0,
            odds(raw),
            odds(self.chance),
            odds(bound.chance),
            // Its place among the guesses, and what stands before and behind it.
            flag(raw >= around.first),
            flag(at == 0),
            count(at) / MANY,
            count(self.bounds.len()) / MANY,
            better,
            next / bound.chance,
            // Where its arguments come from, and how many there are.
            places[0],
            places[1],
            places[2],
            places[3],
            places[CONSTANT],
            places[CONSTANT] * odds(bound.chance),
            flag(bound.leaves.is_empty()),
            count(bound.leaves.len()).min(ARGUMENTS) / ARGUMENTS,
            // What the conversation is like.
            flag(session.last().tool == self.id),
            flag(session.was_made(self.id, bound)),
            flag(session.called.is_empty()),
            odds(around.end),
            odds(around.surest),
            wide,
            wide * count(at) / MANY,
            // How new its values are.
            1.0 / (1.0 + age(bound.newest)),
            1.0 / (1.0 + age(bound.oldest)),
        ]
    }

    /// Which share of the arguments comes from each kind of place.
    fn places(&self, bound: &Bound) -> [f32; PLACES] {
        let mut places = [0.0; PLACES];
        for (path, _, template) in &bound.leaves {
            if let Some(template) = self.tool.template(*path, *template) {
                places[place(&template.source)] += 1.0 / count(bound.leaves.len());
            }
        }
        places
    }
}

impl Session {
    fn was_made(&self, tool: u64, bound: &Bound) -> bool {
        let mut leaves: Vec<(u64, &str)> = bound
            .leaves
            .iter()
            .map(|(path, text, _)| (*path, text.as_ref()))
            .collect();
        leaves.sort_unstable();
        self.made.contains(&made(tool, leaves))
    }
}

const fn place(source: &Source) -> usize {
    match source {
        Source::Result { .. } => 0,
        Source::Text { .. } => 1,
        Source::Input { .. } => 2,
        Source::Argument { .. } => 3,
        Source::Constant { .. } => CONSTANT,
    }
}

fn flag(holds: bool) -> f32 {
    f32::from(u8::from(holds))
}

#[expect(clippy::cast_precision_loss, reason = "a few")]
fn count(many: usize) -> f32 {
    many as f32
}
