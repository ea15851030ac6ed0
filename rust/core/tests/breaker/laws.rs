//! Random histories: the breaker does what the model does, and never gets stuck.

use penstock_core::breaker::{Breaker, BreakerConfig, Class, State, Ticket};
use penstock_core::clock::Nanos;
use proptest::prelude::*;

use super::model::{Held, Model};

#[derive(Clone, Copy, Debug)]
enum Step {
    Admit(u32, Option<u64>),
    End(usize, Class),
    /// Admits and ends so many calls.
    Calls(u32, Class),
    Cancel(usize),
    Pass(u64),
    RemoteOpen,
    Reset,
}

fn class() -> impl Strategy<Value = Class> {
    prop_oneof![
        8 => Just(Class::Ok),
        6 => Just(Class::Fail),
        3 => Just(Class::Slow),
        3 => Just(Class::Connect),
        2 => Just(Class::Ignored),
        1 => Just(Class::Misconfigured),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u32..12, proptest::option::of(0_u64..30_000))
            .prop_map(|(calls, time)| Step::Admit(calls, time)),
        6 => (any::<usize>(), class()).prop_map(|(pick, class)| Step::End(pick, class)),
        6 => (1_u32..12, class()).prop_map(|(calls, class)| Step::Calls(calls, class)),
        1 => any::<usize>().prop_map(Step::Cancel),
        4 => (0_u64..3_000).prop_map(Step::Pass),
        1 => (0_u64..150_000).prop_map(Step::Pass),
        1 => Just(Step::RemoteOpen),
        1 => Just(Step::Reset),
    ]
}

struct Rig {
    breaker: Breaker,
    model: Model,
    running: Vec<(Ticket, Held)>,
    millis: u64,
    jitter: u32,
}

impl Rig {
    fn new(jitter: u32) -> Self {
        Self {
            breaker: Breaker::new(BreakerConfig::default()),
            model: Model::new(),
            running: Vec::new(),
            millis: 5_000_000,
            jitter,
        }
    }

    fn now(&self) -> Nanos {
        Nanos::from_millis(self.millis)
    }

    fn admit(&mut self, time: Option<u64>) -> bool {
        let deadline = time.map(|time| self.millis + time);
        let may = self.breaker.check(self.now()).is_ok();
        let admitted = self
            .breaker
            .admit(self.now(), deadline.map(Nanos::from_millis));
        let held = self.model.admit(self.millis, deadline);
        assert_eq!(may, admitted.is_ok());
        assert_eq!(admitted.is_ok(), held.is_some());
        match (admitted, held) {
            (Ok(ticket), Some(held)) => self.running.push((ticket, held)),
            (Err(retry_at), _) => assert!(retry_at > self.now()),
            _ => {}
        }
        admitted.is_ok()
    }

    fn end(&mut self, place: usize, class: Class) {
        let (ticket, held) = self.running.swap_remove(place);
        let now = self.now();
        self.breaker.record(ticket, class, now, self.jitter);
        self.model
            .record(held, class, self.millis, u64::from(self.jitter));
    }

    fn play(&mut self, step: Step) {
        let count = self.running.len();
        match step {
            Step::Admit(calls, time) => {
                for _ in 0..calls {
                    self.admit(time);
                }
            }
            Step::Calls(calls, class) => {
                for _ in 0..calls {
                    if self.admit(None) {
                        self.end(self.running.len() - 1, class);
                    }
                }
            }
            Step::End(pick, class) if count > 0 => self.end(pick % count, class),
            Step::Cancel(pick) if count > 0 => {
                let (ticket, held) = self.running.swap_remove(pick % count);
                self.breaker.cancel(ticket, self.now());
                self.model.look(self.millis);
                self.model.cancel(held);
            }
            Step::End(..) | Step::Cancel(_) => {}
            Step::Pass(millis) => self.millis += millis,
            Step::RemoteOpen => {
                self.breaker.remote_open(self.now());
                self.model.remote_open(self.millis);
            }
            Step::Reset => {
                self.breaker.reset(self.now());
                self.model.reset(self.millis);
            }
        }
        self.model.look(self.millis);
        let statistics = self.breaker.statistics(self.now());
        assert_eq!(statistics.state, self.model.state);
        assert!(statistics.probes <= 8);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn a_breaker_does_what_its_model_does(
        jitter in 0_u32..11,
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let mut rig = Rig::new(jitter * 100);
        for step in steps {
            rig.play(step);
        }
    }

    /// Whatever happened, asking again at the time it names and answering well closes it.
    #[test]
    fn a_breaker_is_never_stuck(steps in proptest::collection::vec(step(), 1..120)) {
        let mut rig = Rig::new(0);
        for step in steps {
            rig.play(step);
        }
        for _ in 0..40 {
            let now = rig.now();
            match rig.breaker.admit(now, None) {
                Ok(ticket) => {
                    rig.breaker.record(ticket, Class::Ok, now, 0);
                }
                Err(retry_at) => rig.millis = retry_at.0.div_ceil(1_000_000),
            }
        }
        prop_assert_eq!(rig.breaker.state(), State::Closed);
    }
}
