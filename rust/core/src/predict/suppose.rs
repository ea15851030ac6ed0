//! What a session would be if something had happened: supposed, looked at, taken back.
//!
//! Ground rules. Taking back leaves the index equal to what it was, table by table. While something is
//! supposed nothing is forgotten to make room, and nothing is learned. What the user says is never
//! supposed. What is supposed last is taken back first.

use super::key::combine;
use super::values::Values;

/// Where an index stood before something was supposed.
#[derive(Debug)]
pub(crate) struct Before {
    leaves: usize,
    spelled: usize,
    mentions: usize,
    bytes: usize,
    items: u32,
    records: u32,
    year: Option<u16>,
    taken: u64,
    beyond: u64,
    outer: Option<Vec<u64>>,
}

impl Values {
    /// From here on everything is supposed, until it is taken back.
    pub(crate) fn suppose(&mut self) -> Before {
        Before {
            leaves: self.leaves.len(),
            spelled: self.spelled.len(),
            mentions: self.mentions.len(),
            bytes: self.bytes,
            items: self.items,
            records: self.records,
            year: self.year,
            taken: self.taken,
            beyond: self.beyond,
            outer: self.supposed.replace(Vec::new()),
        }
    }

    /// Takes back what was supposed since `before`.
    pub(crate) fn take_back(&mut self, before: Before) {
        while self.leaves.len() > before.leaves {
            self.take_leaf_back();
        }
        for mark in std::mem::replace(&mut self.supposed, before.outer).unwrap_or_default() {
            self.used.remove(&mark);
        }
        self.spelled.truncate(before.spelled);
        self.mentions.truncate(before.mentions);
        self.bytes = before.bytes;
        (self.items, self.records) = (before.items, before.records);
        (self.taken, self.beyond) = (before.taken, before.beyond);
        self.year = before.year;
    }

    /// A value that was marked as used since is not used after all.
    pub(crate) fn take_mark_back(&mut self, slot: u64, value: u64) {
        let mark = combine(&[slot, value]);
        if self.supposed.iter().flatten().any(|each| *each == mark) {
            self.used.remove(&mark);
        }
    }

    fn take_leaf_back(&mut self) {
        let Some(leaf) = self.leaves.pop() else {
            return;
        };
        let place = u32::try_from(self.leaves.len()).unwrap_or(u32::MAX);
        if leaf.older < place {
            self.by_value.insert(leaf.value, leaf.older);
        } else {
            self.by_value.remove(&leaf.value);
            self.texts.remove(&leaf.value);
        }
        if let Some(places) = self.by_source.get_mut(&leaf.source) {
            places.pop();
            if places.is_empty() {
                self.by_source.remove(&leaf.source);
                self.sources.remove(&leaf.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::json::Json;
    use super::super::tokens::tokens;
    use super::super::tool::{Flat, flatten};
    use super::Values;

    /// One thing that an index takes in: (kind, number, another).
    type Piece = (u8, u8, u8);

    fn flat(text: &str) -> Flat {
        flatten(&Json::parse(text.as_bytes()).unwrap(), &mut |_, _| ()).unwrap()
    }

    fn take_in(values: &mut Values, (kind, one, other): Piece) {
        let tool = u64::from(one % 3);
        match kind {
            0 => {
                let text = format!("Item-{one} of May {other}, 2024");
                values.add_input(&text, &tokens(&text), 0, &|_| false);
            }
            1 => values.add_arguments(
                tool,
                &flat(&format!(r#"{{"id":"Item-{one}","n":{other}}}"#)),
            ),
            2 => {
                let text = format!("\"order #W{one} and mail_{other}@b.example\"");
                values.add_result(tool, &Json::parse(text.as_bytes()).unwrap());
            }
            _ => {
                let text = format!(
                    r#"{{"items":[{{"id":"Item-{one}","name":"lamp"}},{{"id":"Item-{other}"}}],"on":"2025-01-02"}}"#
                );
                values.add_result(tool, &Json::parse(text.as_bytes()).unwrap());
            }
        }
    }

    fn take_all(values: &mut Values, pieces: &[Piece]) {
        for piece in pieces {
            take_in(values, *piece);
        }
    }

    fn pieces(from: u8) -> impl Strategy<Value = Vec<Piece>> {
        prop::collection::vec((from..4_u8, 0..12_u8, 0..12_u8), 0..12)
    }

    proptest! {
        #[test]
        fn what_is_taken_back_never_was(real in pieces(0), first in pieces(1), second in pieces(1)) {
            let mut values = Values::default();
            take_all(&mut values, &real);
            let alone = values.clone();
            let outer = values.suppose();
            take_all(&mut values, &first);
            let supposed = values.clone();
            let inner = values.suppose();
            take_all(&mut values, &second);
            values.take_back(inner);
            prop_assert_eq!(&values, &supposed);
            values.take_back(outer);
            prop_assert_eq!(&values, &alone);
        }
    }
}
