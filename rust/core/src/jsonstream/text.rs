//! Between two quotes: escapes, surrogate pairs and UTF-8, cut anywhere.

use super::fault::JsonFault;

/// Where in a text the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    Plain,
    /// Behind a backslash.
    Escape,
    /// In the digits of `\u`.
    Hex {
        left: u8,
        unit: u16,
        /// Whether it must be the second half of a pair.
        is_second: bool,
    },
    /// Behind the first half of a pair: a backslash must come, then `u`.
    PairSlash,
    PairLetter,
    /// In a character of several bytes; the next one is from `least` to `most`.
    Inside {
        left: u8,
        least: u8,
        most: u8,
    },
}

/// The bytes that stand for themselves and are a character of their own.
static PLAIN: [bool; 256] = plain();

const fn plain() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0x20;
    while byte < 0x80 {
        table[byte] = byte != b'"' as usize && byte != b'\\' as usize;
        byte += 1;
    }
    table
}

impl Text {
    /// Reads on, to the closing quote or to the end of `bytes`. Returns how many bytes were taken, and
    /// whether the last of them was the quote; a faulty byte is not taken.
    pub(super) fn read(&mut self, bytes: &[u8]) -> (usize, Result<bool, JsonFault>) {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let next = match *self {
                Self::Plain if PLAIN[usize::from(byte)] => {
                    let rest = &bytes[at..];
                    let plain = rest.iter().position(|byte| !PLAIN[usize::from(*byte)]);
                    at += plain.unwrap_or(rest.len());
                    continue;
                }
                Self::Plain if byte == b'"' => return (at + 1, Ok(true)),
                Self::Plain => Self::leave_plain(byte),
                other => other.go_on(byte),
            };
            match next {
                Ok(next) => *self = next,
                Err(fault) => return (at, Err(fault)),
            }
            at += 1;
        }
        (at, Ok(false))
    }

    fn leave_plain(byte: u8) -> Result<Self, JsonFault> {
        let (left, least, most) = match byte {
            b'\\' => return Ok(Self::Escape),
            0..0x20 => return Err(JsonFault::Control),
            // The first bytes of RFC 3629, without overlong forms and surrogates.
            0xc2..=0xdf => (1, 0x80, 0xbf),
            0xe0 => (2, 0xa0, 0xbf),
            0xed => (2, 0x80, 0x9f),
            0xe1..=0xef => (2, 0x80, 0xbf),
            0xf0 => (3, 0x90, 0xbf),
            0xf1..=0xf3 => (3, 0x80, 0xbf),
            0xf4 => (3, 0x80, 0x8f),
            _ => return Err(JsonFault::InvalidUtf8),
        };
        Ok(Self::Inside { left, least, most })
    }

    fn go_on(self, byte: u8) -> Result<Self, JsonFault> {
        match (self, byte) {
            (Self::Escape, b'u') => Ok(Self::digits(false)),
            (Self::Escape, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                Ok(Self::Plain)
            }
            (Self::PairSlash, b'\\') => Ok(Self::PairLetter),
            (Self::PairLetter, b'u') => Ok(Self::digits(true)),
            (Self::PairSlash | Self::PairLetter, _) => Err(JsonFault::LoneSurrogate),
            (
                Self::Hex {
                    left,
                    unit,
                    is_second,
                },
                _,
            ) => Self::digit(left, unit, is_second, byte),
            (Self::Inside { left, least, most }, _) if (least..=most).contains(&byte) => {
                Ok(Self::inside(left))
            }
            (Self::Inside { .. }, _) => Err(JsonFault::InvalidUtf8),
            (Self::Escape | Self::Plain, _) => Err(JsonFault::Escape),
        }
    }

    fn inside(left: u8) -> Self {
        if left == 1 {
            return Self::Plain;
        }
        Self::Inside {
            left: left - 1,
            least: 0x80,
            most: 0xbf,
        }
    }

    fn digits(is_second: bool) -> Self {
        Self::Hex {
            left: 4,
            unit: 0,
            is_second,
        }
    }

    fn digit(left: u8, unit: u16, is_second: bool, byte: u8) -> Result<Self, JsonFault> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ => return Err(JsonFault::Escape),
        };
        let unit = unit << 4 | u16::from(digit);
        match (left, unit, is_second) {
            (2.., ..) => Ok(Self::Hex {
                left: left - 1,
                unit,
                is_second,
            }),
            (_, 0xdc00..=0xdfff, true) => Ok(Self::Plain),
            (_, 0xd800..=0xdbff, false) => Ok(Self::PairSlash),
            (_, 0xdc00..=0xdfff, false) | (.., true) => Err(JsonFault::LoneSurrogate),
            _ => Ok(Self::Plain),
        }
    }
}
