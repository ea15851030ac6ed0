//! Any bytes behind a sound header: a scan ends, and what it answers lies where it says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use penstock_core::pack::segment::{Header, scan};

fuzz_target!(|bytes: &[u8]| {
    let _ = scan(bytes);
    let header = Header {
        capacity: 1 << 20,
        nonce: 7,
        created_ms: 1,
        key_name: "",
    };
    let Some(header) = header.render() else {
        return;
    };
    let segment = [&header[..], bytes].concat();
    let Some(found) = scan(&segment) else {
        return;
    };
    assert!(found.end <= segment.len());
    for record in found.records {
        assert_eq!(
            &segment[record.body_offset..][..record.body.len()],
            record.body
        );
    }
});
