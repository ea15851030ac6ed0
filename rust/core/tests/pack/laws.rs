//! Laws over random values and random damage: the fuzz target's, in the time that a test has.

use penstock_core::pack::segment::scan;
use penstock_core::pack::{Codec, Form, Media, Parcel, Purpose, Sheet};
use proptest::prelude::*;

use super::common::{Numbers, json, parcel_for, read, unpack};

const LIMIT: u64 = 1 << 22;

/// Text, noise or both, of sizes around what the table knows.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let size = prop_oneof![
        8 => 0_usize..10_000,
        2 => 10_000_usize..100_000,
        1 => (1_usize << 20) - 5..(1 << 20) + 5,
        1 => (1_usize << 20)..(3 << 20),
    ];
    (size, any::<u64>(), 0_usize..=100).prop_map(|(bytes, seed, noise)| {
        let mut value = json(seed, bytes * (100 - noise) / 100);
        value.extend(Numbers(seed | 1).noise(bytes - value.len()));
        value
    })
}

fn purpose() -> impl Strategy<Value = Purpose> {
    prop_oneof![
        Just(Purpose::Keep),
        Just(Purpose::Wire),
        Just(Purpose::Cold)
    ]
}

#[derive(Clone, Debug)]
enum Damage {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Swap(prop::sample::Index, prop::sample::Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (any::<prop::sample::Index>(), 1_u8..).prop_map(|(place, bits)| Damage::Flip(place, bits)),
        any::<prop::sample::Index>().prop_map(Damage::Cut),
        (
            any::<prop::sample::Index>(),
            prop::collection::vec(any::<u8>(), 1..20)
        )
            .prop_map(|(place, bytes)| Damage::Insert(place, bytes)),
        any::<(prop::sample::Index, prop::sample::Index)>()
            .prop_map(|(one, other)| Damage::Swap(one, other)),
    ]
}

fn damaged(mut bytes: Vec<u8>, damage: &[Damage]) -> Vec<u8> {
    for each in damage
        .iter()
        .filter(|_| !bytes.is_empty())
        .collect::<Vec<_>>()
    {
        let length = bytes.len().max(1);
        match each {
            _ if bytes.is_empty() => {}
            Damage::Flip(place, bits) => bytes[place.index(length)] ^= bits,
            Damage::Cut(place) => bytes.truncate(place.index(length)),
            Damage::Insert(place, new) => {
                let place = place.index(length);
                bytes.splice(place..place, new.iter().copied());
            }
            Damage::Swap(one, other) => bytes.swap(one.index(length), other.index(length)),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_goes_in_comes_out(value in value(), purpose in purpose(), part in any::<(u32, u32)>()) {
        let parcel = parcel_for(&value, purpose, None);
        prop_assert!(parcel.len() <= value.len() + 48 + 8 * (value.len() >> 20));
        prop_assert!(unpack(&parcel, LIMIT, None).unwrap() == value);
        let offset = part.0 as usize % (value.len() + 1);
        let length = part.1 as usize % (value.len() + 1);
        let end = (offset + length).min(value.len());
        prop_assert!(read(&parcel, offset as u64, length).unwrap() == value[offset..end]);
    }

    #[test]
    fn a_damaged_parcel_is_an_error_or_the_exact_bytes(
        value in value(),
        damage in prop::collection::vec(damage(), 1..4),
        offset in any::<prop::sample::Index>(),
    ) {
        let parcel = damaged(parcel_for(&value, Purpose::Keep, None), &damage);
        if let Ok(unpacked) = unpack(&parcel, LIMIT, None) {
            prop_assert!(unpacked == value);
        }
        let offset = offset.index(value.len() + 1);
        if let Ok(part) = read(&parcel, offset as u64, 100) {
            prop_assert!(part == value[offset..(offset + 100).min(value.len())]);
        }
    }

    /// As an enemy would: the header and its sums are right, the frames are anything.
    #[test]
    fn sealed_nonsense_gives_what_it_claims_or_an_error(
        raw_length in prop_oneof![0_u64..5_000, (1_u64 << 20)..(1 << 22), any::<u64>()],
        frames in prop::collection::vec(value().prop_map(|v| parcel_for(&v, Purpose::Keep, None)), 1..3),
        dictionary in prop_oneof![4 => Just(0), 1 => any::<u32>()],
        offset in any::<u64>(),
    ) {
        let payloads: Vec<&[u8]> = frames.iter().map(|frame| Parcel::parse(frame).unwrap().payload()).collect();
        for codec in [Codec::Raw, Codec::Zstd] {
            let sheet = Sheet { codec, form: Form::Json, media: Media::JSON, dictionary, raw_length };
            let parcel = [sheet.header(&payloads), payloads.concat()].concat();
            if let Ok(unpacked) = unpack(&parcel, LIMIT, None) {
                prop_assert_eq!(unpacked.len() as u64, raw_length);
            }
            if let Ok(part) = read(&parcel, offset, 1_000) {
                prop_assert_eq!(part.len() as u64, raw_length.saturating_sub(offset).min(1_000));
            }
        }
    }

    #[test]
    fn any_bytes_can_be_scanned(bytes in prop::collection::vec(any::<u8>(), 0..2_000), damage in prop::collection::vec(damage(), 1..5)) {
        prop_assert!(scan(&bytes).is_none_or(|found| found.records.is_empty()));
        let golden = include_bytes!("golden/v1.segment").to_vec();
        if let Some(found) = scan(&damaged(golden.clone(), &damage)) {
            let whole = scan(&golden).unwrap();
            for record in found.records {
                prop_assert!(whole.records.iter().any(|one| one.head == record.head && one.body == record.body));
            }
        }
    }
}
