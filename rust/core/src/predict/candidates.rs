//! From tools that may come, bound to arguments, to candidates with chances.
//!
//! Ground rules. The raw chance of a candidate is the product of its tool's and its arguments'; the
//! judge corrects it by its signs, and what is shown is what such chances came to before. The last call
//! once more is not judged: its chance was counted as such. Ties are broken by names, so the order is
//! the same each time.

use super::bind::{Bound, CLOSED, kind};
use super::confirm::confirmed;
use super::judge::Signs;
use super::key::key_of;
use super::model::{Everybody, Parts, Tenant};
use super::predictor::Candidate;
use super::session::Guess;
use super::signs::{Around, Likely};
use super::tool::render;

/// A candidate must be this likely before calibration.
pub(crate) const LEAST: f32 = 0.002;

/// One way to call a tool.
struct Ranked<'a> {
    likely: &'a Likely<'a>,
    bound: &'a Bound,
    raw: f32,
    signs: Option<Signs>,
    chance: f32,
    late: f32,
}

/// The likeliest ways to call these tools, at most `most`, and what is kept of each for its score.
pub(crate) fn candidates(
    tenant: &Tenant,
    everybody: &Everybody,
    parts: &Parts,
    around: &Around<'_>,
    likely: &[Likely<'_>],
    most: usize,
) -> Vec<(Candidate, Guess)> {
    let places = likely
        .iter()
        .flat_map(|each| (0..each.bounds.len()).map(move |at| (each, at)));
    let mut all: Vec<Ranked<'_>> = places
        .filter(|(each, at)| each.chance * each.bounds[*at].chance >= LEAST)
        .map(|(each, at)| ranked(tenant, everybody, parts, around, each, at))
        .collect();
    all.sort_by(|one, other| {
        let likelier = other
            .chance
            .total_cmp(&one.chance)
            .then(other.raw.total_cmp(&one.raw));
        likelier
            .then(one.likely.name.cmp(other.likely.name))
            .then_with(|| one.bound.leaves.cmp(&other.bound.leaves))
    });
    let shown = all
        .iter()
        .filter_map(|ranked| shown(tenant, around, ranked));
    shown.take(most).collect()
}

fn ranked<'a>(
    tenant: &Tenant,
    everybody: &Everybody,
    parts: &Parts,
    around: &Around<'_>,
    likely: &'a Likely<'a>,
    at: usize,
) -> Ranked<'a> {
    let bound = &likely.bounds[at];
    let product = likely.chance * bound.chance;
    let signs = (parts.judge && !bound.again).then(|| likely.signs(at, around));
    let raw = signs.as_ref().map_or(product, |signs| {
        tenant.judge.chance(&everybody.judge, signs)
    });
    let table = if likely.tool.calibration.outcomes > 0 {
        &likely.tool.calibration
    } else {
        &tenant.pool
    };
    Ranked {
        likely,
        bound,
        raw,
        signs,
        chance: if parts.calibration {
            table.chance(raw)
        } else {
            raw
        },
        late: table.late_chance(raw),
    }
}

fn shown(tenant: &Tenant, around: &Around<'_>, ranked: &Ranked<'_>) -> Option<(Candidate, Guess)> {
    let (likely, leaves) = (ranked.likely, &ranked.bound.leaves);
    let named = leaves
        .iter()
        .map(|(path, text, _)| Some((tenant.names.get(path)?.as_ref(), text.as_ref())));
    let mut named = named.collect::<Option<Vec<(&str, &str)>>>()?;
    let arguments = render(&mut named);
    let key = key_of(likely.name, &arguments);
    let templates = leaves.iter().map(|(path, _, number)| {
        let template = likely.tool.template(*path, *number);
        match (template, *number) {
            (Some(template), _) => kind(&template.source),
            (None, CLOSED) => "closed",
            (None, _) => "repeat",
        }
    });
    let candidate = Candidate {
        tool: likely.name.into(),
        arguments: arguments.into(),
        key,
        chance: ranked.chance,
        late: ranked.late,
        templates: templates.collect(),
        confirmed: confirmed(tenant, likely.tool, ranked.bound),
        reach: around.reach,
        is_shadow: !likely.tool.trust.is_live,
    };
    let guess = Guess {
        tool: likely.id,
        raw: ranked.raw,
        chance: ranked.chance,
        key,
        is_due: true,
        signs: ranked.signs,
    };
    Some((candidate, guess))
}
