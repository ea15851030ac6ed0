//! `Call`: one request to run a tool.

use penstock_core::clock::Nanos;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyMapping, PyString, PyTuple};

use super::reference::Ref;
use crate::host::raw;
use crate::{convert, error};

/// Arguments nested deeper than this are refused when a call is made; the same bound as for JSON.
const MAX_DEPTH: u32 = 64;

/// One request to run a tool. Arguments stay as they came until the call is about to start.
#[pyclass(frozen, module = "penstock._native")]
pub(crate) struct Call {
    #[pyo3(get)]
    pub(crate) tool: Py<PyString>,
    #[pyo3(get)]
    pub(crate) arguments: Option<Py<PyAny>>,
    #[pyo3(get)]
    pub(crate) id: Option<Py<PyString>>,
    #[pyo3(get)]
    pub(crate) priority: Option<u8>,
    #[pyo3(get)]
    pub(crate) branch: Option<Py<PyString>>,
    pub(crate) timeout: Option<Nanos>,
    /// Ids of calls that must have ended well before this one, and whose values it does not use.
    #[pyo3(get)]
    pub(crate) after: Py<PyTuple>,
    /// Every `Ref` in the arguments, in the order they are met.
    #[pyo3(get)]
    pub(crate) refs: Py<PyTuple>,
    /// The call that this one is a copy of, for a race: its outcome answers that one.
    origin: Option<Py<Self>>,
}

impl Call {
    /// A call as a model makes it.
    fn plain<'py>(
        tool: Bound<'py, PyString>,
        arguments: Option<Bound<'py, PyBytes>>,
        id: Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, Self>> {
        let py = tool.py();
        let call = Self {
            tool: tool.unbind(),
            arguments: arguments.map(|json| json.into_any().unbind()),
            id: Some(id.unbind()),
            priority: None,
            branch: None,
            timeout: None,
            after: no_items(py),
            refs: no_items(py),
            origin: None,
        };
        let made = Bound::new(py, call)?;
        raw::untrack(made.as_any());
        Ok(made)
    }

    /// The call that the caller knows.
    pub(crate) fn origin(slf: &Bound<'_, Self>) -> Py<Self> {
        match &slf.get().origin {
            Some(origin) => origin.clone_ref(slf.py()),
            None => slf.clone().unbind(),
        }
    }

    /// Whether nothing that it holds can ever lead back to it: JSON, or nothing at all.
    pub(super) fn is_plain(&self, py: Python<'_>) -> bool {
        self.arguments
            .as_ref()
            .is_none_or(|held| !raw::is_container(held.bind(py)))
    }
}

#[pymethods]
impl Call {
    #[new]
    #[pyo3(signature = (tool, arguments = None, *, id = None, priority = None, branch = None, timeout = None, after = None))]
    #[expect(
        clippy::too_many_arguments,
        reason = "the keyword arguments of the public face"
    )]
    fn new<'py>(
        py: Python<'py>,
        tool: Bound<'py, PyString>,
        arguments: Option<Bound<'py, PyAny>>,
        id: Option<Bound<'py, PyString>>,
        priority: Option<Bound<'py, PyAny>>,
        branch: Option<Bound<'py, PyString>>,
        timeout: Option<Bound<'py, PyAny>>,
        after: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Self> {
        let (arguments, refs) = take_arguments(py, arguments)?;
        Ok(Self {
            tool: tool.unbind(),
            arguments,
            id: id.map(Bound::unbind),
            priority: priority
                .map(|value| convert::priority(&value))
                .transpose()?,
            branch: branch.map(Bound::unbind),
            timeout: timeout.map(|value| convert::timeout(&value)).transpose()?,
            after: parents(py, after)?,
            refs,
            origin: None,
        })
    }

    /// A copy in a branch, its ids and those that it names prefixed: the calls of a race. Its outcome
    /// is that of the call itself.
    #[pyo3(signature = (*, branch, prefix))]
    fn replace<'py>(slf: &Bound<'py, Self>, branch: Py<PyString>, prefix: &str) -> PyResult<Self> {
        let (py, this) = (slf.py(), slf.get());
        let renamed = |id: &Bound<'py, PyAny>| PyString::new(py, &format!("{prefix}{id}"));
        let after = this.after.bind(py).iter().map(|id| renamed(&id));
        let arguments = match &this.arguments {
            Some(arguments) if !this.refs.bind(py).is_empty() => {
                Some(rename_refs(arguments.bind(py), &|id| renamed(id.as_any()))?)
            }
            other => other.as_ref().map(|arguments| arguments.bind(py).clone()),
        };
        let (arguments, refs) = take_arguments(py, arguments)?;
        Ok(Self {
            tool: this.tool.clone_ref(py),
            arguments,
            id: this
                .id
                .as_ref()
                .map(|id| renamed(id.bind(py).as_any()).unbind()),
            priority: this.priority,
            branch: Some(branch),
            timeout: this.timeout,
            after: PyTuple::new(py, after.collect::<Vec<_>>())?.unbind(),
            refs,
            origin: Some(slf.clone().unbind()),
        })
    }

    /// Seconds from submission until the call must have ended; None means no bound of its own.
    #[getter]
    fn timeout(&self) -> Option<f64> {
        self.timeout.map(convert::seconds)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let mut shown = vec![self.tool.bind(py).repr()?.to_string()];
        if let Some(arguments) = &self.arguments {
            shown.push(convert::cut(&arguments.bind(py).repr()?.to_string(), 80));
        }
        if let Some(id) = &self.id {
            shown.push(format!("id={}", id.bind(py).repr()?));
        }
        Ok(format!("Call({})", shown.join(", ")))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.arguments)?;
        visit.call(&self.origin)
    }
}

/// Reads calls out of decoded JSON where they look as nearly all of them do: an object, under
/// `outer` or itself, with a name and arguments that are text, and an id beside it.
///
/// None if an item looks in any way different: then the format reads them with care.
#[pyfunction]
#[pyo3(signature = (items, outer, name, arguments, id))]
pub(crate) fn plain_calls<'py>(
    items: &Bound<'py, PyList>,
    outer: Option<&Bound<'py, PyString>>,
    name: &Bound<'py, PyString>,
    arguments: &Bound<'py, PyString>,
    id: &Bound<'py, PyString>,
) -> Option<Vec<Bound<'py, Call>>> {
    let read = |item: Bound<'py, PyAny>| {
        let item = item.cast_exact::<PyDict>().ok()?;
        let inner = match outer {
            Some(outer) => item
                .get_item(outer)
                .ok()??
                .cast_into_exact::<PyDict>()
                .ok()?,
            None => item.clone(),
        };
        let text = |dict: &Bound<'py, PyDict>, key: &Bound<'py, PyString>| {
            dict.get_item(key).ok()??.cast_into_exact::<PyString>().ok()
        };
        let (id, name, arguments) = (
            text(item, id)?,
            text(&inner, name)?,
            text(&inner, arguments)?,
        );
        // Lone surrogates have no UTF-8, and an id or a name with one has no answer either.
        let (_, _, json) = (
            id.to_str().ok()?,
            name.to_str().ok()?,
            arguments.to_str().ok()?,
        );
        let json = (!json.trim().is_empty()).then(|| PyBytes::new(item.py(), json.as_bytes()));
        Call::plain(name, json, id).ok()
    };
    items.iter().map(read).collect()
}

type Arguments = (Option<Py<PyAny>>, Py<PyTuple>);

/// Keeps bytes as they are, encodes text, copies a mapping and finds the `Ref`s in it.
fn take_arguments<'py>(
    py: Python<'py>,
    arguments: Option<Bound<'py, PyAny>>,
) -> PyResult<Arguments> {
    let Some(arguments) = arguments else {
        return Ok((None, no_items(py)));
    };
    if arguments.is_instance_of::<PyBytes>() {
        return Ok((Some(arguments.unbind()), no_items(py)));
    }
    if let Ok(text) = arguments.cast::<PyString>() {
        return Ok((Some(encode(text)?), no_items(py)));
    }
    let Ok(mapping) = arguments.cast::<PyMapping>() else {
        let reason = "give JSON (bytes or str), a mapping of argument names, or None";
        return Err(error::config(py, "arguments", &arguments, reason));
    };
    let copy = PyDict::new(py);
    copy.update(mapping)?;
    let mut found = Vec::new();
    find_refs(copy.as_any(), &mut found, 0)?;
    let refs = if found.is_empty() {
        no_items(py)
    } else {
        PyTuple::new(py, found)?.unbind()
    };
    Ok((Some(copy.into_any().unbind()), refs))
}

/// UTF-8; lone surrogates are kept in a form that the check of the arguments refuses, so that only
/// this one call is rejected and its siblings run.
fn encode(text: &Bound<'_, PyString>) -> PyResult<Py<PyAny>> {
    if let Ok(sound) = text.to_str() {
        return Ok(PyBytes::new(text.py(), sound.as_bytes())
            .into_any()
            .unbind());
    }
    let encoded = text.call_method1("encode", ("utf-8", "surrogatepass"))?;
    Ok(encoded.unbind())
}

/// The arguments with each `Ref` naming its parent by the parent's new id.
fn rename_refs<'py>(
    value: &Bound<'py, PyAny>,
    renamed: &dyn Fn(&Bound<'py, PyString>) -> Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    if let Ok(reference) = value.cast_exact::<Ref>() {
        let reference = reference.get();
        let moved = Ref::make(
            renamed(reference.call.bind(py)),
            reference.path.bind(py).clone(),
        )?;
        return Ok(Bound::new(py, moved)?.into_any());
    }
    if let Ok(dict) = value.cast_exact::<PyDict>() {
        let copy = PyDict::new(py);
        for (key, item) in dict.iter() {
            copy.set_item(key, rename_refs(&item, renamed)?)?;
        }
        return Ok(copy.into_any());
    }
    let as_list = value.is_exact_instance_of::<PyList>();
    if !as_list && !value.is_exact_instance_of::<PyTuple>() {
        return Ok(value.clone());
    }
    let items = value.try_iter()?.map(|item| rename_refs(&item?, renamed));
    let items = PyList::new(py, items.collect::<PyResult<Vec<_>>>()?)?;
    if as_list {
        Ok(items.into_any())
    } else {
        Ok(items.to_tuple().into_any())
    }
}

fn find_refs<'py>(
    value: &Bound<'py, PyAny>,
    found: &mut Vec<Bound<'py, Ref>>,
    depth: u32,
) -> PyResult<()> {
    if depth > MAX_DEPTH {
        return Ok(()); // The validator of the tool answers for values nested this deep.
    }
    if let Ok(reference) = value.cast_exact::<Ref>() {
        found.push(reference.clone());
    } else if let Ok(dict) = value.cast_exact::<PyDict>() {
        for (_, item) in dict.iter() {
            find_refs(&item, found, depth + 1)?;
        }
    } else if let Ok(list) = value.cast_exact::<PyList>() {
        for item in list.iter() {
            find_refs(&item, found, depth + 1)?;
        }
    } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
        for item in tuple.iter() {
            find_refs(&item, found, depth + 1)?;
        }
    }
    Ok(())
}

fn parents<'py>(py: Python<'py>, after: Option<Bound<'py, PyAny>>) -> PyResult<Py<PyTuple>> {
    let Some(after) = after else {
        return Ok(no_items(py));
    };
    if after.is_instance_of::<PyString>() {
        let reason = "give a list of ids or calls, not a single str";
        return Err(error::config(py, "after", &after, reason));
    }
    let mut ids = Vec::new();
    for parent in after.try_iter()? {
        ids.push(parent_id(&parent?)?);
    }
    if ids.is_empty() {
        Ok(no_items(py))
    } else {
        Ok(PyTuple::new(py, ids)?.unbind())
    }
}

fn parent_id<'py>(parent: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    if let Ok(id) = parent.cast::<PyString>() {
        return Ok(id.clone());
    }
    let named = parent
        .cast::<Call>()
        .ok()
        .and_then(|call| call.get().id.as_ref());
    named.map(|id| id.bind(parent.py()).clone()).ok_or_else(|| {
        let reason = "give the id of a call, or a Call that has an id";
        error::config(parent.py(), "after", parent, reason)
    })
}

/// The one empty tuple: most calls have neither parents nor refs.
fn no_items(py: Python<'_>) -> Py<PyTuple> {
    static EMPTY: PyOnceLock<Py<PyTuple>> = PyOnceLock::new();
    EMPTY
        .get_or_init(py, || PyTuple::empty(py).unbind())
        .clone_ref(py)
}
