//! Values come back, whole and in parts.

use penstock_core::pack::parcel::Outline;
use penstock_core::pack::{Codec, Coder, FRAME_BYTES, Unreadable, frames};

use super::common::{Numbers, json, parcel_of, read, sheet, unpack};

const MIB: u64 = 1 << 20;

#[test]
fn every_small_size_comes_back() {
    let value = json(1, 9 << 10);
    for bytes in 0..value.len() {
        let parcel = parcel_of(&value[..bytes], None);
        assert_eq!(unpack(&parcel, MIB, None).unwrap(), value[..bytes]);
        assert_eq!(
            sheet(&parcel).codec == Codec::Raw,
            bytes < 512,
            "{bytes} bytes"
        );
    }
}

#[test]
fn sizes_around_each_threshold_come_back() {
    let value = json(2, 3 * FRAME_BYTES + 9);
    for threshold in [
        8 << 10,
        32 << 10,
        64 << 10,
        FRAME_BYTES,
        2 * FRAME_BYTES,
        3 * FRAME_BYTES,
    ] {
        for bytes in threshold - 2..threshold + 3 {
            let parcel = parcel_of(&value[..bytes], None);
            assert_eq!(unpack(&parcel, 4 * MIB, None).unwrap(), value[..bytes]);
        }
    }
}

#[test]
fn noise_stays_raw_and_comes_back() {
    for bytes in [0, 1, 600, 9_000, FRAME_BYTES, 2 * FRAME_BYTES + 1] {
        let value = Numbers(7).noise(bytes);
        let parcel = parcel_of(&value, None);
        assert_eq!(sheet(&parcel).codec, Codec::Raw);
        assert_eq!(unpack(&parcel, 4 * MIB, None).unwrap(), value);
    }
}

#[test]
fn any_part_can_be_read() {
    let long = json(3, 3 * FRAME_BYTES + 100);
    let noise = Numbers(9).noise(2 * FRAME_BYTES + 5);
    for value in [&long[..], &long[..40_000], &noise, &[]] {
        let parcel = parcel_of(value, None);
        let places = [
            0,
            1,
            4_000,
            FRAME_BYTES - 1,
            FRAME_BYTES,
            2 * FRAME_BYTES + 3,
            value.len(),
        ];
        for offset in places.into_iter().filter(|offset| *offset <= value.len()) {
            for length in [0, 1, 100, FRAME_BYTES, 2 * FRAME_BYTES + 7, usize::MAX] {
                let end = offset.saturating_add(length).min(value.len());
                let part = read(&parcel, offset as u64, length).unwrap();
                assert!(part == value[offset..end], "{offset} {length}");
            }
        }
    }
}

#[test]
fn behind_the_end_there_is_nothing() {
    let parcel = parcel_of(&json(4, 5_000), None);
    assert!(read(&parcel, 5_001, 10).unwrap().is_empty());
    assert!(read(&parcel, u64::MAX, 10).unwrap().is_empty());
}

#[test]
fn a_part_is_read_from_the_bytes_of_its_span_alone() {
    let value = json(5, 3 * FRAME_BYTES + 100);
    let noise = Numbers(3).noise(2 * FRAME_BYTES + 5);
    for value in [&value[..], &noise, &value[..600], &[]] {
        let parcel = parcel_of(value, None);
        let outline = Outline::parse(&parcel[..outline_length(&parcel)], parcel.len()).unwrap();
        for offset in [
            0,
            1,
            FRAME_BYTES - 1,
            FRAME_BYTES,
            2 * FRAME_BYTES + 3,
            value.len(),
        ] {
            for length in [0, 1, 1_000, FRAME_BYTES + 1, value.len()] {
                let span = outline.span(offset as u64, length);
                let expected: &[u8] = value.get(offset..).unwrap_or_default();
                let mut part = vec![0; length.min(expected.len())];
                let bytes = &parcel[span.bytes];
                let offset = offset as u64;
                frames::read_part(&mut Coder::new(), &outline, bytes, offset, &mut part, None)
                    .unwrap();
                assert_eq!(part, expected[..part.len()]);
            }
        }
    }
}

#[test]
fn a_part_of_which_bytes_are_missing_or_changed_is_unreadable() {
    let value = json(6, 2 * FRAME_BYTES);
    let mut parcel = parcel_of(&value, None);
    let header = parcel[..outline_length(&parcel)].to_vec();
    let outline = Outline::parse(&header, parcel.len()).unwrap();
    let span = outline.span(FRAME_BYTES as u64, 10);
    assert_eq!(span.frames, 1..2);
    let mut part = [0; 10];
    let short = &parcel[span.bytes.start..span.bytes.end - 1];
    let read = |bytes: &[u8], part: &mut [u8]| {
        frames::read_part(
            &mut Coder::new(),
            &outline,
            bytes,
            FRAME_BYTES as u64,
            part,
            None,
        )
    };
    assert!(read(short, &mut part).is_err());
    parcel[span.bytes.start + 9] ^= 1;
    assert_eq!(
        read(&parcel[span.bytes], &mut part),
        Err(Unreadable::Frame { index: 1 })
    );
}

fn outline_length(parcel: &[u8]) -> usize {
    Outline::parse(parcel, parcel.len())
        .unwrap()
        .header_length()
}
