//! A model's arguments, before anything believes them: one pass that finds what validators let pass.
//!
//! Validators answer whether arguments fit a tool. They take the last of two equal keys in silence,
//! and read `NaN`, lone surrogates or a million brackets as well as they can. This pass says no, and
//! where. `serde_json` reads the text; what is checked on top of it happens in `Value`.

mod fault;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

pub use fault::{ArgumentsFault, Position};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Beyond this depth `serde_json` itself gives up; a larger limit counts as this one.
const DEEPEST: usize = 120;
/// An object with more keys than this looks them up in a tree.
const FEW_KEYS: usize = 16;
/// A `\ud83d\ude00` pair is as long as this: where to look back for half of one.
const LONGEST_ESCAPE: usize = 12;

/// How large arguments may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArgumentLimits {
    /// Bytes of the whole text.
    pub bytes: usize,
    /// Objects and arrays inside each other, the outermost included; at most 120.
    pub depth: usize,
}

impl Default for ArgumentLimits {
    fn default() -> Self {
        Self {
            bytes: 1 << 20,
            depth: 64,
        }
    }
}

/// Checks that `json` is one sound JSON object. Nothing at all counts as an empty object: models
/// send it for tools without parameters.
pub fn check(json: &[u8], limits: &ArgumentLimits) -> Result<(), ArgumentsFault> {
    if json.len() > limits.bytes {
        return Err(ArgumentsFault::TooLarge {
            bytes: json.len(),
            limit: limits.bytes,
        });
    }
    let text = std::str::from_utf8(json).map_err(|error| ArgumentsFault::InvalidUtf8 {
        at: position(json, error.valid_up_to()),
    })?;
    // Not `trim_ascii`, which takes form feeds for white space: JSON does not.
    if text.trim_matches([' ', '\n', '\r', '\t']).is_empty() {
        return Ok(());
    }
    let mut check = Check {
        keys: Vec::new(),
        limit: limits.depth.min(DEEPEST),
        fault: None,
    };
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Value {
        check: &mut check,
        depth: 0,
    };
    if let Err(error) = value.deserialize(&mut reader) {
        return Err(check.fault.take().unwrap_or_else(|| explain(json, &error)));
    }
    reader.end().map_err(|error| ArgumentsFault::Trailing {
        at: place_of(json, &error),
    })
}

/// What is known on the way down.
struct Check<'de> {
    /// The keys of all objects that are open, outermost first.
    keys: Vec<Cow<'de, str>>,
    limit: usize,
    fault: Option<ArgumentsFault>,
}

/// A value inside `depth` others. Each level of a faulty one adds its step to the fault's path.
struct Value<'check, 'de> {
    check: &'check mut Check<'de>,
    depth: usize,
}

impl Value<'_, '_> {
    fn fail<E: serde::de::Error>(self, fault: ArgumentsFault) -> E {
        self.check.fault = Some(fault);
        E::custom("faulty")
    }

    /// The outermost value must be an object.
    fn scalar<E: serde::de::Error>(self, found: &'static str) -> Result<(), E> {
        if self.depth == 0 {
            return Err(self.fail(ArgumentsFault::NotAnObject { found }));
        }
        Ok(())
    }

    fn too_deep<E: serde::de::Error>(self) -> E {
        let limit = self.check.limit;
        self.fail(ArgumentsFault::TooDeep {
            path: String::new(),
            limit,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.scalar("a boolean")
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.scalar("a number")
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        self.scalar("a number")
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        self.scalar("a number")
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        self.scalar("a string")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.scalar("null")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        if self.depth == 0 {
            return Err(self.fail(ArgumentsFault::NotAnObject { found: "an array" }));
        }
        if self.depth >= self.check.limit {
            return Err(self.too_deep());
        }
        let mut index = 0;
        loop {
            let item = Value {
                check: self.check,
                depth: self.depth + 1,
            };
            match items.next_element_seed(item) {
                Ok(Some(())) => index += 1,
                Ok(None) => return Ok(()),
                Err(error) => {
                    lead_path(&mut self.check.fault, &format!("[{index}]"));
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        if self.depth >= self.check.limit {
            return Err(self.too_deep());
        }
        let first = self.check.keys.len();
        let mut many = None;
        while let Some(key) = entries.next_key_seed(Key)? {
            if is_known(&self.check.keys[first..], &key, &mut many) {
                let (path, key) = (String::new(), key.into_owned());
                return Err(self.fail(ArgumentsFault::DuplicateKey { path, key }));
            }
            let own = self.check.keys.len();
            self.check.keys.push(key);
            let value = Value {
                check: self.check,
                depth: self.depth + 1,
            };
            if let Err(error) = entries.next_value_seed(value) {
                lead_path(&mut self.check.fault, &self.check.keys[own]);
                self.check.keys.truncate(own);
                return Err(error);
            }
        }
        self.check.keys.truncate(first);
        Ok(())
    }
}

/// An object's key, borrowed from the text unless it has escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

/// Whether an object has a key already. From some number on, `many` holds what `keys` does.
#[expect(
    clippy::ptr_arg,
    reason = "the tree keeps the key as it is, borrowed or not"
)]
fn is_known<'de>(
    keys: &[Cow<'de, str>],
    key: &Cow<'de, str>,
    many: &mut Option<BTreeSet<Cow<'de, str>>>,
) -> bool {
    if keys.len() < FEW_KEYS {
        return keys.contains(key);
    }
    let many = many.get_or_insert_with(|| keys.iter().cloned().collect());
    !many.insert(key.clone())
}

/// Puts one more step before the path of a fault that has one.
fn lead_path(fault: &mut Option<ArgumentsFault>, step: &str) {
    if let Some(ArgumentsFault::TooDeep { path, .. } | ArgumentsFault::DuplicateKey { path, .. }) =
        fault
    {
        let dot = if path.is_empty() || path.starts_with('[') {
            ""
        } else {
            "."
        };
        path.insert_str(0, &format!("{step}{dot}"));
    }
}

/// What a syntax error means; its place decides, not its words.
fn explain(json: &[u8], error: &serde_json::Error) -> ArgumentsFault {
    let at = place_of(json, error);
    let before = &json[..(at.byte + 1).min(json.len())];
    let word = before
        .iter()
        .rposition(|byte| b":,[{ \t\r\n".contains(byte))
        .map_or(0, |at| at + 1);
    let not_finite = ["NaN", "Infinity", "-Infinity", "-NaN"]
        .iter()
        .any(|name| json[word..].starts_with(name.as_bytes()));
    let start = before.len().saturating_sub(LONGEST_ESCAPE);
    if not_finite || error.to_string().starts_with("number out of range") {
        return ArgumentsFault::NotFinite {
            at: position(json, word),
        };
    }
    if let Some(escape) = before[start..].windows(4).rposition(is_surrogate) {
        return ArgumentsFault::LoneSurrogate {
            at: position(json, start + escape),
        };
    }
    let text = error.to_string();
    let reason = text
        .split(" at line ")
        .next()
        .unwrap_or_default()
        .to_owned();
    ArgumentsFault::Broken { at, reason }
}

/// The start of `\ud800` to `\udfff`.
fn is_surrogate(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [
            b'\\',
            b'u',
            b'd' | b'D',
            b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F',
        ]
    )
}

fn place_of(json: &[u8], error: &serde_json::Error) -> Position {
    let lines = json
        .split_inclusive(|byte| *byte == b'\n')
        .take(error.line().saturating_sub(1));
    let before: usize = lines.map(<[u8]>::len).sum();
    position(
        json,
        (before + error.column().saturating_sub(1)).min(json.len()),
    )
}

fn position(json: &[u8], byte: usize) -> Position {
    let before = &json[..byte];
    let line_start = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let line = before.split(|byte| *byte == b'\n').count();
    Position {
        line,
        column: byte - line_start + 1,
        byte,
    }
}
