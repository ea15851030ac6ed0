//! Laws over random conversations.

use penstock_core::predict::{Candidate, Predictor};
use proptest::prelude::*;

use crate::common::{Turn, begin, learn, tell};

/// What a story is made of: (kind, tool, value).
type Piece = (u8, u8, u16);

fn story() -> impl Strategy<Value = Vec<Piece>> {
    prop::collection::vec((0..6_u8, 0..4_u8, 0..40_u16), 1..14)
}

/// Tells each piece as a turn of its own.
fn told(pieces: &[Piece], mut hear: impl FnMut(Turn<'_>)) {
    for (kind, tool, value) in pieces {
        match kind {
            0 => hear(Turn::User(&format!(
                "Item-{value} of May {}",
                value % 28 + 1
            ))),
            1 => hear(Turn::End),
            _ => {
                let (name, arguments) = (
                    format!("tool_{tool}"),
                    format!(r#"{{"id":"Item-{value}","n":{tool}}}"#),
                );
                let result = format!(
                    r#"{{"items":[{{"id":"Item-{}"}},{{"id":"Item-{}"}}]}}"#,
                    value + 1,
                    value + 2
                );
                hear(Turn::Step(&[(&name, &arguments, &result)]));
            }
        }
    }
}

fn taught(stories: &[Vec<Piece>]) -> Predictor {
    let mut predictor = Predictor::default();
    for (number, pieces) in stories.iter().enumerate() {
        let id = format!("story-{number}");
        begin(&mut predictor, &id, true);
        told(pieces, |turn| tell(&mut predictor, &id, &[turn]));
        predictor.forget(&id);
    }
    predictor
}

/// The candidates after each piece.
fn followed(predictor: &mut Predictor, pieces: &[Piece]) -> Vec<Vec<Candidate>> {
    begin(predictor, "followed", false);
    let mut all = Vec::new();
    told(pieces, |turn| {
        tell(predictor, "followed", &[turn]);
        all.push(predictor.predict("followed", 8).candidates);
    });
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_same_stories_make_the_same_model(stories in prop::collection::vec(story(), 0..6)) {
        prop_assert_eq!(taught(&stories).snapshot(), taught(&stories).snapshot());
    }

    #[test]
    fn merge_commutes(
        ones in prop::collection::vec(story(), 0..5), others in prop::collection::vec(story(), 0..5)
    ) {
        let (mut one, mut other) = (taught(&ones), taught(&others));
        let (first, second) = (one.snapshot(), other.snapshot());
        one.merge(&second).unwrap();
        other.merge(&first).unwrap();
        prop_assert_eq!(one.snapshot(), other.snapshot());
    }

    #[test]
    fn a_snapshot_comes_back_whole(stories in prop::collection::vec(story(), 0..5), new in story()) {
        let mut teacher = taught(&stories);
        let mut pupil = Predictor::default();
        pupil.load(&teacher.snapshot()).unwrap();
        prop_assert_eq!(pupil.snapshot(), teacher.snapshot());
        let keys = |all: Vec<Vec<Candidate>>| -> Vec<usize> { all.iter().map(Vec::len).collect() };
        prop_assert_eq!(keys(followed(&mut pupil, &new)), keys(followed(&mut teacher, &new)));
    }

    #[test]
    fn what_comes_later_changes_nothing_before(
        stories in prop::collection::vec(story(), 1..5), new in story(), noise in story(), cut in 0..14_usize
    ) {
        let mut predictor = taught(&stories);
        let whole = followed(&mut predictor, &new);
        let cut = cut.min(new.len());
        let other: Vec<Piece> = new[..cut].iter().chain(&noise).copied().collect();
        prop_assert_eq!(&followed(&mut predictor, &other)[..cut], &whole[..cut]);
    }

    #[test]
    fn following_leaves_no_trace_in_the_model(stories in prop::collection::vec(story(), 1..5), new in story()) {
        let mut predictor = taught(&stories);
        let before = predictor.snapshot();
        followed(&mut predictor, &new);
        prop_assert_eq!(predictor.snapshot(), before);
    }

    #[test]
    fn chances_are_chances_and_the_likeliest_comes_first(stories in prop::collection::vec(story(), 1..6), new in story()) {
        let mut predictor = taught(&stories);
        for candidates in followed(&mut predictor, &new) {
            prop_assert!(candidates.len() <= 8);
            prop_assert!(candidates.iter().all(|each| (0.0..=1.0).contains(&each.chance) && each.late >= 0.0));
            prop_assert!(candidates.windows(2).all(|pair| pair[0].chance >= pair[1].chance));
        }
    }
}

#[test]
fn scores_move_the_chances_towards_what_came_true() {
    let call: &[_] = &[("ping", "{}", "1")];
    let mut predictor = Predictor::default();
    for number in 0..20 {
        learn(
            &mut predictor,
            &format!("story-{number}"),
            &[Turn::User("go"), Turn::Step(call)],
        );
    }
    begin(&mut predictor, "new", false);
    tell(&mut predictor, "new", &[Turn::User("go")]);
    let before = predictor.predict("new", 8);
    for _ in 0..300 {
        let decision = predictor.predict("new", 8);
        predictor.score("new", decision.number, &[]);
    }
    let after = predictor.predict("new", 8);
    assert!(after.candidates[0].chance < before.candidates[0].chance / 2.0);
}
