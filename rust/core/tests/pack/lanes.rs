//! What is learned of one tool, and that it stays with its tenant.

use std::sync::Arc;

use penstock_core::pack::dictionary::train;
use penstock_core::pack::skip::Skipped;
use penstock_core::pack::{Codec, Coder, Dictionary, Lanes, LanesConfig, Purpose, Source, frames};

use super::common::{Numbers, json};

const SOURCE: Source<'_> = Source {
    tenant: "acme",
    tool: "search",
    media: "application/json",
};

fn tool(tool: &str) -> Source<'_> {
    Source { tool, ..SOURCE }
}

/// Packs a value as the binding does; its parcel's payload, or None if it stays raw.
fn pack(lanes: &mut Lanes, source: &Source<'_>, value: &[u8]) -> Option<usize> {
    let plan = lanes.plan(source, value.len(), Purpose::Keep);
    let outcome = if let Some(skipped) = plan.skips(value) {
        Err(skipped)
    } else {
        let with = plan.dictionary.as_deref();
        let packed = frames::pack(&mut Coder::new(), value, plan.choice, with);
        packed.packed_length().ok_or(Skipped::Poor)
    };
    lanes.record(source, &plan, value, outcome);
    outcome.ok()
}

fn fill(lanes: &mut Lanes, source: &Source<'_>, results: u64) {
    for seed in 1..=results {
        pack(lanes, source, &json(seed, 1_000));
    }
}

fn learned(samples: &[Box<[u8]>]) -> Arc<Dictionary> {
    Arc::new(train(samples, |_| false).unwrap())
}

#[test]
fn a_tool_is_due_after_250_samples_and_gets_better_with_what_they_taught() {
    let mut lanes = Lanes::default();
    fill(&mut lanes, &SOURCE, 249);
    assert!(lanes.due().is_empty());
    fill(&mut lanes, &SOURCE, 1);
    assert_eq!(lanes.due(), [("acme".into(), "search".into())]);
    assert!(lanes.due().is_empty(), "each is answered once");
    let without = pack(&mut lanes, &SOURCE, &json(900, 1_000)).unwrap();
    let samples = lanes.take_samples("acme", "search").unwrap();
    assert_eq!((samples.len(), lanes.statistics().sample_bytes), (250, 0));
    lanes.use_dictionary("acme", "search", learned(&samples));
    let with = pack(&mut lanes, &SOURCE, &json(900, 1_000)).unwrap();
    assert!(with * 10 < without * 9);
}

#[test]
fn a_dictionary_is_used_for_its_own_tool_of_its_own_tenant_only() {
    let mut lanes = Lanes::default();
    fill(&mut lanes, &SOURCE, 250);
    let dictionary = learned(&lanes.take_samples("acme", "search").unwrap());
    let id = dictionary.id();
    lanes.use_dictionary("acme", "search", dictionary);
    let mut used = |tenant, tool| {
        let source = Source {
            tenant,
            tool,
            ..SOURCE
        };
        lanes
            .plan(&source, 1_000, Purpose::Keep)
            .dictionary
            .is_some()
    };
    assert!(used("acme", "search"));
    assert!(!used("acme", "fetch"));
    assert!(!used("other", "search"));
    assert!(lanes.dictionary("acme", id).is_some());
    assert!(lanes.dictionary("other", id).is_none());
    assert!(lanes.is_taken("acme", id) && !lanes.is_taken("other", id));
}

#[test]
fn samples_of_two_tenants_never_mix() {
    let mut lanes = Lanes::default();
    for seed in 1..=250 {
        let canary = [&b"CANARY-OF-ACME "[..], &json(seed, 1_000)].concat();
        pack(&mut lanes, &SOURCE, &canary);
        pack(
            &mut lanes,
            &Source {
                tenant: "other",
                ..SOURCE
            },
            &json(seed, 1_000),
        );
    }
    let samples = lanes.take_samples("other", "search").unwrap();
    let dictionary = learned(&samples);
    let has_canary = |bytes: &[u8]| bytes.windows(6).any(|part| part == b"CANARY");
    assert!(!samples.iter().any(|sample| has_canary(sample)));
    assert!(!has_canary(dictionary.bytes()));
    let own = lanes.take_samples("acme", "search").unwrap();
    assert!(has_canary(learned(&own).bytes()), "the test would see it");
}

#[test]
fn noise_stops_being_looked_at() {
    let mut lanes = Lanes::default();
    let noise = Numbers(1).noise(2_000);
    for _ in 0..1_004 {
        assert_eq!(pack(&mut lanes, &SOURCE, &noise), None);
    }
    let [small, format, looked, unseen, poor] = lanes.statistics().skipped;
    assert_eq!((small, format, poor), (0, 0, 0));
    assert_eq!(looked, 4 + 16);
    assert_eq!(unseen, 1_000 - 16);
    let source = Source {
        media: "text/plain",
        ..SOURCE
    };
    assert!(
        pack(&mut lanes, &source, &json(1, 2_000)).is_some(),
        "another media type"
    );
}

#[test]
fn small_values_are_counted_and_leave_nothing_behind() {
    let mut lanes = Lanes::default();
    assert_eq!(pack(&mut lanes, &SOURCE, b"[1, 2, 3]"), None);
    let statistics = lanes.statistics();
    assert_eq!(
        (
            statistics.skipped[0],
            statistics.raw_bytes,
            statistics.lanes
        ),
        (1, 9, 0)
    );
}

#[test]
fn lanes_are_bounded_and_the_one_used_longest_ago_goes() {
    let config = LanesConfig {
        lanes: 3,
        ..LanesConfig::default()
    };
    let mut lanes = Lanes::new(config);
    fill(&mut lanes, &tool("one"), 250);
    fill(&mut lanes, &tool("two"), 1);
    fill(&mut lanes, &tool("three"), 1);
    fill(&mut lanes, &tool("one"), 1);
    fill(&mut lanes, &tool("four"), 1);
    assert_eq!(lanes.statistics().lanes, 3);
    assert!(
        lanes.take_samples("acme", "one").is_some(),
        "it was used last"
    );
    for number in 0..100 {
        let name = format!("tool {number}");
        fill(&mut lanes, &tool(&name), 2);
    }
    let statistics = lanes.statistics();
    assert_eq!((statistics.lanes, statistics.sample_bytes), (3, 6_000));
    assert!(lanes.take_samples("acme", "one").is_none());
}

#[test]
fn the_bytes_of_samples_are_bounded() {
    let config = LanesConfig {
        sample_bytes: 10_000,
        ..LanesConfig::default()
    };
    let mut lanes = Lanes::new(config);
    fill(
        &mut lanes,
        &Source {
            tool: "idle",
            ..SOURCE
        },
        9,
    );
    fill(&mut lanes, &SOURCE, 50);
    let held = lanes.statistics().sample_bytes;
    assert!((9_000..=10_000).contains(&held), "{held}");
    fill(
        &mut lanes,
        &Source {
            tool: "late",
            ..SOURCE
        },
        1,
    );
    assert_eq!(
        lanes.statistics().sample_bytes,
        1_000,
        "the others made room"
    );
}

#[test]
fn dictionaries_are_bounded_and_the_one_used_longest_ago_goes() {
    let config = LanesConfig {
        dictionaries: 2,
        ..LanesConfig::default()
    };
    let mut lanes = Lanes::new(config);
    let made: Vec<_> = (0..3_u64)
        .map(|set| {
            let samples: Vec<_> = (1..=250)
                .map(|seed| json(seed + set * 1_000, 600))
                .collect();
            Arc::new(train(&samples, |_| false).unwrap())
        })
        .collect();
    lanes.know("acme", Arc::clone(&made[0]));
    lanes.know("acme", Arc::clone(&made[1]));
    lanes.dictionary("acme", made[0].id()).unwrap();
    lanes.know("other", Arc::clone(&made[2]));
    assert_eq!(lanes.statistics().dictionaries, 2);
    assert!(lanes.dictionary("acme", made[0].id()).is_some());
    assert!(lanes.dictionary("acme", made[1].id()).is_none());
}

#[test]
fn a_tool_that_gains_nothing_rests() {
    let mut lanes = Lanes::default();
    fill(&mut lanes, &SOURCE, 250);
    lanes.take_samples("acme", "search").unwrap();
    lanes.rest("acme", "search");
    lanes.due();
    fill(&mut lanes, &SOURCE, 300);
    assert!(lanes.due().is_empty());
}

#[test]
fn a_large_value_teaches_nothing() {
    let mut lanes = Lanes::default();
    pack(&mut lanes, &SOURCE, &json(1, 100_000)).unwrap();
    assert_eq!(lanes.statistics().sample_bytes, 0);
    let plan = lanes.plan(&SOURCE, 100_000, Purpose::Keep);
    assert_eq!(plan.choice.codec, Codec::Zstd);
    assert!(plan.dictionary.is_none());
}
