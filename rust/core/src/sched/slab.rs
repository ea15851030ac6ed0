//! A slab: places that are used again, last freed first.

/// Nothing: no place, no link, no timer.
pub(crate) const NIL: u32 = u32::MAX;

/// Records under stable numbers. A freed record keeps its memory for the next one.
#[derive(Debug, Default)]
pub(crate) struct Slab<T> {
    items: Vec<T>,
    free: Vec<u32>,
}

impl<T: Default> Slab<T> {
    /// A place to use; its record is what the last user left, or the default.
    pub(crate) fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.items.push(T::default());
            u32::try_from(self.items.len() - 1).unwrap_or(NIL)
        })
    }

    pub(crate) fn give(&mut self, place: u32) {
        self.free.push(place);
    }

    pub(crate) fn get(&self, place: u32) -> Option<&T> {
        self.items.get(place as usize)
    }

    /// Places in use.
    pub(crate) fn live(&self) -> usize {
        self.items.len() - self.free.len()
    }

    /// Every place, used or not.
    pub(crate) fn places(&self) -> u32 {
        u32::try_from(self.items.len()).unwrap_or(NIL)
    }

    pub(crate) fn items(&self) -> &[T] {
        &self.items
    }

    /// Gives all memory back if nothing is in use and more than `keep` places are held.
    pub(crate) fn trim(&mut self, keep: usize) -> bool {
        let trims = self.live() == 0 && self.items.capacity() > keep;
        if trims {
            self.items = Vec::new();
            self.free = Vec::new();
        }
        trims
    }
}

impl<T> std::ops::Index<u32> for Slab<T> {
    type Output = T;

    fn index(&self, place: u32) -> &T {
        &self.items[place as usize]
    }
}

impl<T> std::ops::IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, place: u32) -> &mut T {
        &mut self.items[place as usize]
    }
}
