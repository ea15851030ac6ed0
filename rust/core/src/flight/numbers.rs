//! Hashing of keys that are numbers: hashes already, or counted, so that nobody can choose them badly.

use std::hash::Hasher;

/// Spreads numbers over all bits: a multiplication each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Numbers(u64);

const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Numbers {
    const fn mix(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(SPREAD);
    }
}

impl Hasher for Numbers {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.mix(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.mix(number);
    }

    fn write_isize(&mut self, number: isize) {
        self.mix(number.unsigned_abs() as u64);
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "half of a good hash is a good hash"
    )]
    fn write_u128(&mut self, number: u128) {
        self.mix(number as u64);
    }
}
