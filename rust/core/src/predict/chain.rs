//! What comes after calls that were not made yet: a launch that is done is looked beyond.
//!
//! Ground rules. Calls with their results are supposed to be steps of their own, one after the other, at
//! most 3 deep; then the next step is predicted, at most 4 wide. The session is afterwards as it was. The
//! chance of what is found is that once the supposed calls were made: the caller multiplies it by theirs.
//! Only real events train, so such a decision has no number and no score.

use std::collections::HashSet;

use super::decide::{Ask, answer, ranked};
use super::history::Symbol;
use super::json::Json;
use super::predictor::{Decision, Predictor};
use super::repeats::Repeats;
use super::session::{Open, Outcome, Session};
use super::sibling::known;
use super::suppose::Before;
use super::tool::Flat;

/// Calls that may be supposed one after the other.
pub const DEPTH: usize = 3;
/// Candidates beyond supposed calls.
pub const BEAM: usize = 4;

/// A call as if it had been made, and what came back.
#[derive(Clone, Copy, Debug)]
pub struct Supposed<'a> {
    /// The tool's name.
    pub tool: &'a str,
    /// A JSON object.
    pub arguments: &'a [u8],
    /// What became of it.
    pub outcome: Outcome,
    /// JSON.
    pub value: &'a [u8],
}

/// What a session was before calls were supposed, its index apart.
struct Was {
    values: Before,
    symbols: Vec<Symbol>,
    called: Vec<u64>,
    made: HashSet<u64>,
    widest: usize,
    ways: Repeats,
    last_made: u64,
    again: bool,
    last_call: Option<(u64, Flat)>,
    open: Vec<Open>,
}

impl Predictor {
    /// The likeliest calls of the step after these, at most [`BEAM`] and at most `most`; nothing if none or
    /// more than [`DEPTH`] are supposed. The session is afterwards as it was; the decision has the number 0.
    pub fn predict_after(
        &mut self,
        session: &str,
        calls: &[Supposed<'_>],
        most: usize,
    ) -> Decision {
        let (everybody, parts) = (&self.everybody, &self.config.parts);
        let Some(session) = self.sessions.get_mut(session) else {
            return Decision::default();
        };
        let Some(tenant) = self.tenants.get(&session.tenant) else {
            return Decision::default();
        };
        if !(1..=DEPTH).contains(&calls.len()) {
            return Decision::default();
        }
        let was = session.suppose();
        for call in calls {
            session.open = vec![made(call)];
            session.note_ways(&session.step());
            session.remember(parts.remaining);
        }
        let outlook = tenant.outlook(session, everybody, parts);
        let chances = tenant.chances(&outlook, everybody, parts);
        let ask = Ask {
            tools: ranked(&outlook, &chances),
            closed: &[],
            reach: outlook.reach,
            most: most.min(BEAM),
        };
        let (decision, _) = answer(session, tenant, everybody, parts, ask);
        session.take_back(was);
        decision
    }
}

impl Session {
    fn suppose(&mut self) -> Was {
        Was {
            values: self.values.suppose(),
            symbols: self.symbols.clone(),
            called: self.called.clone(),
            made: self.made.clone(),
            widest: self.widest,
            ways: self.ways.clone(),
            last_made: self.last_made,
            again: self.again,
            last_call: self.last_call.clone(),
            open: std::mem::take(&mut self.open),
        }
    }

    fn take_back(&mut self, was: Was) {
        self.values.take_back(was.values);
        (self.symbols, self.called, self.made) = (was.symbols, was.called, was.made);
        (self.last_made, self.again) = (was.last_made, was.again);
        (self.widest, self.ways) = (was.widest, was.ways);
        (self.last_call, self.open) = (was.last_call, was.open);
    }
}

fn made(call: &Supposed<'_>) -> Open {
    Open {
        outcome: call.outcome,
        result: Json::parse(call.value).unwrap_or(Json::Null),
        ..known(&(call.tool, call.arguments))
    }
}
