//! The allowance of one service for second attempts: retries and hedges.
//!
//! Ground rules. A first attempt earns a tenth of a second one, each second a whole one; at most
//! 100 are kept, none longer than ten seconds. The oldest are spent first, and given up first when
//! there are more than may be kept. An empty allowance denies; nobody waits for it. So second
//! attempts of any span are at most 10 % of the first ones, one a second, and what was in stock:
//! a hundred calls that fail together do not become two hundred.

use crate::clock::Nanos;
use crate::stats::Cells;

// In tenths of an attempt, so that no share is ever rounded.
const PER_FIRST_ATTEMPT: u32 = 1;
const PER_SECOND: u32 = 10;
const PRICE: u32 = 10;
const MOST: u32 = 100 * PRICE;

/// What may still be spent on second attempts.
#[derive(Clone, Debug)]
pub struct Allowance {
    /// What is left of each second's earnings.
    cells: Cells<u32>,
    /// The sum of the cells.
    balance: u32,
    spent: u64,
    denied: u64,
}

impl Default for Allowance {
    fn default() -> Self {
        Self::new()
    }
}

impl Allowance {
    /// What a service has that was not called for ten seconds.
    #[must_use]
    pub fn new() -> Self {
        let mut cells = Cells::filled(PER_SECOND);
        let balance = cells.oldest_first().map(|cell| *cell).sum();
        Self {
            cells,
            balance,
            spent: 0,
            denied: 0,
        }
    }

    /// A call was sent for the first time.
    pub fn first_attempt(&mut self, now: Nanos) {
        self.advance(now);
        *self.cells.current() += PER_FIRST_ATTEMPT;
        self.balance += PER_FIRST_ATTEMPT;
        self.give_up_excess();
    }

    /// Pays for one retry or hedge; false, and counted, if there is too little.
    pub fn try_spend(&mut self, now: Nanos) -> bool {
        self.advance(now);
        let pays = self.balance >= PRICE;
        if pays {
            self.take_oldest(PRICE);
            self.spent += 1;
        } else {
            self.denied += 1;
        }
        pays
    }

    /// Second attempts that could be paid for at `now`.
    #[must_use]
    pub fn available(&mut self, now: Nanos) -> u32 {
        self.advance(now);
        self.balance / PRICE
    }

    /// Second attempts that were paid for.
    #[must_use]
    pub const fn spent(&self) -> u64 {
        self.spent
    }

    /// Second attempts that were not made, because the allowance was empty.
    #[must_use]
    pub const fn denied(&self) -> u64 {
        self.denied
    }

    #[inline]
    fn advance(&mut self, now: Nanos) {
        let balance = &mut self.balance;
        self.cells.advance(now, |cell| {
            *balance = *balance - *cell + PER_SECOND;
            *cell = PER_SECOND;
        });
        self.give_up_excess();
    }

    #[inline]
    fn give_up_excess(&mut self) {
        if self.balance > MOST {
            self.take_oldest(self.balance - MOST);
        }
    }

    fn take_oldest(&mut self, amount: u32) {
        self.balance -= amount;
        let mut left = amount;
        for cell in self.cells.oldest_first() {
            let taken = left.min(*cell);
            *cell -= taken;
            left -= taken;
            if left == 0 {
                break;
            }
        }
    }
}
