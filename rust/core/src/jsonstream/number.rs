//! A number, cut anywhere.

use super::fault::JsonFault;

/// A number of so many digits may be too large for a double; a shorter one without exponent is not.
const LONGEST_FINITE: usize = 300;

/// What was read of a number last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Minus,
    /// A zero in front: no digit may follow.
    Zero,
    Digits,
    Point,
    Fraction,
    /// The `e`.
    Exponent,
    ExponentSign,
    Power,
}

impl Number {
    /// Whether it may end here.
    pub(super) fn is_whole(self) -> bool {
        matches!(
            self,
            Self::Zero | Self::Digits | Self::Fraction | Self::Power
        )
    }

    /// Reads on, to the byte behind the number or to the end of `bytes`. Returns how many bytes were
    /// taken, and whether the number is closed.
    pub(super) fn read(&mut self, bytes: &[u8]) -> (usize, Result<bool, JsonFault>) {
        for (at, &byte) in bytes.iter().enumerate() {
            match self.next(byte) {
                Some(next) => *self = next,
                None if self.is_whole() => return (at, Ok(true)),
                None if *self == Self::Minus && matches!(byte, b'I' | b'N') => {
                    return (at, Err(JsonFault::NotFinite));
                }
                None => {
                    let expected = "a digit";
                    return (at, Err(JsonFault::Unexpected { expected }));
                }
            }
        }
        (bytes.len(), Ok(false))
    }

    /// None if `byte` does not belong to the number.
    fn next(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Minus, b'0') => Some(Self::Zero),
            (Self::Minus, b'1'..=b'9') | (Self::Digits, b'0'..=b'9') => Some(Self::Digits),
            (Self::Zero | Self::Digits, b'.') => Some(Self::Point),
            (Self::Point | Self::Fraction, b'0'..=b'9') => Some(Self::Fraction),
            (Self::Zero | Self::Digits | Self::Fraction, b'e' | b'E') => Some(Self::Exponent),
            (Self::Exponent, b'+' | b'-') => Some(Self::ExponentSign),
            (Self::Exponent | Self::ExponentSign | Self::Power, b'0'..=b'9') => Some(Self::Power),
            _ => None,
        }
    }
}

/// Whether a number that is well written fits a double.
pub(super) fn is_finite(number: &[u8]) -> bool {
    let may_be_large =
        number.len() > LONGEST_FINITE || number.contains(&b'e') || number.contains(&b'E');
    if !may_be_large {
        return true;
    }
    let text = std::str::from_utf8(number).unwrap_or_default();
    text.parse::<f64>().is_ok_and(f64::is_finite)
}
