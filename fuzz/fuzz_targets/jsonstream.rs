//! Any bytes as arguments in pieces: refused or not as the whole is, told the same however they are cut.
//!
//! The first byte says how long the pieces are. `rust/core/tests/jsonstream/laws.rs` has the same laws.
#![no_main]

use libfuzzer_sys::fuzz_target;
use penstock_core::arguments::{ArgumentLimits, check};
use penstock_core::jsonstream::{JsonError, JsonEvent, JsonStream, Limits};

fuzz_target!(|bytes: &[u8]| {
    let Some((&size, text)) = bytes.split_first() else {
        return;
    };
    let whole = read(text, text.len().max(1));
    assert_eq!(whole, read(text, usize::from(size).max(1)));
    // More values than the stream takes are sound for the check, which has no such limit.
    let sound = check(text, &ArgumentLimits::default()).is_ok();
    assert_eq!(sound, whole.is_ok());
});

fn read(text: &[u8], size: usize) -> Result<Vec<JsonEvent>, JsonError> {
    let limits = Limits {
        items: u32::MAX,
        ..Limits::default()
    };
    let (mut stream, mut events) = (JsonStream::new(limits), Vec::new());
    for piece in text.chunks(size) {
        stream.feed(piece, &mut events)?;
    }
    stream.finish(&mut events)?;
    for event in &events {
        if let JsonEvent::Key(path) | JsonEvent::Closed { path, .. } = event {
            let _ = stream.steps(*path);
        }
    }
    Ok(events)
}
