//! Quantiles of durations within 3.2 %: of the last minute, and of all time.
//!
//! Ground rules. A duration falls into one of 16 equal cells of its octave, from 128 ns to 137 s;
//! shorter and longer ones count in the first and the last cell. An answer is the middle of a cell,
//! so it is wrong by half a cell: 1/32 of the octave's start. Four windows of 15 s are used in turn;
//! when a window's turn comes again it is added to the fifth table, the past, and cleared. A cell
//! that is full stays full. Tables are made with the first duration: 9.6 KB, nothing afterwards.
//!
//! A run that was stopped, or failed, took *at least* so long: how long it would have taken to end well
//! is not known. Such durations are counted a second time, in a table made with the first of them
//! (1.9 KB). `quantile_known` and the means weigh them as Kaplan and Meier do (1958): each is spread over
//! what was longer, and what nobody saw the end of ends with the longest seen (Efron 1967). So a loser that
//! was stopped early makes no tool look fast, and a failure at once says nothing.

use crate::clock::Nanos;

/// Cells of one octave: a power of two.
const SPLIT_BITS: u32 = 4;
/// The first octave starts at 2^7 = 128 ns, the last ends at 2^37 ns = 137 s.
const FIRST_OCTAVE: u32 = 7;
const OCTAVES: u32 = 30;
/// The longest duration that is told from longer ones.
const LONGEST: u64 = (1 << (FIRST_OCTAVE + OCTAVES)) - 1;
const CELLS: usize = (OCTAVES << SPLIT_BITS) as usize;
const WINDOWS: usize = 4;
const WINDOW: Nanos = Nanos::from_secs(15);

/// What the product of many shares may be off by.
const TOLERANCE: f64 = 1e-12;

type Table = [u32; CELLS];

/// The distribution of one tool's durations.
#[derive(Clone, Debug, Default)]
pub struct Sketch {
    tables: Option<Box<Tables>>,
    /// Of all time, those that are only known to have taken longer.
    at_least: Option<Box<Table>>,
}

#[derive(Clone, Debug)]
struct Tables {
    windows: [Table; WINDOWS],
    /// The number of the window that is written now, since time 0, and when it is over.
    turn: u64,
    until: Nanos,
    past: Table,
}

impl Sketch {
    /// A sketch of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a duration that ended at `now`.
    pub fn record(&mut self, duration: Nanos, now: Nanos) {
        let tables = self
            .tables
            .get_or_insert_with(|| Box::new(Tables::new(turn_at(now))));
        if now >= tables.until {
            tables.advance(turn_at(now));
        }
        let count = &mut tables.windows[place_of(tables.turn)][cell_of(duration)];
        *count = count.saturating_add(1);
    }

    /// Says of a duration that was counted that it would have been longer.
    pub fn mark_at_least(&mut self, duration: Nanos) {
        let table = self.at_least.get_or_insert_with(|| Box::new([0; CELLS]));
        let count = &mut table[cell_of(duration)];
        *count = count.saturating_add(1);
    }

    /// The duration that a share `rank` (0 to 1) would not exceed, had none been stopped; the longest
    /// seen if so many were that it is longer; `None`: none has ended by itself.
    #[must_use]
    pub fn quantile_known(&self, rank: f64) -> Option<Nanos> {
        let Some(at_least) = &self.at_least else {
            return self.quantile(rank);
        };
        let all = self.tables.as_ref()?.all();
        quantile_known(&all, at_least, rank)
    }

    /// The mean, had none been stopped; `None`: none has ended by itself.
    #[must_use]
    pub fn mean_known(&self) -> Option<Nanos> {
        self.shares().map(|shares| mean(&shares))
    }

    /// The mean of the shorter of two durations, one of each, had none been stopped: they are taken not
    /// to depend on each other. `None`: of one of them none has ended by itself.
    #[must_use]
    pub fn mean_of_shorter(&self, other: &Self) -> Option<Nanos> {
        let (mut own, others) = (self.shares()?, other.shares()?);
        let (mut left, mut others_left) = (1.0, 1.0); // that are at least as long as the cell
        for (share, others_share) in own.iter_mut().zip(&others) {
            let longer = (left - *share).max(0.0);
            let others_longer = (others_left - others_share).max(0.0);
            *share = left * others_left - longer * others_longer;
            (left, others_left) = (longer, others_longer);
        }
        Some(mean(&own))
    }

    /// By cell, the share of durations that end in it.
    fn shares(&self) -> Option<[f64; CELLS]> {
        let all = self.tables.as_ref()?.all();
        shares_known(&all, self.at_least.as_deref().unwrap_or(&[0; CELLS]))
    }

    /// How many durations were counted, those left out that would have been longer.
    #[must_use]
    pub fn count_known(&self) -> u64 {
        let cut = self.at_least.as_ref().map_or(0, |table| count(table));
        self.count().saturating_sub(cut)
    }

    /// The duration that a share `rank` (0 to 1) of all durations does not exceed; `None`: empty.
    #[must_use]
    pub fn quantile(&self, rank: f64) -> Option<Nanos> {
        self.tables
            .as_ref()
            .and_then(|tables| quantile(&tables.all(), rank))
    }

    /// The same of the last 45 to 60 seconds.
    #[must_use]
    pub fn recent_quantile(&self, rank: f64, now: Nanos) -> Option<Nanos> {
        let tables = self.tables.as_ref()?;
        let turn = turn_at(now).max(tables.turn);
        let mut sum = [0; CELLS];
        for age in 0..WINDOWS as u64 {
            // The window written `age` turns ago, if the sketch has been that far at all.
            let Some(written) = turn.checked_sub(age).filter(|turn| *turn <= tables.turn) else {
                continue;
            };
            add(&mut sum, &tables.windows[place_of(written)]);
        }
        quantile(&sum, rank)
    }

    /// How many durations were counted since the start.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.tables
            .as_ref()
            .map_or(0, |tables| count(&tables.all()))
    }

    /// Adds what another sketch counted, window by window.
    pub fn merge(&mut self, other: &Self) {
        if let Some(other) = &other.at_least {
            let table = self.at_least.get_or_insert_with(|| Box::new([0; CELLS]));
            add(table, other);
        }
        let Some(other) = other.tables.as_ref() else {
            return;
        };
        let tables = self
            .tables
            .get_or_insert_with(|| Box::new(Tables::new(other.turn)));
        if other.turn > tables.turn {
            tables.advance(other.turn);
        }
        for age in 0..WINDOWS as u64 {
            let Some(written) = other.turn.checked_sub(age) else {
                break;
            };
            let place = place_of(written);
            let table = if tables.turn - written < WINDOWS as u64 {
                &mut tables.windows[place]
            } else {
                &mut tables.past
            };
            add(table, &other.windows[place]);
        }
        add(&mut tables.past, &other.past);
    }
}

impl Tables {
    const fn new(turn: u64) -> Self {
        let windows = [[0; CELLS]; WINDOWS];
        Self {
            windows,
            turn,
            until: end_of(turn),
            past: [0; CELLS],
        }
    }

    /// Adds the windows whose turn comes again to the past.
    fn advance(&mut self, turn: u64) {
        let passed = (turn - self.turn).min(WINDOWS as u64);
        for back in 0..passed {
            let window = &mut self.windows[place_of(turn - back)];
            add(&mut self.past, window);
            *window = [0; CELLS];
        }
        (self.turn, self.until) = (turn, end_of(turn));
    }

    fn all(&self) -> Table {
        let mut sum = self.past;
        for window in &self.windows {
            add(&mut sum, window);
        }
        sum
    }
}

const fn turn_at(now: Nanos) -> u64 {
    now.0 / WINDOW.0
}

const fn end_of(turn: u64) -> Nanos {
    Nanos((turn + 1).saturating_mul(WINDOW.0))
}

/// Where the window of a turn lies.
#[expect(clippy::cast_possible_truncation, reason = "less than WINDOWS")]
const fn place_of(turn: u64) -> usize {
    (turn % WINDOWS as u64) as usize
}

fn cell_of(duration: Nanos) -> usize {
    let value = duration.0.clamp(1 << FIRST_OCTAVE, LONGEST);
    let octave = value.ilog2();
    let split = value >> (octave - SPLIT_BITS); // 16 to 31: the leading bit is still there
    usize::try_from((u64::from(octave - FIRST_OCTAVE) << SPLIT_BITS) + split - (1 << SPLIT_BITS))
        .unwrap_or(CELLS - 1)
}

fn middle_of(cell: usize) -> Nanos {
    let cell = cell as u64;
    let width = 1 << ((cell >> SPLIT_BITS) + u64::from(FIRST_OCTAVE - SPLIT_BITS));
    let split = (1 << SPLIT_BITS) + (cell & ((1 << SPLIT_BITS) - 1));
    Nanos(split * width + width / 2)
}

fn quantile(table: &Table, rank: f64) -> Option<Nanos> {
    let total = count(table);
    if total == 0 {
        return None;
    }
    let wanted = share(rank, total);
    let mut seen = 0;
    let cell = table.iter().position(|count| {
        seen += u64::from(*count);
        seen >= wanted
    });
    cell.map(middle_of)
}

/// The estimate of Kaplan and Meier: what was cut off counts among those at risk until then. By cell,
/// the share of durations that end in it; all of what is left is in the last that any was seen in.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn shares_known(all: &Table, at_least: &Table) -> Option<[f64; CELLS]> {
    let mut shares = [0.0; CELLS];
    let mut at_risk = count(all);
    let mut longer = 1.0; // the share of durations that is longer than the cell
    let (mut longest, mut ends) = (0, 0);
    for (cell, (&counted, &cut)) in all.iter().zip(at_least).enumerate() {
        if counted == 0 {
            continue;
        }
        let known = u64::from(counted.saturating_sub(cut));
        ends += known;
        shares[cell] = longer * (known as f64 / at_risk as f64);
        longer -= shares[cell];
        at_risk -= u64::from(counted);
        longest = cell;
    }
    shares[longest] += longer;
    (ends > 0).then_some(shares)
}

fn quantile_known(all: &Table, at_least: &Table, rank: f64) -> Option<Nanos> {
    let shares = shares_known(all, at_least)?;
    let mut seen = 0.0;
    let mut reached = |share: &f64| {
        seen += share;
        *share > 0.0 && seen >= rank - TOLERANCE
    };
    shares.iter().position(&mut reached).map(middle_of)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a mean of durations below 2^38 ns"
)]
fn mean(shares: &[f64; CELLS]) -> Nanos {
    let cells = shares.iter().enumerate().filter(|(_, share)| **share > 0.0);
    let parts = cells.map(|(cell, share)| share * middle_of(cell).0 as f64);
    Nanos(parts.sum::<f64>() as u64)
}

/// How many of `total` a share is, rounded up; at least the first one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "between 0 and a count far below 2^53"
)]
fn share(rank: f64, total: u64) -> u64 {
    ((rank.clamp(0.0, 1.0) * total as f64).ceil() as u64).max(1)
}

fn count(table: &Table) -> u64 {
    table.iter().map(|count| u64::from(*count)).sum()
}

fn add(table: &mut Table, other: &Table) {
    for (count, more) in table.iter_mut().zip(other) {
        *count = count.saturating_add(*more);
    }
}
