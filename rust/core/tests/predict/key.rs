//! One key a call, however its arguments are written.

use penstock_core::predict::{KeyError, canonical};

fn text(arguments: &str) -> String {
    canonical("tool", arguments.as_bytes()).unwrap().0.into()
}

#[test]
fn keys_are_sorted_at_every_depth_and_white_space_is_gone() {
    let written = r#"{ "b" : { "z": [2, {"y": 1, "x": 0}], "a": null }, "a": true }"#;
    assert_eq!(
        text(written),
        r#"{"a":true,"b":{"a":null,"z":[2,{"x":0,"y":1}]}}"#
    );
}

#[test]
fn integral_floats_are_integers() {
    assert_eq!(
        text(r#"{"n":3.0,"m":-0.0,"k":1e2,"f":0.5}"#),
        r#"{"f":0.5,"k":100,"m":0,"n":3}"#
    );
}

#[test]
fn escapes_are_those_that_json_demands() {
    assert_eq!(
        text(r#"{"t":"\u0041\/\n\u0001é"}"#),
        r#"{"t":"A/\n\u0001é"}"#
    );
}

#[test]
fn the_tool_is_part_of_the_key() {
    let (one, other) = (
        canonical("a", b"{}").unwrap(),
        canonical("b", b"{}").unwrap(),
    );
    assert_eq!(one.0, other.0);
    assert_ne!(one.1, other.1);
}

#[test]
fn arguments_are_an_object() {
    for arguments in ["", "[]", "1", "{", "{}{}", "null"] {
        assert_eq!(
            canonical("tool", arguments.as_bytes()),
            Err(KeyError::NotAnObject)
        );
    }
}

#[test]
fn numbers_that_a_double_rounds_have_no_key() {
    let arguments = br#"{"n":[123456789012345678901234567890]}"#;
    assert_eq!(canonical("tool", arguments), Err(KeyError::Number));
    assert!(canonical("tool", br#"{"n":18446744073709551615}"#).is_ok());
}
