//! Any text, cut anywhere, against readers of the whole.

use penstock_core::arguments::{ArgumentLimits, check};
use penstock_core::jsonstream::{JsonEvent, JsonStream, Kind, Limits, Segment};
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::common::{read, whole};

/// JSON as models write it, with what is hard to cut: escapes, pairs, long characters, numbers.
fn json() -> impl Strategy<Value = String> {
    let number = "-?(0|[1-9][0-9]{0,12})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,3})?";
    let text = prop::collection::vec(
        prop_oneof![
            "[a-z ]{0,8}",
            "\\PC{0,3}",
            Just("\\ud83d\\ude00".to_owned()),
            Just("\\n\\\"\\\\\\u00e9".to_owned()),
            Just("\u{1f600}\u{e9}".to_owned()),
            Just("\\ud83d".to_owned()),
        ],
        0..4,
    )
    .prop_map(|parts| format!("\"{}\"", parts.concat()));
    let leaf = prop_oneof![4 => text, 4 => number, 1 => "true|false|null|NaN|tru|-"];
    let space = "[ \n]{0,1}";
    leaf.prop_recursive(4, 40, 5, move |inner| {
        let member = ("[a-d]|\\\\u0061", space, inner.clone())
            .prop_map(|(key, space, value)| format!("\"{key}\"{space}:{space}{value}{space}"));
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec(member, 0..5).prop_map(|all| format!("{{{}}}", all.join(","))),
        ]
    })
}

/// A text, broken in one place or not at all.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let damage = prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>()));
    (json(), damage).prop_map(|(json, damage)| {
        let mut bytes = json.into_bytes();
        if let (Some((place, byte)), false) = (damage, bytes.is_empty()) {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes
    })
}

fn pieces<'a>(text: &'a [u8], sizes: &'a [usize]) -> Vec<&'a [u8]> {
    let (mut rest, mut pieces) = (text, Vec::new());
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(rest.len().min(*size));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// Puts a text together again from the leaves that were told.
fn rebuilt(text: &[u8]) -> Value {
    let (mut stream, mut events) = (JsonStream::any(Limits::default()), Vec::new());
    stream.feed(text, &mut events).unwrap();
    stream.finish(&mut events).unwrap();
    let mut root = Value::Null;
    for event in events {
        let JsonEvent::Closed { path, span, kind } = event else {
            continue;
        };
        let mut place = &mut root;
        for step in stream.steps(path) {
            place = match step {
                Segment::Key(key) => step_into_object(place, &key),
                Segment::Index(index) => step_into_array(place, index as usize),
            };
        }
        match kind {
            Kind::Object if place.is_null() => *place = Value::Object(Map::new()),
            Kind::Array if place.is_null() => *place = Value::Array(Vec::new()),
            Kind::Object | Kind::Array => {}
            _ => *place = serde_json::from_slice(stream.slice(span)).unwrap(),
        }
    }
    root
}

fn step_into_object<'a>(place: &'a mut Value, key: &str) -> &'a mut Value {
    if place.is_null() {
        *place = Value::Object(Map::new());
    }
    place
        .as_object_mut()
        .unwrap()
        .entry(key)
        .or_insert(Value::Null)
}

fn step_into_array(place: &mut Value, index: usize) -> &mut Value {
    if place.is_null() {
        *place = Value::Array(Vec::new());
    }
    let items = place.as_array_mut().unwrap();
    items.resize(items.len().max(index + 1), Value::Null);
    &mut items[index]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_cut_tells_the_same_and_refuses_at_the_same_place(
        text in texts(), sizes in prop::collection::vec(1_usize..9, 1..6)
    ) {
        for stream in [JsonStream::new, JsonStream::any] {
            let at_once = read(stream(Limits::default()), [&text[..]]);
            let cut = read(stream(Limits::default()), pieces(&text, &sizes));
            prop_assert_eq!(at_once, cut);
        }
    }

    #[test]
    fn arguments_are_refused_as_the_check_of_whole_arguments_refuses_them(
        text in texts(), in_object in any::<bool>()
    ) {
        let text = if in_object { [b"{\"x\":", &text[..], b"}"].concat() } else { text };
        let checked = check(&text, &ArgumentLimits::default());
        let streamed = whole(&text);
        prop_assert_eq!(checked.is_ok(), streamed.is_ok(), "{:?} {:?}", checked, streamed);
    }

    #[test]
    fn what_is_told_is_the_whole_value(text in texts()) {
        let read = read(JsonStream::any(Limits::default()), [&text[..]]);
        if read.is_ok() {
            prop_assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), rebuilt(&text));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(text in prop::collection::vec(any::<u8>(), 0..60)) {
        let sound = serde_json::from_slice::<Value>(&text).is_ok();
        let read = read(JsonStream::any(Limits::default()), [&text[..]]);
        prop_assert!(sound || read.is_err());
    }
}
