//! Edges of a batch: who waits for whom, found to be without a cycle before anything is taken.
//!
//! Ground rules. Successors lie in one array (compressed sparse rows). A call's *height* is the
//! longest way from it to a call that nobody waits for; its *rank* is its turn: greatest height
//! first, then submission. Heights are needed only to find ranks, and live in scratch memory.

use crate::error::SubmitError;

/// The successors of each call of a batch.
#[derive(Debug, Default)]
pub(crate) struct Edges {
    /// Successors of call `i` are at `starts[i]..starts[i + 1]`.
    starts: Vec<u32>,
    successors: Vec<u32>,
}

impl Edges {
    pub(crate) fn range(&self, index: u32) -> (u32, u32) {
        (self.starts[index as usize], self.starts[index as usize + 1])
    }

    pub(crate) fn successor(&self, at: u32) -> u32 {
        self.successors[at as usize]
    }

    fn successors(&self, index: u32) -> &[u32] {
        let (first, end) = self.range(index);
        &self.successors[first as usize..end as usize]
    }

    fn new(calls: usize, edges: &[(u32, u32)]) -> Self {
        let mut starts = vec![0; calls + 1];
        for &(parent, _) in edges {
            starts[parent as usize] += 1;
        }
        let mut end = 0;
        for start in &mut starts {
            end += *start;
            *start = end;
        }
        // Each start is now the end of its row; filling a row backwards leaves it at the start.
        let mut successors = vec![0; edges.len()];
        for &(parent, child) in edges.iter().rev() {
            let at = &mut starts[parent as usize];
            *at -= 1;
            successors[*at as usize] = child;
        }
        Self { starts, successors }
    }
}

/// A checked batch with edges.
pub(crate) struct Dag {
    pub(crate) edges: Edges,
    /// Parents of each call.
    pub(crate) parents: Vec<u32>,
    /// The turn of each call.
    pub(crate) ranks: Vec<u32>,
}

impl Dag {
    /// Checks the edges of a batch of `calls` calls.
    pub(crate) fn new(calls: usize, pairs: &[(u32, u32)]) -> Result<Self, SubmitError> {
        let parents = count_parents(calls, pairs)?;
        let edges = Edges::new(calls, pairs);
        let order = topological(&edges, parents.clone());
        if order.len() < calls {
            return Err(SubmitError::Cycle {
                calls: find_cycle(calls, pairs, &order),
            });
        }
        let ranks = rank(&edges, &order);
        Ok(Self {
            edges,
            parents,
            ranks,
        })
    }
}

fn count_parents(calls: usize, pairs: &[(u32, u32)]) -> Result<Vec<u32>, SubmitError> {
    let mut parents = vec![0; calls];
    for &(parent, child) in pairs {
        if child as usize >= calls {
            return Err(SubmitError::UnknownChild { child, parent });
        }
        if parent as usize >= calls {
            return Err(SubmitError::UnknownParent { child, parent });
        }
        if parent == child {
            return Err(SubmitError::SelfEdge { call: child });
        }
        parents[child as usize] += 1;
    }
    Ok(parents)
}

/// Calls, parents before children; shorter than the batch if some wait for each other.
fn topological(edges: &Edges, mut parents: Vec<u32>) -> Vec<u32> {
    let mut order: Vec<u32> = Vec::with_capacity(parents.len());
    order.extend(
        (0..)
            .zip(&parents)
            .filter(|(_, count)| **count == 0)
            .map(|(call, _)| call),
    );
    let mut at = 0;
    while let Some(&call) = order.get(at) {
        at += 1;
        for &child in edges.successors(call) {
            let count = &mut parents[child as usize];
            *count -= 1;
            if *count == 0 {
                order.push(child);
            }
        }
    }
    order
}

fn rank(edges: &Edges, order: &[u32]) -> Vec<u32> {
    let mut heights: Vec<u32> = vec![0; order.len()];
    for &call in order.iter().rev() {
        let below = edges
            .successors(call)
            .iter()
            .map(|child| heights[*child as usize] + 1)
            .max();
        heights[call as usize] = below.unwrap_or(0);
    }
    let highest = heights.iter().copied().max().unwrap_or(0);
    let mut turns = vec![0; highest as usize + 1];
    for height in &heights {
        turns[(highest - height) as usize] += 1;
    }
    let mut next = 0;
    for turn in &mut turns {
        next += std::mem::replace(turn, next);
    }
    heights
        .iter()
        .map(|height| {
            let turn = &mut turns[(highest - height) as usize];
            *turn += 1;
            *turn - 1
        })
        .collect()
}

/// Every call outside `order` has a parent outside it, so going up from one must come round.
fn find_cycle(calls: usize, pairs: &[(u32, u32)], order: &[u32]) -> Vec<u32> {
    const UNSEEN: u32 = u32::MAX;
    let mut open = vec![true; calls];
    for &call in order {
        open[call as usize] = false;
    }
    let mut parent_of = vec![UNSEEN; calls];
    for &(parent, child) in pairs {
        if open[parent as usize] && open[child as usize] {
            parent_of[child as usize] = parent;
        }
    }
    let mut seen_at = vec![UNSEEN; calls];
    let mut path: Vec<u32> = Vec::new();
    let mut next = (0..)
        .zip(&open)
        .find(|(_, open)| **open)
        .map(|(call, _)| call);
    while let Some(call) = next {
        if seen_at[call as usize] != UNSEEN {
            path.drain(..seen_at[call as usize] as usize);
            break;
        }
        seen_at[call as usize] = u32::try_from(path.len()).unwrap_or(UNSEEN);
        path.push(call);
        next = Some(parent_of[call as usize]).filter(|parent| *parent != UNSEEN);
    }
    path.reverse();
    path
}
