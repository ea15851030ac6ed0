use penstock_core::jsonstream::{JsonError, JsonEvent, JsonStream, Kind, Limits, Segment};

/// What was told, in words: `key items[0].name`, `text items[0].name "x"`, `end`.
pub(crate) type Told = Vec<String>;

pub(crate) fn whole(text: &[u8]) -> Result<Told, JsonError> {
    read(JsonStream::new(Limits::default()), [text])
}

/// Feeds the pieces, then finishes.
pub(crate) fn read<'a>(
    mut stream: JsonStream,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Told, JsonError> {
    let mut events = Vec::new();
    for piece in pieces {
        stream.feed(piece, &mut events)?;
    }
    stream.finish(&mut events)?;
    assert!(stream.is_ended());
    Ok(events.iter().map(|event| told(&stream, event)).collect())
}

pub(crate) fn told(stream: &JsonStream, event: &JsonEvent) -> String {
    let shown = |path| {
        let steps = stream.steps(path);
        let steps = steps.iter().map(|step| match step {
            Segment::Key(key) => format!(".{key}"),
            Segment::Index(index) => format!("[{index}]"),
        });
        steps.collect::<String>()
    };
    match event {
        JsonEvent::Key(path) => format!("key {}", shown(*path)),
        JsonEvent::End => "end".to_owned(),
        JsonEvent::Closed { path, span, kind } => {
            let kind = match kind {
                Kind::Object => "object",
                Kind::Array => "array",
                Kind::Text => "text",
                Kind::Number => "number",
                Kind::Boolean => "boolean",
                Kind::Null => "null",
            };
            let value = String::from_utf8_lossy(stream.slice(*span));
            format!("{kind} {} {value}", shown(*path))
        }
    }
}
