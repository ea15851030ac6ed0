//! Values like those of tools, and parcels made of them.

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
        text += &format!(
            r#"{{"id":"{:08x}","title":"{one} {two}","url":"https://{three}.example/{two}","score":{},"tags":["{one}"]}},"#,
            numbers.next() % (1 << 32),
            numbers.next() % 1000,
        );
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
