//! The part of the story that the limiter plays: it is asked, it answers, it gets things back.

use std::collections::BTreeMap;

use penstock_core::clock::Nanos;
use penstock_core::sched::{self, Admission, Admit, CallId, Permit};

use super::Story;
use crate::model::{Ask, Limiter, Returned};

/// The limiter as the scheduler sees it.
pub struct Door<'a> {
    pub limiter: &'a mut Limiter,
    pub numbers: &'a BTreeMap<CallId, usize>,
    /// Who asked, and its turn.
    pub asks: &'a mut Vec<(Ask, u64)>,
}

impl Admit for Door<'_> {
    fn admit(&mut self, ask: &sched::Ask, _now: Nanos) -> Admission {
        let numbered = Ask {
            call: self.numbers[&ask.call],
            set: ask.set,
            lane: ask.lane,
            arrival: ask.arrival,
            deadline: ask.deadline,
        };
        self.asks.push((numbered, ask.turn));
        self.limiter.admit(&numbered)
    }

    fn is_held_by(&mut self, set: u32, permits: &[Permit]) -> bool {
        let permits: Vec<u32> = permits.iter().map(|permit| permit.0).collect();
        self.limiter.is_held_by(set, &permits)
    }

    fn wants_place(&mut self, set: u32, permit: Permit) -> bool {
        self.limiter.wants_place(set, permit.0)
    }
}

impl Story {
    /// Both asked the same.
    pub fn check_asks(&mut self) {
        let asks = std::mem::take(&mut self.asks);
        let numbered: Vec<Ask> = asks.iter().map(|(ask, _)| *ask).collect();
        assert_eq!(numbered, std::mem::take(&mut self.model.asks));
        for (ask, turn) in asks {
            self.check_turn(ask.call, turn);
            self.trace.push(format!("{ask:?}"));
        }
    }

    /// Turns have the order of the model: by batch, then by rank.
    fn check_turn(&mut self, call: usize, turn: u64) {
        let before = self.turns.insert(turn, call);
        assert!(
            before.is_none_or(|before| before == call),
            "one turn for two"
        );
        let key = |call: usize| (self.model.calls[call].batch, self.model.calls[call].rank);
        let below = self.turns.range(..turn).next_back();
        let above = self.turns.range(turn + 1..).next();
        assert!(below.is_none_or(|(_, below)| key(*below) < key(call)));
        assert!(above.is_none_or(|(_, above)| key(call) < key(*above)));
    }

    /// The limiter takes back what is no longer needed, decides, and tells those who waited.
    pub fn visit_limiter(&mut self) {
        self.take_back();
        self.decide();
        while self.answers
            && let Some(answer) = self.limiter.next_answer()
        {
            assert_eq!(self.model.limiter.next_answer(), Some(answer));
            self.trace.push(format!("{answer:?}"));
            match answer.permit {
                Some(permit) => self.grant(answer.call, permit),
                None => self.refuse(answer.call),
            }
        }
    }

    fn decide(&mut self) {
        self.limiter.decide();
        self.model.limiter.decide();
        assert_eq!(self.limiter, self.model.limiter);
    }

    fn take_back(&mut self) {
        let mut returned = Vec::new();
        while let Some(back) = self.sched.pop_returned() {
            returned.push(self.numbered(back));
        }
        assert_eq!(returned, std::mem::take(&mut self.model.returned));
        for back in &returned {
            self.limiter.take_back(back);
            self.model.limiter.take_back(back);
            self.trace.push(format!("{back:?}"));
        }
    }

    /// A call that is over does not take its permit.
    fn grant(&mut self, call: usize, permit: u32) {
        let takes = self.sched.granted(self.ids[call], Permit(permit));
        assert_eq!(takes, self.model.granted(call, permit));
        if !takes {
            let back = Returned::Refunded(permit);
            self.limiter.take_back(&back);
            self.model.limiter.take_back(&back);
            self.decide(); // its place is free for the next
        }
    }

    fn refuse(&mut self, call: usize) {
        let (id, now) = (self.ids[call], self.model.now);
        self.sched.refused(id, now, &mut self.actions);
        self.model.refused(call);
    }

    fn numbered(&self, returned: sched::Returned) -> Returned {
        match returned {
            sched::Returned::Settled {
                permit,
                call,
                status,
                started,
                ..
            } => Returned::Settled {
                permit: permit.0,
                call: self.numbers[&call],
                status,
                started,
            },
            sched::Returned::Refunded(permit) => Returned::Refunded(permit.0),
            sched::Returned::Forgotten(waiter) => Returned::Forgotten(waiter.0),
        }
    }
}
