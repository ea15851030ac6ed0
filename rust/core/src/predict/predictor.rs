//! The verbs: observe, predict, score.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::backoff::Reach;
use super::decide::decide;
use super::history::END;
use super::json::{Json, write_text};
use super::key::{Key, name_of};
use super::model::{Everybody, Parts, Tenant};
use super::session::{Guess, Outcome, Session, plain};
use super::tokens::{stems, tokens};
use super::tool::flatten;
use super::trust::Trust;

/// Names of places that a tenant may have; what is beyond is not named, and not guessed.
const NAMES: usize = 1 << 16;

/// How large it may get, and which of its parts work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PredictorConfig {
    /// Bytes of model and sessions together, about.
    pub memory_bytes: usize,
    /// What is switched on.
    pub parts: Parts,
}

impl Default for PredictorConfig {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            parts: Parts::default(),
        }
    }
}

/// Whose conversation begins.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// Values never leave it.
    pub tenant: &'a str,
    /// The kind of agent: conversations of one agent are alike.
    pub agent: &'a str,
    /// What the conversation is about, if known: a constant must be seen in three different tasks.
    pub task: &'a str,
    /// Whether it trains; else it only has a memory.
    pub learns: bool,
}

/// Something that happened in a conversation.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// It begins; one of the same name ends.
    Start(Start<'a>),
    /// The user wrote.
    User(&'a str),
    /// The model called a tool.
    Call {
        /// The tool's name.
        tool: &'a str,
        /// A JSON object.
        arguments: &'a [u8],
    },
    /// A call of the open step ended.
    Result {
        /// The call's place in its step.
        call: usize,
        /// What became of it.
        outcome: Outcome,
        /// JSON.
        value: &'a [u8],
    },
    /// The step is over and the model generates again.
    Decision,
    /// The model answered in words.
    End,
}

/// A call that may come.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The tool's name.
    pub tool: Box<str>,
    /// Canonical arguments.
    pub arguments: Box<str>,
    /// Of tool and arguments.
    pub key: Key,
    /// The chance that the coming step has this call.
    pub chance: f32,
    /// The chance that only a later one has.
    pub late: f32,
    /// Which kind of place each argument comes from, by name of the argument.
    pub templates: Vec<&'static str>,
    /// Real calls of the tenant that had their values from the same places: of the least confirmed one.
    pub confirmed: u32,
    /// Who has been in this situation.
    pub reach: Reach,
    /// Whether too little is known of how its tool's guesses come true for one to run.
    pub is_shadow: bool,
}

/// What is thought at a decision point.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Decision {
    /// Counts the predictions of the session, from 1.
    pub number: u64,
    /// The likeliest first.
    pub candidates: Vec<Candidate>,
    /// The chance of each tool to be called next, the likeliest first.
    pub tools: Vec<(Box<str>, f32)>,
    /// The chance that the model answers in words.
    pub end: f32,
}

/// Counts of a predictor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Tenants with a model.
    pub tenants: usize,
    /// Conversations that are remembered.
    pub sessions: usize,
    /// Contexts with counts.
    pub contexts: usize,
    /// Templates of all arguments.
    pub templates: usize,
    /// Leaves that did not fit.
    pub beyond: u64,
    /// Memory, about.
    pub bytes: usize,
}

/// Learns from conversations and guesses the next call of each.
#[derive(Debug, Default)]
pub struct Predictor {
    pub(crate) config: PredictorConfig,
    pub(crate) tenants: BTreeMap<u64, Tenant>,
    /// What all tenants share.
    pub(crate) everybody: Everybody,
    pub(crate) sessions: HashMap<Box<str>, Session>,
    pub(crate) uses: u64,
}

impl Predictor {
    /// One that knows nothing.
    #[must_use]
    pub fn new(config: PredictorConfig) -> Self {
        Self {
            config,
            ..Self::default()
        }
    }

    /// Says whether a tool of a tenant may be a candidate; by default each may.
    pub fn guess(&mut self, tenant: &str, tool: &str, guessed: bool) {
        let tenant = self.tenants.entry(name_of(tenant)).or_default();
        tenant.remember_name(name_of(tool), tool);
        if guessed {
            tenant.unguessed.remove(&name_of(tool));
        } else {
            tenant.unguessed.insert(name_of(tool));
        }
    }

    /// Says which form a tool of a tenant has: its version and schema, as bytes. If it had another one
    /// before, what its guesses came to no longer holds: it is in shadow again.
    pub fn declare(&mut self, tenant: &str, tool: &str, form: &[u8]) {
        let tenant = self.tenants.entry(name_of(tenant)).or_default();
        let tool = tenant.tools.entry(name_of(tool)).or_default();
        let form = xxhash_rust::xxh3::xxh3_64(form).max(1);
        let before = std::mem::replace(&mut tool.form, form);
        if before != 0 && before != form {
            tool.trust = Trust::default();
        }
    }

    /// Takes in what happened in a conversation. Of one that was not started nothing is kept.
    pub fn observe(&mut self, session: &str, event: Event<'_>) {
        self.uses += 1;
        if let Event::Start(start) = event {
            self.start(session, &start);
            return;
        }
        let Some(known) = self.sessions.get_mut(session) else {
            return;
        };
        known.used_at = self.uses;
        let Some(tenant) = self.tenants.get_mut(&known.tenant) else {
            return;
        };
        observe(
            known,
            tenant,
            &mut self.everybody,
            &self.config.parts,
            event,
        );
        self.fit_sometimes();
    }

    fn start(&mut self, id: &str, start: &Start<'_>) {
        let tenant = name_of(start.tenant);
        let mut session = Session::new(
            tenant,
            name_of(start.agent),
            name_of(start.task),
            start.learns,
        );
        session.used_at = self.uses;
        self.tenants.entry(tenant).or_default().used_at = self.uses;
        self.sessions.insert(id.into(), session);
    }

    /// Forgets a conversation.
    pub fn forget(&mut self, session: &str) {
        self.sessions.remove(session);
    }

    /// How many leaves a conversation's index has taken in since it began.
    #[must_use]
    pub fn leaves(&self, session: &str) -> u64 {
        self.sessions
            .get(session)
            .map_or(0, |session| session.values.taken)
    }

    /// The likeliest calls of the coming step, at most `most`. Nothing for an unknown conversation.
    pub fn predict(&mut self, session: &str, most: usize) -> Decision {
        let Some(known) = self.sessions.get_mut(session) else {
            return Decision::default();
        };
        let Some(tenant) = self.tenants.get(&known.tenant) else {
            return Decision::default();
        };
        decide(known, tenant, &self.everybody, &self.config.parts, most)
    }

    /// Tells what a decision became: the keys of the calls of its step. Moves the calibration.
    pub fn score(&mut self, session: &str, number: u64, truth: &[Key]) {
        let Some(known) = self.sessions.get_mut(session) else {
            return;
        };
        let Some(tenant) = self.tenants.get_mut(&known.tenant) else {
            return;
        };
        let scored = known
            .decisions
            .iter()
            .find(|(decision, _)| *decision == number);
        if let Some((_, guesses)) = scored {
            tenant.record_trust(guesses, truth);
        }
        for (decision, guesses) in &mut known.decisions {
            for guess in guesses
                .iter_mut()
                .filter(|guess| guess.is_due || *decision == number)
            {
                let hit = truth.contains(&guess.key);
                if *decision == number {
                    tenant.record(guess, hit);
                    if let Some(signs) = &guess.signs {
                        tenant.judge.learn(signs, hit);
                        self.everybody.judge.learn(signs, hit);
                    }
                    guess.is_due = !hit;
                } else if *decision < number && hit {
                    tenant.record_late(guess);
                    guess.is_due = false;
                }
            }
        }
    }
}

impl Tenant {
    fn record(&mut self, guess: &Guess, hit: bool) {
        self.pool.record(guess.raw, hit);
        if self.pool.is_stale() {
            self.pool.renew(None);
        }
        let tool = self.tools.entry(guess.tool).or_default();
        tool.calibration.record(guess.raw, hit);
        if tool.calibration.is_stale() {
            tool.calibration.renew(Some(&self.pool));
        }
    }

    /// Counts a decision for each tool that it had guesses of.
    fn record_trust(&mut self, guesses: &[Guess], truth: &[Key]) {
        for (place, guess) in guesses.iter().enumerate() {
            if guesses[..place]
                .iter()
                .all(|earlier| earlier.tool != guess.tool)
            {
                let of_tool = guesses.iter().filter(|each| each.tool == guess.tool);
                let told = of_tool.map(|each| (each.chance, truth.contains(&each.key)));
                self.tools.entry(guess.tool).or_default().trust.record(told);
            }
        }
    }

    fn record_late(&mut self, guess: &Guess) {
        self.pool.record_late(guess.raw);
        self.tools
            .entry(guess.tool)
            .or_default()
            .calibration
            .record_late(guess.raw);
    }

    fn remember_name(&mut self, name: u64, text: &str) {
        if self.names.len() < NAMES && !self.names.contains_key(&name) {
            self.names.insert(name, text.into());
        }
    }

    /// Counts the words of a message that look like values.
    fn note_words(&mut self, text: &str) {
        let mut seen = HashSet::new();
        for token in tokens(text)
            .into_iter()
            .filter(|token| token.form.is_some())
        {
            let mut value = String::new();
            write_text(token.text, &mut value);
            if seen.insert(name_of(&value)) {
                self.common.seen(name_of(&value));
            }
        }
    }

    /// Makes every table of chances again.
    pub(crate) fn renew(&mut self) {
        self.pool.renew(None);
        for tool in self.tools.values_mut() {
            tool.calibration.renew(Some(&self.pool));
        }
    }
}

fn observe(
    session: &mut Session,
    tenant: &mut Tenant,
    everybody: &mut Everybody,
    parts: &Parts,
    event: Event<'_>,
) {
    let learns = session.learns;
    match event {
        Event::Start(_) => {}
        Event::Call { tool, arguments } => {
            let name = name_of(tool);
            // A session that does not train leaves no trace in the model.
            if learns {
                tenant.remember_name(name, tool);
                tenant.tools.entry(name).or_default().stems = stems(tool);
            }
            let mut remember = |name: u64, text: &str| {
                if learns {
                    tenant.remember_name(name, text);
                }
            };
            let parsed = Json::parse(arguments).unwrap_or(Json::Null);
            if let Some(flat) = flatten(&parsed, &mut remember) {
                session.add_call(name, flat);
            }
        }
        Event::Result {
            call,
            outcome,
            value,
        } => {
            if let Some(open) = session.open.get_mut(call) {
                open.outcome = outcome;
                open.result = Json::parse(value).unwrap_or(Json::Null);
            }
        }
        Event::User(text) => {
            close(session, tenant, everybody, parts);
            if learns {
                tenant.note_words(text);
            }
            let is_common = |word| parts.common && tenant.common.has(word);
            session.add_user(text, parts.codes, tenant.year, &is_common);
        }
        Event::Decision => close(session, tenant, everybody, parts),
        Event::End => {
            close(session, tenant, everybody, parts);
            session.note_ways(&[(END, 1.0)]);
            if learns {
                tenant.learn_next(session, everybody, &[(END, 1.0)], parts);
            }
            if parts.end_in_context {
                session.symbols.push(plain(END));
            }
        }
    }
}

fn close(session: &mut Session, tenant: &mut Tenant, everybody: &mut Everybody, parts: &Parts) {
    if session.open.is_empty() {
        return;
    }
    if session.learns {
        tenant.learn_step(session, everybody, parts);
        tenant.learn_siblings(session);
    }
    session.note_ways(&session.step());
    // A tool that is never guessed may have changed the world: launches before it are void.
    if session
        .open
        .iter()
        .any(|call| tenant.unguessed.contains(&call.tool))
    {
        session.give_up_guesses();
    }
    session.remember(parts.remaining);
}
