//! Media types in one byte: the usual ones by a number, others spelled out.

/// Numbers are part of the format: entries are appended, never moved.
const KNOWN: [&str; 16] = [
    "",
    "application/json",
    "application/octet-stream",
    "text/plain",
    "text/html",
    "text/csv",
    "text/markdown",
    "application/xml",
    "application/x-ndjson",
    "application/pdf",
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "audio/mpeg",
    "video/mp4",
];
/// The number that says: spelled out behind the frame table.
pub(crate) const SPELLED: u8 = 255;
/// Letters of a media type that is spelled out.
pub const MAX_LENGTH: usize = 127;

/// A media type; empty if nobody said one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Media<'a>(&'a str);

impl<'a> Media<'a> {
    /// JSON.
    pub const JSON: Media<'static> = Media("application/json");

    /// None if it is not made of up to 127 visible ASCII characters and spaces.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let fits = text.len() <= MAX_LENGTH;
        let visible = text
            .bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic());
        (fits && visible).then_some(Self(text))
    }

    /// The text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// Its number, or [`SPELLED`].
    pub(crate) fn code(self) -> u8 {
        let known = KNOWN.iter().zip(0_u8..).find(|(name, _)| **name == self.0);
        known.map_or(SPELLED, |(_, code)| code)
    }

    /// What a number stands for.
    pub(crate) fn known(code: u8) -> Option<Media<'static>> {
        KNOWN.get(usize::from(code)).copied().map(Media)
    }
}
