//! Parcels and segments of released versions stay readable. A file is never renewed: a new version
//! of the format gets files of its own.

use penstock_core::pack::segment::{Head, Header, Kind, scan};
use penstock_core::pack::{Codec, Dictionary, Form, Media, Parcel, Sheet};

use super::common::{json, unpack};

const RAW: &[u8] = include_bytes!("golden/v1-raw.parcel");
const PACKED: &[u8] = include_bytes!("golden/v1-zstd.parcel");
const SPELLED: &[u8] = include_bytes!("golden/v1-spelled.parcel");
const FRAMES: &[u8] = include_bytes!("golden/v1-frames.parcel");
const WITH_DICTIONARY: &[u8] = include_bytes!("golden/v1-dictionary.parcel");
const DICTIONARY: &[u8] = include_bytes!("golden/v1.dictionary");
const SEGMENT: &[u8] = include_bytes!("golden/v1.segment");

const LIMIT: u64 = 4 << 20;

fn sheet(parcel: &[u8]) -> (Codec, Form, &str, u64) {
    let parcel = Parcel::parse(parcel).unwrap();
    let sheet = *parcel.sheet();
    (
        sheet.codec,
        sheet.form,
        sheet.media.as_str(),
        sheet.raw_length,
    )
}

#[test]
fn a_raw_parcel_is_read_and_written_alike() {
    assert_eq!(sheet(RAW), (Codec::Raw, Form::Text, "text/plain", 13));
    assert_eq!(unpack(RAW, LIMIT, None).unwrap(), b"hello, world\n");
    let sheet = Sheet {
        codec: Codec::Raw,
        form: Form::Text,
        media: Media::parse("text/plain").unwrap(),
        dictionary: 0,
        raw_length: 13,
    };
    let value: &[u8] = b"hello, world\n";
    assert_eq!([&sheet.header(&[value])[..], value].concat(), RAW);
}

#[test]
fn packed_parcels_are_read() {
    assert_eq!(
        sheet(PACKED),
        (Codec::Zstd, Form::Json, "application/json", 2_000)
    );
    assert_eq!(unpack(PACKED, LIMIT, None).unwrap(), json(1, 2_000));
    assert_eq!(
        sheet(SPELLED),
        (
            Codec::Zstd,
            Form::Bytes,
            "application/vnd.penstock+json",
            1_000
        )
    );
    assert_eq!(unpack(SPELLED, LIMIT, None).unwrap(), json(2, 1_000));
}

#[test]
fn a_parcel_of_three_frames_is_read() {
    let value = vec![b'x'; (2 << 20) + 5];
    assert_eq!(Parcel::parse(FRAMES).unwrap().frame_count(), 3);
    assert_eq!(unpack(FRAMES, LIMIT, None).unwrap(), value);
}

#[test]
fn a_dictionary_is_loaded_and_used() {
    let dictionary = Dictionary::load(DICTIONARY, false).unwrap();
    let value = unpack(WITH_DICTIONARY, LIMIT, Some(&dictionary)).unwrap();
    assert_eq!(value, json(1_000, 1_024));
}

#[test]
fn a_segment_is_read_and_written_alike() {
    let found = scan(SEGMENT).unwrap();
    let header = Header {
        capacity: 4_096,
        nonce: 7,
        created_ms: 1_760_000_000_000,
        key_name: "key-1",
    };
    assert_eq!(found.header, header);
    assert_eq!(header.render().unwrap(), SEGMENT[..64]);
    let kinds: Vec<_> = found
        .records
        .iter()
        .map(|record| record.head.kind)
        .collect();
    assert_eq!(kinds, [Kind::Parcel, Kind::Parcel]);
    assert_eq!(
        (found.records[0].head.id, found.records[0].head.label),
        ([1; 16], &b"tenant"[..])
    );
    assert_eq!(found.records[0].body, RAW);
    let sealed = Head {
        kind: Kind::Parcel,
        id: [2; 16],
        label: b"",
        sealed: true,
    };
    assert_eq!(
        (found.records[1].head, found.records[1].body),
        (sealed, &b"ciphertext"[..])
    );
    let first = found.records[0];
    let head = first.head.render(7, &[RAW]).unwrap();
    assert_eq!(SEGMENT[first.offset..first.body_offset], head);
    assert_eq!((found.broken, found.torn), (0, false));
}

/// Writes the files of the current version, for a new one: `cargo test --test pack -- --ignored`.
#[test]
#[ignore = "makes golden files; those of a released version stay"]
fn make() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pack/golden");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in super::common::golden() {
        let path = folder.join(name);
        if std::fs::metadata(&path).map_or(0, |file| file.len()) == 0 {
            std::fs::write(path, bytes).unwrap();
        }
    }
}
