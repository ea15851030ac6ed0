//! Whether the last call is made again: what all tools have in common.
//!
//! Ground rules. A decision after a call is one of four: the same call, the same tool with other
//! arguments, another tool, words. Counted by what the last event was like (its outcome, what is left
//! of its list, whether it was a repetition), never by which tool: so it holds for tools that nobody
//! has seen, and may be shared by all tenants. It holds no names and no values.

use std::collections::BTreeMap;

/// How many decisions of everybody weigh beside a tenant's own.
const BLEND: f32 = 4.0;
/// How many decisions of the conversation itself all that was known before weighs.
const PRIOR: f32 = 3.0;

/// The four ways to go on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Ways {
    pub(crate) same_call: f32,
    pub(crate) same_tool: f32,
    pub(crate) other: f32,
    pub(crate) end: f32,
}

impl Ways {
    fn sum(self) -> f32 {
        self.same_call + self.same_tool + self.other + self.end
    }

    pub(crate) fn add(&mut self, more: Self, factor: f32) {
        self.same_call += more.same_call * factor;
        self.same_tool += more.same_tool * factor;
        self.other += more.other * factor;
        self.end += more.end * factor;
    }

    /// The chance that the last tool is called again.
    pub(crate) fn again(self) -> f32 {
        self.same_call + self.same_tool
    }
}

/// Counts by the kind of the last event.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Repeats {
    pub(crate) kinds: BTreeMap<u64, Ways>,
}

impl Repeats {
    pub(crate) fn learn(&mut self, kind: u64, ways: Ways) {
        self.kinds.entry(kind).or_default().add(ways, 1.0);
    }

    /// Chances of the four ways, summing to 1; `None` where nobody knows. `session` has what the
    /// conversation itself did: one that is stuck in a loop stays in it.
    pub(crate) fn chances(&self, everybody: &Self, session: &Self, kind: u64) -> Option<Ways> {
        let mut counts = self.kinds.get(&kind).copied().unwrap_or_default();
        if let Some(all) = everybody.kinds.get(&kind) {
            counts.add(*all, BLEND / all.sum().max(f32::MIN_POSITIVE));
        }
        let mut known = Ways::default();
        known.add(counts, PRIOR / counts.sum().max(f32::MIN_POSITIVE));
        known.add(session.kinds.get(&kind).copied().unwrap_or_default(), 1.0);
        let sum = known.sum();
        let mut chances = Ways::default();
        chances.add(known, 1.0 / sum.max(f32::MIN_POSITIVE));
        (sum > 0.0).then_some(chances)
    }
}
