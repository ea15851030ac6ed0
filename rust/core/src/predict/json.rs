//! JSON as the predictor reads it: members in document order, numbers as their shortest text.
//!
//! Ground rules. `serde_json` finds the syntax; what is kept here is a tree of at most the bytes that
//! came in. A number that a double cannot hold exactly is marked: two different ones would look
//! equal, and arguments that look equal are promoted.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Integers from here on are not exact in a double.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// The shortest text; integral floats as integers.
    Number(Box<str>),
    /// A number that was rounded when it was read.
    Rounded,
    Text(Box<str>),
    List(Vec<Json>),
    Map(Vec<(Box<str>, Json)>),
}

impl Json {
    /// Reads one value and nothing after it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// Writes the canonical text: keys sorted at every depth, no white space. False if a number was
    /// rounded: such a text stands for more than one value.
    pub(crate) fn write(&self, out: &mut String) -> bool {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(text) => out.push_str(text),
            Self::Rounded => return false,
            Self::Text(text) => write_text(text, out),
            Self::List(items) => return write_list(items, out),
            Self::Map(members) => return write_map(members, out),
        }
        true
    }

    /// The canonical text; `None` if a number was rounded.
    pub(crate) fn canonical(&self) -> Option<String> {
        let mut out = String::new();
        self.write(&mut out).then_some(out)
    }
}

fn write_list(items: &[Json], out: &mut String) -> bool {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        if !item.write(out) {
            return false;
        }
    }
    out.push(']');
    true
}

fn write_map(members: &[(Box<str>, Json)], out: &mut String) -> bool {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_by(|one, other| one.0.cmp(&other.0));
    out.push('{');
    for (index, (key, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_text(key, out);
        out.push(':');
        if !value.write(out) {
            return false;
        }
    }
    out.push('}');
    true
}

/// Writes a string with the escapes that JSON demands, and no others.
pub(crate) fn write_text(text: &str, out: &mut String) {
    use fmt::Write;
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => {
                // Writing to a String cannot fail.
                write!(out, "\\u{:04x}", u32::from(control)).ok();
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string().into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string().into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        if value.abs() >= EXACT && value.fract() == 0.0 {
            return Ok(Json::Rounded);
        }
        // Display prints 3.0 as 3, which is what JSON Schema takes an integer for; -0 is 0.
        Ok(Json::Number((value + 0.0).to_string().into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = access.next_entry()? {
            members.push(member);
        }
        Ok(Json::Map(members))
    }
}
