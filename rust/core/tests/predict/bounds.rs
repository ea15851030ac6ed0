//! Memory has a bound, whatever is told.

use penstock_core::predict::{Event, Outcome, Parts, Predictor, PredictorConfig};

use crate::common::{Turn, begin, learn, tell};

const BOUND: usize = 1 << 20;

fn small() -> Predictor {
    Predictor::new(PredictorConfig {
        memory_bytes: BOUND,
        parts: Parts::default(),
    })
}

#[test]
fn the_oldest_conversations_leave_first() {
    let mut predictor = small();
    let words: Vec<String> = (0..300).map(|word| format!("Word{word}-{word}")).collect();
    let long = words.join(" ");
    for session in 0..3_000 {
        let id = format!("session-{session}");
        begin(&mut predictor, &id, false);
        tell(&mut predictor, &id, &[Turn::User(&long)]);
    }
    let statistics = predictor.statistics();
    // The bound is looked at once in 1,024 events.
    assert!(statistics.sessions < 1_200, "{statistics:?}");
    predictor.observe("last", Event::Decision);
    assert!(predictor.leaves("session-2999") > 0, "the newest stays");
    assert_eq!(predictor.leaves("session-0"), 0);
}

#[test]
fn a_model_of_endless_tools_stays_small() {
    let mut predictor = Predictor::new(PredictorConfig {
        memory_bytes: BOUND / 4,
        parts: Parts::default(),
    });
    for number in 0..1_200 {
        let (tool, other) = (format!("tool_{number}"), format!("tool_{}", number * 7));
        let steps = [
            Turn::Step(&[(&tool, "{}", "1")]),
            Turn::Step(&[(&other, "{}", "1")]),
        ];
        learn(&mut predictor, &tool, &steps);
    }
    assert!(
        predictor.statistics().bytes < 3 * BOUND,
        "{:?}",
        predictor.statistics()
    );
}

#[test]
fn leaves_beyond_the_most_are_counted() {
    let mut predictor = small();
    begin(&mut predictor, "one", false);
    let value = format!(
        "[{}]",
        (0..6_000)
            .map(|n| format!("{{\"id\":\"x{n}\"}}"))
            .collect::<Vec<_>>()
            .join(",")
    );
    predictor.observe(
        "one",
        Event::Call {
            tool: "list",
            arguments: b"{}",
        },
    );
    let (outcome, value) = (Outcome::Ok, value.as_bytes());
    predictor.observe(
        "one",
        Event::Result {
            call: 0,
            outcome,
            value,
        },
    );
    predictor.observe("one", Event::Decision);
    assert_eq!(predictor.statistics().beyond, 6_000 - 4_096);
}

#[test]
fn what_is_no_json_is_no_value_and_no_fault() {
    let mut predictor = small();
    begin(&mut predictor, "one", true);
    for arguments in [&b"{"[..], b"", b"[1]", b"\xff", b"{\"n\":1e400}"] {
        predictor.observe(
            "one",
            Event::Call {
                tool: "list",
                arguments,
            },
        );
        let outcome = Outcome::Ok;
        predictor.observe(
            "one",
            Event::Result {
                call: 0,
                outcome,
                value: arguments,
            },
        );
        predictor.observe(
            "one",
            Event::Result {
                call: 9,
                outcome,
                value: b"1",
            },
        );
        predictor.observe("one", Event::Decision);
    }
    predictor.predict("one", 8);
}
