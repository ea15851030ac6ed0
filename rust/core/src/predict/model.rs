//! What is learned and kept: per tenant its tools, its agents' histories, its names.
//!
//! Ground rules. Nothing here knows a session. Values stay with their tenant; nothing is shared between
//! tenants but by `merge` of the same tenant's models.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::calibrate::Calibration;
use super::history::{ORDERS, Scope, contexts};
use super::judge::Judge;
use super::mix::Mixer;
use super::repeats::Repeats;
use super::session::Session;
use super::tool::{Calls, Flat, Tool};
use super::words::{Common, Words};

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
    /// The last call made again, whatever its tool.
    pub repeats: bool,
    /// Words that are said often are values of nothing.
    pub common: bool,
    /// Names of tools that the user's words name.
    pub names: bool,
    /// What the codes in the user's messages look like, in contexts.
    pub codes: bool,
    /// Chances are corrected by what is known of a guess.
    pub judge: bool,
    /// Chances are calibrated.
    pub calibration: bool,
    /// What followed in other tenants, where nothing else is known.
    pub global: bool,
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
            repeats: true,
            common: true,
            names: true,
            codes: true,
            judge: true,
            calibration: true,
            global: true,
        }
    }
}

impl Parts {
    /// What [`Parts::switch_off`] knows.
    pub const NAMES: [&str; 18] = [
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
        "judge",
        "names",
        "repeats",
        "common",
        "codes",
        "global",
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
            "repeats" => self.repeats = false,
            "common" => self.common = false,
            "names" => self.names = false,
            "codes" => self.codes = false,
            "words" => self.words = false,
            "judge" => self.judge = false,
            "calibration" => self.calibration = false,
            "global" => self.global = false,
            _ => return false,
        }
        true
    }
}

/// What all tenants share. It knows no names and no values, and tools by their hashes only.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Everybody {
    pub(crate) mixer: Mixer,
    pub(crate) repeats: Repeats,
    pub(crate) judge: Judge,
    pub(crate) scope: Scope,
}

/// One agent of a tenant.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Agent {
    pub(crate) scope: Scope,
}

/// One tenant.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tenant {
    pub(crate) names: HashMap<u64, Box<str>>,
    pub(crate) scope: Scope,
    /// Which tool comes next within a step.
    pub(crate) siblings: Scope,
    pub(crate) mixer: Mixer,
    pub(crate) words: Words,
    pub(crate) repeats: Repeats,
    pub(crate) common: Common,
    pub(crate) judge: Judge,
    /// The newest year of an ISO date, for dates that say none.
    pub(crate) year: u32,
    pub(crate) agents: BTreeMap<u64, Agent>,
    pub(crate) tools: BTreeMap<u64, Tool>,
    pub(crate) pool: Calibration,
    /// Tools that are never guessed.
    pub(crate) unguessed: BTreeSet<u64>,
    pub(crate) used_at: u64,
}

impl Tenant {
    /// Learns what a decision became: tools of the step with their share, or END.
    pub(crate) fn learn_next(
        &mut self,
        session: &Session,
        everybody: &mut Everybody,
        truth: &[(u64, f32)],
        parts: &Parts,
    ) {
        let contexts = contexts(&session.symbols);
        // Whom to trust is learned from what the tenant knows itself.
        let own = Parts {
            global: false,
            ..*parts
        };
        let outlook = self.outlook(session, everybody, &own);
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
        self.words
            .learn(&session.words, session.last().before_words(), truth);
        self.learn_repeats(session, everybody, truth);
        self.scope.learn(&contexts, truth);
        everybody.scope.learn(&contexts, truth);
        // A target that nobody has seen before teaches nothing about whom to trust.
        if aims.iter().sum::<f32>() > 0.5 && parts.mixer {
            self.mixer
                .learn(&mut everybody.mixer, outlook.set, &outlook.experts, &aims);
        }
        self.agents
            .entry(session.agent)
            .or_default()
            .scope
            .learn(&contexts, truth);
    }

    /// Counts in which of the four ways it went on after a call.
    fn learn_repeats(
        &mut self,
        session: &Session,
        everybody: &mut Everybody,
        truth: &[(u64, f32)],
    ) {
        let (kind, Some((tool, flat))) = (session.last().kind, &session.last_call) else {
            return;
        };
        if kind == 0 {
            return;
        }
        let ways = session.went_on(*tool, flat, truth);
        self.repeats.learn(kind, ways);
        everybody.repeats.learn(kind, ways);
    }

    /// Learns from the step that is open in a session.
    pub(crate) fn learn_step(
        &mut self,
        session: &Session,
        everybody: &mut Everybody,
        parts: &Parts,
    ) {
        let mut tools: Vec<u64> = Vec::new();
        for call in &session.open {
            if !tools.contains(&call.tool) {
                tools.push(call.tool);
            }
        }
        self.learn_next(session, everybody, &session.step(), parts);
        self.year = self.year.max(session.values.year.map_or(0, u32::from));
        for tool in tools {
            let arguments: Vec<&Flat> = session
                .open
                .iter()
                .filter(|call| call.tool == tool)
                .map(|call| &call.flat)
                .collect();
            for flat in &arguments {
                for (_, value) in *flat {
                    self.common.used(super::key::name_of(value));
                }
            }
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
