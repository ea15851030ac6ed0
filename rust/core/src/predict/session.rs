//! What the predictor remembers of one conversation, until it ends.
//!
//! Ground rules. The calls of a step stay open until the step is closed by the next decision point; only
//! then do they enter the memory. So a prediction within a step does not see the step as the past.

use std::collections::{BTreeSet, HashSet, VecDeque};

use super::history::{END, ORDERS, Symbol};
use super::json::Json;
use super::judge::Signs;
use super::key::{Key, combine, name_of};
use super::repeats::{Repeats, Ways};
use super::source::Source;
use super::tokens::{Token, stems, tokens, trimmed};
use super::tool::Flat;
use super::values::Values;

/// The symbol of a message of the user.
const USER: u64 = 2;
const START: u64 = 3;
/// Decisions whose guesses may still come true late.
const DECISIONS: usize = 8;
const WORDS: usize = 48;
const CALLS: usize = 64;
/// Calls that are told from new ones.
const MADE: usize = 1_024;

/// What became of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// A value with something in it.
    #[default]
    Ok,
    /// Null, or an empty text, list or object.
    Empty,
    /// An error.
    Error,
}

/// A call of the step that is not closed yet.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) tool: u64,
    pub(crate) flat: Flat,
    pub(crate) outcome: Outcome,
    pub(crate) result: Json,
}

/// A guess that was handed out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guess {
    pub(crate) tool: u64,
    pub(crate) raw: f32,
    /// What was said.
    pub(crate) chance: f32,
    pub(crate) key: Key,
    pub(crate) is_due: bool,
    /// None if it only repeats a call.
    pub(crate) signs: Option<Signs>,
}

/// One conversation.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) tenant: u64,
    pub(crate) agent: u64,
    pub(crate) task: u64,
    pub(crate) learns: bool,
    pub(crate) symbols: Vec<Symbol>,
    pub(crate) words: Vec<u64>,
    /// The beginnings of the user's last words, sorted.
    pub(crate) stems: Vec<u64>,
    /// Tools called since the user wrote.
    pub(crate) called: Vec<u64>,
    /// Calls that were made, and the last of them.
    pub(crate) made: HashSet<u64>,
    /// The most calls of one step.
    pub(crate) widest: usize,
    /// In which ways it went on itself.
    pub(crate) ways: Repeats,
    pub(crate) last_made: u64,
    /// Whether it was made before; the call itself.
    pub(crate) again: bool,
    pub(crate) last_call: Option<(u64, Flat)>,
    pub(crate) values: Values,
    pub(crate) open: Vec<Open>,
    pub(crate) decisions: VecDeque<(u64, Vec<Guess>)>,
    pub(crate) number: u64,
    pub(crate) used_at: u64,
}

impl Session {
    pub(crate) fn new(tenant: u64, agent: u64, task: u64, learns: bool) -> Self {
        Self {
            tenant,
            agent,
            task,
            learns,
            symbols: vec![plain(START)],
            words: Vec::new(),
            stems: Vec::new(),
            called: Vec::new(),
            made: HashSet::new(),
            widest: 1,
            ways: Repeats::default(),
            last_made: 0,
            again: false,
            last_call: None,
            values: Values::default(),
            open: Vec::new(),
            decisions: VecDeque::new(),
            number: 0,
            used_at: 0,
        }
    }

    /// The last event, by which templates are told apart.
    pub(crate) fn last(&self) -> Symbol {
        self.symbols.last().copied().unwrap_or(plain(START))
    }

    /// Takes in what the user wrote; `codes` says whether its symbol tells what codes it has.
    pub(crate) fn add_user(
        &mut self,
        text: &str,
        codes: bool,
        year: u32,
        is_common: &dyn Fn(u64) -> bool,
    ) {
        let tokens = tokens(text);
        self.push(if codes { said(&tokens) } else { plain(USER) });
        self.words = words(text);
        self.stems = stems(text);
        self.stems.sort_unstable();
        self.called.clear();
        self.again = false;
        self.values.add_input(text, &tokens, year, is_common);
    }

    pub(crate) fn add_call(&mut self, tool: u64, flat: Flat) {
        if self.open.len() < CALLS {
            self.open.push(Open {
                tool,
                flat,
                outcome: Outcome::Ok,
                result: Json::Null,
            });
        }
    }

    /// Moves the step into the memory; `remaining` says whether symbols tell what is left of a list.
    pub(crate) fn remember(&mut self, remaining: bool) {
        let mut open = std::mem::take(&mut self.open);
        self.widest = self.widest.max(open.len());
        for call in &open {
            self.values.add_arguments(call.tool, &call.flat);
        }
        for call in &open {
            let left = if remaining { self.remaining(call) } else { 0 };
            if call.outcome != Outcome::Error {
                self.values.add_result(call.tool, &call.result);
            }
            // What is left of a list says nothing about a call that was made before.
            let repeats = self.repeats(call);
            self.again = repeats > 0;
            let kind = match repeats {
                0 => combine(&[call.outcome as u64, left]),
                again => combine(&[call.outcome as u64, 4, again]),
            };
            let symbol = Symbol {
                exact: combine(&[call.tool, kind]),
                tool: call.tool,
                kind,
            };
            if !self.called.contains(&call.tool) {
                self.called.push(call.tool);
            }
            if call.tool != open[0].tool || self.symbols.last() != Some(&symbol) || open.len() == 1
            {
                self.push(symbol);
            }
        }
        self.last_call = open.pop().map(|call| (call.tool, call.flat));
    }

    /// The tools of the open step, each call with its share.
    pub(crate) fn step(&self) -> Vec<(u64, f32)> {
        #[expect(clippy::cast_precision_loss, reason = "at most 64 calls")]
        let weight = 1.0 / self.open.len().max(1) as f32;
        self.open.iter().map(|call| (call.tool, weight)).collect()
    }

    /// In which of the four ways it goes on after a call.
    pub(crate) fn went_on(&self, tool: u64, flat: &Flat, truth: &[(u64, f32)]) -> Ways {
        let mut ways = Ways::default();
        for (index, (target, weight)) in truth.iter().enumerate() {
            let is_same = self.open.get(index).is_some_and(|call| call.flat == *flat);
            match *target {
                END => ways.end += weight,
                same if same == tool && is_same => ways.same_call += weight,
                same if same == tool => ways.same_tool += weight,
                _ => ways.other += weight,
            }
        }
        ways
    }

    /// Counts for itself how it went on.
    pub(crate) fn note_ways(&mut self, truth: &[(u64, f32)]) {
        let (kind, Some((tool, flat))) = (self.last().kind, &self.last_call) else {
            return;
        };
        if kind != 0 {
            let ways = self.went_on(*tool, flat, truth);
            self.ways.learn(kind, ways);
        }
    }

    /// Whether a call is the first of its kind (0), was made before (1), or just before (2).
    fn repeats(&mut self, call: &Open) -> u64 {
        let leaves = call.flat.iter().map(|(path, text)| (*path, text.as_ref()));
        let made = made(call.tool, leaves);
        let is_last = std::mem::replace(&mut self.last_made, made) == made;
        let is_known =
            !(self.made.len() < MADE && self.made.insert(made)) && self.made.contains(&made);
        u64::from(is_known) + u64::from(is_last)
    }

    fn push(&mut self, symbol: Symbol) {
        if self.symbols.len() >= ORDERS * 4 {
            self.symbols.drain(..ORDERS * 2);
        }
        self.symbols.push(symbol);
    }

    /// How many values of the list that fed a call were not used yet: 0, 1, 2 or more; 3: no list.
    pub(crate) fn remaining(&self, call: &Open) -> u64 {
        let fed = call.flat.iter().find_map(|(path, text)| {
            let mut leaves = self.values.of_value(name_of(text));
            let leaf = leaves.find(|leaf| leaf.listed && self.is_result(leaf.source))?;
            Some((combine(&[call.tool, *path]), *leaf))
        });
        let Some((slot, fed)) = fed else { return 3 };
        let list = self
            .values
            .of_source(fed.source)
            .filter(|leaf| leaf.item == fed.item);
        let mut left: Vec<u64> = list
            .map(|leaf| leaf.value)
            .filter(|value| !self.values.is_used(slot, *value))
            .collect();
        left.sort_unstable();
        left.dedup();
        left.len().min(2) as u64
    }

    fn is_result(&self, source: u64) -> bool {
        matches!(self.values.source(source), Some(Source::Result { .. }))
    }

    /// Guesses that did not come true yet cannot any more.
    pub(crate) fn give_up_guesses(&mut self) {
        for guess in self.decisions.iter_mut().flat_map(|(_, guesses)| guesses) {
            guess.is_due = false;
        }
    }

    /// Keeps what was handed out, for its score.
    pub(crate) fn note(&mut self, guesses: Vec<Guess>) -> u64 {
        self.number += 1;
        if self.decisions.len() >= DECISIONS {
            self.decisions.pop_front();
        }
        self.decisions.push_back((self.number, guesses));
        self.number
    }

    pub(crate) fn bytes(&self) -> usize {
        let open: usize = self
            .open
            .iter()
            .map(|call| 256 + call.flat.len() * 64)
            .sum();
        512 + self.values.bytes() + open + self.decisions.len() * 512
    }
}

/// The different words of a text, without signs, in lower case, as numbers.
fn words(text: &str) -> Vec<u64> {
    let mut words: Vec<u64> = Vec::new();
    for word in text.split_whitespace() {
        let word = trimmed(word).to_lowercase();
        let name = name_of(&word);
        let is_word = word.len() > 1 && word.chars().all(char::is_alphabetic);
        if is_word && !words.contains(&name) {
            words.push(name);
            if words.len() == WORDS {
                break;
            }
        }
    }
    words
}

/// A message of the user, by what the codes in it look like.
fn said(words: &[Token<'_>]) -> Symbol {
    let codes = words.iter().filter(|token| is_code(&token.shape));
    let forms: BTreeSet<u64> = codes
        .filter_map(|token| Some(name_of(token.form.as_ref()?)))
        .collect();
    if forms.is_empty() {
        return plain(USER);
    }
    let forms: Vec<u64> = forms.into_iter().collect();
    Symbol {
        exact: combine(&[USER, combine(&forms)]),
        tool: USER,
        kind: 0,
    }
}

/// Whether a shape is that of a code: digits with something, or signs that no word has.
fn is_code(shape: &str) -> bool {
    shape.contains(['@', '_', '#']) || shape.len() > 1 && shape.contains('9')
}

/// An event of which there is only one kind.
pub(crate) const fn plain(event: u64) -> Symbol {
    Symbol {
        exact: event,
        tool: event,
        kind: 0,
    }
}

/// Identifies a call by its tool and leaves, sorted by path.
pub(crate) fn made<'a>(tool: u64, leaves: impl IntoIterator<Item = (u64, &'a str)>) -> u64 {
    let parts: Vec<u64> = leaves
        .into_iter()
        .flat_map(|(path, text)| [path, name_of(text)])
        .collect();
    combine(&[tool, combine(&parts)])
}
