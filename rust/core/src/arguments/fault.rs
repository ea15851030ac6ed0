//! What can be wrong with arguments, where, and how to say it.

use std::fmt;

/// A place in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// In bytes, from 1.
    pub column: usize,
    /// From the start of the text, from 0.
    pub byte: usize,
}

/// What is wrong with arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgumentsFault {
    /// More bytes than allowed.
    TooLarge {
        /// Bytes given.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// More nesting than allowed.
    TooDeep {
        /// Where, like `items[2].name`.
        path: String,
        /// The depth allowed.
        limit: usize,
    },
    /// Not an object, but some other JSON.
    NotAnObject {
        /// What it is.
        found: &'static str,
    },
    /// One object says the same key twice.
    DuplicateKey {
        /// The object, like `items[2]`; empty for the outermost.
        path: String,
        /// The key.
        key: String,
    },
    /// `NaN`, `Infinity`, or a number too large for a double.
    NotFinite {
        /// Where.
        at: Position,
    },
    /// Half of a pair of `\u` escapes.
    LoneSurrogate {
        /// Where.
        at: Position,
    },
    /// Bytes that are no UTF-8.
    InvalidUtf8 {
        /// Where.
        at: Position,
    },
    /// Something behind the object.
    Trailing {
        /// Where.
        at: Position,
    },
    /// No JSON.
    Broken {
        /// Where.
        at: Position,
        /// What was expected.
        reason: String,
    },
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, byte } = self;
        write!(formatter, "line {line}, column {column} (byte {byte})")
    }
}

impl fmt::Display for ArgumentsFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes, limit } => {
                write!(
                    formatter,
                    "the arguments are {bytes} bytes, {limit} are allowed"
                )
            }
            Self::TooDeep { path, limit } => {
                write!(formatter, "`{path}` is nested deeper than {limit} levels")
            }
            Self::NotAnObject { found } => {
                write!(
                    formatter,
                    "the arguments must be a JSON object, not {found}"
                )
            }
            Self::DuplicateKey { path, key } if path.is_empty() => {
                write!(formatter, "the key `{key}` is given twice")
            }
            Self::DuplicateKey { path, key } => {
                write!(formatter, "the key `{key}` is given twice in `{path}`")
            }
            Self::NotFinite { at } => {
                write!(
                    formatter,
                    "the number at {at} is not finite, which JSON does not know"
                )
            }
            Self::LoneSurrogate { at } => {
                write!(formatter, "the escape at {at} is half of a surrogate pair")
            }
            Self::InvalidUtf8 { at } => write!(formatter, "the text at {at} is not UTF-8"),
            Self::Trailing { at } => {
                write!(formatter, "there is more after the JSON object, at {at}")
            }
            Self::Broken { at, reason } => {
                write!(formatter, "the JSON is broken at {at}: {reason}")
            }
        }
    }
}

impl std::error::Error for ArgumentsFault {}
