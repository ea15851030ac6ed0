//! Who the calls of a batch are charged to, besides their tools, and the limits that follow from it.

use std::sync::Arc;

use penstock_core::limit::SetId;
use pyo3::prelude::*;

use crate::limit::limiter::Limiter;

/// Who a batch is charged to, besides its tools.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labels {
    pub(crate) tenant: Option<String>,
    pub(crate) agent: Option<String>,
    pub(crate) run: Option<String>,
    /// The innermost batch with a budget of its own.
    pub(crate) batch: Option<BatchBudget>,
}

/// The budget of a batch, for as long as calls are charged to it.
#[derive(Clone, Debug)]
pub(crate) struct BatchBudget {
    /// The batch, as the limiter names it.
    pub(crate) label: String,
    /// When nobody keeps this any more, the limiter forgets the budget.
    _keeps: Option<Arc<Py<PyAny>>>,
}

impl BatchBudget {
    /// Of a batch that has none of its own, but a name.
    pub(crate) const fn named(label: String) -> Self {
        Self {
            label,
            _keeps: None,
        }
    }
}

impl FromPyObject<'_, '_> for BatchBudget {
    type Error = PyErr;

    /// Reads a `BatchBudget` of `penstock.engine.limiting`.
    fn extract(budget: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        Ok(Self {
            label: budget
                .getattr(pyo3::intern!(budget.py(), "label"))?
                .extract()?,
            _keeps: Some(Arc::new(budget.to_owned().unbind())),
        })
    }
}

impl Labels {
    pub(crate) fn is_empty(&self) -> bool {
        let named = [&self.tenant, &self.agent, &self.run];
        named.iter().all(|name| name.is_none()) && self.batch.is_none()
    }

    /// These, and those of the batch around where these say nothing.
    pub(crate) fn within(self, outer: Option<&Self>) -> Self {
        let Some(outer) = outer else { return self };
        Self {
            tenant: self.tenant.or_else(|| outer.tenant.clone()),
            agent: self.agent.or_else(|| outer.agent.clone()),
            run: self.run.or_else(|| outer.run.clone()),
            batch: self.batch.or_else(|| outer.batch.clone()),
        }
    }
}

/// Keeps limit sets while a batch needs them.
pub(crate) struct Pins {
    limiter: Py<Limiter>,
    sets: Vec<SetId>,
}

impl Pins {
    pub(crate) const fn new(limiter: Py<Limiter>) -> Self {
        Self {
            limiter,
            sets: Vec::new(),
        }
    }

    pub(crate) fn keep(&mut self, set: SetId) {
        self.sets.push(set);
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        let mut registry = self.limiter.get().lock();
        for set in self.sets.drain(..) {
            registry.core.unpin(set);
        }
    }
}
