//! One call's code: started, stepped, suspended.
//!
//! Around each step, and in this order: the call's task is made asyncio's current one, the call's
//! own copy of the context is entered, the code runs, the context is left. The task stays current:
//! if nobody holds it when the call ends, the next call gets the same object and nothing is swapped.

use penstock_core::clock::Nanos;
use penstock_core::sched::{CallRef, Verdict};
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::batch::{Entry, Fact};
use super::call_task::{CallTask, End, Waiting, cancel_future};
use super::context::Context;
use super::engine::Host;
use super::raw::{self, Step};
use super::sleep::Sleep;
use super::tool::{HostTool, Mode};
use crate::calls::Payload;

impl Host {
    /// Starts a granted call; returns the time at its end, or `now` if it went on elsewhere.
    pub(crate) fn start(slf: &Bound<'_, Self>, call: CallRef, now: Nanos) -> PyResult<Nanos> {
        let (py, this) = (slf.py(), slf.get());
        let (tool, context, origin, entry) = {
            let mut state = this.state.borrow(py)?;
            let Some(tool) = state.tool(call) else { return Ok(now) };
            state.counts.modes[tool.mode as usize] += 1;
            state.counts.first.get_or_insert(now);
            let Some(record) = state.record_mut(call.batch) else { return Ok(now) };
            let context = record.context.clone_ref(py);
            let origin = record.origin.as_ref().map(|origin| origin.clone_ref(py));
            let place = &mut record.entries[call.index as usize];
            let entry = match place {
                Entry::Ticket(future) => Entry::Ticket(future.clone_ref(py)),
                _ => std::mem::replace(place, Entry::Running),
            };
            (tool, context, origin, entry)
        };
        Self::log(slf, call, Fact::Started, now)?;
        let arguments = match entry {
            Entry::Prepared(arguments) => arguments.into_bound(py),
            Entry::Ticket(future) => return Self::admit_ticket(slf, call, future.bind(py), now),
            _ => match Self::arguments_of(slf, call, &tool)? {
                Ok(arguments) => arguments,
                Err(error) => return Self::reject(slf, call, error),
            },
        };
        let context = Self::context_for(slf, call, context.bind(py), origin)?;
        match tool.mode {
            Mode::Call => Self::start_call(slf, call, &tool, context, &arguments),
            Mode::Task => Self::start_task(slf, call, &tool, context, &arguments, now),
            Mode::Inline => Self::run_inline(slf, call, &tool, &context, &arguments, now),
            Mode::Thread => Self::start_thread(slf, call, &tool, context, &arguments, now),
        }
    }

    fn start_call(
        slf: &Bound<'_, Self>,
        call: CallRef,
        tool: &HostTool,
        context: Bound<'_, PyAny>,
        arguments: &Bound<'_, PyTuple>,
    ) -> PyResult<Nanos> {
        let (py, this) = (slf.py(), slf.get());
        let task = Self::take_task(slf)?;
        {
            let mut state = task.get().cell.borrow(py)?;
            state.call = Some(call);
            state.context = Some(context.clone().unbind());
        }
        if !Self::seat(slf, &task)? {
            // Somebody runs the loop inside a task's step: asyncio allows no second current task.
            let error = PyRuntimeError::new_err("another task is current in the pump's own callback");
            let payload = Payload::Error(error.into_value(py).into_any());
            return Self::finish(slf, call, Verdict::Raised, payload);
        }
        this.state.borrow(py)?.running = Some(call);
        // The function itself may look at task and context: a plain `def` around a coroutine does.
        let first = raw::in_context(&context, || {
            let made = invoke(slf, call, tool, arguments)?;
            let coroutine = if raw::is_coroutine(&made) { made } else { awaitable(made)? };
            task.get().cell.borrow(py)?.coroutine = Some(coroutine.clone().unbind());
            Ok(raw::send(&coroutine))
        })?;
        Self::after_step(slf, task, first.unwrap_or_else(Step::Raised))
    }

    /// Steps a suspended call whose turn has come.
    pub(crate) fn resume_step(slf: &Bound<'_, Self>, task: Bound<'_, CallTask>) -> PyResult<()> {
        if task.get().cell.borrow(slf.py())?.coroutine.is_none() {
            return Ok(()); // Resumed twice: it ended with the first.
        }
        if !Self::seat(slf, &task)? {
            return Self::resume(slf, &task);
        }
        Self::step(slf, task)
    }

    /// One step of a suspended call; its task is current.
    pub(crate) fn step(slf: &Bound<'_, Self>, task: Bound<'_, CallTask>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let error = task.get().next_error(py)?;
        let (call, coroutine, context) = {
            let mut state = task.get().cell.borrow(py)?;
            state.waiting = Waiting::Nothing;
            let (Some(call), Some(coroutine), Some(context)) =
                (state.call, &state.coroutine, &state.context)
            else {
                return Ok(());
            };
            (call, coroutine.clone_ref(py).into_bound(py), context.clone_ref(py).into_bound(py))
        };
        let waited = {
            let mut state = this.state.borrow(py)?;
            state.running = Some(call);
            state.entry_mut(call).map(|entry| std::mem::replace(entry, Entry::Running))
        };
        drop(waited);
        let stepped = raw::in_context(&context, || match &error {
            None => raw::send(&coroutine),
            Some(error) => raw::throw(&coroutine, error),
        })?;
        drop((coroutine, context));
        Self::after_step(slf, task, stepped)?;
        Ok(())
    }

    fn after_step(
        slf: &Bound<'_, Self>,
        task: Bound<'_, CallTask>,
        stepped: Step<'_>,
    ) -> PyResult<Nanos> {
        let py = slf.py();
        slf.get().state.borrow(py)?.running = None;
        match stepped {
            Step::Yielded(yielded) => Self::suspend(slf, &task, &yielded),
            Step::Returned(value) => {
                let cancelled = std::mem::take(&mut task.get().cell.borrow(py)?.must_cancel);
                if cancelled {
                    let message = task.get().cell.borrow(py)?.message.take();
                    let error = slf.get().asyncio.cancellation(py, message.as_ref())?;
                    return Self::end_task(slf, task, End::Cancelled(error.unbind()));
                }
                Self::end_task(slf, task, End::Value(value.unbind()))
            }
            Step::Raised(error) => {
                let end = Self::read_error(slf, error)?;
                Self::end_task(slf, task, end)
            }
        }
    }

    /// What an error of a tool means; KeyboardInterrupt and SystemExit will leave the pump too.
    pub(crate) fn read_error(slf: &Bound<'_, Self>, error: PyErr) -> PyResult<End> {
        let (py, this) = (slf.py(), slf.get());
        let fatal = error.is_instance_of::<pyo3::exceptions::PyKeyboardInterrupt>(py)
            || error.is_instance_of::<pyo3::exceptions::PySystemExit>(py);
        if fatal {
            this.state.borrow(py)?.fatal = Some(error.clone_ref(py));
        }
        let value = error.into_value(py).into_any();
        let cancelled = this.asyncio.is_cancellation(value.bind(py));
        Ok(if cancelled { End::Cancelled(value) } else { End::Error(value) })
    }

    /// Ends the call of a task; the task is used again if nobody else holds it.
    fn end_task(slf: &Bound<'_, Self>, task: Bound<'_, CallTask>, end: End) -> PyResult<Nanos> {
        let (py, this) = (slf.py(), slf.get());
        let (call, coroutine, context) = {
            let mut state = task.get().cell.borrow(py)?;
            (state.call, state.coroutine.take(), state.context.take())
        };
        drop((coroutine, context));
        let (verdict, payload) = match &end {
            End::Value(value) => (Verdict::Returned, Payload::Value(value.clone_ref(py))),
            End::Error(error) => (Verdict::Raised, Payload::Error(error.clone_ref(py))),
            End::Cancelled(error) => (Verdict::Cancelled, Payload::Error(error.clone_ref(py))),
        };
        let held = this.unshared.get(py).is_none_or(|alone| raw::references(&task) > *alone);
        if held || raw::is_weakly_referenced(&task) {
            let callbacks = {
                let mut state = task.get().cell.borrow(py)?;
                state.end = Some(end);
                state.take_callbacks()
            };
            CallTask::schedule_callbacks(&task, callbacks)?;
        } else {
            let leftovers = task.get().cell.borrow(py)?.reset();
            drop((leftovers, end));
            let spare = this.state.borrow(py)?.spare.replace(task.unbind());
            drop(spare);
        }
        match call {
            Some(call) => Self::finish(slf, call, verdict, payload),
            None => Ok(this.now(py)),
        }
    }

    /// The coroutine waits: for the next turn, a sleep of ours, or a future.
    fn suspend(
        slf: &Bound<'_, Self>,
        task: &Bound<'_, CallTask>,
        yielded: &Bound<'_, PyAny>,
    ) -> PyResult<Nanos> {
        let (py, this) = (slf.py(), slf.get());
        let Some(call) = task.get().cell.borrow(py)?.call else { return Ok(this.now(py)) };
        let now = this.now(py);
        let held = {
            let mut state = this.state.borrow(py)?;
            state.sched.suspended(call.id, now);
            let held = Entry::Suspended(task.clone().unbind());
            match state.entry_mut(call) {
                Some(entry) => Some(std::mem::replace(entry, held)),
                None => state.detached.insert(call.id, held),
            }
        };
        drop(held);
        Self::keep_origin(slf, call)?;
        if yielded.is_none() {
            return Self::wait_turn(slf, task).map(|()| now);
        }
        if let Ok(sleep) = yielded.cast_exact::<Sleep>() {
            let due = now.saturating_add(sleep.get().span);
            return Self::wait_sleep(slf, task, call, due).map(|()| now);
        }
        if let Err(error) = Self::wait_future(slf, task, yielded) {
            task.get().cell.borrow(py)?.throwing = Some(error.into_value(py).into_any());
            Self::wait_turn(slf, task)?;
        }
        Ok(now)
    }

    fn wait_turn(slf: &Bound<'_, Self>, task: &Bound<'_, CallTask>) -> PyResult<()> {
        task.get().cell.borrow(slf.py())?.waiting = Waiting::Turn;
        slf.get().state.borrow(slf.py())?.resumed.push(task.clone().unbind());
        Ok(())
    }

    fn wait_sleep(
        slf: &Bound<'_, Self>,
        task: &Bound<'_, CallTask>,
        call: CallRef,
        due: Nanos,
    ) -> PyResult<()> {
        let py = slf.py();
        if task.get().cell.borrow(py)?.must_cancel {
            return Self::wait_turn(slf, task);
        }
        task.get().cell.borrow(py)?.waiting = Waiting::Sleep;
        slf.get().state.borrow(py)?.sched.sleep(call.id, due);
        Ok(())
    }

    /// Waits for a future by asyncio's protocol; the errors are asyncio's, word for word.
    fn wait_future(
        slf: &Bound<'_, Self>,
        task: &Bound<'_, CallTask>,
        future: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let flag = pyo3::intern!(py, "_asyncio_future_blocking");
        let blocking = match future.getattr_opt(flag)? {
            Some(blocking) if !blocking.is_none() => blocking.is_truthy()?,
            _ if raw::is_generator(future) => {
                return Err(bad_yield("yield was used instead of yield from for generator in task", task, future));
            }
            _ => return Err(PyRuntimeError::new_err(format!("Task got bad yield: {}", shown(future)))),
        };
        if future.is(task) {
            let text = format!("Task cannot await on itself: {}", shown(future));
            return Err(PyRuntimeError::new_err(text));
        }
        if !blocking {
            return Err(bad_yield("yield was used instead of yield from in task", task, future));
        }
        let its_loop = future.call_method0(pyo3::intern!(py, "get_loop"));
        if its_loop.is_ok_and(|its_loop| !its_loop.is(&this.asyncio.event_loop)) {
            let text = format!(
                "Task {} got Future {} attached to a different loop",
                shown(task.as_any()),
                shown(future)
            );
            return Err(PyRuntimeError::new_err(text));
        }
        future.setattr(flag, false)?;
        task.get().cell.borrow(py)?.waiting = Waiting::Future(future.clone().unbind());
        this.asyncio.add_done_callback(future, task.as_any())?;
        Self::pass_cancel_on(task, future)
    }

    /// A cancellation that was asked during the step goes to what the step awaits.
    fn pass_cancel_on(task: &Bound<'_, CallTask>, future: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = task.py();
        let message = {
            let state = task.get().cell.borrow(py)?;
            if !state.must_cancel {
                return Ok(());
            }
            state.message.as_ref().map(|message| message.clone_ref(py))
        };
        if cancel_future(future, message.as_ref().map(|message| message.bind(py)))? {
            task.get().cell.borrow(py)?.must_cancel = false;
        }
        Ok(())
    }

    /// Makes a task asyncio's current one. False if somebody else's is current.
    #[inline]
    pub(crate) fn seat(slf: &Bound<'_, Self>, task: &Bound<'_, CallTask>) -> PyResult<bool> {
        let (py, this) = (slf.py(), slf.get());
        let before = {
            let mut state = this.state.borrow(py)?;
            if state.current.as_ref().is_some_and(|current| current.is(task)) {
                return Ok(true);
            }
            state.current.take()
        };
        let entered = {
            let before = before.as_ref().map(|before| before.bind(py).as_any());
            this.asyncio.enter(before, task.as_any())?
        };
        drop(before);
        if entered {
            this.state.borrow(py)?.current = Some(task.clone().unbind());
        }
        Ok(entered)
    }

    /// The spare call task, or a new one.
    fn take_task<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, CallTask>> {
        let (py, this) = (slf.py(), slf.get());
        {
            let mut state = this.state.borrow(py)?;
            if let Some(task) = state.spare.take() {
                state.counts.tasks_reused += 1;
                return Ok(task.into_bound(py));
            }
            state.counts.tasks_made += 1;
        }
        Bound::new(py, CallTask::new(slf.clone().unbind()))
    }
}

/// Calls the tool's function with validated arguments.
pub(crate) fn invoke<'py>(
    host: &Bound<'py, Host>,
    call: CallRef,
    tool: &HostTool,
    arguments: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = host.py();
    let (function, parameters) = (tool.function.bind(py), &tool.parameters);
    if parameters.extras {
        let values = arguments.get_item(0)?.cast_into::<PyTuple>()?;
        let named = arguments.get_item(1)?.cast_into::<PyDict>()?;
        let keywords = parameters.keywords.as_ref().map(|keywords| keywords.bind(py));
        let context = if parameters.wants_context { Some(Context::of(host, call)?) } else { None };
        let context = context.map(Bound::unbind);
        return call_with_extras(function, &values, named, keywords, context.as_ref());
    }
    let keywords = parameters.keywords.as_ref().map(|keywords| keywords.bind(py));
    if !parameters.wants_context {
        return raw::call(function, arguments, keywords);
    }
    let mut values: Vec<Bound<'py, PyAny>> = arguments.iter().collect();
    values.push(Context::of(host, call)?.into_any());
    raw::call(function, &PyTuple::new(py, values)?, keywords)
}

/// Calls a function that takes `**extras`; the last of `keywords` is the Context's, if there is one.
pub(crate) fn call_with_extras<'py>(
    function: &Bound<'py, PyAny>,
    values: &Bound<'py, PyTuple>,
    extras: Bound<'py, PyDict>,
    keywords: Option<&Bound<'py, PyTuple>>,
    context: Option<&Py<Context>>,
) -> PyResult<Bound<'py, PyAny>> {
    let mut names: Vec<_> = keywords.map_or_else(Vec::new, |keywords| keywords.iter().collect());
    if let Some(context) = context
        && let Some(name) = names.pop()
    {
        extras.set_item(name, context)?;
    }
    let positional = values.len().saturating_sub(names.len());
    for (name, value) in names.iter().zip(values.iter().skip(positional)) {
        extras.set_item(name, value)?;
    }
    function.call(values.get_slice(0, positional), Some(&extras))
}

/// What steps any awaitable; asyncio's error for anything else.
fn awaitable(made: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    match made.getattr_opt(pyo3::intern!(made.py(), "__await__"))? {
        Some(start) => start.call0(),
        None => {
            let text = format!("a coroutine was expected, got {}", shown(&made));
            Err(PyTypeError::new_err(text))
        }
    }
}

fn bad_yield(what: &str, task: &Bound<'_, CallTask>, yielded: &Bound<'_, PyAny>) -> PyErr {
    let text = format!("{what} {} with {}", shown(task.as_any()), shown(yielded));
    PyRuntimeError::new_err(text)
}

pub(crate) fn shown(object: &Bound<'_, PyAny>) -> String {
    object.repr().map_or_else(|_| "<an object without repr>".into(), |text| text.to_string())
}
