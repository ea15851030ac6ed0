//! A row of slots from the coldest to the warmest: a list through the slots themselves.

use super::Held;

/// A slot's neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Link {
    colder: Option<u32>,
    warmer: Option<u32>,
}

/// The ends of the row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shelf {
    coldest: Option<u32>,
    warmest: Option<u32>,
}

impl Shelf {
    pub(super) const fn coldest(&self) -> Option<u32> {
        self.coldest
    }

    /// Puts a slot that stands on no shelf at the warm end.
    pub(super) fn push(&mut self, slots: &mut [Held], slot: u32) {
        let colder = self.warmest.replace(slot);
        slots[slot as usize].link = Link {
            colder,
            warmer: None,
        };
        match colder {
            Some(colder) => slots[colder as usize].link.warmer = Some(slot),
            None => self.coldest = Some(slot),
        }
    }

    /// Takes a slot out that stands on this shelf.
    pub(super) fn remove(&mut self, slots: &mut [Held], slot: u32) {
        let Link { colder, warmer } = std::mem::take(&mut slots[slot as usize].link);
        match colder {
            Some(colder) => slots[colder as usize].link.warmer = warmer,
            None => self.coldest = warmer,
        }
        match warmer {
            Some(warmer) => slots[warmer as usize].link.colder = colder,
            None => self.warmest = colder,
        }
    }
}
