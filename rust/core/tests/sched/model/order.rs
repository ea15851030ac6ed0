//! Who is next among calls that wait for the same thing.

use std::cmp::Reverse;

use penstock_core::clock::Nanos;

use super::{Call, Model, State};

impl Model {
    /// Takes the next ready call.
    pub fn pop_ready(&mut self) -> Option<usize> {
        let waiting = self.live(|state| state == State::Ready);
        let mut aged = self.ready_aged;
        self.age(&waiting, &mut aged, self.now);
        self.ready_aged = aged;
        self.first_of(&waiting, self.now)
    }

    /// Lane, then group, then worth, batch and rank.
    pub fn first_of(&self, waiting: &[usize], now: Nanos) -> Option<usize> {
        let lane = waiting.iter().map(|call| self.calls[*call].lane).min()?;
        let firsts = self.first_of_each_group(waiting, lane);
        let oldest = self.oldest(&firsts)?;
        let waited = now.saturating_sub(self.calls[oldest].stamp);
        if firsts.len() > 1 && waited < Nanos::from_millis(250) {
            return firsts.into_iter().min_by_key(|call| {
                let group = self.group_of(*call);
                (self.groups[group].attained, group)
            });
        }
        Some(oldest)
    }

    /// First calls that waited for seconds go up a lane a second.
    pub fn age(&mut self, waiting: &[usize], aged: &mut Nanos, now: Nanos) {
        let mut lanes: Vec<u8> = waiting.iter().map(|call| self.calls[*call].lane).collect();
        lanes.sort_unstable();
        lanes.dedup();
        if lanes.len() < 2 || now <= *aged {
            return;
        }
        *aged = now;
        for lane in (1..16).rev().filter(|lane| *lane != 8) {
            while let Some(call) = self.oldest(&self.first_of_each_group(waiting, lane)) {
                let entry = &mut self.calls[call];
                let climbed = u64::from(entry.priority - lane);
                if now.saturating_sub(entry.stamp) < Nanos::from_secs(climbed + 1) {
                    break;
                }
                entry.lane -= 1;
            }
        }
    }

    fn first_of_each_group(&self, waiting: &[usize], lane: u8) -> Vec<usize> {
        let in_lane = |call: &&usize| self.calls[**call].lane == lane;
        let mut firsts: Vec<usize> = Vec::new();
        let mut calls: Vec<usize> = waiting.iter().filter(in_lane).copied().collect();
        calls.sort_by_key(|call| {
            let Call { batch, rank, .. } = self.calls[*call];
            (Reverse(self.batches[batch].worth), batch, rank)
        });
        for call in calls {
            if !firsts
                .iter()
                .any(|first| self.group_of(*first) == self.group_of(call))
            {
                firsts.push(call);
            }
        }
        firsts
    }

    fn oldest(&self, firsts: &[usize]) -> Option<usize> {
        let since = |call: &usize| (self.calls[*call].stamp, self.group_of(*call));
        firsts.iter().copied().min_by_key(since)
    }

    pub fn group_of(&self, call: usize) -> usize {
        self.batches[self.calls[call].batch].group
    }
}
