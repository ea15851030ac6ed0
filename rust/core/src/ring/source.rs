//! What tools tell, thinned before it is written: no tool can flood a log.
//!
//! Ground rules. Of a call's progress one is let through in 50 ms: the first at once, then the last
//! of those that came meanwhile. Its output is joined for 5 ms or 4 KiB, and never dropped. The end
//! of the call flushes both. What waits is in `due` once, and leaves it when it is flushed.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Nanos;

/// Between two progress events of a call.
const PROGRESS_SPAN: Nanos = Nanos::from_millis(50);
/// How long output is joined.
const OUTPUT_SPAN: Nanos = Nanos::from_millis(5);
/// How much of it is joined.
const OUTPUT_BYTES: usize = 4 << 10;

/// What is to be written of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flush<P> {
    /// Its progress.
    Progress(P),
    /// Parts of its output, in order, and the bytes of all.
    Output(Vec<P>, usize),
}

/// What came of telling progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passed<P> {
    /// It is to be written now.
    Now(P),
    /// It waits, in the place of this one.
    Later(Option<P>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Output,
    Progress,
}

#[derive(Debug)]
struct Said<P> {
    /// From when on progress is let through.
    next: Nanos,
    progress: Option<P>,
    output: Vec<P>,
    bytes: usize,
    /// When the parts of its output are due.
    output_due: Nanos,
}

/// The calls that have told something and not ended yet.
#[derive(Debug)]
pub struct Source<K, P> {
    calls: BTreeMap<K, Said<P>>,
    due: BTreeSet<(Nanos, K, What)>,
}

impl<K: Copy + Ord, P> Default for Source<K, P> {
    fn default() -> Self {
        Self {
            calls: BTreeMap::new(),
            due: BTreeSet::new(),
        }
    }
}

impl<K: Copy + Ord, P> Source<K, P> {
    /// Whether no call has told anything that matters still.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    fn said(&mut self, call: K) -> &mut Said<P> {
        self.calls.entry(call).or_insert_with(|| Said {
            next: Nanos::ZERO,
            progress: None,
            output: Vec::new(),
            bytes: 0,
            output_due: Nanos::ZERO,
        })
    }

    /// Takes progress of a call.
    pub fn progress(&mut self, call: K, told: P, now: Nanos) -> Passed<P> {
        let said = self.said(call);
        let due = said.next;
        if said.progress.is_none() && due <= now {
            said.next = now.saturating_add(PROGRESS_SPAN);
            return Passed::Now(told);
        }
        let before = said.progress.replace(told);
        self.due.insert((due, call, What::Progress));
        Passed::Later(before)
    }

    /// Takes a part of a call's output; an answer is to be written now.
    pub fn output(&mut self, call: K, part: P, bytes: usize, now: Nanos) -> Option<Flush<P>> {
        let said = self.said(call);
        said.output.push(part);
        said.bytes = said.bytes.saturating_add(bytes);
        if said.output.len() == 1 {
            said.output_due = now.saturating_add(OUTPUT_SPAN);
            let due = said.output_due;
            self.due.insert((due, call, What::Output));
        }
        let is_full = self.calls.get(&call)?.bytes >= OUTPUT_BYTES;
        if is_full {
            self.take_output(call)
        } else {
            None
        }
    }

    /// The call ends: what is left of it, output last.
    pub fn end(&mut self, call: K) -> [Option<Flush<P>>; 2] {
        let left = [self.take_progress(call), self.take_output(call)];
        self.calls.remove(&call);
        left
    }

    /// Something that is due, if anything is.
    pub fn pop_due(&mut self, now: Nanos) -> Option<(K, Flush<P>)> {
        let (due, call, what) = self.due.first().copied()?;
        if due > now {
            return None;
        }
        let flushed = match what {
            What::Output => self.take_output(call),
            What::Progress => {
                let taken = self.take_progress(call);
                self.said(call).next = now.saturating_add(PROGRESS_SPAN);
                taken
            }
        };
        flushed.map(|flushed| (call, flushed))
    }

    /// When something is due next.
    #[must_use]
    pub fn next_due(&self) -> Option<Nanos> {
        self.due.first().map(|(due, _, _)| *due)
    }

    fn take_progress(&mut self, call: K) -> Option<Flush<P>> {
        let said = self.calls.get_mut(&call)?;
        let progress = said.progress.take()?;
        self.due.remove(&(said.next, call, What::Progress));
        Some(Flush::Progress(progress))
    }

    fn take_output(&mut self, call: K) -> Option<Flush<P>> {
        let said = self.calls.get_mut(&call)?;
        if said.output.is_empty() {
            return None;
        }
        self.due.remove(&(said.output_due, call, What::Output));
        let bytes = std::mem::take(&mut said.bytes);
        Some(Flush::Output(std::mem::take(&mut said.output), bytes))
    }

    /// Everything that waits: for the garbage collector.
    pub fn payloads(&self) -> impl Iterator<Item = &P> {
        let said = self.calls.values();
        said.flat_map(|said| said.progress.iter().chain(&said.output))
    }
}
