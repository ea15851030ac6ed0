//! What is not worth packing is seen without packing it.

use penstock_core::pack::skip::{is_noise, is_packed_format};

use super::common::{Numbers, json};

#[test]
fn packed_formats_are_known_by_their_first_bytes() {
    let beginnings: [&[u8]; 12] = [
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0",
        b"GIF89a",
        b"RIFF\x10\x00\x00\x00WEBPVP8 ",
        b"PK\x03\x04",
        b"\x1f\x8b\x08\x00",
        b"\x28\xb5\x2f\xfd",
        b"\xfd7zXZ\x00",
        b"BZh9",
        b"\x00\x00\x00\x20ftypisom",
        b"OggS\x00",
        b"%PDF-1.7",
    ];
    for beginning in beginnings {
        let value = [beginning, &[0; 1000]].concat();
        assert!(is_packed_format(&value), "{beginning:?}");
        assert!(!is_packed_format(&beginning[..2]));
    }
    assert!(!is_packed_format(&json(1, 1000)));
    assert!(!is_packed_format(b""));
}

#[test]
fn noise_is_seen_at_every_size() {
    for bytes in [
        512,
        513,
        1_023,
        4_095,
        4_096,
        4_097,
        5_000,
        100_000,
        1 << 20,
    ] {
        assert!(is_noise(&Numbers(3).noise(bytes)), "{bytes} bytes");
    }
}

#[test]
fn text_is_no_noise() {
    let hex: Vec<u8> = Numbers(5)
        .noise(9_000)
        .iter()
        .flat_map(|b| format!("{b:02x}").into_bytes())
        .collect();
    assert!(!is_noise(&hex));
    for bytes in [512, 4_096, 50_000] {
        assert!(!is_noise(&json(1, bytes)));
        assert!(!is_noise(&vec![0; bytes]));
    }
}

#[test]
fn noise_in_one_part_is_not_noise_in_all() {
    let mixed = [json(1, 60_000), Numbers(3).noise(20_000)].concat();
    assert!(!is_noise(&mixed));
}

#[test]
fn nothing_is_no_noise() {
    assert!(!is_noise(b""));
    assert!(!is_noise(b"abc"));
}
