//! From what the model sent to what the function gets: checked, validated, in order.
//!
//! One pass over the bytes finds what pydantic-core would let pass (duplicate keys, NaN, depth),
//! one pass of the tool's own validator decodes and converts. A fault is an error *value*: it ends
//! this call as rejected and touches no other.

use penstock_core::arguments::{ArgumentLimits, ArgumentsFault, check};
use penstock_core::sched::CallRef;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use super::batch::Entry;
use super::engine::Host;
use super::tool::{HostTool, Parameters};
use crate::calls::{Call, Ref};
use crate::error;

/// Nesting that no reply of a model comes near; beyond it a reader must not use recursion.
const REPLY_DEPTH: usize = 120;

/// Whether a text is one JSON object that every reader reads alike: no key twice in one object, no
/// NaN, no half of a surrogate pair, no more than 120 levels.
#[pyfunction]
pub(crate) fn is_sound_json(json: &[u8]) -> bool {
    check(
        json,
        &ArgumentLimits {
            bytes: json.len(),
            depth: REPLY_DEPTH,
        },
    )
    .is_ok()
}

/// A parent's value by its id, while the call's references are put in.
pub(crate) type Lookup<'a, 'py> = &'a dyn Fn(&Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>>;

/// The function's arguments in order; for a tool with extras, `(args, kwargs)`.
pub(crate) fn prepare<'py>(
    py: Python<'py>,
    tool: &HostTool,
    call: &Call,
    limits: &ArgumentLimits,
    parents: Lookup<'_, 'py>,
) -> PyResult<Bound<'py, PyTuple>> {
    let parameters = &tool.parameters;
    let validated = match &call.arguments {
        None if parameters.is_empty() => return Ok(PyTuple::empty(py)),
        None => validate(
            py,
            tool,
            &parameters.validate_python,
            PyDict::new(py).as_any(),
        )?,
        Some(arguments) => match arguments.bind(py).cast::<PyBytes>() {
            Ok(json) => validate_json(py, tool, json, limits)?,
            Err(_) if call.refs.bind(py).is_empty() => {
                validate(py, tool, &parameters.validate_python, arguments.bind(py))?
            }
            Err(_) => {
                let filled = fill(arguments.bind(py), parents)?;
                validate(py, tool, &parameters.validate_python, &filled)?
            }
        },
    };
    in_order(&validated, parameters)
}

fn validate_json<'py>(
    py: Python<'py>,
    tool: &HostTool,
    json: &Bound<'py, PyBytes>,
    limits: &ArgumentLimits,
) -> PyResult<Bound<'py, PyAny>> {
    if let Err(fault) = check(json.as_bytes(), limits) {
        return Err(explain_fault(py, tool, &fault));
    }
    if json.as_bytes().trim_ascii().is_empty() {
        return validate(
            py,
            tool,
            &tool.parameters.validate_python,
            PyDict::new(py).as_any(),
        );
    }
    validate(py, tool, &tool.parameters.validate_json, json.as_any())
}

fn validate<'py>(
    py: Python<'py>,
    tool: &HostTool,
    validator: &Py<PyAny>,
    arguments: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    validator.bind(py).call1((arguments,)).map_err(|invalid| {
        // Anything but a ValidationError comes from a validator of the tool's own and is kept.
        if !invalid.is_instance_of::<PyValueError>(py) {
            return invalid;
        }
        match tool.parameters.explain.bind(py).call1((invalid.value(py),)) {
            Ok(explained) => PyErr::from_value(explained),
            Err(_) => invalid,
        }
    })
}

fn explain_fault(py: Python<'_>, tool: &HostTool, fault: &ArgumentsFault) -> PyErr {
    let path = match fault {
        ArgumentsFault::DuplicateKey { path, .. } => path.clone(),
        _ => String::new(),
    };
    let made = error::make(
        py,
        "Fault",
        (path, fault.to_string(), "one JSON object", ""),
    )
    .and_then(|fault| error::make(py, "InvalidArguments", (&tool.name, (fault,))));
    made.map_or_else(|error| error, PyErr::from_value)
}

/// pydantic-core's `(args, kwargs)` as one tuple in the order of the signature.
fn in_order<'py>(
    validated: &Bound<'py, PyAny>,
    parameters: &Parameters,
) -> PyResult<Bound<'py, PyTuple>> {
    let py = validated.py();
    let pair = validated.cast::<PyTuple>()?;
    let (positional, named) = (pair.get_borrowed_item(0)?, pair.get_borrowed_item(1)?);
    let (positional, named) = (positional.cast::<PyTuple>()?, named.cast::<PyDict>()?);
    let mut missing = false;
    let values = parameters.names.iter().enumerate().map(|(place, name)| {
        let value = if place < positional.len() {
            positional.get_item(place).ok()
        } else {
            named.get_item(name).ok().flatten()
        };
        missing |= value.is_none();
        value
    });
    let values = PyTuple::new(py, values)?;
    if missing {
        return Err(error::internal(py, "the validator left a parameter out"));
    }
    if !parameters.extras {
        return Ok(values);
    }
    for name in parameters.names.iter().skip(positional.len()) {
        named.del_item(name)?;
    }
    (values, named).into_pyobject(py)
}

/// The arguments with each `Ref` replaced by what it refers to.
fn fill<'py>(value: &Bound<'py, PyAny>, parents: Lookup<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    if let Ok(reference) = value.cast_exact::<Ref>() {
        let reference = reference.get();
        return reference.resolve(parents(reference.parent(py).as_any())?);
    }
    if let Ok(dict) = value.cast_exact::<PyDict>() {
        let filled = PyDict::new(py);
        for (key, item) in dict.iter() {
            filled.set_item(key, fill(&item, parents)?)?;
        }
        return Ok(filled.into_any());
    }
    if let Ok(list) = value.cast_exact::<PyList>() {
        let items = list
            .iter()
            .map(|item| fill(&item, parents))
            .collect::<PyResult<Vec<_>>>()?;
        return Ok(PyList::new(py, items)?.into_any());
    }
    if let Ok(tuple) = value.cast_exact::<PyTuple>() {
        let items = tuple
            .iter()
            .map(|item| fill(&item, parents))
            .collect::<PyResult<Vec<_>>>()?;
        return Ok(PyTuple::new(py, items)?.into_any());
    }
    Ok(value.clone())
}

impl Host {
    /// A call's arguments, validated; the inner error rejects the call.
    pub(crate) fn arguments_of<'py>(
        slf: &Bound<'py, Self>,
        call: CallRef,
        tool: &HostTool,
    ) -> PyResult<Result<Bound<'py, PyTuple>, PyErr>> {
        let (py, this) = (slf.py(), slf.get());
        let (request, positions) = {
            let state = this.state.borrow(py)?;
            let Some(record) = state.record(call.batch) else {
                return Ok(Ok(PyTuple::empty(py)));
            };
            let Some(request) = record.call(py, call.index) else {
                return Ok(Ok(PyTuple::empty(py)));
            };
            let positions = record
                .positions
                .as_ref()
                .map(|positions| positions.clone_ref(py));
            (request, positions)
        };
        let lookup = |id: &Bound<'py, PyAny>| {
            let position = positions
                .as_ref()
                .map(|known| known.bind(py).get_item(id))
                .transpose()?;
            let position: usize = match position.flatten() {
                Some(position) => position.extract()?,
                None => return Err(error::internal(py, "a reference without a parent")),
            };
            let parent = {
                let state = this.state.borrow(py)?;
                let record = state.record(call.batch);
                match record.map(|record| &record.entries[position]) {
                    Some(Entry::Ended(outcome)) => Some(outcome.clone_ref(py)),
                    _ => None,
                }
            };
            match parent {
                // Whether it is ok the core has seen to.
                Some(outcome) => Ok(outcome.get().fetch(py)?.into_bound(py)),
                None => Err(error::internal(
                    py,
                    "a reference to a call that has not ended",
                )),
            }
        };
        Ok(prepare(py, tool, request.get(), &this.limits, &lookup))
    }
}
