//! What is known of each tool's results, and the dictionaries of each tenant.
//!
//! Ground rules. A lane is one tool of one tenant; nothing passes from one tenant's lanes to
//! another's. `plan` says how to pack, the caller packs without holding anything, `record` says what
//! came of it: between the two, others may plan. Bounds: lanes, dictionaries and the bytes of
//! samples; at the brim the one used longest ago goes, and with it only what can be learned again.

use std::collections::HashMap;
use std::sync::Arc;

use super::choose::{Choice, Purpose, choose};
use super::codec::Codec;
use super::dictionary::{Dictionary, DictionaryId, is_sample};
use super::learning::{Learning, Sample};
use super::library::Library;
use super::skip::{self, Skipped};
use super::verdict::{Look, Verdict};

/// Media types of one tool whose verdicts are kept.
const VERDICTS: usize = 8;

/// How much is remembered.
#[derive(Clone, Copy, Debug)]
pub struct LanesConfig {
    /// Tools of tenants.
    pub lanes: usize,
    /// Dictionaries that can be read.
    pub dictionaries: usize,
    /// Bytes of samples of all lanes.
    pub sample_bytes: usize,
}

impl Default for LanesConfig {
    fn default() -> Self {
        Self {
            lanes: 4_096,
            dictionaries: 1_024,
            sample_bytes: 16 << 20,
        }
    }
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source<'a> {
    /// Whose it is.
    pub tenant: &'a str,
    /// What made it.
    pub tool: &'a str,
    /// What it says that it is.
    pub media: &'a str,
}

/// How to pack one value.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Codec and level.
    pub choice: Choice,
    /// To pack it with.
    pub dictionary: Option<Arc<Dictionary>>,
    look: Look,
    /// The lane, as long as it is still that of the source.
    lane: usize,
}

impl Plan {
    /// Why the value stays raw, if that can be told by looking at it.
    #[must_use]
    pub fn skips(&self, value: &[u8]) -> Option<Skipped> {
        if self.choice.codec == Codec::Raw {
            return Some(Skipped::Small);
        }
        match self.look {
            Look::Never => Some(Skipped::Verdict),
            Look::All | Look::Format if skip::is_packed_format(value) => Some(Skipped::Format),
            Look::All if skip::is_noise(value) => Some(Skipped::Noise),
            Look::All | Look::Format => None,
        }
    }
}

/// Bytes that went through, and why some stayed raw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PackStatistics {
    /// Bytes of the values that stayed raw.
    pub raw_bytes: u64,
    /// Bytes of the values that were packed.
    pub packed_bytes_in: u64,
    /// What became of them, without headers.
    pub packed_bytes_out: u64,
    /// Values that stayed raw: small, format, noise, verdict, poor.
    pub skipped: [u64; 5],
    /// Lanes known.
    pub lanes: usize,
    /// Dictionaries known.
    pub dictionaries: usize,
    /// Bytes of samples held.
    pub sample_bytes: usize,
}

#[derive(Debug, Default)]
struct Lane {
    tenant: Box<str>,
    tool: Box<str>,
    used: u64,
    /// Bytes of its samples.
    held: usize,
    verdicts: Vec<(Box<str>, Verdict)>,
    learning: Learning,
    dictionary: Option<Arc<Dictionary>>,
}

impl Lane {
    fn new(tenant: &str, tool: &str) -> Self {
        Self {
            tenant: tenant.into(),
            tool: tool.into(),
            ..Self::default()
        }
    }

    /// The verdict on a media type; the first one makes place if there are too many.
    fn verdict(&mut self, media: &str) -> &mut Verdict {
        let known = self.verdicts.iter().position(|(name, _)| &**name == media);
        let place = known.unwrap_or_else(|| {
            if self.verdicts.len() == VERDICTS {
                self.verdicts.remove(0);
            }
            self.verdicts.push((media.into(), Verdict::default()));
            self.verdicts.len() - 1
        });
        &mut self.verdicts[place].1
    }
}

/// All lanes and dictionaries.
#[derive(Debug)]
pub struct Lanes {
    config: LanesConfig,
    slots: Vec<Lane>,
    /// By tenant, then by tool: a lookup makes no key of its own.
    numbers: HashMap<Box<str>, HashMap<Box<str>, usize>>,
    /// The lane used last, which is often the next one too.
    last: usize,
    library: Library,
    /// Counts uses: what is smaller was used longer ago.
    uses: u64,
    due: Vec<(Box<str>, Box<str>)>,
    statistics: PackStatistics,
}

impl Default for Lanes {
    fn default() -> Self {
        Self::new(LanesConfig::default())
    }
}

impl Lanes {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(config: LanesConfig) -> Self {
        Self {
            config,
            slots: Vec::new(),
            numbers: HashMap::new(),
            last: 0,
            library: Library::new(config.dictionaries),
            uses: 0,
            due: Vec::new(),
            statistics: PackStatistics::default(),
        }
    }

    /// How to pack a value of so many bytes.
    pub fn plan(&mut self, source: &Source<'_>, bytes: usize, purpose: Purpose) -> Plan {
        let choice = choose(bytes, purpose);
        if choice.codec == Codec::Raw {
            return Plan {
                choice,
                dictionary: None,
                look: Look::Never,
                lane: 0,
            };
        }
        let number = self.number(source.tenant, source.tool);
        let lane = &mut self.slots[number];
        let look = lane.verdict(source.media).next();
        let dictionary = lane.dictionary.clone().filter(|_| choice.dictionary);
        Plan {
            choice,
            dictionary,
            look,
            lane: number,
        }
    }

    /// What came of a value: it was packed to so many bytes, or stayed raw.
    pub fn record(
        &mut self,
        source: &Source<'_>,
        plan: &Plan,
        value: &[u8],
        packed: Result<usize, Skipped>,
    ) {
        self.count(value.len(), packed);
        if plan.choice.codec == Codec::Raw {
            return;
        }
        self.last = plan.lane;
        let lane = self.lane(source.tenant, source.tool);
        lane.verdict(source.media).record(packed.err());
        if plan.dictionary.is_some() {
            let packed = packed.unwrap_or(value.len());
            lane.learning.record(value.len(), packed);
        }
        // Packed formats and noise would teach nothing; a poor one may be what a dictionary is for.
        let teaches = matches!(packed, Ok(_) | Err(Skipped::Poor)) && is_sample(value.len());
        if teaches && lane.learning.wants() {
            self.collect(source, value);
        }
    }

    /// The tools whose samples are there, each once.
    pub fn due(&mut self) -> Vec<(Box<str>, Box<str>)> {
        std::mem::take(&mut self.due)
    }

    /// The samples of a tool that is due, once. Its training ends with `use_dictionary` or `rest`.
    pub fn take_samples(&mut self, tenant: &str, tool: &str) -> Option<Vec<Sample>> {
        let lane = self.lane(tenant, tool);
        let samples = lane.learning.take()?;
        self.statistics.sample_bytes -= std::mem::take(&mut lane.held);
        Some(samples)
    }

    /// Nothing came of a training.
    pub fn rest(&mut self, tenant: &str, tool: &str) {
        let number = self.number(tenant, tool);
        self.forget_samples(number);
        self.slots[number].learning.rest();
    }

    /// Packs this tool's results with a dictionary from now on.
    pub fn use_dictionary(&mut self, tenant: &str, tool: &str, dictionary: Arc<Dictionary>) {
        let number = self.number(tenant, tool);
        self.forget_samples(number);
        let lane = &mut self.slots[number];
        lane.dictionary = Some(Arc::clone(&dictionary));
        lane.learning.begin_use();
        self.library.insert(tenant, dictionary);
    }

    /// Reads parcels with it from now on.
    pub fn know(&mut self, tenant: &str, dictionary: Arc<Dictionary>) {
        self.library.insert(tenant, dictionary);
    }

    /// A dictionary of this tenant.
    pub fn dictionary(&mut self, tenant: &str, id: DictionaryId) -> Option<Arc<Dictionary>> {
        self.library.get(tenant, id)
    }

    /// Whether an id stands for something of this tenant.
    #[must_use]
    pub fn is_taken(&self, tenant: &str, id: DictionaryId) -> bool {
        self.library.is_taken(tenant, id)
    }

    /// What went through, and what is known now.
    #[must_use]
    pub fn statistics(&self) -> PackStatistics {
        PackStatistics {
            lanes: self.slots.len(),
            dictionaries: self.library.len(),
            ..self.statistics
        }
    }

    fn lane(&mut self, tenant: &str, tool: &str) -> &mut Lane {
        let number = self.number(tenant, tool);
        &mut self.slots[number]
    }

    /// The lane's number, which it has until it is forgotten.
    fn number(&mut self, tenant: &str, tool: &str) -> usize {
        let is_last = |lane: &Lane| *lane.tool == *tool && *lane.tenant == *tenant;
        let number = if self.slots.get(self.last).is_some_and(is_last) {
            self.last
        } else {
            self.find(tenant, tool)
        };
        self.last = number;
        self.uses += 1;
        self.slots[number].used = self.uses;
        number
    }

    fn find(&mut self, tenant: &str, tool: &str) -> usize {
        let known = self.numbers.get(tenant).and_then(|tools| tools.get(tool));
        match known {
            Some(&number) => number,
            None => self.add(tenant, tool),
        }
    }

    fn add(&mut self, tenant: &str, tool: &str) -> usize {
        let lane = Lane::new(tenant, tool);
        let number = if self.slots.len() < self.config.lanes {
            self.slots.push(lane);
            self.slots.len() - 1
        } else {
            let oldest = self.forget_oldest();
            self.slots[oldest] = lane;
            oldest
        };
        let tools = self.numbers.entry(tenant.into()).or_default();
        tools.insert(tool.into(), number);
        number
    }

    /// The number that has become free.
    fn forget_oldest(&mut self) -> usize {
        let used = |&number: &usize| self.slots[number].used;
        let oldest = (0..self.slots.len()).min_by_key(used).unwrap_or(0);
        self.forget_samples(oldest);
        let lane = &self.slots[oldest];
        if let Some(tools) = self.numbers.get_mut(&lane.tenant) {
            tools.remove(&lane.tool);
            if tools.is_empty() {
                self.numbers.remove(&lane.tenant);
            }
        }
        oldest
    }

    fn collect(&mut self, source: &Source<'_>, value: &[u8]) {
        let number = self.number(source.tenant, source.tool);
        if !self.make_room(number, value.len()) {
            return;
        }
        self.statistics.sample_bytes += value.len();
        let lane = &mut self.slots[number];
        lane.held += value.len();
        if lane.learning.offer(value) {
            self.due.push((source.tenant.into(), source.tool.into()));
        }
    }

    /// Forgets the samples of those that were used longest ago, but never those of the lane itself.
    fn make_room(&mut self, number: usize, bytes: usize) -> bool {
        while self.statistics.sample_bytes + bytes > self.config.sample_bytes {
            let others = (0..self.slots.len())
                .filter(|&other| other != number && self.slots[other].held > 0);
            match others.min_by_key(|&other| self.slots[other].used) {
                Some(oldest) => self.forget_samples(oldest),
                None => return false,
            }
        }
        true
    }

    fn forget_samples(&mut self, number: usize) {
        let lane = &mut self.slots[number];
        if lane.held > 0 {
            self.statistics.sample_bytes -= std::mem::take(&mut lane.held);
            lane.learning = Learning::default();
        }
    }

    fn count(&mut self, raw: usize, packed: Result<usize, Skipped>) {
        let raw = raw as u64;
        match packed {
            Ok(packed) => {
                self.statistics.packed_bytes_in += raw;
                self.statistics.packed_bytes_out += packed as u64;
            }
            Err(skipped) => {
                self.statistics.raw_bytes += raw;
                self.statistics.skipped[skipped.index()] += 1;
            }
        }
    }
}
