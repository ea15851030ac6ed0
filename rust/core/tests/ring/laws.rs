//! The log against a list of everything, whatever is appended, replaced, read and forgotten.

use std::collections::HashSet;

use penstock_core::clock::Nanos;
use penstock_core::ring::{Fact, Kind, Look, Ring, RingConfig, Snapshot};
use proptest::prelude::*;

use crate::model::Model;

#[derive(Clone, Debug)]
enum Step {
    Append(Kind, u32, u16, Option<u32>),
    Attach(usize, u32),
    /// A reader takes up to so many records.
    Read(usize, u64),
    Shrink(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop::sample::select(Kind::ALL.to_vec())
        .prop_filter("a batch ends once", |kind| *kind != Kind::BatchEnded);
    let append = (kind, 0..5u32, 0..4u16, prop::option::of(0..60u32));
    prop_oneof![
        6 => append.prop_map(|(kind, call, attempt, bytes)| Step::Append(kind, call, attempt, bytes)),
        1 => (0..40usize, 0..50u32).prop_map(|(seq, more)| Step::Attach(seq, more)),
        4 => (0..3usize, 1..20u64).prop_map(|(reader, limit)| Step::Read(reader, limit)),
        1 => (0..200usize).prop_map(Step::Shrink),
    ]
}

/// What a reader has seen: every number once, as a record or inside a gap.
#[derive(Default)]
struct Reader {
    cursor: u64,
    seen: Vec<u64>,
    missed: Vec<u64>,
}

impl Reader {
    fn read(&mut self, ring: &mut Ring<u32>, limit: u64) -> Look {
        let look = ring.look(self.cursor, limit);
        match look {
            Look::Records { first, last } => {
                self.seen.extend(first..=last);
                self.cursor = last;
            }
            Look::Gap { from, to } => {
                let (Snapshot::Kept(made) | Snapshot::Make(made)) = ring.snapshot();
                assert!(made >= to, "a snapshot covers the gap");
                self.missed.extend(from..=made);
                self.cursor = made;
            }
            Look::Nothing | Look::End => {}
        }
        look
    }
}

proptest! {
    #[test]
    fn it_keeps_what_the_list_keeps(
        history in 1..12usize,
        payload_bytes in 1..300usize,
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let config = RingConfig { history, payload_bytes, folds: true };
        let mut ring = Ring::new(config);
        let mut model = Model::new(config);
        let mut readers: [Reader; 3] = Default::default();
        let mut held = HashSet::new();
        for (number, step) in (0u32..).zip(steps) {
            match step {
                Step::Append(kind, call, attempt, bytes) => {
                    let time = Nanos(u64::from(number));
                    let fact = Fact { kind, time, call, attempt, detail: (number % 6) as u8 };
                    match bytes {
                        Some(bytes) => {
                            held.insert(number);
                            ring.append_with(fact, number, bytes);
                        }
                        None => {
                            ring.append(fact);
                        }
                    }
                    model.append((fact, bytes.map(|_| number), bytes.unwrap_or(0)));
                }
                Step::Attach(seq, more) => {
                    held.insert(number);
                    let before = ring.attach(seq as u64, number, more);
                    if let Some(before) = before {
                        prop_assert!(held.remove(&before));
                    }
                    model.attach(seq, number, more);
                }
                Step::Read(reader, limit) => {
                    readers[reader].read(&mut ring, limit);
                }
                Step::Shrink(bytes) => {
                    ring.shrink(bytes);
                    while model.payload_bytes() > bytes && model.events.len() - model.forgotten > 1 {
                        model.forgotten += 1;
                    }
                }
            }
            for payload in ring.take_forgotten() {
                prop_assert!(held.remove(&payload), "let go of twice");
            }
            prop_assert_eq!(ring.newest(), model.events.len() as u64);
            prop_assert_eq!(ring.oldest(), model.forgotten as u64 + 1);
            for (seq, (fact, payload, bytes)) in model.kept(0) {
                let (record, found) = ring.get(seq).expect("it is kept");
                let read = (record.kind, record.time, record.call, record.bytes);
                prop_assert_eq!(read, (fact.kind, fact.time, fact.call, bytes));
                prop_assert_eq!(found.copied(), payload);
            }
        }
        let kept: HashSet<u32> = ring.payloads().copied().collect();
        prop_assert_eq!(kept, held, "each payload is held or was let go of");
        for reader in &mut readers {
            while reader.read(&mut ring, 7) != Look::Nothing {}
            let mut all: Vec<u64> = reader.seen.iter().chain(&reader.missed).copied().collect();
            prop_assert!(reader.seen.is_sorted());
            all.sort_unstable();
            prop_assert_eq!(all, (1..=ring.newest()).collect::<Vec<u64>>());
        }
    }

    /// However much was forgotten, the table is that of a log that forgot nothing.
    #[test]
    fn the_fold_of_what_is_left_is_the_fold_of_everything(
        history in 1..12usize,
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let bounded = RingConfig { history, ..RingConfig::default() };
        let mut ring = Ring::new(bounded);
        let mut whole = Ring::new(RingConfig::default());
        let mut model = Model::new(RingConfig::default());
        for (number, step) in (0u32..).zip(steps) {
            if let Step::Append(kind, call, attempt, bytes) = step {
                let fact = Fact { kind, time: Nanos::ZERO, call, attempt, detail: 1 };
                // Parts of a size at which output is cut.
                let bytes = bytes.unwrap_or(0) << 10;
                ring.append_with(fact, number, bytes);
                whole.append_with(fact, number, bytes);
                model.append((fact, Some(number), bytes));
                prop_assert_eq!(ring.fold(), whole.fold());
            }
        }
        let table = whole.fold();
        for call in 0..5 {
            let told = table.told().get(&call).and_then(|told| told.progress);
            prop_assert_eq!(told.copied(), model.progress_of(call));
            let status = table.rows().get(call as usize).map(|row| row.status);
            prop_assert_eq!(status.unwrap_or(0), model.status_of(call).unwrap_or(0));
        }
    }
}
