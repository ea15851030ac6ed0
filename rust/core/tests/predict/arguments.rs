//! Where arguments come from: one story a source.

use penstock_core::predict::Predictor;

use crate::common::{Turn, after, arguments, learn, taught};

/// Learns one call after one result, with other values each time, and follows a new one.
fn learned(make: impl Fn(u32) -> (String, String)) -> Vec<String> {
    let mut predictor = Predictor::default();
    for number in 0..12 {
        let (result, call) = make(number);
        let turns = [
            Turn::Step(&[("list", "{}", &result)]),
            Turn::Step(&[("get", &call, "1")]),
        ];
        learn(&mut predictor, &format!("story-{number}"), &turns);
    }
    let (result, _) = make(77);
    let decision = after(
        &mut predictor,
        "new",
        &[Turn::Step(&[("list", "{}", &result)])],
    );
    arguments(&decision)
        .into_iter()
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_leaf_of_a_result() {
    let found = learned(|n| {
        (
            format!(r#"{{"a":{{"id":"x-{n}"}}}}"#),
            format!(r#"{{"key":"x-{n}"}}"#),
        )
    });
    assert_eq!(found[0], r#"{"key":"x-77"}"#);
}

#[test]
fn a_result_that_is_a_text() {
    let found = learned(|n| (format!(r#""user_{n}""#), format!(r#"{{"key":"user_{n}"}}"#)));
    assert_eq!(found[0], r#"{"key":"user_77"}"#);
}

#[test]
fn a_word_in_a_text_by_its_shape() {
    let found = learned(|n| {
        (
            format!(r#""Created ticket TCK-{n}, thank you.""#),
            format!(r#"{{"key":"TCK-{n}"}}"#),
        )
    });
    assert_eq!(found[0], r#"{"key":"TCK-77"}"#);
}

#[test]
fn nested_arguments_are_bound_leaf_by_leaf() {
    let found = learned(|n| {
        let result = format!(r#"{{"a":"a-{n}","b":"b-{n}"}}"#);
        (
            result,
            format!(r#"{{"at":{{"x":"a-{n}","y":"b-{n}"}},"z":"a-{n}"}}"#),
        )
    });
    assert_eq!(found[0], r#"{"at":{"x":"a-77","y":"b-77"},"z":"a-77"}"#);
}

#[test]
fn values_of_one_object_stay_together() {
    let found = learned(|n| {
        let result = format!(
            r#"{{"flights":[{{"no":"F{n}1","day":"d{n}1"}},{{"no":"F{n}2","day":"d{n}2"}}]}}"#
        );
        (
            result,
            format!(r#"{{"no":"F{n}{0}","day":"d{n}{0}"}}"#, 1 + n % 2),
        )
    });
    let both = [
        r#"{"day":"d771","no":"F771"}"#,
        r#"{"day":"d772","no":"F772"}"#,
    ];
    assert!(
        both.contains(&found[0].as_str()) && both.contains(&found[1].as_str()),
        "{found:?}"
    );
}

#[test]
fn a_changed_value() {
    let found = learned(|n| (format!(r#"{{"id":{n}0}}"#), format!(r#"{{"key":"{n}0"}}"#)));
    assert_eq!(found[0], r#"{"key":"770"}"#, "number to text");
    let found = learned(|n| {
        (
            format!(r#"{{"id":"W{n}0"}}"#),
            format!(r##"{{"key":"#W{n}0"}}"##),
        )
    });
    assert_eq!(found[0], r##"{"key":"#W770"}"##, "a sign before it");
    let found = learned(|n| {
        (
            format!(r#"{{"f":"a/b{n}/c.txt"}}"#),
            format!(r#"{{"key":"a/b{n}"}}"#),
        )
    });
    assert_eq!(found[0], r#"{"key":"a/b77"}"#, "the folder of a path");
}

#[test]
fn an_identifier_that_the_user_wrote() {
    let mut predictor = taught(10);
    let turns = [Turn::User(
        "Hi, my user id is carl_dahl_9999. Where are my orders?",
    )];
    let decision = after(&mut predictor, "new", &turns);
    assert_eq!(arguments(&decision)[0], r#"{"user_id":"carl_dahl_9999"}"#);
    assert_eq!(decision.candidates[0].templates, ["input"]);
}

#[test]
fn a_date_that_the_user_said_in_words() {
    let mut predictor = Predictor::default();
    for day in 1..12 {
        let asked = format!("A table on May {day}, please");
        let call = format!(r#"{{"date":"2031-05-{day:02}"}}"#);
        let today: &[_] = &[("now", "{}", r#""2031-04-30""#)];
        let turns = [
            Turn::Step(today),
            Turn::User(&asked),
            Turn::Step(&[("find", &call, "1")]),
        ];
        learn(&mut predictor, &asked, &turns);
    }
    let today: &[_] = &[("now", "{}", r#""2031-07-01""#)];
    let turns = [
        Turn::Step(today),
        Turn::User("A table on the 24th of July, please"),
    ];
    assert_eq!(
        arguments(&after(&mut predictor, "new", &turns))[0],
        r#"{"date":"2031-07-24"}"#
    );
}

#[test]
fn what_the_user_spoke_of_comes_first() {
    let list = |n: u32| {
        format!(
            r#"[{{"name":"Desk Lamp","id":"a{n}"}},{{"name":"Kettle","id":"b{n}"}},{{"name":"Rug","id":"c{n}"}}]"#
        )
    };
    let mut predictor = Predictor::default();
    for number in 0..12 {
        let (word, id) = [("lamp", "a"), ("kettle", "b"), ("rug", "c")][number as usize % 3];
        let (asked, call) = (
            format!("I want the {word}"),
            format!(r#"{{"id":"{id}{number}"}}"#),
        );
        let turns = [
            Turn::User(&asked),
            Turn::Step(&[("list", "{}", &list(number))]),
            Turn::Step(&[("get", &call, "1")]),
        ];
        learn(&mut predictor, &format!("story-{number}"), &turns);
    }
    let turns = [
        Turn::User("Please, the rug"),
        Turn::Step(&[("list", "{}", &list(99))]),
    ];
    assert_eq!(
        arguments(&after(&mut predictor, "new", &turns))[0],
        r#"{"id":"c99"}"#
    );
}

#[test]
fn values_that_were_not_used_yet_come_before_those_that_were() {
    let mut predictor = taught(20);
    let found: &[_] = &[(
        "get_user",
        r#"{"user_id":"carl_dahl_9999"}"#,
        r##"{"orders":["#W99991","#W99992"]}"##,
    )];
    let first: &[_] = &[(
        "get_order",
        r##"{"order_id":"#W99991"}"##,
        r#"{"status":"sent"}"#,
    )];
    let asked = Turn::User("Hi, my user id is carl_dahl_9999.");
    let decision = after(
        &mut predictor,
        "new",
        &[asked, Turn::Step(found), Turn::Step(first)],
    );
    assert_eq!(arguments(&decision)[0], r##"{"order_id":"#W99992"}"##);
}

#[test]
fn a_constant_needs_three_different_tasks() {
    let steps: &[_] = &[("weather", r#"{"unit":"metric"}"#, "1")];
    let mut predictor = Predictor::default();
    learn(
        &mut predictor,
        "task-a",
        &[Turn::User("hi"), Turn::Step(steps)],
    );
    learn(
        &mut predictor,
        "task-a",
        &[Turn::User("hi"), Turn::Step(steps)],
    );
    learn(
        &mut predictor,
        "task-b",
        &[Turn::User("hi"), Turn::Step(steps)],
    );
    assert!(
        after(&mut predictor, "new", &[Turn::User("hi")])
            .candidates
            .is_empty()
    );
    learn(
        &mut predictor,
        "task-c",
        &[Turn::User("hi"), Turn::Step(steps)],
    );
    let decision = after(&mut predictor, "new", &[Turn::User("hi")]);
    assert_eq!(arguments(&decision), [r#"{"unit":"metric"}"#]);
}

#[test]
fn the_text_of_an_error_is_no_value() {
    use penstock_core::predict::{Event, Outcome};
    let mut predictor = taught(10);
    crate::common::begin(&mut predictor, "new", false);
    let arguments = br#"{"user_id":"carl_dahl_9999"}"#;
    predictor.observe(
        "new",
        Event::Call {
            tool: "get_user",
            arguments,
        },
    );
    let value = br#"{"orders":["not found"]}"#;
    let outcome = Outcome::Error;
    predictor.observe(
        "new",
        Event::Result {
            call: 0,
            outcome,
            value,
        },
    );
    predictor.observe("new", Event::Decision);
    let decision = predictor.predict("new", 8);
    assert!(
        decision
            .candidates
            .iter()
            .all(|candidate| !candidate.arguments.contains("not found"))
    );
}
