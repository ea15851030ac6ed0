//! Words of a text, with their shape and the word before them.
//!
//! Ground rules. A shape is what a word looks like, never the word: runs of upper case, lower case and
//! digits become `A`, `a`, `9`, signs stay. Codes of letters and digits are known by which of these they
//! have and how long they are, for their runs differ each time. Quoted spans and runs of
//! capitalised words are words too. A text is read up to 64 KiB; what is beyond is counted, not read.

use super::key::name_of;

/// How much of a text is read.
pub(crate) const TEXT_BYTES: usize = 64 << 10;
const LONGEST_WORD: usize = 128;
const LONGEST_QUOTE: usize = 80;
/// Words whose stems are kept of one text.
const STEMS: usize = 64;
const EDGES: &[char] = &[
    '.', ',', ';', ':', '!', '?', '(', ')', '[', ']', '{', '}', '"', '\'', '`', '*', '’', '‘', '“',
    '”',
];

/// One word of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) shape: String,
    /// None for a plain lower-case word: it looks like every other word.
    pub(crate) form: Option<String>,
    /// The word before it: itself if it is plain, else its shape; empty at the beginning.
    pub(crate) left: String,
}

/// The words of a text, in order; quoted spans after them.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    let text = beginning(text);
    let mut found = Vec::new();
    let mut left = String::new();
    let mut run: Option<(usize, usize, String)> = None;
    for raw in text.split(is_gap) {
        let word = trimmed(raw);
        if word.is_empty() || word.len() > LONGEST_WORD {
            continue;
        }
        let shape = shape(word);
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        run = extended(run, text, start, word, &shape, &left, &mut found);
        if raw.trim_end_matches(EDGES).len() < raw.len() {
            push_run(run.take(), text, &mut found); // a sign ends a name
        }
        let next_left = if shape == "a" {
            word.to_owned()
        } else {
            shape.clone()
        };
        found.push(Token {
            text: word,
            form: form(word, &shape),
            shape,
            left: std::mem::replace(&mut left, next_left),
        });
    }
    push_run(run, text, &mut found);
    quotes(text, &mut found);
    found
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// Dates that a text says in words, "May 20" or "20th of May", as ISO dates of that year.
pub(crate) fn dates(text: &str, year: u32) -> Vec<String> {
    let words: Vec<&str> = beginning(text).split_whitespace().map(trimmed).collect();
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let Some(month) = month(word) else { continue };
        let after = words.get(at + 1).and_then(|next| day(next));
        let before = || {
            let back = if at >= 2 && words[at - 1] == "of" {
                at - 2
            } else {
                at.checked_sub(1)?
            };
            day(words[back])
        };
        if let Some(day) = after.or_else(before) {
            let year = words
                .get(at + 2)
                .and_then(|next| written_year(next))
                .unwrap_or(year);
            found.push(format!("{year}-{month:02}-{day:02}"));
        }
    }
    found
}

fn month(word: &str) -> Option<usize> {
    let beginning = word.get(..3)?.to_lowercase();
    let is_name = word.chars().all(char::is_alphabetic) && word.starts_with(char::is_uppercase);
    let place = MONTHS.iter().position(|name| *name == beginning)?;
    (is_name && word.len() <= 9).then_some(place + 1)
}

fn day(word: &str) -> Option<u32> {
    let digits = word.trim_end_matches(|last: char| last.is_ascii_lowercase());
    digits.parse().ok().filter(|day| (1..=31).contains(day))
}

fn written_year(word: &str) -> Option<u32> {
    word.parse().ok().filter(|year| (1900..2200).contains(year))
}

type Run = Option<(usize, usize, String)>;

/// Continues a run of capitalised words, or closes it.
fn extended<'a>(
    run: Run,
    text: &'a str,
    start: usize,
    word: &str,
    shape: &str,
    left: &str,
    found: &mut Vec<Token<'a>>,
) -> Run {
    let is_name = shape == "Aa" || shape == "A";
    match run {
        Some((from, _, before)) if is_name => Some((from, start + word.len(), before)),
        other => {
            push_run(other, text, found);
            is_name.then(|| (start, start + word.len(), left.to_owned()))
        }
    }
}

fn push_run<'a>(run: Run, text: &'a str, found: &mut Vec<Token<'a>>) {
    let Some((from, to, left)) = run else { return };
    let Some(span) = text.get(from..to) else {
        return;
    };
    if span.contains(char::is_whitespace) && span.len() <= LONGEST_QUOTE {
        found.push(Token {
            text: span,
            shape: "Aa+".to_owned(),
            form: Some("Aa+".to_owned()),
            left,
        });
    }
}

fn quotes<'a>(text: &'a str, found: &mut Vec<Token<'a>>) {
    for quote in ['"', '\'', '`'] {
        let mut parts = text.split(quote);
        let mut before = parts.next().unwrap_or_default();
        while let (Some(inside), Some(after)) = (parts.next(), parts.next()) {
            // An apostrophe has a letter before it and is no quote.
            let opens = !before.ends_with(char::is_alphanumeric);
            if opens && !inside.is_empty() && inside.len() <= LONGEST_QUOTE {
                let kind = if inside.contains(char::is_whitespace) {
                    "'+'"
                } else {
                    "'.'"
                };
                let left = before.split_whitespace().next_back().map(trimmed);
                found.push(Token {
                    text: inside,
                    shape: kind.to_owned(),
                    form: Some("''".to_owned()),
                    left: left.unwrap_or_default().to_lowercase(),
                });
            }
            before = after;
        }
    }
}

/// White space, and dashes and dots that writers put instead.
fn is_gap(character: char) -> bool {
    character.is_whitespace() || matches!(character, '—' | '–' | '…')
}

fn beginning(text: &str) -> &str {
    let mut end = text.len().min(TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A word without the signs of the sentence around it.
pub(crate) fn trimmed(word: &str) -> &str {
    word.trim_matches(EDGES)
}

/// Runs of upper case, lower case and digits as `A`, `a`, `9`; signs as they are.
pub(crate) fn shape(word: &str) -> String {
    let mut shape = String::new();
    for character in word.chars() {
        let kind = kind(character);
        if !shape.ends_with(kind) || !kind.is_alphanumeric() {
            shape.push(kind);
        }
    }
    shape
}

/// What a word is known by: its kinds of characters and length if it is a code of letters and digits,
/// whose runs differ each time, else its shape. None for a plain lower-case word.
fn form(word: &str, shape: &str) -> Option<String> {
    let mut kinds: Vec<char> = word.chars().map(kind).collect();
    let length = kinds.len();
    kinds.sort_unstable();
    kinds.dedup();
    let is_code = kinds.iter().all(char::is_ascii_alphanumeric);
    match kinds.as_slice() {
        ['a'] => None,
        // Capitals of one length are codes too.
        kinds if is_code && (kinds.contains(&'9') || *kinds == ['A']) => {
            let kinds: String = kinds.iter().collect();
            Some(format!("{kinds}:{length}"))
        }
        _ => Some(shape.to_owned()),
    }
}

const fn kind(character: char) -> char {
    match character {
        '0'..='9' => '9',
        'A'..='Z' => 'A',
        'a'..='z' => 'a',
        other if other.is_ascii() => other,
        _ => 'a',
    }
}

/// The words of a text, or of a name like `get_userName`, by their first six letters.
pub(crate) fn stems(text: &str) -> Vec<u64> {
    let mut stems: Vec<u64> = Vec::new();
    let mut word = String::new();
    let mut was_lower = false;
    for character in text.chars().chain([' ']) {
        let begins = character.is_uppercase() && was_lower;
        if (begins || !character.is_alphabetic()) && !word.is_empty() {
            let stem: String = word.chars().take(6).collect();
            let name = name_of(&stem);
            if stem.len() > 2 && !stems.contains(&name) && stems.len() < STEMS {
                stems.push(name);
            }
            word.clear();
        }
        if character.is_alphabetic() {
            word.extend(character.to_lowercase());
        }
        was_lower = character.is_lowercase();
    }
    stems
}
