//! Guesses: calls that nobody has asked for yet.
//!
//! Ground rules. A guess pays each limit and a child of it, which has a share of its rate and burst.
//! It goes only if a fifth of each limit is left afterwards and nobody waits for it. A promotion
//! refunds the children: see `permit.rs`. The share is said by who asks: where engines with different
//! ones use one limit, the child is measured anew, and what all of them have spent stays spent.

use super::balance::Balance;
use super::cost::{Amounts, Cost};
use super::rule::Shape;
use super::waiters::Key;
use super::{Limiter, Permit, Refusal, RefusalKind, SetId};
use crate::clock::Nanos;

/// This part of a limit is not for guesses.
const RESERVE: u64 = 5;

/// The part of each limit that guesses may take, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u32);

impl Share {
    const WHOLE: u32 = 1_000_000;

    /// Of so many millionths; more than all is all.
    #[must_use]
    pub const fn millionths(part: u32) -> Self {
        Self(if part > Self::WHOLE {
            Self::WHOLE
        } else {
            part
        })
    }

    /// So much of `units`, rounded up: of a small limit one, unless the share is nothing.
    fn of(self, units: u64) -> u64 {
        let part = u128::from(units) * u128::from(self.0);
        u64::try_from(part.div_ceil(u128::from(Self::WHOLE))).unwrap_or(u64::MAX)
    }

    /// In so long that share of what flows in within `span` does.
    fn stretch(self, span: Nanos) -> Nanos {
        let long = u128::from(span.0) * u128::from(Self::WHOLE);
        Nanos(u64::try_from(long.div_ceil(u128::from(self.0.max(1)))).unwrap_or(u64::MAX))
    }

    /// A limit of this shape for guesses alone; `None` where there is none to be had.
    fn shape(self, shape: &Shape) -> Option<Shape> {
        Some(match *shape {
            Shape::Bucket { n, per, burst } => Shape::Bucket {
                n,
                per: self.stretch(per),
                burst: self.of(burst),
            },
            Shape::Window { n, per } => Shape::Window { n: self.of(n), per },
            Shape::Calendar { n, ends } => Shape::Calendar {
                n: self.of(n),
                ends,
            },
            Shape::Slots { n, .. } => Shape::Slots {
                n: u32::try_from(self.of(u64::from(n))).unwrap_or(n),
                adaptive: None,
            },
            Shape::Budget {
                amount,
                ends,
                overrun,
                ..
            } => Shape::Budget {
                amount: self.of(amount),
                ends,
                warn: Vec::new(),
                overrun,
            },
            // Its owner handed in what the whole may spend; the reserve keeps the share.
            Shape::Lease { .. } | Shape::Each { .. } => return None,
        })
    }
}

impl Default for Share {
    /// A tenth.
    fn default() -> Self {
        Self(Self::WHOLE / 10)
    }
}

impl Limiter {
    /// A permit of a guess, at once or never.
    #[cold]
    pub(super) fn speculate(
        &mut self,
        set: SetId,
        cost: &Cost,
        share: Share,
        now: Nanos,
    ) -> Result<Permit, Refusal> {
        let amounts = Amounts::new(cost);
        for index in 0..self.book.sets[set.0].states.len() {
            let place = self.book.sets[set.0].states[index];
            if !self.leaves_enough(place, &amounts, share, now) {
                return Err(self.refusal(place, RefusalKind::Exceeded, None, now));
            }
        }
        let permit = self.try_now(set.0, cost, Key::LAST, now)?;
        for &place in &self.book.sets[set.0].states {
            let state = &mut self.book.states[place];
            let units = amounts.of(state.counted);
            if let Some(child) = &mut state.child {
                child.take(units, now);
            }
        }
        if let Some(hold) = self.holds.get_mut(permit) {
            hold.speculative = true;
        }
        Ok(permit)
    }

    /// A call takes over what a guess has run: the limits of the call that the guess did not pay are
    /// charged, those that it paid at `taken` count it no longer as a guess. False, and nothing is
    /// charged, if one of them does not pay now.
    pub fn adopt(
        &mut self,
        set: SetId,
        paid: Option<SetId>,
        cost: &Cost,
        taken: Option<Nanos>,
        now: Nanos,
    ) -> bool {
        let now = self.begin(now);
        let amounts = Amounts::new(cost);
        let paid = paid.map_or(&[][..], |paid| &self.book.sets[paid.0].states);
        let all = self.book.sets[set.0].states.iter();
        let (paid, rest): (Vec<u32>, Vec<u32>) = all.partition(|place| paid.contains(place));
        let pays = |place: &u32| {
            let state = &self.book.states[*place];
            let units = amounts.of(state.counted);
            // Its code has run, or runs already: it needs no place any more.
            !state.balance.is_spent()
                || (state.balance.refuses(units, now).is_none()
                    && state.payable_at(units, now) <= now)
        };
        if !rest.iter().all(pays) {
            return false;
        }
        for place in rest {
            let state = &mut self.book.states[place];
            let units = amounts.of(state.counted);
            if state.balance.is_spent() {
                state.take(units, now);
                state.balance.settle(units, units, now, now);
                self.warn(place);
            }
        }
        for place in paid {
            let state = &mut self.book.states[place];
            let units = amounts.of(state.counted);
            if let (Some(child), Some(taken)) = (&mut state.child, taken)
                && child.has_rate()
            {
                child.refund(units, taken, now);
            }
        }
        true
    }

    /// The child pays, and the limit has a fifth left afterwards. Makes the child.
    fn leaves_enough(&mut self, place: u32, amounts: &Amounts, share: Share, now: Nanos) -> bool {
        let state = &mut self.book.states[place];
        let units = amounts.of(state.counted);
        let reserve = state.balance.most() / RESERVE;
        let spec = self.book.rules[state.rule].spec.as_ref();
        let small = || spec.and_then(|spec| share.shape(&spec.shape));
        if state.child.is_none() {
            let child = small().map_or(Balance::Open, |shape| Balance::new(&shape, now));
            (state.child, state.share) = (Some(Box::new(child)), share);
        } else if state.share != share
            && let (Some(child), Some(shape)) = (&mut state.child, small())
        {
            child.change(&shape, now);
            state.share = share;
        }
        let fits = |balance: &Balance, units| {
            balance.refuses(units, now).is_none() && balance.has(units, now)
        };
        let child_pays = state.child.as_ref().is_some_and(|child| fits(child, units));
        units == 0 || (child_pays && fits(&state.balance, units.saturating_add(reserve)))
    }
}
