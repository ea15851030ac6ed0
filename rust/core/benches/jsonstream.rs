//! What reading arguments in pieces costs; divide by the bytes.

#![expect(missing_docs, reason = "criterion makes public functions without any")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use penstock_core::jsonstream::{JsonStream, Limits};

/// Arguments of `rows` objects, as a model writes a table.
fn table(rows: usize) -> String {
    let row = |number| {
        format!(
            "{{\"id\": {number}, \"name\": \"row \\\"{number}\\\" é\", \"price\": 12.5, \"sold\": true}}"
        )
    };
    let rows: Vec<String> = (0..rows).map(row).collect();
    format!("{{\"title\": \"sales\", \"rows\": [{}]}}", rows.join(", "))
}

fn pieces(criterion: &mut Criterion) {
    let text = table(300);
    let prose = format!(
        "{{\"text\": \"{}\"}}",
        "some words of a model. ".repeat(900)
    );
    let mut group = criterion.benchmark_group("jsonstream");
    for (name, text) in [("table", text), ("prose", prose)] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        for size in [1, 4, 16, text.len()] {
            group.bench_function(format!("{name}/{size}"), |bencher| {
                bencher.iter_batched_ref(
                    || {
                        (
                            JsonStream::new(Limits::default()),
                            Vec::with_capacity(4_096),
                        )
                    },
                    |(stream, events)| {
                        for piece in text.as_bytes().chunks(size) {
                            let _ = black_box(stream.feed(black_box(piece), events));
                        }
                    },
                    BatchSize::SmallInput,
                );
            });
        }
    }
}

criterion_group!(benches, pieces);
criterion_main!(benches);
