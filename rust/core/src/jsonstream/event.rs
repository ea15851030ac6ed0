//! What is told of a text, and how large it may be.

use std::borrow::Cow;
use std::fmt::Write;
use std::ops::Range;

/// How large a text may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Objects and arrays inside each other, the outermost included.
    pub depth: u32,
    /// Values of any kind, the outermost included.
    pub items: u32,
    /// Bytes of the whole text.
    pub bytes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 64,
            items: 1 << 16,
            bytes: 1 << 20,
        }
    }
}

/// Something became certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonEvent {
    /// A key was read; its value is about to come.
    Key(Path),
    /// A value is complete. What is inside of it was told before.
    Closed {
        /// Where; see [`super::JsonStream::steps`].
        path: Path,
        /// Its bytes.
        span: Span,
        /// What it is.
        kind: Kind,
    },
    /// The text is complete; only white space may follow.
    End,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{}`
    Object,
    /// `[]`
    Array,
    /// `""`
    Text,
    /// `0`
    Number,
    /// `true` or `false`
    Boolean,
    /// `null`
    Null,
}

/// Bytes of the text, from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    pub(super) fn new(start: usize, end: usize) -> Self {
        Self {
            start: narrow(start),
            end: narrow(end),
        }
    }

    pub(super) fn length(self) -> u32 {
        self.end - self.start
    }

    /// The same as a range.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Places in the text are below `Limits::bytes`, numbers of values below `Limits::items`.
pub(super) fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Where a value is: a container by its number, and the step into it. Small, however deep it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    pub(super) node: u32,
    /// None for the outermost value.
    pub(super) step: Option<Step>,
}

impl Path {
    /// Whether it is the path of the outermost value.
    #[must_use]
    pub fn is_root(self) -> bool {
        self.step.is_none()
    }
}

/// One step down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Where the key stands in the text, with its quotes.
    Key(Span),
    Index(u32),
}

/// One step of a path, to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment<'text> {
    /// Into an object.
    Key(Cow<'text, str>),
    /// Into an array, from 0.
    Index(u32),
}

/// A path as people write it: `items[2].name`.
pub(super) fn shown(steps: &[Segment<'_>]) -> String {
    let mut path = String::new();
    for step in steps {
        // Writing to a string cannot fail.
        let _ = match step {
            Segment::Key(key) if path.is_empty() => write!(path, "{key}"),
            Segment::Key(key) => write!(path, ".{key}"),
            Segment::Index(index) => write!(path, "[{index}]"),
        };
    }
    path
}
