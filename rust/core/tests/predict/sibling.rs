//! A step that is known in part: its other calls are guessed, and nothing is changed.

use penstock_core::predict::{Decision, Event, Evidence, Predictor};
use proptest::prelude::*;

use crate::common::{Turn, after, arguments, begin, learn, tell};

/// A customer whose two orders are looked up at once.
fn shop(predictor: &mut Predictor, number: u32) {
    let user = format!("anna_berg_{number:04}");
    let (one, two) = (format!("#W{number:04}1"), format!("#W{number:04}2"));
    let (first, second) = (order(&user, &one), order(&user, &two));
    learn(
        predictor,
        &format!("shop-{number}"),
        &[
            Turn::User(&format!(
                "Hello, my user id is {user}. Where are my orders?"
            )),
            Turn::Step(&[("get_user", &found_by(&user), &orders(&[&one, &two]))]),
            Turn::Step(&[
                ("get_order", &first, r#"{"status":"sent"}"#),
                ("get_order", &second, r#"{"status":"late"}"#),
            ]),
            Turn::End,
        ],
    );
}

fn found_by(user: &str) -> String {
    format!(r#"{{"user_id":"{user}"}}"#)
}

fn order(user: &str, id: &str) -> String {
    format!(r#"{{"order_id":"{id}","user_id":"{user}"}}"#)
}

fn orders(ids: &[&str]) -> String {
    format!(r#"{{"orders":{ids:?}}}"#)
}

fn taught() -> Predictor {
    let mut predictor = Predictor::default();
    (0..20).for_each(|number| shop(&mut predictor, number));
    predictor
}

const USER: &str = "carl_dahl_9999";

/// Up to where the two orders are looked up.
fn asked(predictor: &mut Predictor) -> Decision {
    let turns = [
        Turn::User("Hi, my user id is carl_dahl_9999. Where are my orders?"),
        Turn::Step(&[(
            "get_user",
            r#"{"user_id":"carl_dahl_9999"}"#,
            r##"{"orders":["#W99991","#W99992"]}"##,
        )]),
    ];
    after(predictor, "new", &turns)
}

fn with(predictor: &mut Predictor, step: &[&str]) -> Decision {
    let step: Vec<_> = step
        .iter()
        .map(|given| ("get_order", given.as_bytes()))
        .collect();
    let evidence = Evidence {
        step: &step,
        open: None,
    };
    predictor.predict_with("new", 8, &evidence)
}

#[test]
fn the_other_call_of_a_step_is_guessed_once_one_is_known() {
    let mut predictor = taught();
    asked(&mut predictor);
    let (one, two) = (order(USER, "#W99991"), order(USER, "#W99992"));
    for (known, other) in [(&one, &two), (&two, &one)] {
        let decision = with(&mut predictor, &[known]);
        assert_eq!(arguments(&decision)[0], other);
        assert!(!arguments(&decision).contains(&known.as_str()));
    }
}

#[test]
fn a_step_that_is_whole_is_over() {
    let mut predictor = taught();
    asked(&mut predictor);
    let (one, two) = (order(USER, "#W99991"), order(USER, "#W99992"));
    assert!(with(&mut predictor, &[&one]).end < 0.2);
    assert!(with(&mut predictor, &[&one, &two]).end > 0.8);
}

#[test]
fn of_a_spoken_call_the_tool_is_sure_and_what_was_said_holds() {
    let mut predictor = taught();
    asked(&mut predictor);
    let said = br##"{"order_id":"#W99992"}"##;
    for (tool, closed, expected) in [
        ("get_order", said.as_slice(), Some(order(USER, "#W99992"))),
        (
            "get_user",
            br#"{"user_id":"carl_dahl_9999"}"#,
            Some(found_by(USER)),
        ),
        ("get_order", br#"{"unheard_of":1}"#, None),
        ("unheard_of", b"{}", None),
    ] {
        let evidence = Evidence {
            step: &[],
            open: Some((tool, closed)),
        };
        let decision = predictor.predict_with("new", 8, &evidence);
        let found: Vec<String> = arguments(&decision)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{tool}");
    }
}

#[test]
fn a_value_that_was_never_seen_is_believed_once_it_is_said() {
    let mut predictor = taught();
    asked(&mut predictor);
    let evidence = Evidence {
        step: &[],
        open: Some(("get_order", br##"{"order_id":"#W77777"}"##)),
    };
    let decision = predictor.predict_with("new", 8, &evidence);
    assert_eq!(arguments(&decision), [order(USER, "#W77777")]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn knowing_a_part_changes_nothing(
        known in prop::collection::vec((0..3_u8, 0..6_u8), 0..4), spoken in prop::option::of((0..3_u8, 0..6_u8))
    ) {
        let mut predictor = taught();
        let whole = asked(&mut predictor);
        let model = predictor.snapshot();
        let call = |(tool, value): &(u8, u8)| match tool {
            0 => ("get_order", order(USER, &format!("#W9999{value}"))),
            1 => ("get_user", found_by(USER)),
            _ => ("other", format!(r#"{{"id":{value}}}"#)),
        };
        let step: Vec<_> = known.iter().map(call).collect();
        let step: Vec<_> = step.iter().map(|(tool, given)| (*tool, given.as_bytes())).collect();
        let open = spoken.as_ref().map(call);
        let open = open.as_ref().map(|(tool, given)| (*tool, given.as_bytes()));
        let evidence = Evidence { step: &step, open };
        let once = predictor.predict_with("new", 8, &evidence);
        prop_assert_eq!(&predictor.predict_with("new", 8, &evidence), &once);
        prop_assert_eq!(once.number, 0);
        prop_assert!(once.candidates.iter().all(|each| (0.0..=1.0).contains(&each.chance)));
        prop_assert_eq!(predictor.snapshot(), model);
        let again = predictor.predict("new", 8);
        prop_assert_eq!((again.number, &again.candidates), (whole.number + 1, &whole.candidates));
    }
}

#[test]
fn without_evidence_it_is_the_ordinary_prediction() {
    let mut predictor = taught();
    let whole = asked(&mut predictor);
    let decision = predictor.predict_with("new", 8, &Evidence::default());
    assert_eq!(decision.candidates, whole.candidates);
    assert_eq!(
        predictor.predict_with("nobody", 8, &Evidence::default()),
        Decision::default()
    );
}

#[test]
fn arguments_that_are_no_object_are_taken_for_none() {
    let mut predictor = taught();
    asked(&mut predictor);
    let evidence = Evidence {
        step: &[("get_order", b"[")],
        open: Some(("get_order", b"7")),
    };
    let decision = predictor.predict_with("new", 8, &evidence);
    assert!(arguments(&decision).contains(&order(USER, "#W99991").as_str()));
}

#[test]
fn knowledge_of_steps_is_merged_too() {
    let (mut one, mut other) = (taught(), Predictor::default());
    begin(&mut other, "else", true);
    tell(
        &mut other,
        "else",
        &[Turn::Step(&[("a", "{}", "1"), ("b", "{}", "1")]), Turn::End],
    );
    other.observe("else", Event::End);
    let (first, second) = (one.snapshot(), other.snapshot());
    one.merge(&second).unwrap();
    other.merge(&first).unwrap();
    assert_eq!(one.snapshot(), other.snapshot());
    asked(&mut other);
    assert_eq!(
        arguments(&with(&mut other, &[&order(USER, "#W99991")]))[0],
        order(USER, "#W99992")
    );
}
