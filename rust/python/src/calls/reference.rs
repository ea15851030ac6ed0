//! `Ref`: a place in a parent's value, used as an argument of a later call.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyMapping, PySequence, PyString, PyTuple};

use crate::error;

/// A place in a parent's value, used as an argument of a later call.
///
/// `Ref("search", "items.0.url")` and `Ref("search")["items"][0]["url"]` are the same. An empty
/// path is the whole value.
#[pyclass(frozen, eq, hash, module = "penstock._native")]
pub(crate) struct Ref {
    #[pyo3(get)]
    pub(super) call: Py<PyString>,
    #[pyo3(get)]
    pub(super) path: Py<PyTuple>,
    text: String,
}

impl PartialEq for Ref {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl std::hash::Hash for Ref {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Ref {
    pub(super) fn make(call: Bound<'_, PyString>, path: Bound<'_, PyTuple>) -> PyResult<Self> {
        // The text is the identity: call and every step with its type, so that 0 and "0" differ.
        let text = format!("{}{}", call.repr()?, path.repr()?);
        Ok(Self {
            call: call.unbind(),
            path: path.unbind(),
            text,
        })
    }

    /// The id of the call whose value is meant.
    pub(crate) fn parent<'py>(&self, py: Python<'py>) -> &Bound<'py, PyString> {
        self.call.bind(py)
    }

    /// Follows the path into `value`: keys, indexes, and attributes of objects.
    pub(crate) fn resolve<'py>(&self, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = value.py();
        let mut here = value;
        for step in self.path.bind(py).iter() {
            here = follow(&here, &step).map_err(|_| {
                let reason = format!(
                    "{} has no {}",
                    here.get_type()
                        .name()
                        .map_or_else(|_| "the value".into(), |n| n.to_string()),
                    step.repr()
                        .map_or_else(|_| "such field".into(), |r| r.to_string()),
                );
                error::unresolved(py, self.call.bind(py), &self.shown(py), &reason)
            })?;
        }
        Ok(here)
    }

    fn shown(&self, py: Python<'_>) -> String {
        let steps = self.path.bind(py).iter().map(|step| step.to_string());
        steps.collect::<Vec<_>>().join(".")
    }
}

/// One step of a path: a key of a mapping, an index of a sequence, a public attribute of an object.
///
/// Methods are no values: `items` of a dict that has no such key is an error, not a function.
fn follow<'py>(here: &Bound<'py, PyAny>, step: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if here.cast::<PyMapping>().is_ok() {
        return here.get_item(step);
    }
    let Ok(name) = step.cast::<PyString>() else {
        return here.get_item(step);
    };
    if here.cast::<PySequence>().is_ok() {
        // "items.0.url": a number in a dotted path is an index where the value is a sequence.
        return match name.to_str()?.parse::<usize>() {
            Ok(position) => here.get_item(position),
            Err(_) => Err(PyTypeError::new_err("a sequence has indexes, not names")),
        };
    }
    if name.to_str()?.starts_with('_') {
        return Err(PyTypeError::new_err("a private attribute"));
    }
    let found = here.getattr(name)?;
    if found.is_callable() {
        return Err(PyTypeError::new_err("a method is no value"));
    }
    Ok(found)
}

#[pymethods]
impl Ref {
    #[new]
    #[pyo3(signature = (call, path = None))]
    fn new<'py>(
        py: Python<'py>,
        call: Bound<'py, PyString>,
        path: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Self> {
        let steps = match path {
            None => PyTuple::empty(py),
            Some(path) => path_steps(&path)?,
        };
        Self::make(call, steps)
    }

    fn __getitem__(&self, py: Python<'_>, key: Bound<'_, PyAny>) -> PyResult<Self> {
        check_step(&key)?;
        let mut steps: Vec<_> = self.path.bind(py).iter().collect();
        steps.push(key);
        Self::make(self.call.bind(py).clone(), PyTuple::new(py, steps)?)
    }

    /// A `Ref` is not a sequence: without this, `__getitem__` would make it look like an endless one.
    fn __iter__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a Ref stands for a value that is not known yet: it cannot be iterated",
        ))
    }

    /// Text made of a `Ref` would reach the tool as it is: a mistake that nobody sees.
    fn __str__(&self) -> PyResult<String> {
        Err(PyTypeError::new_err(
            "a Ref has no text before its call ran: pass it as an argument, and join texts in a tool",
        ))
    }

    fn __format__(&self, _form: &str) -> PyResult<String> {
        self.__str__()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let call = self.call.bind(py).repr()?;
        if self.path.bind(py).is_empty() {
            return Ok(format!("Ref({call})"));
        }
        Ok(format!("Ref({call}, {})", self.path.bind(py).repr()?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let (py, this) = (slf.py(), slf.get());
        let arguments = (this.call.bind(py), this.path.bind(py)).into_pyobject(py)?;
        (slf.get_type(), arguments).into_pyobject(py)
    }
}

fn path_steps<'py>(path: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyTuple>> {
    if let Ok(dotted) = path.cast::<PyString>() {
        let text = dotted.to_str()?;
        let steps = text.split('.').filter(|step| !step.is_empty());
        return PyTuple::new(path.py(), steps.collect::<Vec<_>>());
    }
    let steps: Vec<Bound<'py, PyAny>> = path.try_iter()?.collect::<PyResult<_>>()?;
    steps.iter().try_for_each(check_step)?;
    PyTuple::new(path.py(), steps)
}

fn check_step(step: &Bound<'_, PyAny>) -> PyResult<()> {
    if step.is_instance_of::<PyString>() || step.is_instance_of::<PyInt>() {
        return Ok(());
    }
    let reason = "a step of a path is a str (key or attribute) or an int (index)";
    Err(error::config(step.py(), "path", step, reason))
}
