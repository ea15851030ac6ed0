//! What may come next: each expert's chances of each target, and the mixture of them.
//!
//! Ground rules. Experts are the contexts of each length, of the agent and of the tenant, and three that
//! move them: the user's words, names of tools in them, and repetition. An expert that is switched off
//! says what the second order of the agent says.

use super::backoff::Reach;
use super::history::{END, ORDERS, contexts};
use super::mix::EXPERTS;
use super::model::{Agent, Everybody, Parts, Tenant};
use super::session::Session;

/// What a word of a tool's name, said by the user, is worth in log-odds if no other tool has it.
const NAMED: f32 = 2.0;

/// What may come next and how likely each is.
pub(crate) struct Outlook {
    pub(crate) targets: Vec<u64>,
    pub(crate) experts: Vec<Vec<f32>>,
    pub(crate) set: u8,
    /// Who has been in this situation.
    pub(crate) reach: Reach,
}

impl Tenant {
    /// What each expert says at a decision point.
    pub(crate) fn outlook(
        &self,
        session: &Session,
        everybody: &Everybody,
        parts: &Parts,
    ) -> Outlook {
        let agent = self.agents.get(&session.agent);
        let contexts = contexts(&session.symbols);
        let mut targets = self.targets(agent);
        let reach = self.reach(agent, &everybody.scope, &contexts, parts);
        if reach == Reach::Global {
            self.add_targets_elsewhere(&everybody.scope, &contexts, &mut targets);
        }
        let mut experts = vec![Vec::new(); EXPERTS];
        let (own, rest) = experts.split_at_mut(ORDERS);
        self.scope.chances(&contexts, &targets, rest);
        if reach == Reach::Global {
            everybody
                .scope
                .chances_elsewhere(&contexts, &targets, &mut rest[..ORDERS]);
        }
        let set = if let Some(agent) = agent {
            let longest = agent.scope.chances(&contexts, &targets, own);
            if reach == Reach::Global {
                own[1..].clone_from_slice(&rest[1..ORDERS]);
            }
            longest
        } else {
            own.clone_from_slice(&rest[..ORDERS]);
            0
        };
        for order in parts.order + 1..ORDERS {
            let (known, _) = own.split_at_mut(order);
            let known = known[parts.order].clone();
            own[order] = known;
            let known = rest[parts.order].clone();
            rest[order] = known;
        }
        let others = self.others(session, everybody, parts, &targets, &own[2]);
        rest[ORDERS..].clone_from_slice(&others);
        let longest = set.min(parts.order + 1) * 3
            + usize::from(session.called.is_empty())
            + 2 * usize::from(session.again);
        Outlook {
            targets,
            experts,
            set: u8::try_from(longest).unwrap_or_default(),
            reach,
        }
    }

    /// What words, names and repetition say, given the chances without them.
    fn others(
        &self,
        session: &Session,
        everybody: &Everybody,
        parts: &Parts,
        targets: &[u64],
        without: &[f32],
    ) -> [Vec<f32>; EXPERTS - 2 * ORDERS] {
        let last = session.last().before_words();
        let words = parts
            .words
            .then(|| self.words.chances(&session.words, last, targets, without));
        let names = parts.names.then(|| self.named(session, targets, without));
        let repeats = parts
            .repeats
            .then(|| self.repeated(session, everybody, targets, without));
        [words, names, repeats].map(|said| said.unwrap_or_else(|| without.to_vec()))
    }

    /// The chances, with that of the last tool and of END as they are for all tools.
    fn repeated(
        &self,
        session: &Session,
        everybody: &Everybody,
        targets: &[u64],
        without: &[f32],
    ) -> Vec<f32> {
        let last = session.last();
        let Some(ways) = self
            .repeats
            .chances(&everybody.repeats, &session.ways, last.kind)
            .filter(|_| last.kind > 0)
        else {
            return without.to_vec();
        };
        let is_other = |target: u64| target != END && target != last.tool;
        let others = targets
            .iter()
            .zip(without)
            .filter(|(target, _)| is_other(**target));
        let whole: f32 = others.map(|(_, chance)| chance).sum();
        let each = targets
            .iter()
            .zip(without)
            .map(|(target, chance)| match *target {
                END => ways.end,
                tool if tool == last.tool => ways.again(),
                _ => ways.other * chance / whole.max(f32::MIN_POSITIVE),
            });
        each.collect()
    }

    /// The chances, moved towards tools whose names the user's words name.
    fn named(&self, session: &Session, targets: &[u64], without: &[f32]) -> Vec<f32> {
        // Of each stem that was said, the tools that have it.
        let mut owners = vec![0.0_f32; session.stems.len()];
        for stem in self.tools.values().flat_map(|tool| &tool.stems) {
            if let Ok(at) = session.stems.binary_search(stem) {
                owners[at] += 1.0;
            }
        }
        let mut scores: Vec<f32> = Vec::with_capacity(targets.len());
        for (target, chance) in targets.iter().zip(without) {
            let tool = self
                .tools
                .get(target)
                .filter(|_| !session.called.contains(target));
            let stems = tool.into_iter().flat_map(|tool| &tool.stems);
            let said = stems.filter_map(|stem| session.stems.binary_search(stem).ok());
            let overlap: f32 = said.map(|at| 1.0 / owners[at]).sum();
            scores.push(chance.max(1e-4) * (overlap * NAMED).exp());
        }
        let sum: f32 = scores.iter().sum();
        for score in &mut scores {
            *score /= sum;
        }
        scores
    }

    fn targets(&self, agent: Option<&Agent>) -> Vec<u64> {
        let own = agent.into_iter().flat_map(|agent| agent.scope.targets());
        let mut all: Vec<u64> = own.chain(self.scope.targets()).chain([END]).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The chance of each target.
    pub(crate) fn chances(
        &self,
        outlook: &Outlook,
        everybody: &Everybody,
        parts: &Parts,
    ) -> Vec<f32> {
        if !parts.mixer {
            return outlook.experts[parts.order.min(3)].clone();
        }
        self.mixer
            .mix(&everybody.mixer, outlook.set, &outlook.experts)
    }
}
