//! What guesses take of limits: their share, and what is charged when somebody asks for one.

use penstock_core::clock::Nanos;
use penstock_core::limit::{self, Cost, SetId, Share, Taken};
use penstock_core::sched::{BatchId, Permit, ToolId};

use super::batch::Record;
use super::labels::Labels;
use super::limits::HostLimits;

/// What this guess may take of limits, as says who launched it.
pub(super) fn of_guess(records: &[Option<Box<Record>>], batch: BatchId) -> Share {
    let record = records.get(batch.place() as usize);
    let record = record.and_then(|record| record.as_deref());
    let record = record.filter(|record| record.id == batch);
    let guess = record.and_then(|record| record.attempt.as_ref()?.guess.as_ref());
    guess.map_or_else(Share::default, |guess| guess.share)
}

/// A permit for a guess, now or never.
pub(super) fn take(
    core: &mut limit::Limiter,
    asked: &limit::Ask,
    share: Share,
    now: Nanos,
) -> Taken {
    let taken = core.try_take(asked.set, &asked.cost, asked.lane, Some(share), now);
    taken.map_or_else(Taken::Refused, Taken::Granted)
}

impl HostLimits {
    /// Shows the limits of calls with labels while nobody else keeps them, and what a call of the tool
    /// costs unless it says so itself.
    pub(super) fn glance<T>(
        &self,
        tool: ToolId,
        labels: &Labels,
        now: Nanos,
        look: impl FnOnce(&limit::Limiter, SetId, Cost) -> T,
    ) -> Option<T> {
        let known = self.tool(tool).filter(|tool| tool.is_limited)?;
        let mut registry = self.limiter.get().lock();
        let core = &mut registry.core;
        let set = core.resolve(&known.who(labels), now).ok().flatten()?;
        let seen = look(core, set, known.cost);
        core.unpin(set);
        Some(seen)
    }

    /// A call with `labels` takes over what a guess has run that `paid` for it: see `Limiter::adopt`.
    pub(super) fn adopt(
        &self,
        tool: ToolId,
        (labels, paid): (&Labels, &Labels),
        cost: Option<Cost>,
        taken: Option<Nanos>,
        now: Nanos,
    ) -> bool {
        let Some(known) = self.tool(tool).filter(|tool| tool.is_limited) else {
            return true;
        };
        let mut registry = self.limiter.get().lock();
        registry.now = now;
        let core = &mut registry.core;
        // Both are kept until the end: a set that nobody keeps may become another one.
        let mut resolve = |labels| core.resolve(&known.who(labels), now).ok().flatten();
        let (set, paid) = (resolve(labels), resolve(paid));
        let cost = cost.unwrap_or(known.cost);
        let adopts = set.is_none_or(|set| core.adopt(set, paid, &cost, taken, now));
        for kept in set.into_iter().chain(paid) {
            core.unpin(kept);
        }
        adopts
    }

    /// A guess was right: its permit no longer counts as one's.
    pub(super) fn promote(&mut self, permit: Permit, now: Nanos) {
        let mut registry = self.limiter.get().lock();
        registry.now = now;
        registry.core.promote(limit::Permit(permit.0), now);
    }
}
