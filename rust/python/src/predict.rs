//! Python's view of `penstock_core::predict`: converts, locks, maps errors. It decides nothing.

use std::sync::Mutex;

use penstock_core::predict::gate::{self, Offer, Terms, Verdict};
use penstock_core::predict::{
    self, Event, Evidence, Key, Outcome, Parts, PredictorConfig, Reach, Start, Supposed,
};
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use crate::convert::{locked, permille};
use crate::error;

/// A call that may come.
#[pyclass(frozen, module = "penstock._native")]
pub(crate) struct Candidate {
    /// The tool's name.
    #[pyo3(get)]
    tool: Py<PyString>,
    /// Canonical JSON: keys sorted, no white space.
    #[pyo3(get)]
    arguments: Py<PyBytes>,
    /// 16 bytes: xxh3 of tool and arguments, as `canonical` makes it.
    #[pyo3(get)]
    key: Py<PyBytes>,
    /// The chance that the coming step has this call, calibrated.
    #[pyo3(get)]
    p: f32,
    /// The chance that only a later step has it.
    #[pyo3(get)]
    late_p: f32,
    /// Real calls of the tenant that had their values from the same places, of the least confirmed one.
    #[pyo3(get)]
    confirmed: u32,
    /// Whether too little is known of its tool's guesses for one to run.
    #[pyo3(get)]
    shadow: bool,
    reach: Reach,
    templates: Vec<&'static str>,
}

#[pymethods]
impl Candidate {
    /// Who has been in this situation: `agent tenant global`.
    #[getter]
    fn scope(&self) -> &'static str {
        self.reach.word()
    }

    /// Where each argument comes from: `result text input argument constant closed repeat`.
    #[getter]
    fn templates(&self) -> Vec<&'static str> {
        self.templates.clone()
    }
}

/// What is thought at a decision point.
#[pyclass(frozen, module = "penstock._native")]
pub(crate) struct Decision {
    /// Counts the predictions of the session from 1.
    #[pyo3(get)]
    number: u64,
    /// The likeliest first.
    #[pyo3(get)]
    candidates: Py<PyTuple>,
    /// The chance that the model answers in words.
    #[pyo3(get)]
    end_p: f32,
    tools: Vec<(Box<str>, f32)>,
}

#[pymethods]
impl Decision {
    /// The chance of each tool to be called next, the likeliest first.
    #[getter]
    fn tools(&self) -> Vec<(&str, f32)> {
        let named = self.tools.iter();
        named
            .map(|(tool, chance)| (tool.as_ref(), *chance))
            .collect()
    }
}

/// Tool, arguments, outcome and value.
type SupposedCall = (PyBackedStr, PyBackedBytes, PyBackedStr, PyBackedBytes);

/// Learns from conversations and guesses the next call of each.
#[pyclass(frozen, module = "penstock._native")]
pub(crate) struct Predictor(Mutex<predict::Predictor>);

#[pymethods]
impl Predictor {
    #[new]
    #[pyo3(signature = (*, memory_bytes=64 << 20, off=Vec::new()))]
    fn new(py: Python<'_>, memory_bytes: usize, off: Vec<String>) -> PyResult<Self> {
        let mut parts = Parts::default();
        for name in &off {
            if !parts.switch_off(name) {
                let value = PyString::new(py, name);
                let reason = format!("must be one of {}", Parts::NAMES.join(", "));
                return Err(error::config(py, "off", &value, &reason));
            }
        }
        Ok(Self(Mutex::new(predict::Predictor::new(PredictorConfig {
            memory_bytes,
            parts,
        }))))
    }

    /// The names that `off` knows.
    #[staticmethod]
    fn parts() -> Vec<&'static str> {
        Parts::NAMES.to_vec()
    }

    /// Says whether a tool may be a candidate; by default each may.
    fn guess(&self, py: Python<'_>, tenant: &str, tool: &str, guessed: bool) -> PyResult<()> {
        locked(py, &self.0)?.guess(tenant, tool, guessed);
        Ok(())
    }

    /// Says which form, version and schema, a tool has: with another one it begins in shadow again.
    fn declare(&self, py: Python<'_>, tenant: &str, tool: &str, form: &[u8]) -> PyResult<()> {
        locked(py, &self.0)?.declare(tenant, tool, form);
        Ok(())
    }

    /// Begins a session; one of the same name ends.
    #[pyo3(signature = (session, *, tenant="", agent="", task="", learns=true))]
    fn start(
        &self,
        py: Python<'_>,
        session: &str,
        tenant: &str,
        agent: &str,
        task: &str,
        learns: bool,
    ) -> PyResult<()> {
        let start = Start {
            tenant,
            agent,
            task,
            learns,
        };
        self.observe(py, session, Event::Start(start))
    }

    /// The user wrote.
    fn user(&self, py: Python<'_>, session: &str, text: &str) -> PyResult<()> {
        self.observe(py, session, Event::User(text))
    }

    /// The model called a tool; `arguments` is a JSON object.
    fn call(&self, py: Python<'_>, session: &str, tool: &str, arguments: &[u8]) -> PyResult<()> {
        self.observe(py, session, Event::Call { tool, arguments })
    }

    /// A call of the open step ended; `call` is its place in the step, `value` JSON.
    fn result(
        &self,
        py: Python<'_>,
        session: &str,
        call: usize,
        outcome: &str,
        value: &[u8],
    ) -> PyResult<()> {
        let outcome = outcome_of(py, outcome)?;
        let event = Event::Result {
            call,
            outcome,
            value,
        };
        self.observe(py, session, event)
    }

    /// The step is over: the model generates again.
    fn decision(&self, py: Python<'_>, session: &str) -> PyResult<()> {
        self.observe(py, session, Event::Decision)
    }

    /// The model answered in words.
    fn end(&self, py: Python<'_>, session: &str) -> PyResult<()> {
        self.observe(py, session, Event::End)
    }

    /// Ends a session and forgets what it has seen.
    fn forget(&self, py: Python<'_>, session: &str) -> PyResult<()> {
        locked(py, &self.0)?.forget(session);
        Ok(())
    }

    /// How many values the session's index has taken in.
    fn leaves(&self, py: Python<'_>, session: &str) -> PyResult<u64> {
        Ok(locked(py, &self.0)?.leaves(session))
    }

    /// The likeliest calls of the coming step, at most `k`; of what is known of it, the others.
    #[pyo3(signature = (session, k=8, *, step=Vec::new(), open=None))]
    #[expect(clippy::needless_pass_by_value, reason = "as PyO3 gives them")]
    fn predict(
        &self,
        py: Python<'_>,
        session: &str,
        k: usize,
        step: Vec<(PyBackedStr, PyBackedBytes)>,
        open: Option<(PyBackedStr, PyBackedBytes)>,
    ) -> PyResult<Decision> {
        if step.is_empty() && open.is_none() {
            let decision = locked(py, &self.0)?.predict(session, k);
            return decision_to_python(py, decision);
        }
        let step: Vec<(&str, &[u8])> = step
            .iter()
            .map(|(tool, given)| (&**tool, &**given))
            .collect();
        let evidence = Evidence {
            step: &step,
            open: open.as_ref().map(|(tool, given)| (&**tool, &**given)),
        };
        let decision = locked(py, &self.0)?.predict_with(session, k, &evidence);
        decision_to_python(py, decision)
    }

    /// The likeliest calls of the step after these, at most `k`, as if they had been made.
    #[pyo3(signature = (session, calls, k=4))]
    #[expect(clippy::needless_pass_by_value, reason = "as PyO3 gives them")]
    fn predict_after(
        &self,
        py: Python<'_>,
        session: &str,
        calls: Vec<SupposedCall>,
        k: usize,
    ) -> PyResult<Decision> {
        let supposed = calls.iter().map(|(tool, arguments, outcome, value)| {
            Ok(Supposed {
                tool,
                arguments,
                outcome: outcome_of(py, outcome)?,
                value,
            })
        });
        let supposed = supposed.collect::<PyResult<Vec<_>>>()?;
        let decision = locked(py, &self.0)?.predict_after(session, &supposed, k);
        decision_to_python(py, decision)
    }

    /// Tells which calls a decision's step had, by their keys; moves the calibration.
    fn score(
        &self,
        py: Python<'_>,
        session: &str,
        number: u64,
        truth: Vec<[u8; 16]>,
    ) -> PyResult<()> {
        let truth: Vec<Key> = truth
            .into_iter()
            .map(|key| Key(u128::from_be_bytes(key)))
            .collect();
        locked(py, &self.0)?.score(session, number, &truth);
        Ok(())
    }

    /// The model as bytes. Equal models give equal bytes; sessions are not in it.
    fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let snapshot = locked(py, &self.0)?.snapshot();
        Ok(PyBytes::new(py, &snapshot))
    }

    /// Replaces the model. `SnapshotError` if it cannot be read; then nothing was changed.
    fn load(&self, py: Python<'_>, snapshot: &[u8]) -> PyResult<()> {
        let loaded = locked(py, &self.0)?.load(snapshot);
        loaded.map_err(|cause| error::snapshot(py, cause))
    }

    /// Adds what another process learned; the order of merges does not matter.
    fn merge(&self, py: Python<'_>, snapshot: &[u8]) -> PyResult<()> {
        let merged = locked(py, &self.0)?.merge(snapshot);
        merged.map_err(|cause| error::snapshot(py, cause))
    }

    /// Counts: `tenants sessions contexts templates beyond bytes`.
    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let seen = locked(py, &self.0)?.statistics();
        let all = PyDict::new(py);
        all.set_item("tenants", seen.tenants)?;
        all.set_item("sessions", seen.sessions)?;
        all.set_item("contexts", seen.contexts)?;
        all.set_item("templates", seen.templates)?;
        all.set_item("beyond", seen.beyond)?;
        all.set_item("bytes", seen.bytes)?;
        Ok(all)
    }
}

impl Predictor {
    fn observe(&self, py: Python<'_>, session: &str, event: Event<'_>) -> PyResult<()> {
        locked(py, &self.0)?.observe(session, event);
        Ok(())
    }
}

/// Canonical arguments and key of a call; None if it has none and is never guessed.
#[pyfunction]
pub(crate) fn canonical<'py>(
    py: Python<'py>,
    tool: &str,
    arguments: &[u8],
) -> Option<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let (text, key) = predict::canonical(tool, arguments).ok()?;
    let key = PyBytes::new(py, &key.0.to_be_bytes());
    Some((PyBytes::new(py, text.as_bytes()), key))
}

/// Weighs one launch: "launch", or why not, and what it gains in micro-dollars.
#[pyfunction]
#[pyo3(signature = (
    p, late_p=0.0, *, overlap=None, latency=None, price=0.0, tokens=0.0, seconds_per_token=0.0, fill=1.0,
    busy=0.0, waste_left=18.0, value_per_second=1_000.0, min_p=0.2, min_p_priced=0.5
))]
#[expect(clippy::too_many_arguments, reason = "keywords in Python")]
pub(crate) fn weigh(
    p: f64,
    late_p: f64,
    overlap: Option<f64>,
    latency: Option<f64>,
    price: f64,
    tokens: f64,
    seconds_per_token: f64,
    fill: f64,
    busy: f64,
    waste_left: f64,
    value_per_second: f64,
    min_p: f64,
    min_p_priced: f64,
) -> (&'static str, f64) {
    let terms = Terms {
        value_per_second,
        least_chance: min_p,
        least_chance_priced: min_p_priced,
    };
    let offer = Offer {
        chance: p,
        late: late_p,
        overlap,
        latency,
        price,
        tokens,
        seconds_per_token,
        fill,
        busy,
        waste_left,
    };
    let verdict = match gate::weigh(&terms, &offer) {
        Verdict::Launch => "launch",
        Verdict::Shadow => "shadow",
        Verdict::Unlikely => "unlikely",
        Verdict::Dear => "dear",
    };
    (verdict, gate::gain(&terms, &offer).unwrap_or_default())
}

/// Whether a decision point is in the control group, where nothing is launched.
#[pyfunction]
#[pyo3(signature = (session, number, share=0.01))]
pub(crate) fn is_control(session: &str, number: u64, share: f64) -> bool {
    gate::is_control(session, number, permille(share))
}

/// What a tenant may lose by launches that nobody asks for.
#[pyclass(frozen, module = "penstock._native")]
pub(crate) struct WasteBudget(Mutex<gate::WasteBudget>);

#[pymethods]
impl WasteBudget {
    #[new]
    fn new() -> Self {
        Self(Mutex::default())
    }

    /// Pays 1 for a launch; False, and nothing paid, if there is less.
    fn launch(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(locked(py, &self.0)?.launch())
    }

    /// A launch was asked for: its 1 comes back.
    fn promoted(&self, py: Python<'_>) -> PyResult<()> {
        locked(py, &self.0)?.promoted();
        Ok(())
    }

    /// A real call was made.
    fn call(&self, py: Python<'_>) -> PyResult<()> {
        locked(py, &self.0)?.call();
        Ok(())
    }

    /// How many launches could be lost.
    #[getter]
    fn left(&self, py: Python<'_>) -> PyResult<f64> {
        Ok(locked(py, &self.0)?.left())
    }
}

fn decision_to_python(py: Python<'_>, decision: predict::Decision) -> PyResult<Decision> {
    let candidates = decision.candidates.into_iter();
    let candidates = candidates.map(|candidate| Py::new(py, to_python(py, candidate)));
    let candidates = candidates.collect::<PyResult<Vec<_>>>()?;
    Ok(Decision {
        number: decision.number,
        candidates: PyTuple::new(py, candidates)?.unbind(),
        end_p: decision.end,
        tools: decision.tools,
    })
}

fn to_python(py: Python<'_>, candidate: predict::Candidate) -> Candidate {
    Candidate {
        tool: PyString::new(py, &candidate.tool).unbind(),
        arguments: PyBytes::new(py, candidate.arguments.as_bytes()).unbind(),
        key: PyBytes::new(py, &candidate.key.0.to_be_bytes()).unbind(),
        p: candidate.chance,
        late_p: candidate.late,
        confirmed: candidate.confirmed,
        shadow: candidate.is_shadow,
        reach: candidate.reach,
        templates: candidate.templates,
    }
}

fn outcome_of(py: Python<'_>, word: &str) -> PyResult<Outcome> {
    match word {
        "ok" => Ok(Outcome::Ok),
        "empty" => Ok(Outcome::Empty),
        "error" => Ok(Outcome::Error),
        _ => {
            let reason = "must be one of ok, empty, error";
            Err(error::config(
                py,
                "outcome",
                &PyString::new(py, word),
                reason,
            ))
        }
    }
}
