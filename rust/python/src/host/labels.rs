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
    /// The batch, and those around it, as far as they have budgets of their own.
    pub(crate) batch: Option<BatchBudget>,
}

/// The budget of a batch, for as long as calls are charged to it.
#[derive(Clone, Debug)]
pub(crate) struct BatchBudget {
    /// The batch, as the limiter names it.
    pub(crate) label: String,
    /// When nobody keeps these any more, the limiter forgets the budgets.
    keeps: Vec<Arc<Py<PyAny>>>,
}

impl BatchBudget {
    /// A budget inside of another: what is charged to it is charged to both.
    fn inside(mut self, around: &Self) -> Self {
        self.label = format!("{}/{}", around.label, self.label);
        self.keeps.extend(around.keeps.iter().map(Arc::clone));
        self
    }

    /// Of a batch that has none of its own, but a name.
    pub(crate) const fn named(label: String) -> Self {
        Self {
            label,
            keeps: Vec::new(),
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
            keeps: vec![Arc::new(budget.to_owned().unbind())],
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
            batch: match (self.batch, &outer.batch) {
                (Some(own), Some(around)) => Some(own.inside(around)),
                (own, around) => own.or_else(|| around.clone()),
            },
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
