//! What a claim costs: a hit among many, a miss, and a write.

#![expect(missing_docs, reason = "criterion makes public functions without any")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use penstock_core::clock::Nanos;
use penstock_core::flight::{Ask, Changed, Flights, FlightsConfig, Keep, Reads, SessionId};

const HELD: u32 = 10_000;
const NAMES: [&str; 2] = ["order:17", "user:3"];

fn ask(session: SessionId, form: &[u8]) -> Ask<'_> {
    Ask {
        session,
        tool: 1,
        form,
        keep: Keep::Session,
    }
}

fn full() -> (Flights, SessionId) {
    let mut flights = Flights::new(FlightsConfig::default());
    let session = flights.open(7, 7);
    let reads = Reads {
        names: Some(&NAMES),
        stable_for: None,
    };
    for number in 0..HELD {
        let form = format!("[\"W{number:08}\",\"some other argument\"]");
        if let Some(id) = flights.start(&ask(session, form.as_bytes()), &reads, Nanos(1)) {
            flights.land(id, 100, Nanos(2));
        }
    }
    (flights, session)
}

fn claims(criterion: &mut Criterion) {
    let (mut flights, session) = full();
    let forms: Vec<String> = (0..HELD)
        .map(|number| format!("[\"W{number:08}\",\"some other argument\"]"))
        .collect();
    let mut at = 0;
    criterion.bench_function("flight/claim: held", |bencher| {
        bencher.iter(|| {
            at = (at + 7) % forms.len();
            black_box(flights.claim(&ask(session, forms[at].as_bytes()), Nanos(3)))
        });
    });
    criterion.bench_function("flight/claim: miss", |bencher| {
        bencher.iter(|| black_box(flights.claim(&ask(session, b"[\"never\"]"), Nanos(3))));
    });
    let mut small = Flights::new(FlightsConfig::default());
    let session = small.open(7, 7);
    criterion.bench_function("flight/write: two names", |bencher| {
        bencher.iter(|| small.write(Some(session), 7, &Changed::Names(&NAMES)));
    });
}

criterion_group!(benches, claims);
criterion_main!(benches);
