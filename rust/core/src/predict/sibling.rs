//! The rest of a step whose beginning is known: calls that are closed, and one that is being spoken.
//!
//! Ground rules. A step that is known in part is supposed: its arguments are seen, its values are used.
//! Which tool comes next within a step is counted apart, over what the ordinary outlook says; END there
//! is the end of the step. An argument that calls of one step usually share is not taken for used. Of a
//! call that is being spoken the tool is sure, and what was said of its arguments holds. Predicting
//! changes nothing: such a decision has no number and no score.

use super::backoff::Reach;
use super::decide::{Ask, answer, ranked};
use super::history::{END, ORDERS};
use super::json::Json;
use super::key::{canonical, combine, name_of};
use super::model::Tenant;
use super::predictor::{Decision, Predictor};
use super::session::{Open, Outcome, Session};
use super::template::Share;
use super::tool::{Flat, flatten};

/// Calls of one step that are looked at.
const STEP: usize = 64;
/// An argument that was the same in more of the pairs than this is shared by the calls of a step.
const SHARED: f32 = 0.5;

/// What is known of the coming step while the model still speaks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'a> {
    /// Its calls that are closed, in their order: tool and arguments, a JSON object.
    pub step: &'a [(&'a str, &'a [u8])],
    /// The call that is spoken: its tool and the arguments that are closed, a JSON object.
    pub open: Option<(&'a str, &'a [u8])>,
}

impl Predictor {
    /// The likeliest further calls of a step that is known in part, at most `most`. The session is
    /// afterwards as it was; the decision has the number 0. Arguments that are no JSON object are taken
    /// for none.
    pub fn predict_with(
        &mut self,
        session: &str,
        most: usize,
        evidence: &Evidence<'_>,
    ) -> Decision {
        let (everybody, parts) = (&self.everybody, &self.config.parts);
        let Some(session) = self.sessions.get_mut(session) else {
            return Decision::default();
        };
        let Some(tenant) = self.tenants.get(&session.tenant) else {
            return Decision::default();
        };
        let outlook = tenant.outlook(session, everybody, parts);
        let mut chances = tenant.chances(&outlook, everybody, parts);
        let step: Vec<Open> = evidence.step.iter().take(STEP).map(known).collect();
        let before = session.values.suppose();
        if !step.is_empty() {
            session.suppose_step(tenant, &step);
            tenant.within_step(session, &step, &outlook.targets, &mut chances);
        }
        let mut closed = Flat::new();
        let (mut tools, mut reach) = (ranked(&outlook, &chances), outlook.reach);
        if let Some(open) = &evidence.open {
            let open = known(open);
            // The model has said the tool: nobody guesses it.
            (tools, reach) = (vec![(open.tool, 1.0)], Reach::Tenant);
            closed = open.flat;
        }
        let ask = Ask {
            tools,
            closed: &closed,
            reach,
            most: most.saturating_add(step.len()),
        };
        let (mut decision, _) = answer(session, tenant, everybody, parts, ask);
        session.values.take_back(before);
        let keys = evidence.step.iter();
        let keys: Vec<_> = keys
            .filter_map(|(tool, arguments)| Some(canonical(tool, arguments).ok()?.1))
            .collect();
        decision
            .candidates
            .retain(|candidate| !keys.contains(&candidate.key));
        decision.candidates.truncate(most);
        decision
    }
}

/// A call as it stands in a step.
pub(crate) fn known((tool, arguments): &(&str, &[u8])) -> Open {
    let parsed = Json::parse(arguments).unwrap_or(Json::Null);
    let flat = match parsed {
        Json::Map(_) => flatten(&parsed, &mut |_, _| ()),
        _ => None,
    };
    Open {
        tool: name_of(tool),
        flat: flat.unwrap_or_default(),
        outcome: Outcome::Ok,
        result: Json::Null,
    }
}

impl Session {
    /// Takes the calls for made: their values are seen and used, as far as they are not shared.
    fn suppose_step(&mut self, tenant: &Tenant, step: &[Open]) {
        for call in step {
            self.values.add_arguments(call.tool, &call.flat);
            let Some(tool) = tenant.tools.get(&call.tool) else {
                continue;
            };
            for (path, text) in &call.flat {
                let share = tool.same.get(path).copied().unwrap_or_default();
                if share.right > share.tried * SHARED {
                    let slot = combine(&[call.tool, *path]);
                    self.values.take_mark_back(slot, name_of(text));
                }
            }
        }
    }

    /// What the next call of a step may depend on, from nothing to all of it.
    fn within_step(&self, step: &[Open]) -> [u64; ORDERS] {
        let Some(last) = step.last() else {
            return [0; ORDERS];
        };
        let (tool, left, before) = (last.tool, self.remaining(last), self.last().exact);
        let length = step.len().min(4) as u64;
        [
            0,
            combine(&[1, tool]),
            combine(&[2, tool, left]),
            combine(&[3, tool, left, before]),
            combine(&[4, tool, left, before, length]),
            combine(&[5, tool, left, before, length, self.agent]),
        ]
    }
}

impl Tenant {
    /// Moves the chances of the next call to those within a step.
    fn within_step(&self, session: &Session, step: &[Open], targets: &[u64], chances: &mut [f32]) {
        for context in session.within_step(step) {
            if let Some(node) = self.siblings.nodes.get(&context) {
                self.siblings.blend(node, targets, chances);
            }
        }
    }

    /// Learns how the open step of a session went on after each of its calls.
    pub(crate) fn learn_siblings(&mut self, session: &mut Session) {
        let step = std::mem::take(&mut session.open);
        let before = session.values.suppose();
        for place in 0..step.len() {
            let (known, rest) = step.split_at(place + 1);
            session.suppose_step(self, &known[place..]);
            let next = rest.first().map_or(END, |call| call.tool);
            let contexts = session.within_step(known);
            self.siblings.learn(&contexts, &[(next, 1.0)]);
        }
        session.values.take_back(before);
        for (place, call) in step.iter().enumerate() {
            let earlier = step[..place].iter().rfind(|each| each.tool == call.tool);
            if let (Some(earlier), Some(tool)) = (earlier, self.tools.get_mut(&call.tool)) {
                count_same(&mut tool.same, &earlier.flat, &call.flat);
            }
        }
        session.open = step;
    }
}

/// Counts which arguments of two calls are the same.
fn count_same(same: &mut std::collections::BTreeMap<u64, Share>, one: &Flat, other: &Flat) {
    for (path, text) in other {
        let Some((_, earlier)) = one.iter().find(|(known, _)| known == path) else {
            continue;
        };
        let share = same.entry(*path).or_default();
        share.tried += 1.0;
        share.right += f32::from(u8::from(earlier == text));
    }
}
