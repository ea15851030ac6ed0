//! Payloads of records, few of which have any. A place is used again once it is free.

use super::record::NO_SLOT;

#[derive(Debug)]
pub(super) struct Slots<P> {
    places: Vec<Option<P>>,
    free: Vec<u32>,
}

impl<P> Default for Slots<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P> Slots<P> {
    pub(super) const fn new() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Takes a payload in; returns its place.
    pub(super) fn put(&mut self, payload: P) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.places[slot as usize] = Some(payload);
            return slot;
        }
        // A log has fewer records than there are places: its history bounds them.
        let slot = u32::try_from(self.places.len()).unwrap_or(NO_SLOT);
        self.places.push(Some(payload));
        slot
    }

    /// Puts a payload where `slot` is, or at a new place; returns what was there.
    pub(super) fn replace(&mut self, slot: &mut u32, payload: P) -> Option<P> {
        if let Some(place) = self.places.get_mut(*slot as usize) {
            return place.replace(payload);
        }
        *slot = self.put(payload);
        None
    }

    pub(super) fn take(&mut self, slot: u32) -> Option<P> {
        let taken = self.places.get_mut(slot as usize)?.take();
        if taken.is_some() {
            self.free.push(slot);
        }
        taken
    }

    pub(super) fn get(&self, slot: u32) -> Option<&P> {
        self.places.get(slot as usize)?.as_ref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &P> {
        self.places.iter().flatten()
    }

    pub(super) fn into_payloads(self) -> impl Iterator<Item = P> {
        self.places.into_iter().flatten()
    }
}
