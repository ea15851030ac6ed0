//! A model as bytes: to keep over a restart, and to join what several processes learned.
//!
//! Ground rules. Magic, version, checksum (xxh3-64 of the rest), then the model; anything else is an
//! error that changes nothing. Counts are brought to the moment of the snapshot, so those of two
//! processes add up. Sessions are not in it. Merge is a sum by name: which comes first does not matter.

use std::collections::BTreeMap;
use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

use super::codec::Stored;
use super::merge::merge_maps;
use super::model::{Everybody, Tenant};
use super::predictor::Predictor;

const MAGIC: &[u8; 8] = b"PENSPRED";
const VERSION: u32 = 3;

/// Why bytes are no snapshot. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotError {
    /// They do not begin as a snapshot does.
    Magic,
    /// Written by another release.
    Version {
        /// Its number.
        found: u32,
    },
    /// Some bytes were changed, or are missing.
    Checksum,
    /// The bytes are as they were written, and mean nothing.
    Content,
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => write!(
                formatter,
                "it does not begin as a snapshot of a predictor does"
            ),
            Self::Version { found } => {
                write!(
                    formatter,
                    "it has version {found}, and this release reads {VERSION}"
                )
            }
            Self::Checksum => write!(formatter, "its checksum is wrong: cut off or damaged"),
            Self::Content => write!(formatter, "its content makes no sense"),
        }
    }
}

impl std::error::Error for SnapshotError {}

impl Predictor {
    /// The model as bytes. Equal models give equal bytes.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let mut tenants = self.tenants.clone();
        // One that was only followed has learned nothing.
        tenants.retain(|_, tenant| !tenant.is_empty());
        tenants.values_mut().for_each(Tenant::settle);
        let mut content = Vec::new();
        let mut everybody = self.everybody.clone();
        everybody.scope.settle();
        everybody.write(&mut content);
        tenants.write(&mut content);
        let mut out = MAGIC.to_vec();
        VERSION.write(&mut out);
        xxh3_64(&content).write(&mut out);
        out.append(&mut content);
        out
    }

    /// Replaces the model; sessions stay.
    pub fn load(&mut self, snapshot: &[u8]) -> Result<(), SnapshotError> {
        (self.everybody, self.tenants) = read(snapshot)?;
        self.tenants.values_mut().for_each(Tenant::renew);
        self.fit();
        Ok(())
    }

    /// Adds what another process learned.
    pub fn merge(&mut self, snapshot: &[u8]) -> Result<(), SnapshotError> {
        let mut theirs = read(snapshot)?;
        let own = self.snapshot();
        let mut ours = read(&own)?;
        // Sums of floats depend on their order: it is the same whoever merges whom.
        if own.as_slice() > snapshot {
            std::mem::swap(&mut ours, &mut theirs);
        }
        let (everybody, others) = theirs;
        (self.everybody, self.tenants) = ours;
        self.everybody.merge(everybody);
        self.tenants.values_mut().for_each(Tenant::settle);
        merge_maps(&mut self.tenants, others, Tenant::merge);
        self.tenants.values_mut().for_each(Tenant::renew);
        self.fit();
        Ok(())
    }
}

fn read(snapshot: &[u8]) -> Result<(Everybody, BTreeMap<u64, Tenant>), SnapshotError> {
    let mut rest = snapshot.strip_prefix(MAGIC).ok_or(SnapshotError::Magic)?;
    let found = u32::read(&mut rest).ok_or(SnapshotError::Checksum)?;
    if found != VERSION {
        return Err(SnapshotError::Version { found });
    }
    let checksum = u64::read(&mut rest).ok_or(SnapshotError::Checksum)?;
    if xxh3_64(rest) != checksum {
        return Err(SnapshotError::Checksum);
    }
    let model = Stored::read(&mut rest).ok_or(SnapshotError::Content)?;
    if rest.is_empty() {
        Ok(model)
    } else {
        Err(SnapshotError::Content)
    }
}
