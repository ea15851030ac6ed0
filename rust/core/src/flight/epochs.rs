//! Epochs: numbers that move when something may have changed.
//!
//! | moved by | a session's `any` | a session's `all` | the tenant's `any` | its `all` | names |
//! |---|---|---|---|---|---|
//! | a write that says what it changes | yes | | yes | | those |
//! | a write that does not say | yes | yes | yes | yes | |
//!
//! A run of a session marks the names that it reads, or the session's `any`, and always its `all`; one that
//! answers all sessions of a tenant marks the tenant's instead. A name is of one tenant. `order:*` is all
//! names that begin with `order:`, and `*` all; whoever reads such a name marks it as a name of its own,
//! which every write below moves.
//!
//! A name gets its epoch with the first run that reads it: what nobody reads needs none. When they are too
//! many all are forgotten, and a new generation begins, in which no older mark holds.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use xxhash_rust::xxh3::Xxh3;

use super::SessionId;
use super::numbers::Numbers;

/// What a write changes.
#[derive(Clone, Copy, Debug)]
pub enum Changed<'a> {
    /// Resources by name.
    Names(&'a [&'a str]),
    /// It does not say.
    Anything,
}

/// The epochs at the start of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    generation: u64,
    /// Whose `any` and `all` count.
    scope: Scope,
    any: Option<u64>,
    all: u64,
    names: Box<[(u32, u64)]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Scope {
    Session(u64),
    Tenant(u64),
}

#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    any: u64,
    all: u64,
}

/// A write that was given up, and whose code runs on.
#[derive(Debug)]
struct Lost {
    number: u64,
    session: Option<SessionId>,
    tenant: u64,
    /// What it changes; `None`: it does not say.
    names: Option<Vec<Box<str>>>,
}

impl Lost {
    /// Whether it may change what a run of `scope` reads.
    fn concerns(&self, scope: Scope, tenant: u64, reads: Option<&[&str]>) -> bool {
        let is_near = match scope {
            Scope::Session(own) => self.session.is_some_and(|session| session.0 == own),
            Scope::Tenant(own) => self.tenant == own,
        };
        match (&self.names, reads) {
            (Some(names), Some(reads)) => {
                let read = |name: &str| reads.iter().any(|read| overlap(name, read));
                self.tenant == tenant && names.iter().any(|name| read(name))
            }
            _ => is_near,
        }
    }

    /// Takes out what somebody says was changed; whether something is left.
    fn heal(&mut self, told: &[&str]) -> bool {
        if told.contains(&"*") {
            return false;
        }
        let Some(names) = &mut self.names else {
            return true;
        };
        names.retain(|name| !told.iter().any(|told| overlap(told, name)));
        !names.is_empty()
    }
}

#[derive(Debug)]
struct Name {
    tenant: u64,
    text: Box<str>,
    epoch: u64,
}

#[derive(Debug, Default)]
pub(super) struct Epochs {
    generation: u64,
    pairs: HashMap<Scope, Pair, BuildHasherDefault<Numbers>>,
    places: HashMap<u128, u32, BuildHasherDefault<Numbers>>,
    names: Vec<Name>,
    /// Few: as many as calls whose code runs on.
    lost: Vec<Lost>,
    losses: u64,
}

impl Default for Marks {
    /// What never holds.
    fn default() -> Self {
        Self {
            generation: u64::MAX,
            scope: Scope::Session(0),
            any: None,
            all: 0,
            names: Box::default(),
        }
    }
}

impl Epochs {
    /// Names and scopes that are known.
    pub(super) fn names(&self) -> usize {
        self.names.len().max(self.pairs.len())
    }

    /// What a run marks that starts now.
    pub(super) fn marks(
        &mut self,
        session: Option<SessionId>,
        tenant: u64,
        reads: Option<&[&str]>,
    ) -> Marks {
        let scope = session.map_or(Scope::Tenant(tenant), |session| Scope::Session(session.0));
        // Noted even if nothing has moved yet: `changed` moves those that are known.
        let pair = *self.pairs.entry(scope).or_default();
        let mut names = Vec::new();
        for name in reads.unwrap_or_default() {
            let place = self.place_of(tenant, name);
            names.push((place, self.names[place as usize].epoch));
        }
        let lost = &self.lost;
        if lost.iter().any(|lost| lost.concerns(scope, tenant, reads)) {
            return Marks::default();
        }
        Marks {
            generation: self.generation,
            scope,
            any: reads.is_none().then_some(pair.any),
            all: pair.all,
            names: names.into(),
        }
    }

    /// Whether nothing moved since.
    pub(super) fn hold(&self, marks: &Marks) -> bool {
        let pair = self.pair(marks.scope);
        let unmoved = |(place, epoch): &(u32, u64)| {
            let known = self.names.get(*place as usize);
            known.is_some_and(|known| known.epoch == *epoch)
        };
        marks.generation == self.generation
            && marks.all == pair.all
            && marks.any.is_none_or(|any| any == pair.any)
            && marks.names.iter().all(unmoved)
    }

    pub(super) fn write(&mut self, session: Option<SessionId>, tenant: u64, changed: &Changed<'_>) {
        let own = session.map(|session| Scope::Session(session.0));
        for scope in own.into_iter().chain([Scope::Tenant(tenant)]) {
            let pair = self.pairs.entry(scope).or_default();
            pair.any += 1;
            pair.all += u64::from(matches!(changed, Changed::Anything));
        }
        if let Changed::Names(names) = changed {
            self.move_names(tenant, names, |name| name.epoch += 1);
        }
    }

    /// A write is given up, and its code runs on: what it changes is not held before `found`.
    pub(super) fn lose(
        &mut self,
        session: Option<SessionId>,
        tenant: u64,
        changed: &Changed<'_>,
    ) -> u64 {
        self.losses += 1;
        self.lost.push(Lost {
            number: self.losses,
            session,
            tenant,
            names: match changed {
                Changed::Names(names) => Some(names.iter().map(|&name| name.into()).collect()),
                Changed::Anything => None,
            },
        });
        self.losses
    }

    /// The end of a lost write was seen; which one's, if nobody has said meanwhile what it changed.
    pub(super) fn found(&mut self, number: u64) -> Option<SessionId> {
        let place = self.lost.iter().position(|lost| lost.number == number)?;
        let lost = self.lost.swap_remove(place);
        let own = lost.session.map(|session| Scope::Session(session.0));
        for scope in own.into_iter().chain([Scope::Tenant(lost.tenant)]) {
            // One that is not there has marked nothing, or its session is over.
            if let Some(pair) = self.pairs.get_mut(&scope) {
                pair.any += 1;
                pair.all += u64::from(lost.names.is_none());
            }
        }
        let names = lost.names.unwrap_or_default();
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        self.move_names(lost.tenant, &names, |name| name.epoch += 1);
        lost.session
    }

    /// Others changed these; of one tenant, or of all.
    pub(super) fn changed(&mut self, tenant: Option<u64>, names: &[&str]) {
        let told = |scope: &Scope| match scope {
            Scope::Tenant(own) => tenant.is_none_or(|tenant| tenant == *own),
            Scope::Session(_) => true, // it may be of this tenant: at worst it asks again
        };
        for (_, pair) in self.pairs.iter_mut().filter(|(scope, _)| told(scope)) {
            pair.any += 1;
        }
        self.lost.retain_mut(|lost| {
            let is_of = tenant.is_none_or(|tenant| tenant == lost.tenant);
            !is_of || lost.heal(names)
        });
        for known in &mut self.names {
            let is_of = tenant.is_none_or(|tenant| tenant == known.tenant);
            if is_of && names.iter().any(|name| overlap(name, &known.text)) {
                known.epoch += 1;
            }
        }
    }

    pub(super) fn close(&mut self, session: SessionId) {
        self.pairs.remove(&Scope::Session(session.0));
    }

    /// Forgets everything; no mark of before holds.
    pub(super) fn reset(&mut self) {
        self.generation += 1;
        self.pairs.clear();
        self.places.clear();
        self.names.clear();
    }

    fn pair(&self, scope: Scope) -> Pair {
        self.pairs.get(&scope).copied().unwrap_or_default()
    }

    fn place_of(&mut self, tenant: u64, text: &str) -> u32 {
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let place = *self.places.entry(hash(tenant, text)).or_insert(next);
        if place == next {
            self.names.push(Name {
                tenant,
                text: text.into(),
                epoch: 0,
            });
        }
        place
    }

    /// Does `act` to all names that a write of `names` changes.
    fn move_names(&mut self, tenant: u64, names: &[&str], act: impl Fn(&mut Name)) {
        for name in names {
            if is_family(name) {
                let below = self.names.iter_mut();
                below
                    .filter(|known| known.tenant == tenant && overlap(name, &known.text))
                    .for_each(&act);
                continue;
            }
            self.act_on(tenant, name, &act);
            for family in families(name) {
                self.act_on(tenant, &family, &act);
            }
        }
    }

    fn act_on(&mut self, tenant: u64, name: &str, act: &impl Fn(&mut Name)) {
        if let Some(place) = self.places.get(&hash(tenant, name)) {
            act(&mut self.names[*place as usize]);
        }
    }
}

fn hash(tenant: u64, text: &str) -> u128 {
    let mut hash = Xxh3::new();
    hash.update(&tenant.to_le_bytes());
    hash.update(text.as_bytes());
    hash.digest128()
}

fn is_family(name: &str) -> bool {
    name == "*" || name.ends_with(":*")
}

/// The names of all families that a name is in, the smallest last.
fn families(name: &str) -> impl Iterator<Item = String> {
    let colons = name.match_indices(':').map(|(at, _)| &name[..=at]);
    std::iter::once("*".to_owned()).chain(colons.map(|stem| format!("{stem}*")))
}

/// Whether two names stand for some resource both.
fn overlap(one: &str, other: &str) -> bool {
    match (is_family(one), is_family(other)) {
        (false, false) => one == other,
        (true, false) => other.starts_with(stem(one)),
        (false, true) => one.starts_with(stem(other)),
        (true, true) => {
            let (one, other) = (stem(one), stem(other));
            one.starts_with(other) || other.starts_with(one)
        }
    }
}

fn stem(family: &str) -> &str {
    family.strip_suffix('*').unwrap_or(family)
}
