//! From a product of shares to a chance that holds: of ten guesses at 0.3, three should come true.
//!
//! Ground rules. 32 bins of log-odds a tool, each a share that begins at what its middle says (weight
//! 4), then at what all tools of the tenant make of that bin. Every 256 outcomes the shares are made
//! to rise from bin to bin (pool adjacent violators) and kept as a table; between middles it is a
//! line. Sums only, so two of them merge by adding.

/// Bins of log-odds from -4 to 4.
pub(crate) const BINS: usize = 32;
const REACH: f32 = 4.0;
const PRIOR: f32 = 4.0;
const RENEWED_EVERY: u32 = 256;

/// How many guesses fell into a bin, came true in the coming step, or later.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Bin {
    pub(crate) tried: f32,
    pub(crate) hits: f32,
    pub(crate) late: f32,
}

/// The outcomes of one tool, or of all.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Calibration {
    pub(crate) bins: [Bin; BINS],
    pub(crate) outcomes: u32,
    pub(crate) table: Option<Box<[f32; BINS]>>,
}

impl Default for Calibration {
    fn default() -> Self {
        Self {
            bins: [Bin::default(); BINS],
            outcomes: 0,
            table: None,
        }
    }
}

impl Calibration {
    /// Counts what became of a guess.
    pub(crate) fn record(&mut self, raw: f32, hit: bool) {
        let bin = &mut self.bins[bin_of(raw)];
        bin.tried += 1.0;
        bin.hits += f32::from(u8::from(hit));
        self.outcomes += 1;
    }

    /// A guess that missed its step came true later.
    pub(crate) fn record_late(&mut self, raw: f32) {
        self.bins[bin_of(raw)].late += 1.0;
    }

    /// Whether the table is older than 256 outcomes.
    pub(crate) const fn is_stale(&self) -> bool {
        self.table.is_none() || self.outcomes.is_multiple_of(RENEWED_EVERY)
    }

    /// Makes the table again, from its own outcomes and those of all tools.
    pub(crate) fn renew(&mut self, pool: Option<&Self>) {
        let mut shares = [(0.0, 0.0); BINS];
        for (index, bin) in self.bins.iter().enumerate() {
            let prior = pool.map_or_else(|| middle(index), |pool| pool.share(index));
            shares[index] = (PRIOR.mul_add(prior, bin.hits), bin.tried + PRIOR);
        }
        self.table = Some(Box::new(rising(&shares)));
    }

    fn share(&self, index: usize) -> f32 {
        let bin = self.bins[index];
        PRIOR.mul_add(middle(index), bin.hits) / (bin.tried + PRIOR)
    }

    /// The chance that a guess comes true in the coming step.
    pub(crate) fn chance(&self, raw: f32) -> f32 {
        let Some(table) = &self.table else { return raw };
        let place = place_of(raw);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to 31"
        )]
        let below = (place.floor().max(0.0) as usize).min(BINS - 1);
        let above = (below + 1).min(BINS - 1);
        #[expect(clippy::cast_precision_loss, reason = "0 to 31")]
        let part = (place - below as f32).clamp(0.0, 1.0);
        (table[above] - table[below])
            .mul_add(part, table[below])
            .clamp(0.0, 1.0)
    }

    /// The chance that it comes true only later.
    pub(crate) fn late_chance(&self, raw: f32) -> f32 {
        let bin = self.bins[bin_of(raw)];
        bin.late / (bin.tried + PRIOR)
    }
}

/// Where a chance lies among the middles of the bins: 0 to 31.
fn place_of(raw: f32) -> f32 {
    let raw = raw.clamp(1e-4, 1.0 - 1e-4);
    let odds = (raw / (1.0 - raw)).ln().clamp(-REACH, REACH);
    #[expect(clippy::cast_precision_loss, reason = "32")]
    let width = 2.0 * REACH / BINS as f32;
    ((odds + REACH) / width) - 0.5
}

fn bin_of(raw: f32) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 31"
    )]
    let bin = place_of(raw).round().max(0.0) as usize;
    bin.min(BINS - 1)
}

#[expect(clippy::cast_precision_loss, reason = "0 to 31")]
fn middle(index: usize) -> f32 {
    let odds = (index as f32 + 0.5).mul_add(2.0 * REACH / BINS as f32, -REACH);
    1.0 / (1.0 + (-odds).exp())
}

/// The rising shares that are nearest to these (pool adjacent violators).
fn rising(shares: &[(f32, f32); BINS]) -> [f32; BINS] {
    let mut blocks: Vec<(f32, f32, usize)> = Vec::with_capacity(BINS);
    for (hits, tried) in shares {
        let mut block = (*hits, *tried, 1);
        while let Some(last) = blocks.last()
            && last.0 * block.1 >= block.0 * last.1
        {
            block = (block.0 + last.0, block.1 + last.1, block.2 + last.2);
            blocks.pop();
        }
        blocks.push(block);
    }
    let mut table = [0.0; BINS];
    let each = blocks
        .iter()
        .flat_map(|(hits, tried, width)| std::iter::repeat_n(hits / tried, *width));
    for (cell, share) in table.iter_mut().zip(each) {
        *cell = share;
    }
    table
}
