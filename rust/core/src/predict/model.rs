//! What is learned and kept: per tenant its tools, its agents' histories, its names.
//!
//! Ground rules. Nothing here knows a session. Values stay with their tenant; nothing is shared between
//! tenants but by `merge` of the same tenant's models.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::calibrate::Calibration;
use super::history::{END, ORDERS, Scope, contexts};
use super::mix::Mixer;
use super::session::Session;
use super::tool::{Calls, Flat, Tool};
use super::words::Words;

/// Parts that can be switched off, to see what they give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a list of switches")]
pub struct Parts {
    /// The longest context, 0 to 4.
    pub order: usize,
    /// END as a symbol of contexts; it loses.
    pub end_in_context: bool,
    /// Templates; without them only arguments of the tool's last call are guessed again.
    pub templates: bool,
    /// Values of one object go together.
    pub joins: bool,
    /// Values that were changed.
    pub transforms: bool,
    /// What is left of a list, in contexts.
    pub remaining: bool,
    /// Weights of contexts are learned.
    pub mixer: bool,
    /// The user's words say what comes next.
    pub words: bool,
    /// Chances are calibrated.
    pub calibration: bool,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            order: ORDERS - 1,
            end_in_context: false,
            templates: true,
            joins: true,
            transforms: true,
            remaining: true,
            mixer: true,
            words: true,
            calibration: true,
        }
    }
}

impl Parts {
    /// What [`Parts::switch_off`] knows.
    pub const NAMES: [&str; 12] = [
        "order0",
        "order1",
        "order2",
        "order3",
        "end_in_context",
        "templates",
        "joins",
        "transforms",
        "remaining",
        "mixer",
        "words",
        "calibration",
    ];

    /// Switches a part off (or END as a context on); false if there is none of that name.
    pub fn switch_off(&mut self, name: &str) -> bool {
        match name {
            "order0" => self.order = 0,
            "order1" => self.order = 1,
            "order2" => self.order = 2,
            "order3" => self.order = 3,
            "end_in_context" => self.end_in_context = true,
            "templates" => self.templates = false,
            "joins" => self.joins = false,
            "transforms" => self.transforms = false,
            "remaining" => self.remaining = false,
            "mixer" => self.mixer = false,
            "words" => self.words = false,
            "calibration" => self.calibration = false,
            _ => return false,
        }
        true
    }
}

/// One agent of a tenant.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Agent {
    pub(crate) scope: Scope,
    pub(crate) mixer: Mixer,
}

/// One tenant.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tenant {
    pub(crate) names: HashMap<u64, Box<str>>,
    pub(crate) scope: Scope,
    pub(crate) words: Words,
    pub(crate) agents: BTreeMap<u64, Agent>,
    pub(crate) tools: BTreeMap<u64, Tool>,
    pub(crate) pool: Calibration,
    /// Tools that are never guessed.
    pub(crate) unguessed: BTreeSet<u64>,
    pub(crate) used_at: u64,
}

/// What may come next and how likely each is.
pub(crate) struct Outlook {
    pub(crate) targets: Vec<u64>,
    pub(crate) experts: Vec<Vec<f32>>,
    pub(crate) set: u8,
}

impl Tenant {
    /// What each expert says at a decision point.
    pub(crate) fn outlook(&self, session: &Session, parts: &Parts) -> Outlook {
        let agent = self.agents.get(&session.agent);
        let targets = self.targets(agent);
        let contexts = contexts(&session.symbols);
        let mut experts = vec![Vec::new(); super::mix::EXPERTS];
        let (own, rest) = experts.split_at_mut(ORDERS);
        self.scope.chances(&contexts, &targets, rest);
        let set = match agent {
            Some(agent) => agent.scope.chances(&contexts, &targets, own),
            None => {
                own.clone_from_slice(&rest[..ORDERS]);
                0
            }
        };
        for order in parts.order + 1..ORDERS {
            own[order] = own[parts.order].clone();
            rest[order] = rest[parts.order].clone();
        }
        rest[ORDERS] = if parts.words {
            self.words
                .chances(&session.words, session.last(), &targets, &own[1])
        } else {
            own[1].clone()
        };
        let set = u8::try_from(set.min(parts.order + 1)).unwrap_or_default();
        Outlook {
            targets,
            experts,
            set,
        }
    }

    fn targets(&self, agent: Option<&Agent>) -> Vec<u64> {
        let own = agent.into_iter().flat_map(|agent| agent.scope.targets());
        let all: BTreeSet<u64> = own.chain(self.scope.targets()).chain([END]).collect();
        all.into_iter().collect()
    }

    /// The chance of each target.
    pub(crate) fn chances(&self, session: &Session, outlook: &Outlook, parts: &Parts) -> Vec<f32> {
        if !parts.mixer {
            return outlook.experts[parts.order.min(2)].clone();
        }
        let agent = self.agents.get(&session.agent);
        let fresh = Mixer::default();
        let mixer = agent.map_or(&fresh, |agent| &agent.mixer);
        mixer.mix(outlook.set, &outlook.experts)
    }

    /// Learns what a decision became: tools of the step with their share, or END.
    pub(crate) fn learn_next(&mut self, session: &Session, truth: &[(u64, f32)], parts: &Parts) {
        let contexts = contexts(&session.symbols);
        let outlook = self.outlook(session, parts);
        let aims: Vec<f32> = outlook
            .targets
            .iter()
            .map(|target| {
                truth
                    .iter()
                    .filter(|each| each.0 == *target)
                    .map(|each| each.1)
                    .sum()
            })
            .collect();
        self.words.learn(&session.words, session.last(), truth);
        self.scope.learn(&contexts, truth);
        let agent = self.agents.entry(session.agent).or_default();
        // A target that nobody has seen before teaches nothing about whom to trust.
        if aims.iter().sum::<f32>() > 0.5 && parts.mixer {
            agent.mixer.learn(outlook.set, &outlook.experts, &aims);
        }
        agent.scope.learn(&contexts, truth);
    }

    /// Learns from the step that is open in a session.
    pub(crate) fn learn_step(&mut self, session: &Session, parts: &Parts) {
        let mut tools: Vec<u64> = Vec::new();
        for call in &session.open {
            if !tools.contains(&call.tool) {
                tools.push(call.tool);
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "at most 64 calls")]
        let weight = 1.0 / session.open.len().max(1) as f32;
        let truth: Vec<(u64, f32)> = session
            .open
            .iter()
            .map(|call| (call.tool, weight))
            .collect();
        self.learn_next(session, &truth, parts);
        for tool in tools {
            let arguments: Vec<&Flat> = session
                .open
                .iter()
                .filter(|call| call.tool == tool)
                .map(|call| &call.flat)
                .collect();
            self.tools.entry(tool).or_default().learn(&Calls {
                tool,
                context: session.last(),
                task: session.task,
                values: &session.values,
                transforms: parts.transforms,
                joins: parts.joins,
                arguments,
            });
        }
    }
}
