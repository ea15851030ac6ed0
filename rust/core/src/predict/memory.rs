//! What it all takes, and what leaves when that is too much.
//!
//! Ground rules. Sessions get at most half of the bytes, the model the rest. The session that was used
//! longest ago leaves first; of the model, contexts that were seen least, then whole tenants that were
//! used longest ago. Sizes are estimates of what the tables take, on the large side.

use super::history::Scope;
use super::model::Tenant;
use super::predictor::{Predictor, Statistics};

const NODE_BYTES: usize = 160;
const TARGET_BYTES: usize = 16;
const TEMPLATE_BYTES: usize = 320;
const NAME_BYTES: usize = 64;
const TOOL_BYTES: usize = 1_024;
/// The model is measured once in so many events: a walk over all of it.
const MEASURED_EVERY: u64 = 1_024;

impl Predictor {
    /// Makes room if there is none.
    pub(crate) fn fit_sometimes(&mut self) {
        if self.uses.is_multiple_of(MEASURED_EVERY) {
            self.fit();
        }
    }

    /// Brings sessions and model below their halves.
    pub(crate) fn fit(&mut self) {
        let half = self.config.memory_bytes / 2;
        self.fit_sessions(half);
        while self.model_bytes() > half {
            let before = self.model_bytes();
            self.everybody.scope.thin();
            self.tenants.values_mut().for_each(Tenant::thin);
            let after = self.model_bytes();
            if after * 8 > before * 7 && !self.drop_oldest_tenant() {
                break;
            }
        }
    }

    fn model_bytes(&self) -> usize {
        let tenants: usize = self.tenants.values().map(Tenant::bytes).sum();
        tenants + self.everybody.scope.bytes()
    }

    fn fit_sessions(&mut self, most: usize) {
        let mut sizes: Vec<(u64, Box<str>, usize)> = self
            .sessions
            .iter()
            .map(|(id, session)| (session.used_at, id.clone(), id.len() + session.bytes()))
            .collect();
        let mut sum: usize = sizes.iter().map(|(_, _, bytes)| bytes).sum();
        sizes.sort();
        for (_, id, bytes) in sizes {
            if sum <= most {
                break;
            }
            sum -= bytes;
            self.sessions.remove(&id);
        }
    }

    fn drop_oldest_tenant(&mut self) -> bool {
        let oldest = self
            .tenants
            .iter()
            .min_by_key(|(name, tenant)| (tenant.used_at, **name));
        let Some(oldest) = oldest.map(|(name, _)| *name) else {
            return false;
        };
        self.tenants.remove(&oldest);
        self.sessions.retain(|_, session| session.tenant != oldest);
        true
    }

    /// What it holds.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let tenants = self.tenants.values();
        Statistics {
            tenants: self.tenants.len(),
            sessions: self.sessions.len(),
            contexts: tenants.clone().map(Tenant::contexts).sum(),
            templates: tenants.clone().map(Tenant::templates).sum(),
            beyond: self
                .sessions
                .values()
                .map(|session| session.values.beyond)
                .sum(),
            bytes: self.model_bytes()
                + self
                    .sessions
                    .values()
                    .map(super::session::Session::bytes)
                    .sum::<usize>(),
        }
    }
}

impl Tenant {
    fn contexts(&self) -> usize {
        let agents = self.agents.values().map(|agent| agent.scope.nodes.len());
        self.scope.nodes.len()
            + self.siblings.nodes.len()
            + self.words.nodes.len()
            + agents.sum::<usize>()
    }

    fn templates(&self) -> usize {
        let slots = self.tools.values().flat_map(|tool| tool.slots.values());
        slots.map(|slot| slot.templates.len()).sum()
    }

    fn bytes(&self) -> usize {
        let scopes = self.agents.values().map(|agent| agent.scope.bytes());
        let names = self.names.values().map(|name| name.len() + NAME_BYTES);
        let tools = self.tools.values().map(|tool| {
            let slots = tool.slots.values();
            let constants = slots.map(|slot| slot.constants.len() * 2 * NAME_BYTES + NAME_BYTES);
            TOOL_BYTES + tool.pairs.len() * TARGET_BYTES * 2 + constants.sum::<usize>()
        });
        let words = self
            .words
            .nodes
            .values()
            .map(|node| NODE_BYTES + node.targets.len() * TARGET_BYTES);
        scopes.sum::<usize>()
            + self.scope.bytes()
            + self.siblings.bytes()
            + words.sum::<usize>()
            + names.sum::<usize>()
            + tools.sum::<usize>()
            + self.templates() * TEMPLATE_BYTES
    }

    /// Drops the half of the contexts and words that were seen least.
    fn thin(&mut self) {
        self.scope.thin();
        self.siblings.thin();
        self.words.forget();
        self.agents
            .values_mut()
            .for_each(|agent| agent.scope.thin());
    }
}

impl Scope {
    fn bytes(&self) -> usize {
        let nodes = self.nodes.values();
        nodes
            .map(|node| NODE_BYTES + node.targets.len() * TARGET_BYTES)
            .sum()
    }

    fn thin(&mut self) {
        let now = self.decisions;
        let mut all: Vec<(u64, f32)> = self
            .nodes
            .iter_mut()
            .map(|(context, node)| {
                node.age(now);
                (*context, node.targets.values().sum())
            })
            .collect();
        all.sort_by(|one, other| one.1.total_cmp(&other.1).then(one.0.cmp(&other.0)));
        for (context, _) in all.iter().take(all.len() / 2) {
            self.nodes.remove(context);
        }
    }
}
