//! Any bytes as a parcel: an error or as many bytes as declared, and no more memory than that.
//!
//! The checksums would stop almost every input at the door, so each input is also tried as the frames
//! of a parcel whose header and sums are right. `rust/core/tests/pack/laws.rs` has the same laws.
#![no_main]

use libfuzzer_sys::fuzz_target;
use penstock_core::pack::{Codec, Coder, Form, Media, Parcel, Sheet, frames};

const LIMIT: u64 = 4 << 20;

fuzz_target!(|bytes: &[u8]| {
    open(bytes);
    let Some((&claim, payload)) = bytes.split_first_chunk::<4>() else {
        return;
    };
    for codec in [Codec::Raw, Codec::Zstd] {
        let raw_length = u64::from(u32::from_le_bytes(claim)) % (LIMIT + 2);
        let (form, media, dictionary) = (Form::Bytes, Media::JSON, 0);
        let sheet = Sheet {
            codec,
            form,
            media,
            dictionary,
            raw_length,
        };
        let pieces = raw_length.div_ceil(1 << 20).max(1) as usize;
        let size = payload.len().div_ceil(pieces).max(1);
        let frames: Vec<&[u8]> = payload.chunks(size).collect();
        open(&[&sheet.header(&frames), payload].concat());
    }
});

fn open(bytes: &[u8]) {
    let Ok(parcel) = Parcel::parse(bytes) else {
        return;
    };
    assert!(parcel.length() <= bytes.len());
    let mut coder = Coder::new();
    if let Ok(length) = parcel.raw_length(LIMIT) {
        let mut value = vec![0; length];
        let unpacked = frames::unpack(&mut coder, &parcel, &mut value, None);
        for offset in [0, length as u64 / 2, 1 << 20] {
            let mut part = vec![0; frames::readable(&parcel, offset, 1_000)];
            let read = frames::read(&mut coder, &parcel, offset, &mut part, None);
            if unpacked.is_ok() && read.is_ok() && !part.is_empty() {
                let start = offset as usize;
                assert_eq!(part, value[start..start + part.len()]);
            }
        }
    }
}
