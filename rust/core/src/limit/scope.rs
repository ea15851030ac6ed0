//! Scopes: which calls a limit speaks of.
//!
//! A scope is `global` or parts in a fixed order, joined by `/`: `tenant:acme/model:*`. A name is
//! percent-encoded where it holds a character with a meaning here; `*` stands for each value, and
//! each value has a limit of its own. A limit speaks of a call if all its parts match.

use std::fmt::{self, Write as _};

/// A name is at most so many bytes long, as it is written.
const LONGEST_NAME: usize = 200;

/// What a part of a scope names, in the order in which parts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Who pays.
    Tenant,
    /// The agent that calls; for budgets.
    Agent,
    /// The service behind a tool.
    Service,
    /// The tool.
    Tool,
    /// The model that is called.
    Model,
    /// The durable run; for budgets.
    Run,
    /// The batch; for budgets.
    Batch,
}

impl Part {
    const ALL: [(Self, &str); 7] = [
        (Self::Tenant, "tenant"),
        (Self::Agent, "agent"),
        (Self::Service, "service"),
        (Self::Tool, "tool"),
        (Self::Model, "model"),
        (Self::Run, "run"),
        (Self::Batch, "batch"),
    ];

    const fn word(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// Who makes a call: what the parts of scopes are compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Who<'a> {
    /// Who pays.
    pub tenant: Option<&'a str>,
    /// The agent.
    pub agent: Option<&'a str>,
    /// The service behind the tool.
    pub service: Option<&'a str>,
    /// The tool.
    pub tool: Option<&'a str>,
    /// The model.
    pub model: Option<&'a str>,
    /// The durable run.
    pub run: Option<&'a str>,
    /// The batch: its name, after those of the batches around it that have budgets, as in `7/12`. A
    /// limit of any of them speaks of the call.
    pub batch: Option<&'a str>,
}

impl<'a> Who<'a> {
    const fn part(&self, part: Part) -> Option<&'a str> {
        match part {
            Part::Tenant => self.tenant,
            Part::Agent => self.agent,
            Part::Service => self.service,
            Part::Tool => self.tool,
            Part::Model => self.model,
            Part::Run => self.run,
            Part::Batch => self.batch,
        }
    }
}

/// Why a text is no scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScopeError {
    /// A part that does not exist, or has no name.
    UnknownPart {
        /// As it was written.
        part: Box<str>,
    },
    /// Parts stand in another order than they must, or one stands twice.
    Order {
        /// The part that stands too late.
        part: Box<str>,
    },
    /// A name that is empty, too long or not percent-encoded.
    BadName {
        /// As it was written.
        part: Box<str>,
    },
}

impl fmt::Display for ScopeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownPart { part } => write!(
                formatter,
                "\"{part}\" is no part of a scope: write global, or tenant: agent: service: tool: \
                 model: run: batch: with a name or *"
            ),
            Self::Order { part } => write!(
                formatter,
                "\"{part}\" is out of order: tenant, agent, service, tool, model, run, batch, each \
                 at most once"
            ),
            Self::BadName { part } => write!(
                formatter,
                "the name in \"{part}\" must have 1 to {LONGEST_NAME} bytes, percent-encoded"
            ),
        }
    }
}

impl std::error::Error for ScopeError {}

/// Which calls a limit speaks of. The default is all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scope(Vec<(Part, Option<Box<str>>)>);

impl Scope {
    /// Reads a scope as people write it. A bare `run` or `batch` means each of them.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        if text == "global" {
            return Ok(Self::default());
        }
        let mut parts: Vec<(Part, Option<Box<str>>)> = Vec::new();
        for piece in text.split('/') {
            let (part, name) = parse_part(piece)?;
            if parts.last().is_some_and(|(before, _)| *before >= part) {
                return Err(ScopeError::Order { part: piece.into() });
            }
            parts.push((part, name));
        }
        Ok(Self(parts))
    }

    /// The parts, in order; no name is `*`.
    pub fn parts(&self) -> impl Iterator<Item = (Part, Option<&str>)> {
        self.0.iter().map(|(part, name)| (*part, name.as_deref()))
    }

    /// Each value has a limit of its own.
    #[must_use]
    pub fn is_wild(&self) -> bool {
        self.0.iter().any(|(_, name)| name.is_none())
    }

    /// The limit speaks of this call.
    #[must_use]
    pub fn matches(&self, who: &Who<'_>) -> bool {
        self.parts()
            .all(|(part, name)| match (who.part(part), name) {
                (Some(path), Some(name)) if part == Part::Batch => {
                    path.split('/').any(|value| value == name)
                }
                (Some(value), Some(name)) => value == name,
                (Some(_), None) => true,
                (None, _) => false,
            })
    }

    /// The scope with the values of this call in the places of `*`, as text.
    pub(crate) fn filled(&self, who: &Who<'_>) -> String {
        let mut text = String::new();
        for (part, name) in self.parts() {
            write_part(&mut text, part, name.or_else(|| who.part(part)));
        }
        if text.is_empty() {
            text.push_str("global");
        }
        text
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.filled(&Who::default()))
    }
}

fn parse_part(piece: &str) -> Result<(Part, Option<Box<str>>), ScopeError> {
    let (word, name) = match piece.split_once(':') {
        Some(pair) => pair,
        None if matches!(piece, "run" | "batch") => (piece, "*"),
        None => return Err(ScopeError::UnknownPart { part: piece.into() }),
    };
    let found = Part::ALL.into_iter().find(|(_, known)| *known == word);
    let Some((part, _)) = found else {
        return Err(ScopeError::UnknownPart { part: piece.into() });
    };
    if name == "*" {
        return Ok((part, None));
    }
    match decode(name) {
        Some(name) if !name.is_empty() => Ok((part, Some(name.into()))),
        _ => Err(ScopeError::BadName { part: piece.into() }),
    }
}

fn decode(name: &str) -> Option<String> {
    if name.len() > LONGEST_NAME {
        return None;
    }
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let pair = [rest.next()?, rest.next()?];
                let digits = std::str::from_utf8(&pair).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
            }
            b':' | b'*' => return None,
            _ => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

fn write_part(text: &mut String, part: Part, name: Option<&str>) {
    if !text.is_empty() {
        text.push('/');
    }
    text.push_str(part.word());
    text.push(':');
    let Some(name) = name else {
        text.push('*');
        return;
    };
    for character in name.chars() {
        if matches!(character, '%' | '/' | ':' | '*') || character.is_control() {
            let mut buffer = [0; 4];
            for byte in character.encode_utf8(&mut buffer).bytes() {
                // Writing to a string cannot fail.
                let _ = write!(text, "%{byte:02X}");
            }
        } else {
            text.push(character);
        }
    }
}
