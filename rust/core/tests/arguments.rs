//! What is wrong with a model's arguments is found, named and placed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use penstock_core::arguments::{ArgumentLimits, ArgumentsFault, Position, check};
use proptest::prelude::*;

fn fault(json: &str) -> ArgumentsFault {
    check(json.as_bytes(), &ArgumentLimits::default()).unwrap_err()
}

fn is_sound(json: &str) -> bool {
    check(json.as_bytes(), &ArgumentLimits::default()).is_ok()
}

fn on_line_one(byte: usize) -> Position {
    Position {
        line: 1,
        column: byte + 1,
        byte,
    }
}

#[test]
fn sound_objects_pass() {
    for json in [
        "{}",
        r#" {"city": "Oslo", "days": 3} "#,
        r#"{"a": [1, -2, 3.5e-7, true, false, null, {"a": "a"}], "b": {"a": {}}}"#,
        r#"{"pair": "\ud83d\ude00", "text": "\u00e9 é \\ud800"}"#,
        r#"{"large": 123456789012345678901234567890}"#,
    ] {
        assert!(is_sound(json), "{json}");
    }
}

#[test]
fn nothing_is_an_empty_object() {
    assert!(is_sound(""));
    assert!(is_sound(" \n\t"));
    assert!(!is_sound("\u{c}"));
}

#[test]
fn other_json_is_no_object() {
    let cases = [
        ("[1]", "an array"),
        ("null", "null"),
        ("\"{}\"", "a string"),
        ("3", "a number"),
    ];
    for (json, found) in cases {
        assert_eq!(fault(json), ArgumentsFault::NotAnObject { found });
    }
    assert_eq!(
        fault("true"),
        ArgumentsFault::NotAnObject { found: "a boolean" }
    );
}

#[test]
fn a_key_given_twice_is_named_with_its_object() {
    let duplicate = |path: &str, key: &str| ArgumentsFault::DuplicateKey {
        path: path.to_owned(),
        key: key.to_owned(),
    };
    assert_eq!(fault(r#"{"a": 1, "b": 2, "a": 1}"#), duplicate("", "a"));
    assert_eq!(fault(r#"{"a": 1, "\u0061": 1}"#), duplicate("", "a"));
    let deep = r#"{"items": [{}, {"x": {"y": [[0, {"k": 1, "k": 2}]]}}]}"#;
    assert_eq!(fault(deep), duplicate("items[1].x.y[0][1]", "k"));
}

#[test]
fn a_key_given_twice_among_many_is_found() {
    let mut entries: Vec<String> = (0..20_000)
        .map(|key| format!("\"k{key}\": {key}"))
        .collect();
    assert!(is_sound(&format!("{{{}}}", entries.join(","))));
    entries.push("\"k77\": 1".to_owned());
    let expected = ArgumentsFault::DuplicateKey {
        path: String::new(),
        key: "k77".to_owned(),
    };
    assert_eq!(fault(&format!("{{{}}}", entries.join(","))), expected);
}

#[test]
fn equal_keys_of_different_objects_pass() {
    assert!(is_sound(
        r#"{"a": {"a": {"a": 1}, "b": {"a": 1}}, "b": [{"a": 1}, {"a": 1}]}"#
    ));
}

#[test]
fn depth_is_allowed_up_to_the_limit_and_a_million_brackets_are_a_fault() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(is_sound(&nested(63)));
    let ArgumentsFault::TooDeep { path, limit } = fault(&nested(64)) else {
        panic!()
    };
    assert_eq!(
        (path.as_str(), limit),
        (&*format!("a{}", "[0]".repeat(63)), 64)
    );
    let huge = ArgumentLimits {
        bytes: usize::MAX,
        depth: usize::MAX,
    };
    let fault = check(
        format!("{{\"a\":{}", "[".repeat(1_000_000)).as_bytes(),
        &huge,
    )
    .unwrap_err();
    assert!(matches!(fault, ArgumentsFault::TooDeep { limit: 120, .. }));
}

#[test]
fn size_is_allowed_up_to_the_limit() {
    let limits = ArgumentLimits {
        bytes: 8,
        depth: 64,
    };
    assert_eq!(check(b"{\"a\": 1}", &limits), Ok(()));
    let fault = check(b"{\"a\": 12}", &limits);
    assert_eq!(fault, Err(ArgumentsFault::TooLarge { bytes: 9, limit: 8 }));
}

#[test]
fn numbers_that_are_not_finite_are_placed() {
    for (json, byte) in [
        (r#"{"a": NaN}"#, 6),
        (r#"{"a":Infinity}"#, 5),
        (r#"{"a": [1, -Infinity]}"#, 10),
        (r#"{"a": 1e999}"#, 6),
    ] {
        assert_eq!(
            fault(json),
            ArgumentsFault::NotFinite {
                at: on_line_one(byte)
            },
            "{json}"
        );
    }
}

#[test]
fn half_a_surrogate_pair_is_placed() {
    for (json, byte) in [
        (r#"{"a": "x\ud83d"}"#, 8),
        (r#"{"a": "\ude00 and more text"}"#, 7),
        (r#"{"a": "\ud83d\u0041"}"#, 7),
        (r#"{"\uD83D": 1}"#, 2),
    ] {
        assert_eq!(
            fault(json),
            ArgumentsFault::LoneSurrogate {
                at: on_line_one(byte)
            },
            "{json}"
        );
    }
}

#[test]
fn bytes_that_are_no_text_are_placed() {
    let fault = check(b"{\"a\": \"\xff\"}", &ArgumentLimits::default());
    assert_eq!(
        fault,
        Err(ArgumentsFault::InvalidUtf8 { at: on_line_one(7) })
    );
}

#[test]
fn what_follows_the_object_is_a_fault() {
    assert_eq!(
        fault("{} {}"),
        ArgumentsFault::Trailing { at: on_line_one(3) }
    );
}

#[test]
fn broken_json_is_placed_by_line_column_and_byte() {
    let ArgumentsFault::Broken { at, reason } = fault("{\n  \"a\": 1,\n  b: 2}") else {
        panic!()
    };
    assert_eq!(
        at,
        Position {
            line: 3,
            column: 3,
            byte: 14
        }
    );
    assert_eq!(reason, "key must be a string");
}

#[test]
fn text_that_was_cut_off_is_broken() {
    let whole = r#"{"a": [1, {"b": "text"}], "c": null}"#;
    for end in 1..whole.len() {
        assert!(
            matches!(fault(&whole[..end]), ArgumentsFault::Broken { .. }),
            "{}",
            &whole[..end]
        );
    }
}

#[test]
fn faults_read_as_sentences() {
    assert_eq!(
        fault("[]").to_string(),
        "the arguments must be a JSON object, not an array"
    );
    assert_eq!(
        fault(r#"{"a": 1, "a": 2}"#).to_string(),
        "the key `a` is given twice"
    );
    let text = fault(r#"{"a": NaN}"#).to_string();
    assert!(
        text.starts_with("the number at line 1, column 7 (byte 6) is not finite"),
        "{text}"
    );
}

/// JSON values whose objects have distinct keys, as text.
fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        any::<String>().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(serde_json::Value::from_iter),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_was_rendered_passes(value in json_value()) {
        let json = serde_json::json!({ "value": value }).to_string();
        prop_assert_eq!(check(json.as_bytes(), &ArgumentLimits::default()), Ok(()));
    }

    #[test]
    fn any_bytes_get_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = check(&bytes, &ArgumentLimits::default());
    }

    #[test]
    fn near_json_gets_an_answer(text in r#"[{}\[\]":,a\\ud8N0-9 \n]{0,40}"#) {
        let _ = check(text.as_bytes(), &ArgumentLimits::default()).map_err(|fault| fault.to_string());
    }
}
