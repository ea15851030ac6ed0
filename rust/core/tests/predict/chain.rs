//! Calls that were not made are looked beyond, and leave nothing behind.

use penstock_core::predict::{BEAM, DEPTH, Decision, Outcome, Supposed};
use proptest::prelude::*;

use crate::common::{Turn, after, arguments, taught, tell};

const ASKED: Turn<'_> = Turn::User("Hi, my user id is carl_dahl_9999. Where are my orders?");

const USER: Supposed<'_> = Supposed {
    tool: "get_user",
    arguments: br#"{"user_id":"carl_dahl_9999"}"#,
    outcome: Outcome::Ok,
    value: br##"{"orders":["#W99991","#W99992"]}"##,
};

const ORDER: Supposed<'_> = Supposed {
    tool: "get_order",
    arguments: br##"{"order_id":"#W99991"}"##,
    outcome: Outcome::Ok,
    value: br#"{"status":"sent"}"#,
};

/// What was supposed, as a step that was made.
fn made<'a>(call: &Supposed<'a>) -> (&'a str, &'a str, &'a str) {
    let text = |bytes| std::str::from_utf8(bytes).unwrap();
    (call.tool, text(call.arguments), text(call.value))
}

#[test]
fn what_follows_a_supposed_call_is_what_follows_the_call() {
    let mut predictor = taught(20);
    after(&mut predictor, "supposed", &[ASKED]);
    for calls in [&[USER][..], &[USER, ORDER], &[ORDER]] {
        let supposed = predictor.predict_after("supposed", calls, BEAM);
        after(&mut predictor, "real", &[ASKED]);
        for call in calls {
            tell(&mut predictor, "real", &[Turn::Step(&[made(call)])]);
        }
        let real = predictor.predict("real", BEAM);
        assert_eq!(supposed.candidates, real.candidates);
        assert_eq!((supposed.tools, supposed.end), (real.tools, real.end));
        assert_eq!(supposed.number, 0);
    }
}

#[test]
fn the_values_of_a_supposed_result_are_used() {
    let mut predictor = taught(20);
    after(&mut predictor, "new", &[ASKED]);
    let decision = predictor.predict_after("new", &[USER], 8);
    assert_eq!(arguments(&decision)[0], r##"{"order_id":"#W99991"}"##);
    assert!(decision.candidates.len() <= BEAM);
    let failed = Supposed {
        outcome: Outcome::Error,
        ..USER
    };
    let decision = predictor.predict_after("new", &[failed], 8);
    assert!(!arguments(&decision).contains(&r##"{"order_id":"#W99991"}"##));
}

#[test]
fn beyond_the_depth_nothing_is_guessed() {
    let mut predictor = taught(20);
    after(&mut predictor, "new", &[ASKED]);
    assert!(
        !predictor
            .predict_after("new", &[USER; DEPTH], 4)
            .tools
            .is_empty()
    );
    for (session, calls) in [
        ("new", &[USER; DEPTH + 1][..]),
        ("new", &[]),
        ("nobody", &[USER]),
    ] {
        assert_eq!(
            predictor.predict_after(session, calls, 4),
            Decision::default()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn supposing_leaves_the_session_as_it_was(
        calls in prop::collection::vec((0..3_u8, 0..4_u8, 0..3_u8), 1..=DEPTH), learns in any::<bool>()
    ) {
        let (mut asked, mut plain) = (taught(6), taught(6));
        for predictor in [&mut asked, &mut plain] {
            crate::common::begin(predictor, "new", learns);
            tell(predictor, "new", &[ASKED, Turn::Step(&[made(&USER)])]);
        }
        let texts: Vec<_> = calls.iter().map(|(tool, value, _)| {
            (format!("tool_{tool}"), format!(r##"{{"order_id":"#W9999{value}"}}"##))
        }).collect();
        let supposed: Vec<_> = calls.iter().zip(&texts).map(|((tool, _, outcome), (name, text))| Supposed {
            tool: if *tool == 0 { "get_order" } else { name },
            arguments: text.as_bytes(),
            outcome: [Outcome::Ok, Outcome::Empty, Outcome::Error][usize::from(*outcome)],
            value: USER.value,
        }).collect();
        let once = asked.predict_after("new", &supposed, 4);
        prop_assert_eq!(&asked.predict_after("new", &supposed, 4), &once);
        prop_assert_eq!(asked.leaves("new"), plain.leaves("new"));
        prop_assert_eq!(asked.predict("new", 8), plain.predict("new", 8));
        for predictor in [&mut asked, &mut plain] {
            tell(predictor, "new", &[Turn::Step(&[made(&ORDER)]), Turn::End]);
        }
        prop_assert_eq!(asked.predict("new", 8), plain.predict("new", 8));
        prop_assert_eq!(asked.snapshot(), plain.snapshot());
    }
}
