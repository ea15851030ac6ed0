//! How a value may differ from where it came from.
//!
//! Ground rules. Tried when the value itself stands nowhere, so a transform never replaces identity.
//! Each takes and gives canonical JSON text; what it cannot change, or would not change, gives nothing.

use super::json::write_text;

/// One change of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Transform {
    Identity,
    NumberToText,
    TextToNumber,
    Lower,
    Upper,
    Capital,
    AddHash,
    StripHash,
    Basename,
    Dirname,
    Next,
    IsoDate,
    InList,
}

impl Transform {
    /// Every transform but identity, the plainest first.
    pub(crate) const ALL: [Self; 12] = [
        Self::NumberToText,
        Self::TextToNumber,
        Self::Lower,
        Self::Upper,
        Self::Capital,
        Self::AddHash,
        Self::StripHash,
        Self::Basename,
        Self::Dirname,
        Self::Next,
        Self::IsoDate,
        Self::InList,
    ];

    /// The number that stands for it in a snapshot.
    pub(crate) fn code(self) -> u8 {
        let place = Self::ALL.iter().position(|each| *each == self);
        place.map_or(0, |place| u8::try_from(place + 1).unwrap_or(u8::MAX))
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        match usize::from(code).checked_sub(1) {
            None => Some(Self::Identity),
            Some(place) => Self::ALL.get(place).copied(),
        }
    }

    /// The changed value; `None` where it does not apply. `year` is that of the newest ISO date.
    pub(crate) fn apply(self, value: &str, year: Option<u16>) -> Option<String> {
        match self {
            Self::Identity => Some(value.to_owned()),
            Self::NumberToText => is_number(value).then(|| format!("\"{value}\"")),
            Self::TextToNumber => text_of(value)
                .filter(|text| is_integer(text))
                .map(str::to_owned),
            Self::Lower => changed(value, str::to_lowercase),
            Self::Upper => changed(value, str::to_uppercase),
            Self::Capital => changed(value, capital),
            Self::AddHash => text_of(value)
                .filter(|text| !text.starts_with('#'))
                .map(|text| quoted(&format!("#{text}"))),
            Self::StripHash => text_of(value)
                .and_then(|text| text.strip_prefix('#'))
                .map(quoted),
            Self::Basename => text_of(value)
                .and_then(|text| text.rsplit_once('/'))
                .map(|(_, base)| quoted(base)),
            Self::Dirname => text_of(value)
                .and_then(|text| text.rsplit_once('/'))
                .map(|(folder, _)| quoted(folder)),
            Self::Next => value
                .parse::<i64>()
                .ok()?
                .checked_add(1)
                .map(|next| next.to_string()),
            Self::IsoDate => iso_date(text_of(value)?, year?).map(|date| quoted(&date)),
            Self::InList => Some(format!("[{value}]")),
        }
    }
}

fn changed(value: &str, change: impl Fn(&str) -> String) -> Option<String> {
    let text = text_of(value)?;
    let new = change(text);
    (new != text).then(|| quoted(&new))
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters
        .next()
        .map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + &characters.as_str().to_lowercase()
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    write_text(text, &mut out);
    out
}

/// The text of a JSON string without escapes.
pub(crate) fn text_of(value: &str) -> Option<&str> {
    let text = value.strip_prefix('"')?.strip_suffix('"')?;
    (!text.contains('\\')).then_some(text)
}

fn is_number(value: &str) -> bool {
    value.starts_with(|first: char| first.is_ascii_digit() || first == '-')
}

fn is_integer(text: &str) -> bool {
    text.len() < 16 && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// "May 20" or "May 20th" as a date of that year.
fn iso_date(text: &str, year: u16) -> Option<String> {
    let (month, day) = text.split_once(' ')?;
    let beginning = month.get(..3)?.to_lowercase();
    let month = MONTHS.iter().position(|name| *name == beginning)? + 1;
    let digits = day.trim_end_matches(|last: char| last.is_ascii_alphabetic());
    let day: u8 = digits.parse().ok().filter(|day| (1..=31).contains(day))?;
    Some(format!("{year}-{month:02}-{day:02}"))
}

/// The year of an ISO date.
pub(crate) fn year_of(value: &str) -> Option<u16> {
    let text = text_of(value)?;
    let date = text.get(..10)?.as_bytes();
    let is_date = date.iter().enumerate().all(|(at, byte)| match at {
        4 | 7 => *byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    is_date.then(|| text[..4].parse().ok()).flatten()
}
