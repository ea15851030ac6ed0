//! Against a model that keeps all history: an answer is given exactly when nothing moved since its run
//! began. The model knows writes by when they were, not by epochs.

use penstock_core::clock::Nanos;
use penstock_core::flight::{Changed, Claimed, EntryId, Flights, Keep, Reads, SessionId};
use proptest::prelude::*;

use crate::common::{ask, table};

const NAMES: [&str; 5] = ["*", "a:*", "a:1", "a:2", "b"];
const KEEPS: [Keep; 3] = [Keep::Once, Keep::Session, Keep::Tenant];
const SESSIONS: usize = 4;

#[derive(Clone, Debug)]
enum Step {
    Read {
        session: usize,
        tool: usize,
    },
    Guess {
        session: usize,
        tool: usize,
    },
    Begin(usize),
    Land(usize),
    Fail(usize),
    Leave(usize),
    Write {
        session: Option<usize>,
        names: Option<Vec<usize>>,
    },
    Told {
        tenant: Option<u64>,
        name: usize,
    },
    Wait(u64),
}

/// A tool is what it reads, whom it answers and for how long.
#[derive(Clone, Debug)]
struct Tool {
    reads: Option<Vec<usize>>,
    keep: Keep,
    stable_for: Option<u64>,
}

#[derive(Clone, Debug)]
struct Run {
    id: EntryId,
    session: usize,
    tool: usize,
    began: usize,
    at: u64,
    waiting: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Queued,
    Guessed,
    Running,
    Done { guessed: bool },
    Over,
}

#[derive(Clone, Debug)]
enum Write {
    Of {
        session: Option<usize>,
        tenant: u64,
        names: Option<Vec<usize>>,
    },
    Told {
        tenant: Option<u64>,
        name: usize,
    },
}

struct World {
    flights: Flights,
    sessions: Vec<SessionId>,
    tools: Vec<Tool>,
    runs: Vec<Run>,
    writes: Vec<Write>,
    now: u64,
}

fn tenant(session: usize) -> u64 {
    session as u64 / 2
}

fn meets(one: &str, other: &str) -> bool {
    let stem = |name: &str| name.strip_suffix('*').map(str::to_owned);
    match (stem(one), stem(other)) {
        (None, None) => one == other,
        (Some(one), None) => other.starts_with(&one),
        (None, Some(other)) => one.starts_with(&other),
        (Some(one), Some(other)) => one.starts_with(&other) || other.starts_with(&one),
    }
}

impl World {
    fn new(tools: Vec<Tool>) -> Self {
        let mut flights = table();
        let sessions = (0..SESSIONS)
            .map(|at| flights.open(tenant(at), 100 + tenant(at)))
            .collect();
        Self {
            flights,
            sessions,
            tools,
            runs: Vec::new(),
            writes: Vec::new(),
            now: 0,
        }
    }

    /// Whether a write concerns a run, by the table of the design.
    fn concerns(&self, write: &Write, run: &Run) -> bool {
        let tool = &self.tools[run.tool];
        let is_shared = tool.keep == Keep::Tenant;
        let named = |names: &[usize]| {
            let reads = tool.reads.as_deref().unwrap_or_default();
            names
                .iter()
                .any(|name| reads.iter().any(|read| meets(NAMES[*name], NAMES[*read])))
        };
        match write {
            Write::Of {
                session,
                tenant: of,
                names,
            } => {
                let is_near = if is_shared {
                    *of == tenant(run.session)
                } else {
                    *session == Some(run.session)
                };
                let named = names.as_deref().is_some_and(named) && *of == tenant(run.session);
                named || is_near && (names.is_none() || tool.reads.is_none())
            }
            Write::Told { tenant: of, name } => {
                let is_of = of.is_none_or(|of| of == tenant(run.session));
                // What reads anything may ask again although another tenant was meant.
                named(&[*name]) && is_of || tool.reads.is_none() && (is_of || !is_shared)
            }
        }
    }

    fn is_true(&self, run: &Run) -> bool {
        let life = self.tools[run.tool].stable_for;
        let is_fresh = life.is_none_or(|life| run.at + life > self.now);
        is_fresh
            && !self.writes[run.began..]
                .iter()
                .any(|write| self.concerns(write, run))
    }

    fn answers(&self, run: &Run, session: usize, tool: usize) -> bool {
        let near = match self.tools[tool].keep {
            Keep::Tenant => tenant(run.session) == tenant(session),
            Keep::Once | Keep::Session => run.session == session,
        };
        near && run.tool == tool && run.state != State::Over && self.is_true(run)
    }

    fn known(&self, session: usize, tool: usize) -> Option<usize> {
        (0..self.runs.len())
            .rev()
            .find(|at| self.answers(&self.runs[*at], session, tool))
    }

    fn enter(&mut self, session: usize, tool: usize, guess: bool) {
        let own = self.tools[tool].clone();
        let names: Option<Vec<&str>> = own
            .reads
            .map(|reads| reads.iter().map(|read| NAMES[*read]).collect());
        let reads = Reads {
            names: names.as_deref(),
            stable_for: own.stable_for.map(Nanos),
        };
        let form = [u8::try_from(tool).unwrap_or(0)];
        let asked = ask(self.sessions[session], &form, own.keep);
        let now = Nanos(self.now);
        let id = if guess {
            self.flights.guess(&asked, &reads, now)
        } else {
            self.flights.start(&asked, &reads, now)
        };
        self.runs.push(Run {
            id: id.expect("an open session"),
            session,
            tool,
            began: self.writes.len(),
            at: self.now,
            waiting: u32::from(!guess),
            state: if guess { State::Queued } else { State::Running },
        });
    }

    fn read(&mut self, session: usize, tool: usize) {
        let form = [u8::try_from(tool).unwrap_or(0)];
        let keep = self.tools[tool].keep;
        let asked = ask(self.sessions[session], &form, keep);
        let claimed = self.flights.claim(&asked, Nanos(self.now));
        let known = self.known(session, tool);
        let Some(at) = known else {
            assert_eq!(claimed, Claimed::Miss, "nothing true is known");
            self.enter(session, tool, false);
            return;
        };
        let run = &mut self.runs[at];
        let id = run.id;
        match run.state {
            State::Queued => {
                run.state = State::Over;
                assert_eq!(claimed, Claimed::Miss, "it had not begun");
                self.enter(session, tool, false);
            }
            State::Guessed | State::Running => {
                let guessed = run.state == State::Guessed;
                assert_eq!(claimed, Claimed::Join { id, guessed });
                run.state = State::Running;
                run.waiting += 1;
            }
            State::Done { guessed } => {
                assert_eq!(claimed, Claimed::Done { id, guessed });
                let once = keep == Keep::Once;
                run.state = if once {
                    State::Over
                } else {
                    State::Done { guessed: false }
                };
            }
            State::Over => unreachable!("it answers nobody"),
        }
    }

    fn guess(&mut self, session: usize, tool: usize) {
        if self.known(session, tool).is_none() {
            self.enter(session, tool, true);
        }
    }

    fn land(&mut self, at: usize) {
        let Some(run) = self.runs.get(at) else { return };
        if !matches!(run.state, State::Guessed | State::Running) {
            return;
        }
        let guessed = run.state == State::Guessed;
        let is_used = self.tools[run.tool].keep == Keep::Once && !guessed;
        let holds = self.is_true(run) && !is_used;
        assert_eq!(self.flights.land(run.id, 1, Nanos(self.now)), holds);
        self.runs[at].state = if holds {
            State::Done { guessed }
        } else {
            State::Over
        };
    }

    fn leave(&mut self, at: usize) {
        let Some(run) = self.runs.get_mut(at) else {
            return;
        };
        if run.state == State::Running && run.waiting > 0 {
            run.waiting -= 1;
            if run.waiting == 0 {
                run.state = State::Over;
            }
            let over = run.waiting == 0;
            assert_eq!(self.flights.leave(run.id), over);
        }
    }

    fn write(&mut self, session: Option<usize>, names: Option<Vec<usize>>) {
        let texts: Option<Vec<&str>> = names
            .as_ref()
            .map(|names| names.iter().map(|name| NAMES[*name]).collect());
        let changed = texts.as_deref().map_or(Changed::Anything, Changed::Names);
        let of = session.map_or(0, tenant);
        let own = session.map(|session| self.sessions[session]);
        self.flights.write(own, of, &changed);
        self.writes.push(Write::Of {
            session,
            tenant: of,
            names,
        });
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Read { session, tool } => self.read(session, tool),
            Step::Guess { session, tool } => self.guess(session, tool),
            Step::Begin(at) => {
                if let Some(run) = self
                    .runs
                    .get_mut(at)
                    .filter(|run| run.state == State::Queued)
                {
                    run.state = State::Guessed;
                    self.flights.began(run.id);
                }
            }
            Step::Land(at) => self.land(at),
            Step::Fail(at) => {
                if let Some(run) = self
                    .runs
                    .get_mut(at)
                    .filter(|run| run.state == State::Running)
                {
                    run.state = State::Over;
                    self.flights.fail(run.id);
                }
            }
            Step::Leave(at) => self.leave(at),
            Step::Write { session, names } => self.write(session, names),
            Step::Told { tenant, name } => {
                self.flights.changed(tenant, &[NAMES[name]]);
                self.writes.push(Write::Told { tenant, name });
            }
            Step::Wait(time) => self.now += time,
        }
    }
}

fn names() -> impl Strategy<Value = Option<Vec<usize>>> {
    proptest::option::of(proptest::collection::vec(0..NAMES.len(), 0..3))
}

fn tools() -> impl Strategy<Value = Vec<Tool>> {
    let tool = (names(), 0..KEEPS.len(), proptest::option::of(1_u64..20));
    let tool = tool.prop_map(|(reads, keep, stable_for)| Tool {
        reads,
        keep: KEEPS[keep],
        stable_for,
    });
    proptest::collection::vec(tool, 3)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let read = (0..SESSIONS, 0..3_usize);
    let step = prop_oneof![
        6 => read.clone().prop_map(|(session, tool)| Step::Read { session, tool }),
        2 => read.prop_map(|(session, tool)| Step::Guess { session, tool }),
        2 => (0..20_usize).prop_map(Step::Begin),
        4 => (0..20_usize).prop_map(Step::Land),
        1 => (0..20_usize).prop_map(Step::Fail),
        1 => (0..20_usize).prop_map(Step::Leave),
        2 => (proptest::option::of(0..SESSIONS), names())
            .prop_map(|(session, names)| Step::Write { session, names }),
        1 => (proptest::option::of(0..2_u64), 0..NAMES.len())
            .prop_map(|(tenant, name)| Step::Told { tenant, name }),
        1 => (1..10_u64).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    #[test]
    fn an_answer_is_given_exactly_while_it_is_true(tools in tools(), steps in steps()) {
        let mut world = World::new(tools);
        for step in steps {
            world.step(step);
        }
    }

    #[test]
    fn nothing_is_left_when_all_sessions_ended(tools in tools(), steps in steps()) {
        let mut world = World::new(tools);
        for step in steps {
            world.step(step);
        }
        for session in world.sessions.clone() {
            world.flights.close(session);
        }
        for run in &world.runs {
            world.flights.fail(run.id);
        }
        prop_assert_eq!(world.flights.statistics().sessions, 0);
        prop_assert_eq!(world.flights.statistics().running, 0);
    }
}
