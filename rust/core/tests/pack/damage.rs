//! A damaged parcel is an error or the exact bytes: never a crash, never more memory than allowed.

use penstock_core::pack::parcel::{ALIGNMENT, MAGIC};
use penstock_core::pack::{Codec, FRAME_BYTES, Form, Media, Parcel, Sheet, Unreadable};

use super::common::{Numbers, json, parcel_of, read, unpack};

const MIB: u64 = 1 << 20;

/// A sound header over frames that need not be.
fn sealed(codec: Codec, raw_length: u64, frames: &[&[u8]]) -> Vec<u8> {
    let sheet = Sheet {
        codec,
        form: Form::Json,
        media: Media::JSON,
        dictionary: 0,
        raw_length,
    };
    [sheet.header(frames), frames.concat()].concat()
}

fn payload_of(parcel: &[u8]) -> Vec<u8> {
    Parcel::parse(parcel).unwrap().payload().to_vec()
}

#[test]
fn every_flipped_bit_is_an_error_or_changes_nothing() {
    let value = json(1, 600);
    let parcel = parcel_of(&value, None);
    for bit in 0..parcel.len() * 8 {
        let mut damaged = parcel.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(unpack(&damaged, MIB, None).is_err(), "bit {bit}");
        assert!(read(&damaged, 100, 50).is_err(), "bit {bit}");
    }
}

#[test]
fn flipped_bits_of_many_frames_are_found_by_a_read_of_that_frame() {
    let mut value = Numbers(1).noise(FRAME_BYTES);
    value.extend(json(1, 2 * FRAME_BYTES));
    for value in [&value[..], &value[FRAME_BYTES..]] {
        let parcel = parcel_of(value, None);
        let header = Parcel::parse(&parcel).unwrap().header_length();
        for place in (header..parcel.len()).step_by(parcel.len() / 50) {
            let mut damaged = parcel.clone();
            damaged[place] ^= 16;
            assert!(unpack(&damaged, 4 * MIB, None).is_err(), "byte {place}");
            let reads = (0..value.len()).step_by(FRAME_BYTES / 2);
            let wrong = reads.filter(|&offset| match read(&damaged, offset as u64, 10) {
                Ok(part) => part != value[offset..offset + 10],
                Err(_) => false,
            });
            assert_eq!(wrong.count(), 0, "byte {place}");
        }
    }
}

#[test]
fn every_truncation_is_torn_off() {
    let parcel = parcel_of(&json(1, 900), None);
    for length in 0..parcel.len() {
        let error = unpack(&parcel[..length], MIB, None).unwrap_err();
        assert!(
            matches!(error, Unreadable::TooShort { .. }),
            "{length}: {error}"
        );
    }
}

#[test]
fn what_follows_a_parcel_is_left_alone() {
    let value = json(1, 900);
    let parcel = parcel_of(&value, None);
    let longer = [&parcel[..], b"something else"].concat();
    assert_eq!(Parcel::parse(&longer).unwrap().length(), parcel.len());
    assert_eq!(unpack(&longer, MIB, None).unwrap(), value);
}

#[test]
fn foreign_bytes_are_no_parcel() {
    for foreign in [json(1, 600), Numbers(3).noise(600), vec![0; 600]] {
        assert_eq!(Parcel::parse(&foreign).unwrap_err(), Unreadable::NotAParcel);
        let disguised = [&MAGIC[..], &[1], &foreign].concat();
        assert!(Parcel::parse(&disguised).is_err());
    }
}

#[test]
fn a_claim_above_the_limit_allocates_nothing() {
    let bomb = payload_of(&parcel_of(&vec![0; FRAME_BYTES], None));
    let parcel = sealed(Codec::Zstd, 1 << 20, &[&bomb]);
    let parcel = Parcel::parse(&parcel).unwrap();
    let refused = Unreadable::TooLarge {
        bytes: 1 << 20,
        limit: 1000,
    };
    assert_eq!(parcel.raw_length(1000).unwrap_err(), refused);
}

#[test]
fn a_frame_that_gives_more_than_it_says_is_refused() {
    let million_zeros = payload_of(&parcel_of(&vec![0; FRAME_BYTES], None));
    for claimed in [1, 1000, MIB - 1] {
        let parcel = sealed(Codec::Zstd, claimed, &[&million_zeros]);
        let error = unpack(&parcel, MIB, None).unwrap_err();
        assert_eq!(error, Unreadable::Frame { index: 0 });
    }
}

#[test]
fn nothing_is_never_packed() {
    let million_zeros = payload_of(&parcel_of(&vec![0; FRAME_BYTES], None));
    for frame in [&million_zeros[..], b""] {
        let parcel = sealed(Codec::Zstd, 0, &[frame]);
        assert_eq!(unpack(&parcel, MIB, None).unwrap_err(), Unreadable::Header);
    }
}

#[test]
fn a_frame_that_gives_less_than_it_says_is_refused() {
    let frame = payload_of(&parcel_of(&json(1, 2_000), None));
    let parcel = sealed(Codec::Zstd, 2_001, &[&frame]);
    assert_eq!(
        unpack(&parcel, MIB, None).unwrap_err(),
        Unreadable::Frame { index: 0 }
    );
    assert_eq!(
        read(&parcel, 1_000, 10).unwrap_err(),
        Unreadable::Frame { index: 0 }
    );
    let parcel = sealed(Codec::Zstd, 2_000, &[b"not a frame"]);
    assert_eq!(
        unpack(&parcel, MIB, None).unwrap_err(),
        Unreadable::Frame { index: 0 }
    );
}

#[test]
fn frames_that_do_not_fit_the_length_are_a_broken_header() {
    let half = vec![7; FRAME_BYTES / 2];
    let cases: [(u64, &[&[u8]]); 4] = [
        (MIB, &[&half, &half]),
        (MIB + 1, &[&half, &half]),
        (u64::MAX, &[&half]),
        (10, &[&half]),
    ];
    for (raw_length, frames) in cases {
        let parcel = sealed(Codec::Raw, raw_length, frames);
        assert_eq!(
            Parcel::parse(&parcel).unwrap_err(),
            Unreadable::Header,
            "{raw_length}"
        );
    }
}

#[test]
fn a_table_larger_than_the_bytes_is_not_believed() {
    let mut parcel = parcel_of(&json(1, 600), None);
    parcel[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(
        Parcel::parse(&parcel).unwrap_err(),
        Unreadable::TooShort { .. }
    ));
}

#[test]
fn unknown_versions_are_newer() {
    let mut parcel = parcel_of(&json(1, 600), None);
    parcel[4] = 2;
    assert_eq!(Parcel::parse(&parcel).unwrap_err(), Unreadable::Newer);
}

#[test]
fn payloads_are_aligned() {
    let long = "x".repeat(127);
    for media in [
        "",
        "a/b",
        "application/json",
        "application/vnd.thing+json",
        &long,
    ] {
        let sheet = Sheet {
            codec: Codec::Raw,
            form: Form::Text,
            media: Media::parse(media).unwrap(),
            dictionary: 0,
            raw_length: 3,
        };
        let parcel = [&sheet.header(&[b"abc"])[..], b"abc"].concat();
        let read = Parcel::parse(&parcel).unwrap();
        assert_eq!(read.header_length() % ALIGNMENT, 0);
        assert_eq!(*read.sheet(), sheet);
        assert_eq!(read.payload(), b"abc");
    }
    assert!(Media::parse(&"x".repeat(128)).is_none());
    assert!(Media::parse("text/\u{e9}").is_none());
}
