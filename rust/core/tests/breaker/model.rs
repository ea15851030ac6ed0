//! A breaker written down as plainly as possible: lists of ends and of probes, in milliseconds.

use penstock_core::breaker::{Class, State};

const MINUTE: u64 = 60_000;

/// A call that was admitted: the model's number of the state it belongs to, and its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    era: u32,
    call: u32,
}

pub struct Model {
    pub state: State,
    pub era: u32,
    ends: Vec<(u64, Class)>,
    connects: usize,
    /// Running probes and their deadlines.
    probes: Vec<(Held, u64)>,
    passed: usize,
    until: u64,
    closed_at: u64,
    next_open: u64,
    wary_until: u64,
    jitter: u64,
    calls: u32,
}

impl Model {
    pub fn new() -> Self {
        Self {
            state: State::Closed,
            era: 0,
            ends: Vec::new(),
            connects: 0,
            probes: Vec::new(),
            passed: 0,
            until: 0,
            closed_at: 0,
            next_open: 1_000,
            wary_until: 0,
            jitter: 0,
            calls: 0,
        }
    }

    pub fn admit(&mut self, now: u64, deadline: Option<u64>) -> Option<Held> {
        self.look(now);
        let may = match self.state {
            State::Closed => true,
            State::Open => now >= self.until,
            State::HalfOpen => self.probes.len() < self.places(),
            State::Misconfigured => now >= self.until && self.probes.is_empty(),
        };
        if !may {
            return None;
        }
        if self.state == State::Open {
            self.enter(State::HalfOpen);
        }
        self.calls += 1;
        let held = Held {
            era: self.era,
            call: self.calls,
        };
        if self.state != State::Closed {
            self.probes.push((held, deadline.unwrap_or(now + 10_000)));
        }
        if self.state == State::Misconfigured {
            self.until = now + MINUTE;
        }
        Some(held)
    }

    pub fn record(&mut self, held: Held, class: Class, now: u64, jitter: u64) {
        self.jitter = jitter;
        self.look(now);
        let probes = self.probes.iter().any(|(probe, _)| *probe == held);
        if held.era != self.era || (self.state != State::Closed && !probes) {
            return; // late
        }
        self.cancel(held);
        match (self.state, class) {
            (_, Class::Ignored) => {}
            (State::Closed | State::HalfOpen, Class::Misconfigured) => {
                self.enter(State::Misconfigured);
                self.until = now + MINUTE;
            }
            (State::Closed, class) => self.count(class, now),
            (State::HalfOpen, Class::Ok) => {
                self.passed += 1;
                if self.passed == 1 + 2 + 4 + 8 {
                    self.close(now);
                }
            }
            (State::HalfOpen, _) => self.open(now),
            (_, Class::Ok | Class::Slow) => self.close(now),
            _ => {}
        }
    }

    pub fn cancel(&mut self, held: Held) {
        self.probes.retain(|(probe, _)| *probe != held);
    }

    pub fn remote_open(&mut self, now: u64) {
        self.wary_until = now + 30_000;
    }

    pub fn reset(&mut self, now: u64) {
        self.close(now);
        self.next_open = 1_000;
        self.wary_until = 0;
    }

    /// Probes beyond their deadline fail, at the first of those deadlines.
    pub fn look(&mut self, now: u64) {
        let overdue = self.probes.iter().map(|(_, deadline)| *deadline);
        let Some(first) = overdue.filter(|deadline| *deadline <= now).min() else {
            return;
        };
        self.probes.retain(|(_, deadline)| *deadline > now);
        if self.state == State::HalfOpen {
            self.open(first);
        }
    }

    /// Places of the round, less those whose probe has passed.
    fn places(&self) -> usize {
        match self.passed {
            0 => 1,
            1..3 => 3 - self.passed,
            3..7 => 7 - self.passed,
            _ => 15 - self.passed,
        }
    }

    fn count(&mut self, class: Class, now: u64) {
        self.ends.push((now / 1_000, class));
        match class {
            Class::Connect => self.connects += 1,
            Class::Ok | Class::Slow => self.connects = 0,
            _ => {}
        }
        let recent = |wanted: &[Class]| {
            let ends = self
                .ends
                .iter()
                .filter(|(second, _)| second + 10 > now / 1_000);
            ends.filter(|(_, class)| wanted.contains(class)).count()
        };
        let all = recent(&[Class::Ok, Class::Slow, Class::Fail, Class::Connect]);
        let failed = recent(&[Class::Fail, Class::Connect]);
        let slow = recent(&[Class::Slow]);
        let opens = if now < self.wary_until {
            let shares = failed * 4 >= all || slow * 5 >= all * 2;
            self.connects >= 3 || (all >= 10 && shares)
        } else {
            let shares = failed * 2 >= all || slow * 5 >= all * 4;
            self.connects >= 5 || (all >= 20 && shares)
        };
        if opens {
            self.open(now);
        }
    }

    fn open(&mut self, at: u64) {
        if self.state == State::Closed {
            for _ in 0..(at - self.closed_at) / MINUTE {
                self.next_open = (self.next_open / 2).max(1_000);
            }
        }
        self.enter(State::Open);
        self.until = at + self.next_open + self.next_open * self.jitter / 5_000;
        self.next_open = (self.next_open * 2).min(60_000);
    }

    fn close(&mut self, now: u64) {
        self.enter(State::Closed);
        self.closed_at = now;
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.era += 1;
        self.ends.clear();
        self.probes.clear();
        self.connects = 0;
        self.passed = 0;
    }
}
