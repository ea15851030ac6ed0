//! Values like those of tools, and parcels made of them.

use std::fmt::Write as _;

use penstock_core::pack::dictionary::train;
use penstock_core::pack::segment::{Head, Header, Kind, record_bytes};
use penstock_core::pack::{Coder, Dictionary, Form, Media, Parcel, Purpose, Sheet, Unreadable};
use penstock_core::pack::{choose, frames};

/// A generator with one state: the same values in every run.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn noise(&mut self, bytes: usize) -> Vec<u8> {
        (0..bytes).map(|_| self.next().to_le_bytes()[3]).collect()
    }
}

const WORDS: [&str; 16] = [
    "harbour", "ticket", "refund", "window", "planet", "engine", "yellow", "garden", "signal",
    "matrix", "copper", "valley", "rocket", "silver", "butter", "lantern",
];

/// About `bytes` bytes of a tool's JSON: alike in form, different in content.
pub fn json(seed: u64, bytes: usize) -> Vec<u8> {
    let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut text = String::from(r#"{"status":"ok","items":["#);
    while text.len() < bytes {
        let mut word = || WORDS[usize::try_from(numbers.next() % 16).unwrap()];
        let (one, two, three) = (word(), word(), word());
        let written = write!(
            text,
            r#"{{"id":"{:08x}","title":"{one} {two}","url":"https://{three}.example/{two}","score":{},"tags":["{one}"]}},"#,
            numbers.next() % (1 << 32),
            numbers.next() % 1000,
        );
        assert!(written.is_ok());
    }
    text.truncate(bytes);
    text.into_bytes()
}

/// Packs a value as the table says.
pub fn parcel_of(value: &[u8], with: Option<&Dictionary>) -> Vec<u8> {
    parcel_for(value, Purpose::Keep, with)
}

pub fn parcel_for(value: &[u8], purpose: Purpose, with: Option<&Dictionary>) -> Vec<u8> {
    let mut coder = Coder::new();
    let choice = choose(value.len(), purpose);
    let packed = frames::pack(&mut coder, value, choice, with);
    packed.parcel(Form::Bytes, Media::JSON)
}

/// Unpacks a parcel, whatever it is, as a reader does that allows `limit` bytes.
pub fn unpack(bytes: &[u8], limit: u64, with: Option<&Dictionary>) -> Result<Vec<u8>, Unreadable> {
    let parcel = Parcel::parse(bytes)?;
    let mut value = vec![0; parcel.raw_length(limit)?];
    frames::unpack(&mut Coder::new(), &parcel, &mut value, with)?;
    Ok(value)
}

/// Reads a part of a parcel.
pub fn read(bytes: &[u8], offset: u64, length: usize) -> Result<Vec<u8>, Unreadable> {
    let parcel = Parcel::parse(bytes)?;
    let mut part = vec![0; frames::readable(&parcel, offset, length)];
    frames::read(&mut Coder::new(), &parcel, offset, &mut part, None)?;
    Ok(part)
}

/// The sheet of a parcel.
pub fn sheet(bytes: &[u8]) -> Sheet<'_> {
    *Parcel::parse(bytes).unwrap().sheet()
}

/// The golden files of the current version.
pub fn golden() -> Vec<(&'static str, Vec<u8>)> {
    let packed = |value: &[u8], form, media, with: Option<&Dictionary>| {
        let choice = choose(value.len(), Purpose::Keep);
        let packed = frames::pack(&mut Coder::new(), value, choice, with);
        packed.parcel(form, Media::parse(media).unwrap())
    };
    let samples: Vec<_> = (1..=250).map(|seed| json(seed, 1024)).collect();
    let dictionary = train(&samples, |_| false).unwrap();
    let raw = packed(b"hello, world\n", Form::Text, "text/plain", None);
    let segment = segment(&raw);
    vec![
        (
            "v1-zstd.parcel",
            packed(&json(1, 2_000), Form::Json, "application/json", None),
        ),
        (
            "v1-spelled.parcel",
            packed(
                &json(2, 1_000),
                Form::Bytes,
                "application/vnd.penstock+json",
                None,
            ),
        ),
        (
            "v1-frames.parcel",
            packed(&vec![b'x'; (2 << 20) + 5], Form::Bytes, "", None),
        ),
        (
            "v1-dictionary.parcel",
            packed(&json(1_000, 1_024), Form::Json, "", Some(&dictionary)),
        ),
        ("v1.dictionary", dictionary.bytes().to_vec()),
        ("v1-raw.parcel", raw),
        ("v1.segment", segment),
    ]
}

fn segment(parcel: &[u8]) -> Vec<u8> {
    let header = Header {
        capacity: 4_096,
        nonce: 7,
        created_ms: 1_760_000_000_000,
        key_name: "key-1",
    };
    let mut file = header.render().unwrap().to_vec();
    let plain = Head {
        kind: Kind::Parcel,
        id: [1; 16],
        label: b"tenant",
        sealed: false,
    };
    append(&mut file, 7, &plain, parcel);
    let sealed = Head {
        kind: Kind::Parcel,
        id: [2; 16],
        label: b"",
        sealed: true,
    };
    append(&mut file, 7, &sealed, b"ciphertext");
    file.resize(4_096, 0);
    file
}

/// Writes a record at the end of a file.
pub fn append(file: &mut Vec<u8>, nonce: u64, head: &Head<'_>, body: &[u8]) {
    let start = file.len();
    file.extend(head.render(nonce, &[body]).unwrap());
    file.extend(body);
    file.resize(file.len().next_multiple_of(8), 0);
    let length = record_bytes(head.label.len(), body.len() as u64);
    assert_eq!((file.len() - start) as u64, length);
}
