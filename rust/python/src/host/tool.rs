//! What the host keeps of a tool.

use penstock_core::sched::ToolId;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use crate::convert;

/// Where a tool's code runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A coroutine, stepped by the pump in a task object of our own.
    Call,
    /// A coroutine in a real `asyncio.Task`.
    Task,
    /// A plain function that never blocks, run in the pump.
    Inline,
    /// A plain function, in a thread of the pool.
    Thread,
    /// A plain function, in a process of its own kind.
    Process,
    /// A plain function that says which program to run.
    Command,
}

impl Mode {
    pub(crate) const COUNT: usize = 6;

    pub(crate) const ALL: [(Self, &'static str); Self::COUNT] = [
        (Self::Call, "call"),
        (Self::Task, "task"),
        (Self::Inline, "inline"),
        (Self::Thread, "thread"),
        (Self::Process, "process"),
        (Self::Command, "command"),
    ];

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(mode, _)| *mode)
    }
}

/// What calls of tools that do not exist are counted for: no tool of anybody's.
pub(crate) const UNKNOWN_TOOL: ToolId = ToolId(0);

/// A tool of one engine. An object of its own, because a call must not hold the state while it reads
/// this; Python's count of references is cheaper than an atomic one.
#[pyclass(frozen, module = "penstock._native")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "questions on a call's path, answered once"
)]
pub(crate) struct HostTool {
    pub(crate) id: ToolId,
    pub(crate) name: Py<PyString>,
    pub(crate) function: Py<PyAny>,
    pub(crate) mode: Mode,
    pub(crate) priority: u8,
    pub(crate) timeout_seconds: f64,
    /// The largest result that it may have; no bound of its own: the greatest number.
    pub(crate) value_bytes: u64,
    /// Whether each call is named in its own context, not only in its batch's: it holds a gate that
    /// others may wait for, or runs in a task of asyncio's own.
    pub(crate) own_origin: bool,
    /// Whether its calls in their callers' tasks need a ticket: they have limits, or own an origin.
    pub(crate) needs_ticket: bool,
    /// Whether its function is the policies around its attempts, and takes `(Context, arguments)`.
    pub(crate) is_layered: bool,
    /// The tool of its attempts, if it is layered.
    pub(crate) attempts: Option<ToolId>,
    /// Whether its calls are attempts of another tool's: no tool of anybody's.
    pub(crate) is_hidden: bool,
    /// Whether calling the function runs none of its code: it is an `async def`.
    pub(crate) is_lazy: bool,
    pub(crate) parameters: Parameters,
}

/// What a tool is in its engine, beyond what it says of itself.
#[derive(Default)]
pub(crate) struct Role<'a, 'py> {
    pub(crate) own_origin: bool,
    pub(crate) is_limited: bool,
    pub(crate) is_hidden: bool,
    pub(crate) layers: Option<&'a Bound<'py, PyAny>>,
    pub(crate) attempts: Option<ToolId>,
}

/// How a tool's validated arguments become the arguments of its function.
pub(crate) struct Parameters {
    /// In the order of the signature, without the Context and without `**extras`.
    pub(crate) names: Vec<Py<PyString>>,
    /// The names of the last arguments when some can only be passed by name, the Context included.
    pub(crate) keywords: Option<Py<PyTuple>>,
    /// Whether the last of `keywords` wants the call's `Context`.
    pub(crate) wants_context: bool,
    /// Whether unknown names are let through: then arguments are `(args, kwargs)`.
    pub(crate) extras: bool,
    /// Methods of the tool's pydantic-core validator.
    pub(crate) validate_json: Py<PyAny>,
    pub(crate) validate_python: Py<PyAny>,
    /// Turns pydantic's error into `InvalidArguments`.
    pub(crate) explain: Py<PyAny>,
}

impl Parameters {
    /// Nothing to pass: such a call needs no validation when it comes without arguments.
    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty() && !self.extras
    }

    /// Reads the attributes of a `penstock.tools.Tool`.
    pub(crate) fn read(tool: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = tool.py();
        let names: Vec<Bound<'_, PyString>> = tool.getattr("parameters")?.extract()?;
        let keyword_only: usize = tool.getattr("keyword_only")?.extract()?;
        let context: Option<Bound<'_, PyString>> = tool.getattr("context_parameter")?.extract()?;
        let first = names.len() - keyword_only.min(names.len());
        let mut keywords: Vec<_> = names[first..].to_vec();
        let wants_context = context.is_some();
        keywords.extend(context);
        let keywords = (!keywords.is_empty())
            .then(|| PyTuple::new(py, keywords))
            .transpose()?;
        let validator = tool.getattr("validator")?;
        Ok(Self {
            names: names.into_iter().map(Bound::unbind).collect(),
            keywords: keywords.map(Bound::unbind),
            wants_context,
            extras: tool.getattr("extras")?.extract()?,
            validate_json: validator.getattr("validate_json")?.unbind(),
            validate_python: validator.getattr("validate_python")?.unbind(),
            explain: tool.getattr("explain")?.unbind(),
        })
    }
}

impl HostTool {
    /// Reads the attributes of a `penstock.tools.Tool`; `mode` may differ from the one it declares.
    pub(crate) fn read(
        tool: &Bound<'_, PyAny>,
        id: ToolId,
        mode: Mode,
        role: Role<'_, '_>,
    ) -> PyResult<Self> {
        let timeout: Option<Bound<'_, PyAny>> = tool.getattr("timeout")?.extract()?;
        let timeout = timeout
            .map(|seconds| convert::timeout(&seconds))
            .transpose()?
            .filter(|_| role.layers.is_none()); // that of its attempts
        let value_bytes: Option<u64> = tool.getattr("value_bytes")?.extract()?;
        let function = match role.layers {
            Some(layers) => layers.clone(),
            None => tool.getattr("function")?,
        };
        Ok(Self {
            id,
            name: tool.getattr("name")?.cast_into::<PyString>()?.unbind(),
            is_lazy: is_lazy(&function)?,
            function: function.unbind(),
            mode,
            own_origin: role.own_origin,
            needs_ticket: role.own_origin || role.is_limited,
            is_layered: role.layers.is_some(),
            attempts: role.attempts,
            is_hidden: role.is_hidden,
            priority: convert::priority(&tool.getattr("priority")?)?,
            timeout_seconds: timeout.map_or(0.0, convert::seconds),
            value_bytes: value_bytes.unwrap_or(u64::MAX),
            parameters: Parameters::read(tool)?,
        })
    }
}

/// Whether a function is an `async def` itself, not something that makes coroutines by running code.
fn is_lazy(function: &Bound<'_, PyAny>) -> PyResult<bool> {
    const CO_COROUTINE: u32 = 0x80;
    let types = function.py().import("types")?;
    let known = function.is_instance(&types.getattr("FunctionType")?)?
        || function.is_instance(&types.getattr("MethodType")?)?;
    if !known {
        return Ok(false);
    }
    let Some(code) = function.getattr_opt("__code__")? else {
        return Ok(false);
    };
    Ok(code.getattr("co_flags")?.extract::<u32>()? & CO_COROUTINE != 0)
}

#[pymethods]
impl HostTool {
    /// Tools are often closures over the engine that runs them: the collector must see the way.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.function)?;
        visit.call(&self.parameters.validate_json)?;
        visit.call(&self.parameters.validate_python)?;
        visit.call(&self.parameters.explain)
    }
}
