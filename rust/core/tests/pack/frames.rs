//! Values come back, whole and in parts.

use penstock_core::pack::{Codec, FRAME_BYTES};

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
