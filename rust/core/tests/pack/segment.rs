//! Spill files are found again, whole records only.

use penstock_core::pack::segment::{Head, Header, Kind, Scan, record_bytes, scan};

use super::common::{Numbers, append, json, parcel_of};

const NONCE: u64 = 0xfeed_beef_1234_5678;

fn header() -> Vec<u8> {
    let header = Header {
        capacity: 1 << 16,
        nonce: NONCE,
        created_ms: 1,
        key_name: "",
    };
    header.render().unwrap().to_vec()
}

fn parcel_head(id: u8) -> Head<'static> {
    Head {
        kind: Kind::Parcel,
        id: [id; 16],
        label: b"acme",
        sealed: false,
    }
}

/// A file with parcels of these sizes, and zeros behind them.
fn file(sizes: &[usize]) -> Vec<u8> {
    let mut file = header();
    for (number, &bytes) in (1..).zip(sizes) {
        let parcel = parcel_of(&json(number, bytes), None);
        append(
            &mut file,
            NONCE,
            &parcel_head(u8::try_from(number).unwrap()),
            &parcel,
        );
    }
    file.resize(1 << 16, 0);
    file
}

fn ids(found: &Scan<'_>) -> Vec<u8> {
    found
        .records
        .iter()
        .map(|record| record.head.id[0])
        .collect()
}

#[test]
fn everything_written_is_found() {
    let file = file(&[10, 2_000, 0, 9_000]);
    let found = scan(&file).unwrap();
    assert_eq!(ids(&found), [1, 2, 3, 4]);
    assert_eq!(
        (found.broken, found.broken_bytes, found.torn),
        (0, 0, false)
    );
    for record in &found.records {
        assert_eq!((record.offset % 8, record.body_offset % 8), (0, 0));
        assert_eq!(record.head.label, b"acme");
        let length = record_bytes(4, record.body.len() as u64);
        assert_eq!(record.length as u64, length);
    }
}

#[test]
fn a_torn_end_is_cut_wherever_it_is() {
    let whole = file(&[700, 900]);
    let ends: Vec<usize> = scan(&whole)
        .unwrap()
        .records
        .iter()
        .map(|r| r.offset + r.length)
        .collect();
    for written in 64..ends[1] {
        let mut torn = whole.clone();
        torn[written..].fill(0);
        let found = scan(&torn).unwrap();
        // Zeros that were to be written are there already.
        let whole_records = ends
            .iter()
            .filter(|&&end| torn[..end] == whole[..end])
            .count();
        assert_eq!(found.records.len(), whole_records, "{written} bytes");
        assert_eq!(found.broken, 0);
        assert_eq!(found.torn, torn[found.end..].iter().any(|byte| *byte != 0));
    }
}

#[test]
fn a_file_that_was_cut_off_gives_what_is_whole() {
    let whole = file(&[700, 900]);
    let second = scan(&whole).unwrap().records[1].offset;
    for length in [64, 65, second - 1, second, second + 100] {
        let found = scan(&whole[..length]).unwrap();
        assert_eq!(
            found.records.len(),
            usize::from(length >= second),
            "{length}"
        );
    }
    assert!(scan(&whole[..63]).is_none());
    assert!(scan(b"").is_none());
}

#[test]
fn a_damaged_record_costs_itself_and_no_other() {
    let whole = file(&[700, 900, 800]);
    let second = scan(&whole).unwrap().records[1];
    let (start, end) = (second.offset, second.body_offset + second.body.len());
    for place in start..end {
        let mut damaged = whole.clone();
        damaged[place] ^= 4;
        let found = scan(&damaged).unwrap();
        assert_eq!(ids(&found), [1, 3], "byte {place}");
        assert_eq!((found.broken, found.broken_bytes), (1, second.length));
    }
}

#[test]
fn a_damaged_header_makes_the_segment_unreadable() {
    let whole = file(&[700]);
    for place in 0..64 {
        let mut damaged = whole.clone();
        damaged[place] ^= 1;
        assert!(scan(&damaged).is_none(), "byte {place}");
    }
}

#[test]
fn a_record_inside_a_value_is_none() {
    // What a tool returned contains a record as another segment would write it, at a multiple of 8.
    let mut forged = Vec::new();
    append(
        &mut forged,
        NONCE ^ 1,
        &parcel_head(66),
        &parcel_of(b"forged", None),
    );
    let mut file = header();
    let value = [&vec![0; 400][..], &forged].concat();
    append(&mut file, NONCE, &parcel_head(1), &parcel_of(&value, None));
    let body = scan(&file).unwrap().records[0].body_offset;
    file[body + 30] ^= 1;
    let found = scan(&file).unwrap();
    assert!(found.records.is_empty());
    assert!(found.torn);
}

#[test]
fn sealed_bodies_are_checked_without_their_key() {
    let mut file = header();
    let sealed = Head {
        sealed: true,
        ..parcel_head(1)
    };
    append(&mut file, NONCE, &sealed, &Numbers(3).noise(1_001));
    assert_eq!(ids(&scan(&file).unwrap()), [1]);
    let body = scan(&file).unwrap().records[0].body_offset;
    file[body + 1_000] ^= 1;
    assert!(scan(&file).unwrap().records.is_empty());
}

#[test]
fn dictionaries_travel_with_what_needs_them() {
    let dictionary = super::dictionary::trained();
    let mut file = header();
    let head = Head {
        kind: Kind::Dictionary,
        ..parcel_head(1)
    };
    append(&mut file, NONCE, &head, dictionary.bytes());
    let found = scan(&file).unwrap();
    assert_eq!(found.records[0].head.kind, Kind::Dictionary);
    assert_eq!(found.records[0].body, dictionary.bytes());
}

#[test]
fn names_and_labels_have_bounds() {
    let name = "k".repeat(29);
    let long = Header {
        capacity: 1,
        nonce: 1,
        created_ms: 1,
        key_name: &name,
    };
    assert!(long.render().is_none());
    assert!(
        Header {
            key_name: &name[..28],
            ..long
        }
        .render()
        .is_some()
    );
    let label = [b'l'; 1_001];
    assert!(
        Head {
            label: &label,
            ..parcel_head(1)
        }
        .render(1, &[b""])
        .is_none()
    );
    assert!(
        Head {
            label: &label[..1_000],
            ..parcel_head(1)
        }
        .render(1, &[b""])
        .is_some()
    );
    assert_eq!(record_bytes(0, u64::MAX), u64::MAX);
}
