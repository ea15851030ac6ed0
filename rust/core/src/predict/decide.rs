//! A decision point: from what may come to candidates with chances.
//!
//! Ground rules. First each tool gets a chance from the past; then the likeliest tools are bound to
//! arguments. A candidate's raw chance is the product of its tool's and its arguments'; what is shown is
//! what such raw chances came to before. Ties are broken by names, so the order is the same each time.

use super::bind::{Bound, Scene, agrees, bind, kind};
use super::history::END;
use super::key::key_of;
use super::model::{Everybody, Outlook, Parts, Tenant};
use super::predictor::{Candidate, Decision};
use super::session::{Guess, Session};
use super::tool::{Tool, render};

/// A candidate must be this likely before calibration.
const LEAST: f32 = 0.002;
/// Tools that are bound.
const TOOLS: usize = 8;

/// A tool that may come, with its chance and its likeliest arguments.
struct Likely {
    tool: u64,
    chance: f32,
    bounds: Vec<Bound>,
}

/// The likeliest tools that may be guessed, bound.
fn likely(
    session: &Session,
    tenant: &Tenant,
    everybody: &Everybody,
    parts: &Parts,
    tools: &[(u64, f32)],
    closed: &[(u64, Box<str>)],
) -> Vec<Likely> {
    let guessed = tools.iter().filter(|(tool, chance)| {
        *tool != END && *chance >= LEAST && !tenant.unguessed.contains(tool)
    });
    let bound = guessed.take(TOOLS).filter_map(|(tool, chance)| {
        let scene = Scene {
            tool: *tool,
            context: session.last(),
            values: &session.values,
            joins: parts.joins,
            templates: parts.templates,
            closed,
        };
        let mut bounds = bind(tenant.tools.get(tool)?, &scene);
        if parts.repeats {
            add_repeated(session, tenant, everybody, *tool, &mut bounds);
        }
        bounds.retain(|bound| agrees(bound, closed));
        Some(Likely {
            tool: *tool,
            chance: *chance,
            bounds,
        })
    });
    bound.collect()
}

/// Targets with their chances, the likeliest first.
pub(crate) fn ranked(outlook: &Outlook, chances: &[f32]) -> Vec<(u64, f32)> {
    let pairs = outlook.targets.iter().copied().zip(chances.iter().copied());
    let mut ranked: Vec<(u64, f32)> = pairs.collect();
    ranked.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
    ranked
}

/// Predicts the coming step of a session.
pub(crate) fn decide(
    session: &mut Session,
    tenant: &Tenant,
    everybody: &Everybody,
    parts: &Parts,
    most: usize,
) -> Decision {
    let outlook = tenant.outlook(session, everybody, parts);
    let chances = tenant.chances(&outlook, everybody, parts);
    let tools = ranked(&outlook, &chances);
    let (mut decision, guesses) = answer(session, tenant, everybody, parts, tools, &[], most);
    decision.number = session.note(guesses);
    decision
}

/// What is thought if these tools may come, and these arguments of theirs are closed already.
pub(crate) fn answer(
    session: &Session,
    tenant: &Tenant,
    everybody: &Everybody,
    parts: &Parts,
    tools: Vec<(u64, f32)>,
    closed: &[(u64, Box<str>)],
    most: usize,
) -> (Decision, Vec<Guess>) {
    let likely = likely(session, tenant, everybody, parts, &tools, closed);
    let end = tools
        .iter()
        .find(|(tool, _)| *tool == END)
        .map_or(0.0, |(_, chance)| *chance);
    let (candidates, guesses) = candidates(tenant, parts, &likely, most).into_iter().unzip();
    let shown = tools
        .into_iter()
        .filter(|(tool, chance)| *tool != END && *chance >= LEAST);
    let named = shown.filter_map(|(tool, chance)| Some((tenant.names.get(&tool)?.clone(), chance)));
    let decision = Decision {
        number: 0,
        candidates,
        tools: named.collect(),
        end,
    };
    (decision, guesses)
}

/// One way to call a tool.
struct Ranked<'a> {
    tool: &'a Tool,
    name: &'a str,
    id: u64,
    bound: &'a Bound,
    raw: f32,
    chance: f32,
    late: f32,
}

fn candidates(
    tenant: &Tenant,
    parts: &Parts,
    likely: &[Likely],
    most: usize,
) -> Vec<(Candidate, Guess)> {
    let mut all: Vec<Ranked<'_>> = Vec::new();
    for likely in likely {
        let (Some(tool), Some(name)) = (
            tenant.tools.get(&likely.tool),
            tenant.names.get(&likely.tool),
        ) else {
            continue;
        };
        let table = if tool.calibration.outcomes > 0 {
            &tool.calibration
        } else {
            &tenant.pool
        };
        for bound in &likely.bounds {
            let raw = likely.chance * bound.chance;
            if raw >= LEAST {
                all.push(Ranked {
                    tool,
                    name,
                    id: likely.tool,
                    bound,
                    raw,
                    chance: if parts.calibration {
                        table.chance(raw)
                    } else {
                        raw
                    },
                    late: table.late_chance(raw),
                });
            }
        }
    }
    all.sort_by(|one, other| {
        let likelier = other
            .chance
            .total_cmp(&one.chance)
            .then(other.raw.total_cmp(&one.raw));
        likelier
            .then(one.name.cmp(other.name))
            .then_with(|| one.bound.leaves.cmp(&other.bound.leaves))
    });
    let shown = all.iter().filter_map(|ranked| shown(tenant, ranked));
    shown.take(most).collect()
}

fn shown(tenant: &Tenant, ranked: &Ranked<'_>) -> Option<(Candidate, Guess)> {
    let leaves = ranked.bound.leaves.iter();
    let named =
        leaves.map(|(path, text, _)| Some((tenant.names.get(path)?.as_ref(), text.as_ref())));
    let mut named = named.collect::<Option<Vec<(&str, &str)>>>()?;
    let arguments = render(&mut named);
    let key = key_of(ranked.name, &arguments);
    let templates = ranked.bound.leaves.iter().map(|(path, _, template)| {
        let slot = ranked.tool.slots.get(path);
        let source =
            slot.and_then(|slot| slot.templates.iter().find(|each| each.id() == *template));
        source.map_or("repeat", |template| kind(&template.source))
    });
    let candidate = Candidate {
        tool: ranked.name.into(),
        arguments: arguments.into(),
        key,
        chance: ranked.chance,
        late: ranked.late,
        templates: templates.collect(),
    };
    let guess = Guess {
        tool: ranked.id,
        raw: ranked.raw,
        key,
        is_due: true,
    };
    Some((candidate, guess))
}

/// The last call once more, with the chance that a call of its tool repeats it.
fn add_repeated(
    session: &Session,
    tenant: &Tenant,
    everybody: &Everybody,
    tool: u64,
    bounds: &mut Vec<Bound>,
) {
    let kind = session.last().kind;
    let last = session
        .last_call
        .as_ref()
        .filter(|(last, _)| *last == tool && kind > 0);
    let (Some((_, flat)), Some(ways)) = (last, tenant.repeats.chances(&everybody.repeats, kind))
    else {
        return;
    };
    let chance = ways.same_call / ways.again().max(f32::MIN_POSITIVE);
    let is_same = |bound: &Bound| {
        let has = |path: u64, text: &str| {
            bound
                .leaves
                .iter()
                .any(|leaf| leaf.0 == path && *leaf.1 == *text)
        };
        bound.leaves.len() == flat.len() && flat.iter().all(|(path, text)| has(*path, text))
    };
    match bounds.iter_mut().find(|bound| is_same(bound)) {
        Some(bound) => bound.chance = bound.chance.max(chance),
        None => bounds.push(Bound {
            chance,
            leaves: flat
                .iter()
                .map(|(path, text)| (*path, text.clone(), 0))
                .collect(),
            newest: 0,
        }),
    }
    bounds.sort_by(|one, other| other.chance.total_cmp(&one.chance));
}
