//! The dictionaries that can be read, of each tenant.
//!
//! Ground rules. An id means something only together with its tenant. A bounded number is kept; the
//! one used longest ago goes, and who needs it again fetches it again.

use std::collections::HashMap;
use std::sync::Arc;

use super::dictionary::{Dictionary, DictionaryId};

#[derive(Debug)]
struct Known {
    used: u64,
    dictionary: Arc<Dictionary>,
}

/// Dictionaries by tenant and id.
#[derive(Debug)]
pub(crate) struct Library {
    most: usize,
    known: HashMap<Box<str>, HashMap<DictionaryId, Known>>,
    /// Counts uses: what is smaller was used longer ago.
    uses: u64,
}

impl Library {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            known: HashMap::new(),
            uses: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.known.values().map(HashMap::len).sum()
    }

    /// Whether an id stands for something of this tenant.
    pub(crate) fn is_taken(&self, tenant: &str, id: DictionaryId) -> bool {
        let known = self.known.get(tenant);
        known.is_some_and(|known| known.contains_key(&id))
    }

    pub(crate) fn get(&mut self, tenant: &str, id: DictionaryId) -> Option<Arc<Dictionary>> {
        self.uses += 1;
        let known = self.known.get_mut(tenant)?.get_mut(&id)?;
        known.used = self.uses;
        Some(Arc::clone(&known.dictionary))
    }

    pub(crate) fn insert(&mut self, tenant: &str, dictionary: Arc<Dictionary>) {
        self.uses += 1;
        let (used, id) = (self.uses, dictionary.id());
        let known = self.known.entry(tenant.into()).or_default();
        // One that also packs is not replaced by one that only reads.
        if dictionary.packs() || !known.contains_key(&id) {
            known.insert(id, Known { used, dictionary });
        }
        if self.len() > self.most {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let each = self.known.iter().flat_map(|(tenant, known)| {
            let uses = known.iter();
            uses.map(move |(id, known)| (known.used, tenant.clone(), *id))
        });
        let Some((_, tenant, id)) = each.min() else {
            return;
        };
        if let Some(known) = self.known.get_mut(&tenant) {
            known.remove(&id);
            if known.is_empty() {
                self.known.remove(&tenant);
            }
        }
    }
}
