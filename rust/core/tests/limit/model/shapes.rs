//! One limit, written for the reader: what is spent is a list, time is searched, fractions are exact.

use super::ratio::Ratio;

/// A time that nobody knows.
pub const UNKNOWN: u64 = u64::MAX;

/// Something that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    pub at: u64,
    pub units: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// `backlog` units have not flowed in again at `seen`; it was found full at `full`.
    Bucket {
        n: u64,
        per: u64,
        burst: u64,
        backlog: Ratio,
        seen: u64,
        full: u64,
    },
    /// What was spent, by the number of its cell.
    Window {
        n: u64,
        width: u64,
        cells: Vec<Spent>,
        laid: u64,
    },
    Slots {
        n: u64,
        in_use: u64,
    },
    Budget {
        amount: u64,
        spent: u64,
        reserved: u64,
    },
}

impl Shape {
    pub fn bucket(n: u64, per: u64, burst: u64) -> Self {
        Self::Bucket {
            n,
            per,
            burst,
            backlog: Ratio::ZERO,
            seen: 0,
            full: 0,
        }
    }

    pub fn payable_at(&self, units: u64, now: u64) -> u64 {
        match *self {
            Self::Bucket {
                n,
                per,
                burst,
                seen,
                ..
            } => {
                let after = self.backlog(now) + whole(units);
                let over = after - whole(burst);
                if over <= Ratio::ZERO {
                    return now;
                }
                // From `seen` on, so that rounding up is done once.
                let base = now.max(seen);
                base + u64::try_from((over * Ratio::new(per.into(), n.into())).ceil()).unwrap()
            }
            Self::Window {
                n,
                width,
                ref cells,
                ..
            } => {
                let ends = cells.iter().map(|cell| leaves(cell.at, width));
                let mut times: Vec<u64> = ends.filter(|end| *end > now).collect();
                times.push(now);
                times.sort_unstable();
                let fits = |at: &u64| self.used(*at) + units <= n;
                times.into_iter().find(fits).unwrap_or(UNKNOWN)
            }
            Self::Slots { n, in_use } => {
                if in_use + units <= n {
                    now
                } else {
                    UNKNOWN
                }
            }
            Self::Budget { amount, .. } => {
                if self.used(now) + units <= amount {
                    now
                } else {
                    UNKNOWN
                }
            }
        }
    }

    pub fn still_pays(&self, units: u64, claim: u64, at: u64, now: u64) -> bool {
        match *self {
            Self::Slots { n, in_use } => {
                let far = at != UNKNOWN && at > now + 1_000_000_000;
                far || in_use + units + claim <= n
            }
            Self::Budget { amount, .. } => self.used(now) + units + claim <= amount,
            _ if at == UNKNOWN => true,
            _ => {
                let mut later = self.clone();
                later.take(units, now);
                let at = at.max(now);
                later.payable_at(claim, at) <= at
            }
        }
    }

    pub fn take(&mut self, units: u64, now: u64) {
        let backlog = self.backlog(now);
        match self {
            Self::Bucket {
                backlog: held,
                seen,
                full,
                ..
            } => {
                if backlog == Ratio::ZERO {
                    *full = now;
                }
                (*held, *seen) = (backlog + whole(units), now);
            }
            Self::Window { width, cells, .. } => {
                cells.push(Spent {
                    at: now / *width,
                    units,
                });
            }
            Self::Slots { in_use, .. } => *in_use += 1,
            Self::Budget { reserved, .. } => *reserved += units,
        }
    }

    pub fn refund(&mut self, units: u64, taken: u64, now: u64) {
        let held = self.backlog(now);
        match self {
            Self::Bucket {
                backlog,
                seen,
                full,
                ..
            } => {
                if taken >= *full {
                    (*backlog, *seen) = ((held - whole(units)).max(Ratio::ZERO), now);
                }
            }
            Self::Window {
                width, cells, laid, ..
            } => {
                let mut left = if taken < *laid { 0 } else { units };
                let cell = taken / *width;
                for spent in cells.iter_mut().filter(|spent| spent.at == cell) {
                    let back = left.min(spent.units);
                    spent.units -= back;
                    left -= back;
                }
            }
            Self::Slots { in_use, .. } => *in_use -= 1,
            Self::Budget { reserved, .. } => *reserved -= units,
        }
    }

    pub fn settle(&mut self, before: u64, after: u64, taken: u64, now: u64) {
        match self {
            Self::Slots { in_use, .. } => *in_use -= 1,
            Self::Budget {
                spent, reserved, ..
            } => {
                *reserved -= before;
                *spent += after;
            }
            _ if after > before => self.take(after - before, now),
            _ if after < before => self.refund(before - after, taken, now),
            _ => {}
        }
    }

    pub fn change(&mut self, size: u64, span: u64, most: u64, now: u64) {
        let held = self.backlog(now);
        match self {
            Self::Bucket {
                n,
                per,
                burst,
                backlog,
                seen,
                ..
            } => {
                // What is owed is rounded up to what a nanosecond brings of one unit.
                let owed = (held * whole(span)).ceil();
                (*n, *per, *burst) = (size, span, most);
                (*backlog, *seen) = (Ratio::new(owed, span.into()), now);
            }
            Self::Window {
                n,
                width,
                cells,
                laid,
            } => {
                *n = size;
                let new = span.div_ceil(64);
                if new == *width {
                    return;
                }
                for spent in cells.iter_mut() {
                    let end = ((spent.at + 1) * *width - 1).min(now);
                    // What has left the window must not come back with a longer one.
                    let left = leaves(spent.at, *width) <= now;
                    *spent = Spent {
                        at: end / new,
                        units: if left { 0 } else { spent.units },
                    };
                }
                (*width, *laid) = (new, now);
            }
            Self::Slots { n, .. } | Self::Budget { amount: n, .. } => *n = size,
        }
    }

    /// Nothing but a larger limit helps.
    pub fn refuses(&self, units: u64) -> bool {
        match *self {
            Self::Bucket { burst, .. } => units > burst,
            Self::Window { n, .. } => units > n,
            Self::Slots { .. } => false,
            Self::Budget { amount, spent, .. } => units > amount.saturating_sub(spent),
        }
    }

    pub fn most(&self) -> u64 {
        match *self {
            Self::Bucket { burst, .. } => burst,
            Self::Window { n, .. } | Self::Slots { n, .. } => n,
            Self::Budget { amount, .. } => amount,
        }
    }

    pub fn used(&self, now: u64) -> u64 {
        match *self {
            Self::Bucket { .. } => u64::try_from(self.backlog(now).ceil()).unwrap(),
            Self::Window {
                width, ref cells, ..
            } => {
                let counts = |cell: &&Spent| leaves(cell.at, width) > now;
                cells.iter().filter(counts).map(|cell| cell.units).sum()
            }
            Self::Slots { in_use, .. } => in_use,
            Self::Budget {
                spent, reserved, ..
            } => spent + reserved,
        }
    }

    fn backlog(&self, now: u64) -> Ratio {
        match *self {
            Self::Bucket {
                n,
                per,
                backlog,
                seen,
                ..
            } => {
                let flowed = Ratio::new(i128::from(now - seen) * i128::from(n), per.into());
                (backlog - flowed).max(Ratio::ZERO)
            }
            _ => Ratio::ZERO,
        }
    }
}

fn whole(units: u64) -> Ratio {
    Ratio::whole(units.into())
}

const fn leaves(cell: u64, width: u64) -> u64 {
    (cell + 65) * width
}
