//! What a session has seen: every value, where it stood, and what it was used for.
//!
//! Ground rules. One index a session. A leaf is a value at a source; items (results, inputs, calls) are
//! numbered as they come, and the newest item is looked at first, its leaves in document order. At most
//! 4,096 leaves a result; over 256 KiB the older half of the items is forgotten, while what was used
//! stays marked. A value is its canonical JSON text.

use super::json::{Json, write_text};
use super::key::{Marks, Table, combine, name_of};
use super::source::Source;
use super::tokens::{Token, dates, stems, tokens};
use super::transform::year_of;

/// Leaves of one result that are kept.
pub(crate) const LEAVES: usize = 4_096;
const BYTES: usize = 256 << 10;
const LONGEST: usize = 256;
/// More members than this at one place are entries of a table, not fields.
const WIDE: usize = 16;
/// What a leaf costs beside its text: itself and its places in three tables.
const LEAF_BYTES: usize = 96;
/// Words of the user, and half of the words of results, that are kept.
const WORDS: usize = 4_096;
/// Texts up to this length say what something is called.
const SPELLED: usize = 64;

/// A value at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) source: u64,
    pub(crate) value: u64,
    /// The innermost object that it belongs to.
    pub(crate) record: u32,
    /// The item that it came with.
    pub(crate) item: u32,
    /// Whether it stands below a list or a table.
    pub(crate) listed: bool,
    /// The place of the leaf before it with the same value; its own if there is none.
    pub(super) older: u32,
}

/// The index.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone, PartialEq))]
pub(crate) struct Values {
    pub(crate) leaves: Vec<Leaf>,
    pub(super) by_source: Table<Vec<u32>>,
    /// The newest leaf of each value.
    pub(super) by_value: Table<u32>,
    pub(super) texts: Table<Box<str>>,
    pub(super) sources: Table<Source>,
    /// Values that an argument had: hashes of both.
    pub(super) used: Marks,
    /// What was marked as used since something was supposed; `None` while all is real.
    pub(super) supposed: Option<Vec<u64>>,
    /// Words of the texts in each record.
    pub(super) spelled: Vec<(u32, u64)>,
    /// How much of each record the user has mentioned.
    pub(super) mentions: Vec<u8>,
    said: Marks,
    said_last: Marks,
    pub(super) bytes: usize,
    pub(super) items: u32,
    pub(super) records: u32,
    /// The year of the newest ISO date.
    pub(crate) year: Option<u16>,
    /// Leaves that came, kept or not.
    pub(crate) taken: u64,
    /// Leaves that were not kept.
    pub(crate) beyond: u64,
}

impl Values {
    /// Takes in a tool's result.
    pub(crate) fn add_result(&mut self, tool: u64, value: &Json) {
        self.begin();
        let mut walk = Walk {
            values: self,
            make: &|path| Source::Result { tool, path },
            path: String::new(),
            chain: Vec::new(),
            left: LEAVES,
        };
        walk.visit_item(value, false);
        if let Json::Text(text) = value {
            self.add_text(&tokens(text), &|_| false, |shape, _| Source::Text {
                tool,
                shape,
            });
        }
    }

    /// Takes in the arguments of a call that was made.
    pub(crate) fn add_arguments(&mut self, tool: u64, arguments: &[(u64, Box<str>)]) {
        self.begin();
        self.records += 1;
        for (path, value) in arguments {
            let source = Source::Argument { tool, path: *path };
            self.push(source, value, self.records, false);
            self.mark_used(combine(&[tool, *path]), name_of(value));
        }
    }

    /// Takes in what the user wrote; `is_common` tells words that are values of nothing, and `year`
    /// is that of dates without one.
    pub(crate) fn add_input(
        &mut self,
        text: &str,
        words: &[Token<'_>],
        year: u32,
        is_common: &dyn Fn(u64) -> bool,
    ) {
        self.begin();
        self.hear(text, words);
        self.add_text(words, is_common, |shape, left| Source::Input {
            shape,
            left,
        });
        let shape = name_of("date");
        for date in dates(text, self.year.map_or(year, u32::from)) {
            self.records += 1;
            self.push(
                Source::Input { shape, left: 0 },
                &format!("\"{date}\""),
                self.records,
                true,
            );
        }
    }

    fn add_text(
        &mut self,
        words: &[Token<'_>],
        is_common: &dyn Fn(u64) -> bool,
        make: impl Fn(u64, u64) -> Source,
    ) {
        let mut kept = LEAVES;
        for token in words {
            if kept == 0 {
                self.beyond += 1;
                continue;
            }
            kept -= 1;
            let mut value = String::with_capacity(token.text.len() + 2);
            write_text(token.text, &mut value);
            self.records += 1; // a word that is left out stands between the others all the same
            if is_common(name_of(&value)) {
                continue;
            }
            let left = name_of(&token.left);
            let form = name_of(token.form.as_deref().unwrap_or(&token.shape));
            self.push(make(form, left), &value, self.records, true);
            if token.form.is_some() {
                self.push(make(form, 0), &value, self.records, true);
            }
            if token.shape == "9" {
                // An amount may have any number of digits.
                self.push(make(name_of(&token.shape), 0), &value, self.records, true);
            }
        }
    }

    fn begin(&mut self) {
        self.items += 1;
        if self.bytes > BYTES && self.supposed.is_none() {
            self.forget_older();
        }
    }

    fn push(&mut self, source: Source, value: &str, record: u32, listed: bool) {
        self.taken += 1;
        if value.len() > LONGEST {
            self.beyond += 1;
            return;
        }
        let (id, value_name) = (source.id(), name_of(value));
        let Ok(place) = u32::try_from(self.leaves.len()) else {
            return;
        };
        self.year = year_of(value).or(self.year);
        self.bytes += LEAF_BYTES;
        self.sources.entry(id).or_insert(source);
        self.texts.entry(value_name).or_insert_with(|| {
            self.bytes += value.len();
            value.into()
        });
        self.leaves.push(Leaf {
            source: id,
            value: value_name,
            record,
            item: self.items,
            listed,
            older: self.by_value.insert(value_name, place).unwrap_or(place),
        });
        self.by_source.entry(id).or_default().push(place);
    }

    /// Forgets the older half of the items.
    fn forget_older(&mut self) {
        let middle = self
            .leaves
            .get(self.leaves.len() / 2)
            .map_or(0, |leaf| leaf.item);
        let kept: Vec<Leaf> = self
            .leaves
            .iter()
            .copied()
            .filter(|leaf| leaf.item > middle)
            .collect();
        let (mut texts, mut sources) = (
            std::mem::take(&mut self.texts),
            std::mem::take(&mut self.sources),
        );
        (self.by_source, self.by_value, self.bytes) = (Table::default(), Table::default(), 0);
        self.leaves.clear();
        for leaf in kept {
            let place = u32::try_from(self.leaves.len()).unwrap_or(u32::MAX);
            self.by_source.entry(leaf.source).or_default().push(place);
            let older = self.by_value.insert(leaf.value, place).unwrap_or(place);
            if let Some(text) = texts.remove(&leaf.value) {
                self.bytes += text.len();
                self.texts.insert(leaf.value, text);
            }
            if let Some(source) = sources.remove(&leaf.source) {
                self.sources.insert(leaf.source, source);
            }
            self.bytes += LEAF_BYTES;
            self.leaves.push(Leaf { older, ..leaf });
        }
    }

    /// The leaves of a source: newest item first, in document order within it.
    pub(crate) fn of_source(&self, source: u64) -> impl Iterator<Item = &Leaf> + '_ {
        let places = self.by_source.get(&source).map_or(&[][..], Vec::as_slice);
        let items = places.chunk_by(|one, other| {
            self.leaves[*one as usize].item == self.leaves[*other as usize].item
        });
        items
            .rev()
            .flatten()
            .map(|place| &self.leaves[*place as usize])
    }

    /// The leaves that hold a value, newest first.
    pub(crate) fn of_value(&self, value: u64) -> impl Iterator<Item = &Leaf> + '_ {
        let newest = self.by_value.get(&value).copied();
        let places = std::iter::successors(newest, |place| {
            let older = self.leaves[*place as usize].older;
            (older < *place).then_some(older)
        });
        places.map(|place| &self.leaves[place as usize])
    }

    /// Notes the user's words, and which records they mention.
    fn hear(&mut self, text: &str, words: &[Token<'_>]) {
        self.said_last = stems(text).into_iter().collect();
        for token in words.iter().filter(|token| token.form.is_some()) {
            let mut quoted = String::with_capacity(token.text.len() + 2);
            write_text(token.text, &mut quoted);
            self.said_last.insert(name_of(&quoted));
        }
        if self.said.len() < WORDS {
            self.said.extend(&self.said_last);
        }
        self.mentions.fill(0);
        for index in 0..self.spelled.len() {
            let (record, stem) = self.spelled[index];
            self.mention(record, stem);
        }
    }

    /// A record has this word.
    fn spell(&mut self, record: u32, stem: u64) {
        if self.spelled.len() < 2 * WORDS {
            self.spelled.push((record, stem));
        }
        self.mention(record, stem);
    }

    fn mention(&mut self, record: u32, stem: u64) {
        let score = match (self.said_last.contains(&stem), self.said.contains(&stem)) {
            (true, _) => 2,
            (false, true) => 1,
            (false, false) => return,
        };
        let place = record as usize;
        if self.mentions.len() <= place {
            self.mentions.resize(place + 1, 0);
        }
        self.mentions[place] = self.mentions[place].saturating_add(score);
    }

    /// How much of a record the user has mentioned.
    pub(crate) fn mentioned(&self, record: u32) -> u8 {
        self.mentions
            .get(record as usize)
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn text(&self, value: u64) -> Option<&str> {
        self.texts.get(&value).map(AsRef::as_ref)
    }

    pub(crate) fn source(&self, id: u64) -> Option<&Source> {
        self.sources.get(&id)
    }

    pub(crate) fn is_used(&self, slot: u64, value: u64) -> bool {
        self.used.contains(&combine(&[slot, value]))
    }

    fn mark_used(&mut self, slot: u64, value: u64) {
        let mark = combine(&[slot, value]);
        if self.used.len() < LEAVES && self.used.insert(mark) {
            self.supposed.iter_mut().for_each(|marks| marks.push(mark));
        }
    }

    /// How much memory it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.used.len() * 16 + self.spelled.len() * 16 + self.mentions.len()
    }
}

/// The way through one result.
struct Walk<'a> {
    values: &'a mut Values,
    make: &'a dyn Fn(u64) -> Source,
    path: String,
    /// The objects around a leaf, as far out as the list that they are in.
    chain: Vec<u32>,
    left: usize,
}

impl Walk<'_> {
    /// Visits the result as a whole, or an item of a list: a record of its own.
    fn visit_item(&mut self, value: &Json, listed: bool) {
        self.values.records += 1;
        let outside = std::mem::replace(&mut self.chain, vec![self.values.records]);
        self.visit(value, listed);
        self.chain = outside;
    }

    fn visit(&mut self, value: &Json, listed: bool) {
        match value {
            Json::List(items) => self.visit_list(items),
            Json::Map(members) => self.visit_map(members, listed),
            // One character is in everything.
            Json::Text(text) if text.chars().nth(1).is_none() => {}
            Json::Text(text) => {
                let mut quoted = String::with_capacity(text.len() + 2);
                write_text(text, &mut quoted);
                self.push(&quoted, listed);
                if text.len() <= SPELLED {
                    self.spell(text, &quoted);
                }
            }
            Json::Number(text) => self.push(text, listed),
            Json::Null | Json::Bool(_) | Json::Rounded => {}
        }
    }

    fn push(&mut self, text: &str, listed: bool) {
        if self.left == 0 {
            self.values.beyond += 1;
            return;
        }
        self.left -= 1;
        let path = name_of(&self.path);
        let record = self.chain.last().copied().unwrap_or_default();
        self.values.push((self.make)(path), text, record, listed);
    }

    /// Notes the words of a text for every record that it is in; an identifier for its own.
    fn spell(&mut self, text: &str, quoted: &str) {
        if text.bytes().any(|byte| byte.is_ascii_digit()) {
            let record = self.chain.last().copied().unwrap_or_default();
            self.values.spell(record, name_of(quoted));
            return;
        }
        for stem in stems(text) {
            for record in &self.chain {
                self.values.spell(*record, stem);
            }
        }
    }

    fn visit_list(&mut self, items: &[Json]) {
        let length = self.path.len();
        let is_flat = items
            .iter()
            .all(|item| !matches!(item, Json::List(_) | Json::Map(_)));
        if is_flat && (1..=WIDE).contains(&items.len()) {
            self.path.push_str("[]"); // the list as a whole
            if let Some(text) = Json::List(items.to_vec()).canonical() {
                self.push(&text, false);
            }
            self.path.truncate(length);
        }
        self.path.push_str("[*]");
        for item in items {
            self.visit_item(item, true);
        }
        self.path.truncate(length);
    }

    fn visit_map(&mut self, members: &[(Box<str>, Json)], listed: bool) {
        let length = self.path.len();
        let is_wide = members.len() > WIDE;
        for (key, value) in members {
            let is_entry = is_wide || key.bytes().any(|byte| byte.is_ascii_digit());
            self.path.push('.');
            self.path.push_str(if is_entry { "<key>" } else { key });
            if is_entry {
                self.push_key(key);
                self.visit_item(value, true);
            } else {
                self.visit_member(value, listed);
            }
            self.path.truncate(length);
        }
    }

    fn visit_member(&mut self, value: &Json, listed: bool) {
        if !matches!(value, Json::Map(_)) {
            self.visit(value, listed);
            return;
        }
        self.values.records += 1;
        self.chain.push(self.values.records);
        self.visit(value, listed);
        self.chain.pop();
    }

    /// A key of a table is a value too.
    fn push_key(&mut self, key: &str) {
        let length = self.path.len();
        self.path.push('#');
        let mut text = String::new();
        write_text(key, &mut text);
        self.push(&text, true);
        self.path.truncate(length);
    }
}
