//! Coders for whoever packs: one a thread at a time, kept for the next.

use std::sync::Mutex;
use std::thread;

use penstock_core::pack::Coder;

/// More are made when more threads pack at once, and dropped afterwards.
const KEPT: usize = 16;

/// A pool that never makes anybody wait.
#[derive(Default)]
pub(crate) struct Coders(Mutex<Vec<Coder>>);

impl Coders {
    /// Lends a coder, the one used last: its tables are still in the cache.
    pub(crate) fn lend<R>(&self, work: impl FnOnce(&mut Coder) -> R) -> R {
        let kept = self.0.lock().ok().and_then(|mut coders| coders.pop());
        let mut coder = kept.unwrap_or_default();
        let result = work(&mut coder);
        // A panic in `work` drops the coder: nobody gets one in an unknown state.
        if let Ok(mut coders) = self.0.lock()
            && coders.len() < KEPT
        {
            coders.push(coder);
        }
        result
    }

    /// Does all jobs, each on a coder of its own thread, on up to `threads` threads with this one.
    /// Results come in no order. The other threads end before it returns.
    pub(crate) fn share<J: Send, R: Send>(
        &self,
        threads: usize,
        jobs: impl ExactSizeIterator<Item = J> + Send,
        work: impl Fn(&mut Coder, J) -> R + Sync,
    ) -> Vec<R> {
        let others = threads.min(jobs.len()).saturating_sub(1);
        let (jobs, results) = (Mutex::new(jobs), Mutex::new(Vec::new()));
        let run = || {
            self.lend(|coder| {
                while let Some(job) = jobs.lock().ok().and_then(|mut jobs| jobs.next()) {
                    let result = work(coder, job);
                    if let Ok(mut results) = results.lock() {
                        results.push(result);
                    }
                }
            });
        };
        thread::scope(|scope| {
            for _ in 0..others {
                // No thread to be had: this one does it all.
                thread::Builder::new().spawn_scoped(scope, run).ok();
            }
            run();
        });
        results.into_inner().unwrap_or_default()
    }
}
