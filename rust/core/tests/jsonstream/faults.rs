//! What is refused: with which fault, at which byte, in which value.

use penstock_core::jsonstream::{JsonError, JsonFault, JsonStream, Limits};

use crate::common::{read, whole};

fn error(text: &str) -> JsonError {
    whole(text.as_bytes()).unwrap_err()
}

fn fault(text: &str) -> JsonFault {
    error(text).fault
}

#[test]
fn a_fault_has_its_byte_and_its_path() {
    let error = error(r#"{"items": [1, {"name": 01}]}"#);
    assert_eq!((error.offset, &*error.path), (24, "items[1]"));
    assert_eq!(
        error.to_string(),
        "`,` or `}` must come here (byte 24, in `items[1]`)"
    );
}

#[test]
fn a_key_twice_is_refused_however_it_is_written_and_however_many_there_are() {
    let key = || "a".to_owned();
    let cases = [
        r#"{"a": 1, "a": 2}"#,
        r#"{"a": 1, "\u0061": 2}"#,
        r#"{"\u0061": 1, "a": 2}"#,
    ];
    for text in cases {
        assert_eq!(
            fault(text),
            JsonFault::DuplicateKey { key: key() },
            "{text}"
        );
    }
    let many: Vec<String> = (0..100)
        .map(|number| format!("\"k{number}\": 0, "))
        .collect();
    let many = many.concat();
    let last = format!("{{{many}\"k50\": 1}}");
    let key = "k50".to_owned();
    assert_eq!(fault(&last), JsonFault::DuplicateKey { key });
    assert!(whole(format!("{{{many}\"k100\": 1}}").as_bytes()).is_ok());
}

#[test]
fn a_key_twice_is_put_down_to_its_object() {
    assert_eq!(error(r#"{"a": [{"b": 1, "b": 2}]}"#).path, "a[0]");
    assert_eq!(error(r#"{"a": 1, "a": 2}"#).path, "");
}

#[test]
fn other_json_is_no_arguments() {
    let cases = [
        ("[1]", "an array"),
        ("\"\"", "a string"),
        ("-1", "a number"),
    ];
    for (text, found) in cases {
        assert_eq!(fault(text), JsonFault::NotAnObject { found }, "{text}");
    }
    assert_eq!(fault("null"), JsonFault::NotAnObject { found: "null" });
}

#[test]
fn numbers_that_no_double_holds_are_refused() {
    let long = format!("{{\"a\": {}}}", "9".repeat(400));
    for text in [
        "{\"a\": 1e400}",
        "{\"a\": NaN}",
        "{\"a\": -Infinity}",
        &long,
    ] {
        assert_eq!(fault(text), JsonFault::NotFinite, "{text}");
    }
    assert!(whole(format!("{{\"a\": {}}}", "9".repeat(300)).as_bytes()).is_ok());
    assert!(whole(b"{\"a\": 1e-400, \"b\": 0e999999999999}").is_ok());
}

#[test]
fn half_of_a_surrogate_pair_is_refused() {
    for escape in [
        "\\ud83d",
        "\\ude00",
        "\\ud83dx",
        "\\ud83d\\n",
        "\\ud83d\\ud83d",
    ] {
        let text = format!("{{\"a\": \"{escape}\"}}");
        assert_eq!(fault(&text), JsonFault::LoneSurrogate, "{text}");
    }
}

#[test]
fn broken_texts_are_refused() {
    assert_eq!(fault("{\"a\": \"\n\"}"), JsonFault::Control);
    assert_eq!(fault("{\"a\": \"\\x\"}"), JsonFault::Escape);
    assert_eq!(fault("{\"a\": \"\\u12g4\"}"), JsonFault::Escape);
    assert_eq!(fault("{} {}"), JsonFault::Trailing);
    for cut in [
        "{",
        "{\"a",
        "{\"a\"",
        "{\"a\":",
        "{\"a\": 1",
        "{\"a\": tr",
        "{\"a\": [1,",
    ] {
        assert_eq!(fault(cut), JsonFault::Cut, "{cut}");
    }
    for text in [
        "{,}",
        "{\"a\" 1}",
        "{\"a\": 1,}",
        "{\"a\": [1,]}",
        "{\"a\": tru}",
        "{1: 2}",
        "x",
        "\u{c}",
    ] {
        assert!(
            matches!(fault(text), JsonFault::Unexpected { .. }),
            "{text}"
        );
    }
}

#[test]
fn bytes_that_are_no_utf8_are_refused() {
    let cases: [&[u8]; 7] = [
        b"\xff",
        b"\x80",
        b"\xc0\xaf",
        b"\xe0\x80\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xc3x",
    ];
    for bytes in cases {
        let text = [b"{\"a\": \"", bytes, b"\"}"].concat();
        assert_eq!(whole(&text).unwrap_err().fault, JsonFault::InvalidUtf8);
    }
}

#[test]
fn every_limit_is_exact() {
    let limits = Limits {
        depth: 3,
        items: 5,
        bytes: 30,
    };
    let read = |text: &str| read(JsonStream::new(limits), [text.as_bytes()]);
    assert!(read("{\"a\": [[1, 2]]}").is_ok());
    let too_deep = read("{\"a\": [[[]]]}").unwrap_err();
    assert_eq!(too_deep.fault, JsonFault::TooDeep { limit: 3 });
    assert_eq!(too_deep.path, "a[0][0]");
    let too_many = read("{\"a\": [[1, 2, 3]]}").unwrap_err();
    assert_eq!(too_many.fault, JsonFault::TooMany { limit: 5 });
    assert!(read(&format!("{{}}{}", " ".repeat(28))).is_ok());
    let too_large = read(&format!("{{}}{}", " ".repeat(29))).unwrap_err();
    assert_eq!(
        (too_large.fault, too_large.offset),
        (JsonFault::TooLarge { limit: 30 }, 30)
    );
}

#[test]
fn the_first_fault_is_repeated() {
    let (mut stream, mut events) = (JsonStream::new(Limits::default()), Vec::new());
    let first = stream.feed(b"{\"a\": x", &mut events).unwrap_err();
    assert_eq!(stream.feed(b"1}", &mut events), Err(first.clone()));
    assert_eq!(stream.finish(&mut events), Err(first));
    assert!(!stream.is_ended());
}

#[test]
fn what_came_before_a_fault_was_told() {
    let (mut stream, mut events) = (JsonStream::new(Limits::default()), Vec::new());
    stream
        .feed(b"{\"a\": 1, \"b\": x", &mut events)
        .unwrap_err();
    assert_eq!(events.len(), 3);
}
