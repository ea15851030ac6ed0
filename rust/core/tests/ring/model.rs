//! A log written down as plainly as possible: a list of everything that ever happened.

use penstock_core::clock::Nanos;
use penstock_core::ring::{Fact, Kind, RingConfig};

/// One event: what happened, its payload, and what that takes.
pub type Event = (Fact, Option<u32>, u32);

pub struct Model {
    pub events: Vec<Event>,
    /// How many of them are forgotten.
    pub forgotten: usize,
    config: RingConfig,
}

impl Model {
    pub fn new(config: RingConfig) -> Self {
        Self {
            events: Vec::new(),
            forgotten: 0,
            config,
        }
    }

    pub fn append(&mut self, event: Event) {
        self.events.push(event);
        self.trim();
    }

    pub fn attach(&mut self, seq: usize, payload: u32, more: u32) {
        if seq > self.forgotten && seq <= self.events.len() {
            let event = &mut self.events[seq - 1];
            event.1 = Some(payload);
            event.2 += more;
            self.trim();
        }
    }

    pub fn payload_bytes(&self) -> usize {
        let kept = &self.events[self.forgotten..];
        kept.iter().map(|(_, _, bytes)| *bytes as usize).sum()
    }

    fn trim(&mut self) {
        while self.events.len() - self.forgotten > 1
            && (self.events.len() - self.forgotten > self.config.history
                || self.payload_bytes() > self.config.payload_bytes)
        {
            self.forgotten += 1;
        }
    }

    /// What is still kept behind `after`, with the numbers.
    pub fn kept(&self, after: usize) -> Vec<(u64, Event)> {
        let numbered = (1..).zip(self.events.iter().copied());
        let kept = numbered.skip(after.max(self.forgotten));
        kept.collect()
    }

    /// The last progress of a call among all that ever happened.
    pub fn progress_of(&self, call: u32) -> Option<u32> {
        let told = self.events.iter().rev().find(|(fact, payload, _)| {
            fact.call == call && fact.kind == Kind::CallProgress && payload.is_some()
        });
        told.and_then(|(_, payload, _)| *payload)
    }

    /// Whether a call has ended, and its status.
    pub fn status_of(&self, call: u32) -> Option<u8> {
        let ended = |(fact, _, _): &&Event| fact.call == call && fact.kind == Kind::CallEnded;
        self.events
            .iter()
            .rfind(ended)
            .map(|(fact, _, _)| fact.detail)
    }
}

pub fn fact(kind: Kind, call: u32) -> Fact {
    Fact::new(kind, call, Nanos::ZERO)
}
