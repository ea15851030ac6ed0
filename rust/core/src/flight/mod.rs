//! Reads that run, are held or were guessed, in one table: who asks again joins, or has its answer.
//!
//! Ground rules. An entry is one run of one read, for one session, or for all sessions of a tenant and a
//! principal. It keeps the epochs of its start and answers nobody once one of them has moved: [`epochs`]
//! says which. A write moves them when it starts and when its end is seen, so a run that overlaps it is
//! answered to those only who joined before. Errors are never held. A run that fails, ends or is left by
//! all goes out of the table by `land`, `fail` or `leave`, each once; what is dropped for another reason
//! comes by `pop_dropped`, so that the owner lets go of the value or cancels the run.
//! Bounds: entries, bytes of what is held (what was used longest ago goes first), names of resources and
//! tenants. At the brim of the last two everything is forgotten: then nothing is answered that should
//! not be. Runs are calls of an engine, which bounds those.

mod entry;
mod epochs;
mod numbers;
mod table;

pub use entry::{Claimed, Dropped, EntryId, Keep, Why};
pub use epochs::Changed;

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;

use entry::{Entry, Progress};
use epochs::{Epochs, Marks};
use numbers::Numbers;
use table::{Table, key_of};

use crate::clock::Nanos;

/// The bounds of one table.
#[derive(Clone, Copy, Debug)]
pub struct FlightsConfig {
    /// Values that are held.
    pub max_held: u32,
    /// What they may take together.
    pub max_bytes: u64,
    /// Names of resources, and tenants, whose epochs are known.
    pub max_names: usize,
}

impl Default for FlightsConfig {
    fn default() -> Self {
        Self {
            max_held: 65_536,
            max_bytes: 64 << 20,
            max_names: 100_000,
        }
    }
}

/// One conversation. Its number is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Who asks.
    pub session: SessionId,
    /// Of what tool.
    pub tool: u32,
    /// Its arguments in canonical form: the same bytes for the same arguments only.
    pub form: &'a [u8],
    /// Whom a value of this tool may answer.
    pub keep: Keep,
}

/// What a run depends on, beyond what everything depends on.
#[derive(Clone, Copy, Debug)]
pub struct Reads<'a> {
    /// Names of resources; `None`: not said, which is anything.
    pub names: Option<&'a [&'a str]>,
    /// How long the value is good, counted from the start of the run; `None`: until an epoch moves.
    pub stable_for: Option<Nanos>,
}

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlightStatistics {
    /// Sessions that are open.
    pub sessions: usize,
    /// Runs that have not ended.
    pub running: u32,
    /// Values that are held.
    pub held: u32,
    /// What they take.
    pub bytes: u64,
    /// Names of resources whose epochs are known.
    pub names: usize,
}

#[derive(Debug)]
struct Session {
    tenant: u64,
    /// The tenant and the principal, for what all their sessions share.
    shared: u64,
    /// Its entries, in no order.
    own: Vec<u32>,
}

/// See the ground rules.
#[derive(Debug, Default)]
pub struct Flights {
    config: FlightsConfig,
    sessions: HashMap<u64, Session, BuildHasherDefault<Numbers>>,
    opened: u64,
    epochs: Epochs,
    table: Table,
    dropped: VecDeque<Dropped>,
}

impl Flights {
    /// An empty table.
    #[must_use]
    pub fn new(config: FlightsConfig) -> Self {
        Self {
            config,
            ..Self::default()
        }
    }

    /// Opens a session of a tenant; `shared` stands for its tenant and its principal.
    pub fn open(&mut self, tenant: u64, shared: u64) -> SessionId {
        self.opened += 1;
        let own = Vec::new();
        let session = Session {
            tenant,
            shared,
            own,
        };
        self.sessions.insert(self.opened, session);
        SessionId(self.opened)
    }

    /// Ends a session: what is its own is dropped, guesses that run included.
    pub fn close(&mut self, session: SessionId) {
        for place in self.own(session) {
            self.drop_entry(place, Why::Closed);
        }
        self.sessions.remove(&session.0);
        self.epochs.close(session);
    }

    /// Who can answer: a value that is held, else a run to join, else nobody. A joined run has one more
    /// who waits for it; a value that answers only once is gone from the table.
    pub fn claim(&mut self, ask: &Ask<'_>, now: Nanos) -> Claimed {
        let Some(place) = self.find(ask) else {
            return Claimed::Miss;
        };
        let entry = &self.table[place];
        if let Some(why) = self.fault(entry, now) {
            self.drop_entry(place, why);
            return Claimed::Miss;
        }
        let (id, guessed) = (self.table.id(place), entry.guessed);
        match entry.progress {
            Progress::Queued => {
                self.drop_entry(place, Why::Overtaken);
                Claimed::Miss
            }
            Progress::Running => {
                let entry = &mut self.table[place];
                entry.joined += 1;
                entry.guessed = false;
                Claimed::Join { id, guessed }
            }
            Progress::Done => {
                if entry.keep == Keep::Once {
                    self.remove(place);
                } else {
                    self.table[place].guessed = false;
                    self.table.touch(place);
                }
                Claimed::Done { id, guessed }
            }
        }
    }

    /// Whether a claim would find anything, without claiming it.
    #[must_use]
    pub fn has(&self, ask: &Ask<'_>, now: Nanos) -> bool {
        self.find(ask)
            .is_some_and(|place| self.fault(&self.table[place], now).is_none())
    }

    /// Notes a run that starts now because of a miss: its caller waits for it.
    pub fn start(&mut self, ask: &Ask<'_>, reads: &Reads<'_>, now: Nanos) -> Option<EntryId> {
        self.enter(ask, reads, Progress::Running, now)
    }

    /// Notes a guess that is queued: nobody waits for it.
    pub fn guess(&mut self, ask: &Ask<'_>, reads: &Reads<'_>, now: Nanos) -> Option<EntryId> {
        self.enter(ask, reads, Progress::Queued, now)
    }

    /// The code of a guess starts now. What it read before, it did not.
    pub fn began(&mut self, id: EntryId) {
        if let Some(place) = self.table.find(id) {
            let entry = &mut self.table[place];
            if entry.progress == Progress::Queued {
                entry.progress = Progress::Running;
            }
        }
    }

    /// A run ended well with a value of so many bytes; whether the value is held from now on.
    pub fn land(&mut self, id: EntryId, bytes: u64, now: Nanos) -> bool {
        let Some(place) = self.table.find(id) else {
            return false;
        };
        let entry = &self.table[place];
        let is_used = entry.keep == Keep::Once && !entry.guessed;
        let is_large = bytes > self.config.max_bytes;
        if entry.progress == Progress::Done {
            return true;
        }
        if is_used || is_large || self.fault(entry, now).is_some() {
            self.remove(place);
            return false;
        }
        self.table.hold(place, bytes);
        self.shrink();
        true
    }

    /// A run ended without a value that may be held.
    pub fn fail(&mut self, id: EntryId) {
        if let Some(place) = self.table.find(id) {
            self.remove(place);
        }
    }

    /// One who waited goes away; whether nobody waits any more, so that the run is to be cancelled.
    pub fn leave(&mut self, id: EntryId) -> bool {
        let Some(place) = self.table.find(id) else {
            return false;
        };
        let entry = &mut self.table[place];
        if entry.progress == Progress::Done {
            return false;
        }
        entry.joined = entry.joined.saturating_sub(1);
        if entry.joined > 0 {
            return false;
        }
        self.remove(place);
        true
    }

    /// A write starts, or its end is seen: of a session, or of a tenant outside of sessions.
    pub fn write(&mut self, session: Option<SessionId>, tenant: u64, changed: &Changed<'_>) {
        self.epochs.write(session, tenant, changed);
        if let Some(session) = session {
            self.sweep(session, Nanos::ZERO);
        }
    }

    /// A write was given up while its code runs on: what it changes is not held, until its end is seen
    /// (`found`, with the number that is returned), or somebody says by `changed` that it was changed.
    pub fn lose(&mut self, session: Option<SessionId>, tenant: u64, changed: &Changed<'_>) -> u64 {
        self.write(session, tenant, changed);
        self.epochs.lose(session, tenant, changed)
    }

    /// The end of a write that was lost is seen. One that was told by `changed` is known already.
    pub fn found(&mut self, number: u64) {
        if let Some(session) = self.epochs.found(number) {
            self.sweep(session, Nanos::ZERO);
        }
    }

    /// Somebody says that these were changed by others; of one tenant, or of all.
    pub fn changed(&mut self, tenant: Option<u64>, names: &[&str]) {
        self.epochs.changed(tenant, names);
        for place in self.table.places() {
            let entry = &self.table[place];
            if let Some(why) = self.fault(entry, Nanos::ZERO) {
                self.drop_entry(place, why);
            }
        }
    }

    /// Drops what can answer nobody of a session any more.
    pub fn sweep(&mut self, session: SessionId, now: Nanos) {
        for place in self.own(session) {
            if let Some(why) = self.fault(&self.table[place], now) {
                self.drop_entry(place, why);
            }
        }
    }

    /// What was dropped, and not by the owner's own verbs, in that order; each once.
    pub fn pop_dropped(&mut self) -> Option<Dropped> {
        self.dropped.pop_front()
    }

    /// Counts.
    #[must_use]
    pub fn statistics(&self) -> FlightStatistics {
        FlightStatistics {
            sessions: self.sessions.len(),
            running: self.table.live() - self.table.held,
            held: self.table.held,
            bytes: self.table.bytes,
            names: self.epochs.names(),
        }
    }

    fn find(&self, ask: &Ask<'_>) -> Option<u32> {
        let whose = self.whose(ask)?;
        let place = self.table.at(key_of(whose, ask.tool, ask.form))?;
        let entry = &self.table[place];
        // The hash found it; the bytes confirm it.
        let same = entry.whose == whose && entry.tool == ask.tool && *entry.form == *ask.form;
        same.then_some(place)
    }

    fn whose(&self, ask: &Ask<'_>) -> Option<u64> {
        Some(match ask.keep {
            Keep::Tenant => self.sessions.get(&ask.session.0)?.shared,
            Keep::Once | Keep::Session => ask.session.0,
        })
    }

    fn own(&self, session: SessionId) -> Vec<u32> {
        let known = self.sessions.get(&session.0);
        known.map_or_else(Vec::new, |session| session.own.clone())
    }

    /// Why an entry can answer nobody; `None` if it can.
    fn fault(&self, entry: &Entry, now: Nanos) -> Option<Why> {
        if !self.epochs.hold(&entry.marks) {
            return Some(Why::Changed);
        }
        let is_old = entry.expires.is_some_and(|expires| expires <= now);
        is_old.then_some(Why::Expired)
    }

    fn enter(
        &mut self,
        ask: &Ask<'_>,
        reads: &Reads<'_>,
        progress: Progress,
        now: Nanos,
    ) -> Option<EntryId> {
        if let Some(before) = self.find(ask) {
            self.drop_entry(before, Why::Overtaken);
        }
        let marks = self.marks(ask, reads)?;
        let whose = self.whose(ask)?;
        let entry = Entry {
            whose,
            tool: ask.tool,
            form: ask.form.into(),
            keep: ask.keep,
            marks,
            expires: reads.stable_for.map(|life| now.saturating_add(life)),
            progress,
            guessed: progress == Progress::Queued,
            joined: u32::from(progress == Progress::Running),
            bytes: 0,
            at: 0,
        };
        let place = self.table.insert(key_of(whose, ask.tool, ask.form), entry);
        if ask.keep != Keep::Tenant
            && let Some(session) = self.sessions.get_mut(&whose)
        {
            self.table[place].at = u32::try_from(session.own.len()).unwrap_or(u32::MAX);
            session.own.push(place);
        }
        Some(self.table.id(place))
    }

    fn marks(&mut self, ask: &Ask<'_>, reads: &Reads<'_>) -> Option<Marks> {
        let tenant = self.sessions.get(&ask.session.0)?.tenant;
        let own = (ask.keep != Keep::Tenant).then_some(ask.session);
        let marks = self.epochs.marks(own, tenant, reads.names);
        if self.bound_names() {
            return Some(self.epochs.marks(own, tenant, reads.names));
        }
        Some(marks)
    }

    /// Forgets everything when the names are too many; whether it did.
    fn bound_names(&mut self) -> bool {
        if self.epochs.names() <= self.config.max_names {
            return false;
        }
        self.epochs.reset();
        for place in self.table.places() {
            self.drop_entry(place, Why::Changed);
        }
        true
    }

    /// Lets what was used longest ago go, until the rest is within the bounds.
    fn shrink(&mut self) {
        while self.table.held > self.config.max_held || self.table.bytes > self.config.max_bytes {
            let Some(oldest) = self.table.oldest() else {
                return;
            };
            self.drop_entry(oldest, Why::Crowded);
        }
    }

    /// Takes an entry out and tells the owner. A run that somebody waits for goes on for them.
    fn drop_entry(&mut self, place: u32, why: Why) {
        let entry = &self.table[place];
        let id = self.table.id(place);
        let (guessed, done) = (entry.guessed, entry.progress == Progress::Done);
        if entry.joined == 0 || done {
            self.remove(place);
            self.dropped.push_back(Dropped {
                id,
                why,
                guessed,
                done,
            });
        } else {
            self.hide(place);
        }
    }

    /// Nobody finds it any more; those who wait for it still leave, and it still ends.
    fn hide(&mut self, place: u32) {
        self.disown(place);
        self.table.hide(place);
        self.table[place].marks = Marks::default();
    }

    fn remove(&mut self, place: u32) {
        self.disown(place);
        self.table.remove(place);
    }

    fn disown(&mut self, place: u32) {
        let entry = &self.table[place];
        let (whose, at) = (entry.whose, entry.at as usize);
        if entry.keep == Keep::Tenant {
            return;
        }
        let Some(session) = self.sessions.get_mut(&whose) else {
            return;
        };
        if session.own.get(at) == Some(&place) {
            session.own.swap_remove(at);
            if let Some(moved) = session.own.get(at).copied() {
                self.table[moved].at = u32::try_from(at).unwrap_or(u32::MAX);
            }
        }
    }
}
