//! From agent to tenant to everybody: who has been in a situation before.
//!
//! Ground rules. A tenant that made few decisions and has never seen what follows the last event asks what followed it
//! elsewhere. The trie of everybody holds hashes of tools and counts, no names and no values: only tools
//! whose names the tenant knows itself can come of it, and their arguments are bound by what the tenant
//! has learned. What is known from elsewhere only is marked: nothing is launched for it.

use super::history::{ORDERS, Scope};
use super::model::{Agent, Parts, Tenant};

/// Decisions after which nothing is taken from elsewhere. On recorded sessions of public benchmarks
/// 50 moved a few hits either way, 10 none.
const GROWN: f32 = 10.0;

/// The narrowest model that has been in a situation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Conversations of the same agent.
    Agent,
    /// Other conversations of the tenant; or nobody, and what the tenant does on the whole counts.
    #[default]
    Tenant,
    /// Conversations of other tenants only.
    Global,
}

impl Reach {
    /// Its word: `agent`, `tenant` or `global`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Tenant => "tenant",
            Self::Global => "global",
        }
    }
}

/// Whether a scope knows what follows the last event, whatever came before that.
fn knows(scope: &Scope, contexts: &[u64; ORDERS]) -> bool {
    let node = scope.nodes.get(&contexts[1]);
    node.is_some_and(|node| !node.targets.is_empty())
}

impl Tenant {
    /// Who has been in this situation.
    pub(crate) fn reach(
        &self,
        agent: Option<&Agent>,
        everybody: &Scope,
        contexts: &[u64; ORDERS],
        parts: &Parts,
    ) -> Reach {
        let own = agent.is_some_and(|agent| knows(&agent.scope, contexts));
        let root = self.scope.nodes.get(&0);
        let made: f32 = root.map_or(0.0, |root| root.targets.values().sum());
        if own {
            Reach::Agent
        } else if knows(&self.scope, contexts) {
            Reach::Tenant
        } else if parts.global && made < GROWN && knows(everybody, contexts) {
            Reach::Global
        } else {
            Reach::default()
        }
    }

    /// Adds tools that followed elsewhere, as far as the tenant knows their names.
    pub(crate) fn add_targets_elsewhere(
        &self,
        everybody: &Scope,
        contexts: &[u64; ORDERS],
        targets: &mut Vec<u64>,
    ) {
        let node = everybody.nodes.get(&contexts[1]);
        let tools = node.into_iter().flat_map(|node| node.targets.keys());
        targets.extend(tools.filter(|tool| self.names.contains_key(tool)));
        targets.sort_unstable();
        targets.dedup();
    }
}

impl Scope {
    /// Chances of all orders but the first, over those of the first, by what followed elsewhere.
    pub(crate) fn chances_elsewhere(
        &self,
        contexts: &[u64; ORDERS],
        targets: &[u64],
        into: &mut [Vec<f32>],
    ) {
        for order in 1..ORDERS {
            let mut chances = into[order - 1].clone();
            if let Some(node) = self.nodes.get(&contexts[order]) {
                self.blend(node, targets, &mut chances);
            }
            into[order] = chances;
        }
    }
}
