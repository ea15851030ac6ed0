//! What can be wrong with a text, where, and how to say it.

use std::fmt;

/// Why a text is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// The byte at which it became certain, from 0.
    pub offset: usize,
    /// The value that was being read, like `items[2].name`; empty for the outermost.
    pub path: String,
    /// What is wrong.
    pub fault: JsonFault,
}

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonFault {
    /// Not what must come here.
    Unexpected {
        /// What must.
        expected: &'static str,
    },
    /// The text ends inside of a value.
    Cut,
    /// Something behind the end.
    Trailing,
    /// Arguments that are some other JSON than an object.
    NotAnObject {
        /// What they are.
        found: &'static str,
    },
    /// One object says the same key twice.
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// `NaN`, `Infinity`, or a number too large for a double.
    NotFinite,
    /// Half of a pair of `\u` escapes.
    LoneSurrogate,
    /// A backslash before something else than `"\/bfnrtu`, or `\u` without four digits.
    Escape,
    /// A control character that is not escaped.
    Control,
    /// Bytes that are no UTF-8.
    InvalidUtf8,
    /// More nesting than allowed.
    TooDeep {
        /// The depth allowed.
        limit: u32,
    },
    /// More values than allowed.
    TooMany {
        /// The number allowed.
        limit: u32,
    },
    /// More bytes than allowed.
    TooLarge {
        /// The number allowed.
        limit: u32,
    },
}

impl fmt::Display for JsonFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected { expected } => write!(formatter, "{expected} must come here"),
            Self::Cut => formatter.write_str("the JSON ends too early"),
            Self::Trailing => formatter.write_str("there is more after the end of the JSON"),
            Self::NotAnObject { found } => {
                write!(
                    formatter,
                    "the arguments must be a JSON object, not {found}"
                )
            }
            Self::DuplicateKey { key } => write!(formatter, "the key `{key}` is given twice"),
            Self::NotFinite => formatter.write_str("JSON knows only finite numbers"),
            Self::LoneSurrogate => formatter.write_str("half of a surrogate pair"),
            Self::Escape => formatter.write_str("no such escape"),
            Self::Control => formatter.write_str("a control character must be escaped"),
            Self::InvalidUtf8 => formatter.write_str("the text is not UTF-8"),
            Self::TooDeep { limit } => write!(formatter, "nested deeper than {limit} levels"),
            Self::TooMany { limit } => write!(formatter, "more than {limit} values"),
            Self::TooLarge { limit } => write!(formatter, "more than {limit} bytes"),
        }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            offset,
            path,
            fault,
        } = self;
        if path.is_empty() {
            return write!(formatter, "{fault} (byte {offset})");
        }
        write!(formatter, "{fault} (byte {offset}, in `{path}`)")
    }
}

impl std::error::Error for JsonError {}

/// What begins with `byte`, in the words of JSON.
pub(super) fn found(byte: u8) -> &'static str {
    match byte {
        b'[' => "an array",
        b'"' => "a string",
        b't' | b'f' => "a boolean",
        b'n' => "null",
        _ => "a number",
    }
}
