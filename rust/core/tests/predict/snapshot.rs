//! A model as bytes: equal, whole, or refused.

use penstock_core::predict::{Predictor, SnapshotError};

use crate::common::{Turn, after, arguments, taught};

const ASKED: Turn<'_> = Turn::User("Hi, my user id is carl_dahl_9999. Where are my orders?");

fn loaded(snapshot: &[u8]) -> Predictor {
    let mut predictor = Predictor::default();
    predictor.load(snapshot).unwrap();
    predictor
}

#[test]
fn a_snapshot_of_what_was_loaded_is_the_same() {
    let snapshot = taught(12).snapshot();
    assert_eq!(loaded(&snapshot).snapshot(), snapshot);
}

#[test]
fn what_was_loaded_guesses_the_same_arguments() {
    let mut teacher = taught(12);
    let mut pupil = loaded(&teacher.snapshot());
    let (one, other) = (
        after(&mut teacher, "new", &[ASKED]),
        after(&mut pupil, "new", &[ASKED]),
    );
    assert_eq!(arguments(&one), arguments(&other));
}

#[test]
fn values_of_conversations_are_not_in_it() {
    let snapshot = taught(12).snapshot();
    let text = String::from_utf8_lossy(&snapshot).into_owned();
    assert!(text.contains("get_user") && text.contains("order_id"));
    assert!(!text.contains("carl_dahl"));
}

#[test]
fn each_damage_is_an_error_that_changes_nothing() {
    let good = taught(4).snapshot();
    let mut predictor = taught(9);
    let before = predictor.snapshot();
    let mut tried = |bytes: &[u8]| {
        let loaded = predictor.load(bytes);
        assert_eq!(predictor.merge(bytes), loaded);
        assert_eq!(predictor.snapshot(), before);
        loaded
    };
    assert_eq!(tried(b""), Err(SnapshotError::Magic));
    assert_eq!(tried(b"PENSPARE........"), Err(SnapshotError::Magic));
    let mut newer = good.clone();
    newer[8] = 200;
    assert_eq!(tried(&newer), Err(SnapshotError::Version { found: 200 }));
    assert_eq!(tried(&good[..good.len() - 1]), Err(SnapshotError::Checksum));
    assert_eq!(tried(&good[..10]), Err(SnapshotError::Checksum));
    for place in (20..good.len()).step_by(97) {
        let mut damaged = good.clone();
        damaged[place] ^= 1;
        assert_eq!(
            tried(&damaged),
            Err(SnapshotError::Checksum),
            "byte {place}"
        );
    }
}

#[test]
fn merging_joins_what_two_have_learned() {
    let (mut one, other) = (Predictor::default(), taught(12));
    one.merge(&other.snapshot()).unwrap();
    assert_eq!(
        arguments(&after(&mut one, "new", &[ASKED]))[0],
        r#"{"user_id":"carl_dahl_9999"}"#
    );
}
