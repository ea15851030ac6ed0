//! Packing by size, seeing noise, reading a part, scanning a segment.

#![expect(missing_docs, reason = "criterion makes public functions without any")]

use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use penstock_core::pack::dictionary::train;
use penstock_core::pack::segment::{Head, Header, Kind, record_bytes, scan};
use penstock_core::pack::skip::is_noise;
use penstock_core::pack::{Coder, Dictionary, Form, Lanes, Media, Parcel, Purpose, Source};
use penstock_core::pack::{choose, frames};

fn numbers(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) % below
    }
}

/// JSON as a tool returns it.
fn json(seed: u64, bytes: usize) -> Vec<u8> {
    let mut number = numbers(seed);
    let mut text = String::from(r#"{"status":"ok","hits":["#);
    while text.len() < bytes {
        let (id, score, price) = (number(1 << 40), number(10_000), number(100_000));
        let hit = write!(
            text,
            r#"{{"id":"{id:010x}","score":0.{score:04},"price":{price},"in_stock":true}},"#
        );
        assert!(hit.is_ok());
    }
    text.truncate(bytes);
    text.into_bytes()
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut number = numbers(1);
    (0..bytes).map(|_| number(256).to_le_bytes()[0]).collect()
}

fn parcel(coder: &mut Coder, value: &[u8], with: Option<&Dictionary>) -> Vec<u8> {
    let choice = choose(value.len(), Purpose::Keep);
    frames::pack(coder, value, choice, with).parcel(Form::Json, Media::JSON)
}

fn packing(criterion: &mut Criterion) {
    let samples: Vec<_> = (1..=250).map(|seed| json(seed, 1 << 10)).collect();
    let dictionary = train(&samples, |_| false);
    let mut coder = Coder::new();
    let mut group = criterion.benchmark_group("pack");
    for (name, bytes, with) in [
        ("1k_dictionary", 1 << 10, dictionary.as_ref()),
        ("1k", 1 << 10, None),
        ("16k", 16 << 10, None),
        ("1m", 1 << 20, None),
    ] {
        let value = json(1_000, bytes);
        let packed = parcel(&mut coder, &value, with);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| parcel(&mut coder, black_box(&value), with));
        });
        let mut into = vec![0; bytes];
        group.bench_function(format!("unpack_{name}"), |bencher| {
            bencher.iter(|| {
                let parcel = Parcel::parse(black_box(&packed));
                parcel.and_then(|one| frames::unpack(&mut coder, &one, &mut into, with))
            });
        });
    }
    group.finish();
}

fn deciding(criterion: &mut Criterion) {
    let value = noise(256 << 10);
    criterion.bench_function("pack/is_noise", |bencher| {
        bencher.iter(|| is_noise(black_box(&value)));
    });
    let mut lanes = Lanes::default();
    let source = Source {
        tenant: "acme",
        tool: "search",
        media: "application/json",
    };
    criterion.bench_function("pack/plan_and_record", |bencher| {
        bencher.iter(|| {
            let plan = lanes.plan(black_box(&source), 9_000, Purpose::Keep);
            lanes.record(&source, &plan, &value[..9_000], Ok(3_000));
        });
    });
}

fn scanning(criterion: &mut Criterion) {
    let header = Header {
        capacity: 64 << 20,
        nonce: 7,
        created_ms: 1,
        key_name: "",
    };
    let mut segment = header.render().map_or_else(Vec::new, Vec::from);
    let body = parcel(&mut Coder::new(), &noise(1 << 20), None);
    let head = Head {
        kind: Kind::Parcel,
        id: [1; 16],
        label: b"acme",
        sealed: false,
    };
    let head = head.render(7, &[&body]).unwrap_or_default();
    let length = usize::try_from(record_bytes(4, body.len() as u64)).unwrap_or(0);
    for _ in 0..63 {
        let end = segment.len() + length;
        segment.extend_from_slice(&head);
        segment.extend_from_slice(&body);
        segment.resize(end, 0);
    }
    segment.resize(64 << 20, 0);
    let mut group = criterion.benchmark_group("pack");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(segment.len() as u64));
    group.bench_function("scan_64m", |bencher| {
        bencher.iter(|| scan(black_box(&segment)).map(|found| found.records.len()));
    });
    group.finish();
}

criterion_group!(benches, packing, deciding, scanning);
criterion_main!(benches);
