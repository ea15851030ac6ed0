//! Calls that are held until they are released: as if they had one parent more.

use super::{Model, State};

impl Model {
    pub fn release_calls(&mut self, batch: usize, indices: &[u32]) -> u32 {
        let mut released = 0;
        for index in indices {
            let Some(call) = self.batch_calls(batch).nth(*index as usize) else {
                continue;
            };
            let was_held = std::mem::take(&mut self.calls[call].held);
            if was_held && self.calls[call].state == State::Blocked {
                released += 1;
                self.unblock(call);
            }
        }
        released
    }

    /// One thing less that a call waits for.
    pub fn unblock(&mut self, call: usize) {
        self.calls[call].parents -= 1;
        if self.calls[call].parents == 0 {
            self.calls[call].state = State::Ready;
            self.calls[call].stamp = self.now;
        }
    }
}
