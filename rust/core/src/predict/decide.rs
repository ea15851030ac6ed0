//! A decision point: from what may come to candidates with chances.
//!
//! Ground rules. First each tool gets a chance from the past; then the likeliest tools are bound to
//! arguments; what that makes likely is in `candidates`.

use super::backoff::Reach;
use super::bind::{Bound, Scene, agrees, bind};
use super::candidates::{LEAST, candidates};
use super::history::END;
use super::model::{Everybody, Parts, Tenant};
use super::outlook::Outlook;
use super::predictor::Decision;
use super::session::{Guess, Session};
use super::signs::{Around, Likely};

/// A tool must be this likely to be bound: what is less likely is hardly ever among the first.
const LEAST_TOOL: f32 = 0.005;
/// Tools that are bound.
const TOOLS: usize = 8;

/// The likeliest tools that may be guessed, bound.
fn likely<'a>(
    session: &Session,
    tenant: &'a Tenant,
    everybody: &Everybody,
    parts: &Parts,
    tools: &[(u64, f32)],
    closed: &[(u64, Box<str>)],
) -> Vec<Likely<'a>> {
    let guessed = tools.iter().filter(|(tool, chance)| {
        *tool != END && *chance >= LEAST_TOOL && !tenant.unguessed.contains(tool)
    });
    let bound = guessed.take(TOOLS).filter_map(|(id, chance)| {
        let scene = Scene {
            tool: *id,
            context: session.last(),
            values: &session.values,
            joins: parts.joins,
            templates: parts.templates,
            closed,
        };
        let tool = tenant.tools.get(id)?;
        let mut bounds = bind(tool, &scene);
        if parts.repeats {
            add_repeated(session, tenant, everybody, *id, &mut bounds);
        }
        bounds.retain(|bound| agrees(bound, closed));
        Some(Likely {
            id: *id,
            name: tenant.names.get(id)?,
            tool,
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
    let ask = Ask {
        tools: ranked(&outlook, &chances),
        closed: &[],
        reach: outlook.reach,
        most,
    };
    let (mut decision, guesses) = answer(session, tenant, everybody, parts, ask);
    decision.number = session.note(guesses);
    decision
}

/// What is asked once it is known which tools may come.
pub(crate) struct Ask<'a> {
    /// With their chances, the likeliest first.
    pub(crate) tools: Vec<(u64, f32)>,
    /// Arguments that are known already.
    pub(crate) closed: &'a [(u64, Box<str>)],
    /// Who knows these chances.
    pub(crate) reach: Reach,
    pub(crate) most: usize,
}

/// What is thought of this.
pub(crate) fn answer(
    session: &Session,
    tenant: &Tenant,
    everybody: &Everybody,
    parts: &Parts,
    ask: Ask<'_>,
) -> (Decision, Vec<Guess>) {
    let tools = ask.tools;
    let likely = likely(session, tenant, everybody, parts, &tools, ask.closed);
    let end = tools
        .iter()
        .find(|(tool, _)| *tool == END)
        .map_or(0.0, |(_, chance)| *chance);
    let firsts = likely.iter().filter_map(Likely::first);
    let around = Around {
        session,
        reach: ask.reach,
        end,
        surest: likely.iter().map(|each| each.chance).fold(0.0, f32::max),
        first: firsts.fold(0.0, f32::max),
    };
    let all = candidates(tenant, everybody, parts, &around, &likely, ask.most);
    let (candidates, guesses) = all.into_iter().unzip();
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
    let (Some((_, flat)), Some(ways)) = (
        last,
        tenant
            .repeats
            .chances(&everybody.repeats, &session.ways, kind),
    ) else {
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
        Some(bound) if bound.chance < chance => {
            bound.chance = chance;
            bound.again = true;
        }
        Some(_) => {}
        None => bounds.push(Bound {
            chance,
            leaves: flat
                .iter()
                .map(|(path, text)| (*path, text.clone(), 0))
                .collect(),
            newest: 0,
            oldest: 0,
            again: true,
        }),
    }
    bounds.sort_by(|one, other| other.chance.total_cmp(&one.chance));
}
