//! What is told of sound texts, and with which byte.

use penstock_core::jsonstream::{JsonEvent, JsonStream, Limits};

use crate::common::{read, told, whole};

#[test]
fn every_value_is_told_with_its_path_inner_ones_first() {
    let text = br#"{"a": [1, {"b": "x"}], "c": null, "d": true}"#;
    let expected = [
        "key .a",
        "number .a[0] 1",
        "key .a[1].b",
        r#"text .a[1].b "x""#,
        r#"object .a[1] {"b": "x"}"#,
        r#"array .a [1, {"b": "x"}]"#,
        "key .c",
        "null .c null",
        "key .d",
        "boolean .d true",
        r#"object  {"a": [1, {"b": "x"}], "c": null, "d": true}"#,
        "end",
    ];
    assert_eq!(whole(text).unwrap(), expected);
}

/// For each byte, what it completed.
fn byte_by_byte(text: &str) -> Vec<Vec<String>> {
    let mut stream = JsonStream::new(Limits::default());
    let feed = |byte| {
        let mut events = Vec::new();
        stream.feed(&[byte], &mut events).unwrap();
        events.iter().map(|event| told(&stream, event)).collect()
    };
    text.bytes().map(feed).collect()
}

#[test]
fn text_closes_with_its_quote_and_a_number_with_the_byte_behind_it() {
    let told = byte_by_byte(r#"{"a":"x","b":12}"#);
    assert_eq!(told[7], [r#"text .a "x""#]);
    assert!(told[14].is_empty());
    assert_eq!(
        told[15],
        ["number .b 12", r#"object  {"a":"x","b":12}"#, "end"]
    );
}

#[test]
fn an_object_closes_with_its_bracket() {
    let told = byte_by_byte(r#"{"a":{}} "#);
    assert_eq!(told[6], ["object .a {}"]);
    assert_eq!(told[7], [r#"object  {"a":{}}"#, "end"]);
    assert!(told[8].is_empty());
}

#[test]
fn nothing_at_all_is_an_empty_object_for_arguments_only() {
    assert_eq!(whole(b"").unwrap(), ["end"]);
    assert_eq!(whole(b" \n").unwrap(), ["end"]);
    assert!(read(JsonStream::any(Limits::default()), []).is_err());
}

#[test]
fn finish_closes_a_number_that_is_the_whole_text() {
    let any = || JsonStream::any(Limits::default());
    assert_eq!(
        read(any(), [&b"-1.5e3"[..]]).unwrap(),
        ["number  -1.5e3", "end"]
    );
    assert!(read(any(), [&b"1."[..]]).is_err());
}

#[test]
fn finish_is_safe_to_repeat() {
    let (mut stream, mut events) = (JsonStream::new(Limits::default()), Vec::new());
    stream.feed(b"{}", &mut events).unwrap();
    stream.finish(&mut events).unwrap();
    stream.finish(&mut events).unwrap();
    let ends = events.iter().filter(|event| **event == JsonEvent::End);
    assert_eq!(ends.count(), 1);
}

#[test]
fn a_key_is_told_without_its_escapes() {
    let told = whole(br#"{"\u00e9\ud83d\ude00\"": 1}"#).unwrap();
    assert_eq!(told[0], "key .\u{e9}\u{1f600}\"");
}

#[test]
fn objects_beside_each_other_may_have_the_same_keys() {
    assert!(whole(br#"[{"a": 1}]"#).is_err());
    let told = whole(br#"{"l": [{"a": 1}, {"a": 2}], "a": 3}"#).unwrap();
    assert!(told.contains(&"number .l[1].a 2".to_owned()));
    assert!(told.contains(&"number .a 3".to_owned()));
}
