//! What is open: objects and arrays, their keys, and the paths into them.
//!
//! Paths are shared. A container has a node, which knows its parent and its step; the path of a value
//! is the node that it is in and one step. So telling a path costs the same at any depth.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::event::{Kind, Path, Segment, Span, Step, narrow};
use super::fault::JsonFault;

/// An object with more keys than this looks them up in a tree.
const FEW_KEYS: usize = 16;

/// An object or array that is open.
#[derive(Debug)]
struct Frame {
    is_object: bool,
    start: usize,
    node: u32,
    /// Values inside that are complete.
    count: u32,
    /// The last key.
    key: Span,
    /// Where the keys of this object begin in `Nest::keys`.
    first_key: usize,
    /// All of its keys, once they are many.
    many: Option<BTreeSet<Box<[u8]>>>,
}

/// A key of an object that is open.
#[derive(Clone, Copy, Debug)]
struct Key {
    span: Span,
    has_escapes: bool,
}

impl Key {
    /// Without quotes and escapes. It was read before: it is sound.
    #[inline]
    fn spoken(self, text: &[u8]) -> Cow<'_, [u8]> {
        let quoted = &text[self.span.range()];
        if self.has_escapes {
            let key = serde_json::from_slice::<String>(quoted).unwrap_or_default();
            return Cow::Owned(key.into_bytes());
        }
        Cow::Borrowed(unquoted(quoted))
    }

    /// Whether both are the same key. Most differ in length already.
    #[inline]
    fn is(self, other: Self, text: &[u8]) -> bool {
        let have_escapes = self.has_escapes || other.has_escapes;
        (have_escapes || self.span.length() == other.span.length())
            && self.spoken(text) == other.spoken(text)
    }
}

/// A container that is or was open.
#[derive(Clone, Copy, Debug)]
struct Node {
    parent: u32,
    step: Step,
}

/// Everything that is open, outermost first.
#[derive(Debug, Default)]
pub(super) struct Nest {
    frames: Vec<Frame>,
    /// Of all containers but the outermost, which is number 0; never removed, for paths to be read.
    nodes: Vec<Node>,
    /// Of all objects that are open.
    keys: Vec<Key>,
}

impl Nest {
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(super) fn is_in_object(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.is_object)
    }

    /// The path of the value that is being read, or is about to come.
    pub(super) fn place(&self) -> Path {
        let Some(frame) = self.frames.last() else {
            return Path {
                node: 0,
                step: None,
            };
        };
        let step = if frame.is_object {
            Step::Key(frame.key)
        } else {
            Step::Index(frame.count)
        };
        Path {
            node: frame.node,
            step: Some(step),
        }
    }

    /// The path of the innermost container itself.
    pub(super) fn container(&self) -> Path {
        self.path_of(self.frames.last().map_or(0, |frame| frame.node))
    }

    fn path_of(&self, node: u32) -> Path {
        let known = (node as usize).checked_sub(1).map(|at| self.nodes[at]);
        Path {
            node: known.map_or(0, |node| node.parent),
            step: known.map(|node| node.step),
        }
    }

    pub(super) fn open(
        &mut self,
        is_object: bool,
        start: usize,
        limit: u32,
    ) -> Result<(), JsonFault> {
        if self.frames.len() >= limit as usize {
            return Err(JsonFault::TooDeep { limit });
        }
        let place = self.place();
        if let Some(step) = place.step {
            let parent = place.node;
            self.nodes.push(Node { parent, step });
        }
        self.frames.push(Frame {
            is_object,
            start,
            node: narrow(self.nodes.len()),
            count: 0,
            key: Span::new(start, start),
            first_key: self.keys.len(),
            many: None,
        });
        Ok(())
    }

    /// The innermost is complete: where it began, and what it is.
    pub(super) fn close(&mut self) -> Option<(usize, Kind)> {
        let frame = self.frames.pop()?;
        self.keys.truncate(frame.first_key);
        let kind = if frame.is_object {
            Kind::Object
        } else {
            Kind::Array
        };
        Some((frame.start, kind))
    }

    /// A value of the innermost is complete.
    pub(super) fn count(&mut self) {
        if let Some(frame) = self.frames.last_mut() {
            frame.count += 1;
        }
    }

    /// The next key of the innermost object.
    pub(super) fn take_key(&mut self, span: Span, text: &[u8]) -> Result<(), JsonFault> {
        let Some(frame) = self.frames.last_mut() else {
            return Ok(());
        };
        let has_escapes = text[span.range()].contains(&b'\\');
        let key = Key { span, has_escapes };
        let name = key.spoken(text);
        let known = &self.keys[frame.first_key..];
        let is_known = if known.len() < FEW_KEYS {
            known.iter().any(|known| known.is(key, text))
        } else {
            let all = || known.iter().map(|key| key.spoken(text).into()).collect();
            let many = frame.many.get_or_insert_with(all);
            !many.insert(name.as_ref().into())
        };
        if is_known {
            let key = String::from_utf8_lossy(&name).into_owned();
            return Err(JsonFault::DuplicateKey { key });
        }
        frame.key = span;
        self.keys.push(key);
        Ok(())
    }

    pub(super) fn steps<'text>(&self, path: Path, text: &'text [u8]) -> Vec<Segment<'text>> {
        let mut steps = Vec::new();
        let Path { mut node, mut step } = path;
        while let Some(last) = step {
            steps.push(match last {
                Step::Index(index) => Segment::Index(index),
                Step::Key(span) => Segment::Key(readable(text, span)),
            });
            Path { node, step } = self.path_of(node);
        }
        steps.reverse();
        steps
    }
}

fn unquoted(quoted: &[u8]) -> &[u8] {
    let inner = quoted.get(1..quoted.len().saturating_sub(1));
    inner.unwrap_or_default()
}

fn readable(text: &[u8], span: Span) -> Cow<'_, str> {
    let has_escapes = text[span.range()].contains(&b'\\');
    match (Key { span, has_escapes }).spoken(text) {
        Cow::Borrowed(key) => String::from_utf8_lossy(key),
        Cow::Owned(key) => Cow::Owned(String::from_utf8_lossy(&key).into_owned()),
    }
}
