//! Which tool comes next.

use penstock_core::predict::{Event, Parts, Predictor, PredictorConfig};

use crate::common::{Turn, after, begin, learn, shop, taught, tell};

fn best(decision: &penstock_core::predict::Decision) -> Option<&str> {
    decision.tools.first().map(|(tool, _)| tool.as_ref())
}

const ASKED: Turn<'_> = Turn::User("Hi, my user id is carl_dahl_9999. Where are my orders?");

#[test]
fn what_always_follows_is_expected() {
    let mut predictor = taught(20);
    let decision = after(&mut predictor, "new", &[ASKED]);
    assert_eq!(best(&decision), Some("get_user"));
    assert!(decision.tools[0].1 > 0.8, "{:?}", decision.tools);
}

#[test]
fn the_end_is_a_target() {
    let mut predictor = taught(20);
    let fetched: &[_] = &[(
        "get_order",
        r##"{"order_id":"#W12341"}"##,
        r#"{"status":"sent"}"#,
    )];
    let found: &[_] = &[(
        "get_user",
        r#"{"user_id":"carl_dahl_9999"}"#,
        r##"{"orders":["#W12341"]}"##,
    )];
    let decision = after(
        &mut predictor,
        "new",
        &[ASKED, Turn::Step(found), Turn::Step(fetched)],
    );
    assert!(decision.end > 0.5, "{decision:?}");
}

#[test]
fn what_is_left_of_a_list_decides_whether_it_goes_on() {
    let mut predictor = taught(20);
    let found: &[_] = &[(
        "get_user",
        r#"{"user_id":"carl_dahl_9999"}"#,
        r##"{"orders":["#W12341","#W12342"]}"##,
    )];
    let fetched: &[_] = &[(
        "get_order",
        r##"{"order_id":"#W12341"}"##,
        r#"{"status":"sent"}"#,
    )];
    let decision = after(
        &mut predictor,
        "new",
        &[ASKED, Turn::Step(found), Turn::Step(fetched)],
    );
    assert_eq!(best(&decision), Some("get_order"));
    assert!(decision.end < 0.3, "{decision:?}");
}

#[test]
fn a_call_that_is_made_again_and_again_is_expected_again_whatever_its_tool() {
    let mut predictor = taught(5);
    let again: &[_] = &[("reboot", r#"{"device":"d-17"}"#, r#""no answer""#)];
    let stuck = [Turn::User("Try again"), Turn::Step(again)]
        .into_iter()
        .chain([Turn::Step(again); 30]);
    learn(&mut predictor, "stuck", &stuck.collect::<Vec<_>>());
    let other: &[_] = &[(
        "get_user",
        r#"{"user_id":"eva_falk_0001"}"#,
        r#"{"orders":[]}"#,
    )];
    let turns = [
        ASKED,
        Turn::Step(other),
        Turn::Step(other),
        Turn::Step(other),
    ];
    let decision = after(&mut predictor, "new", &turns);
    assert_eq!(
        &*decision.candidates[0].arguments,
        r#"{"user_id":"eva_falk_0001"}"#
    );
}

#[test]
fn a_tool_that_is_not_to_be_guessed_is_no_candidate_and_still_expected() {
    let mut predictor = taught(20);
    predictor.guess("shop", "get_user", false);
    let decision = after(&mut predictor, "new", &[ASKED]);
    assert_eq!(best(&decision), Some("get_user"));
    assert!(
        decision
            .candidates
            .iter()
            .all(|candidate| &*candidate.tool != "get_user")
    );
    predictor.guess("shop", "get_user", true);
    assert!(!after(&mut predictor, "new", &[ASKED]).candidates.is_empty());
}

#[test]
fn a_conversation_that_was_not_started_is_nothing() {
    let mut predictor = taught(3);
    predictor.observe("nobody", Event::User("hello"));
    assert!(predictor.predict("nobody", 8).candidates.is_empty());
    assert_eq!(predictor.statistics().sessions, 0);
}

#[test]
fn tenants_share_no_names_and_no_values() {
    let mut predictor = taught(20);
    let start = penstock_core::predict::Start {
        tenant: "bank",
        agent: "support",
        task: "",
        learns: false,
    };
    predictor.observe("other", Event::Start(start));
    tell(&mut predictor, "other", &[ASKED]);
    let decision = predictor.predict("other", 8);
    assert!(decision.tools.is_empty() && decision.candidates.is_empty());
}

#[test]
fn a_step_is_not_the_past_before_it_is_closed() {
    let mut predictor = taught(20);
    begin(&mut predictor, "new", false);
    tell(&mut predictor, "new", &[ASKED]);
    let before = predictor.predict("new", 8).candidates;
    let arguments = br#"{"user_id":"carl_dahl_9999"}"#;
    predictor.observe(
        "new",
        Event::Call {
            tool: "get_user",
            arguments,
        },
    );
    assert_eq!(predictor.predict("new", 8).candidates, before);
}

#[test]
fn without_the_mixer_a_fixed_order_decides() {
    let mut parts = Parts::default();
    assert!(parts.switch_off("mixer") && !parts.switch_off("no such part"));
    let config = PredictorConfig {
        parts,
        ..PredictorConfig::default()
    };
    let mut predictor = Predictor::new(config);
    (0..10).for_each(|number| shop(&mut predictor, number));
    assert_eq!(
        best(&after(&mut predictor, "new", &[ASKED])),
        Some("get_user")
    );
}

#[test]
fn what_the_codes_in_a_message_look_like_says_which_tool_comes() {
    let mut predictor = Predictor::default();
    for number in 0..30 {
        let (order, mail) = (
            format!("#W{number:05}"),
            format!("anna{number}@mail.example"),
        );
        let by_order = format!(r#"{{"order":"{order}"}}"#);
        let by_mail = format!(r#"{{"mail":"{mail}"}}"#);
        let (asked, known) = (
            format!("It is {order} please"),
            format!("It is {mail} please"),
        );
        let order = [
            Turn::User(&asked),
            Turn::Step(&[("get_order", &by_order, "{}")]),
        ];
        learn(&mut predictor, &format!("order-{number}"), &order);
        let mail = [
            Turn::User(&known),
            Turn::Step(&[("get_user", &by_mail, "{}")]),
        ];
        learn(&mut predictor, &format!("mail-{number}"), &mail);
    }
    for (text, tool) in [
        ("Is #W77777 there?", "get_order"),
        ("Write to eva77@mail.example", "get_user"),
    ] {
        let decision = after(&mut predictor, text, &[Turn::User(text)]);
        assert_eq!(best(&decision), Some(tool));
        assert!(decision.tools[0].1 > 0.8, "{:?}", decision.tools);
    }
}
