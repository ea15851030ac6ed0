//! One call's code: started, stepped, suspended.
//!
//! Around each step, and in this order: the call's task is made asyncio's current one, the call's
//! own copy of the context is entered, the code runs, the context is left. The task stays current:
//! if nobody holds it when the call ends, the next call gets the same object and nothing is swapped.

use penstock_core::clock::Nanos;
use penstock_core::sched::CallRef;
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::batch::Entry;
use super::call_task::{CallTask, End, Waiting, cancel_future};
use super::context::Context;
use super::engine::{Host, State};
use super::raw::{self, Step};
use super::sleep::Sleep;
use super::tool::{HostTool, Mode};

/// A call that may start, with everything that starting it needs.
pub(crate) struct Granted<'py> {
    pub(crate) call: CallRef,
    pub(crate) tool: Bound<'py, HostTool>,
    context: Bound<'py, PyAny>,
    entry: Entry,
    /// What an attempt asks before its code runs.
    starting: Option<Py<PyAny>>,
    /// The spare task, and whether it is current still.
    task: Option<Bound<'py, CallTask>>,
    seated: bool,
}

impl Host {
    /// The next call whose turn it is, all of its gates taken.
    #[inline]
    pub(crate) fn grant<'py>(slf: &Bound<'py, Self>, now: Nanos) -> PyResult<Option<Granted<'py>>> {
        let (py, this) = (slf.py(), slf.get());
        loop {
            let (granted, act) = {
                let mut state = this.state.borrow(py)?;
                if state.fatal.is_some() {
                    return Ok(None); // The program is to stop: nothing starts in this turn.
                }
                let call = state.next_limited(py, now);
                let act = !state.actions.is_empty();
                (call.map(|call| state.take_up(py, call, now)), act)
            };
            if act {
                Self::act(slf)?;
            }
            match granted {
                None => return Ok(None),
                Some(Some(granted)) => return Ok(Some(granted)),
                Some(None) => {} // Its record is gone: nothing to run.
            }
        }
    }

    /// Starts a granted call; returns the time at its end, or `now` if it went on elsewhere.
    #[inline]
    pub(crate) fn start(
        slf: &Bound<'_, Self>,
        mut granted: Granted<'_>,
        now: Nanos,
    ) -> PyResult<Nanos> {
        let (py, call) = (slf.py(), granted.call);
        if let Some(starting) = granted.starting.take()
            && let Err(refused) = starting.call0(py)
        {
            return Self::reject(slf, call, refused);
        }
        granted.context = raw::copy_context(&granted.context)?;
        if granted.tool.get().own_origin {
            Self::mark_call(slf, call, &granted.context)?;
        }
        let arguments = match std::mem::replace(&mut granted.entry, Entry::Running) {
            Entry::Bare => None,
            Entry::Prepared(arguments) => Some(arguments.into_bound(py)),
            Entry::Ticket(future) => return Self::admit_ticket(slf, call, future.bind(py), now),
            _ => {
                let read = || Self::arguments_of(slf, call, granted.tool.get());
                match raw::in_context(&granted.context, read)?? {
                    Ok(arguments) if !Self::is_cancelled(slf, call)? => Some(arguments),
                    Ok(_) => return Self::finish_unstarted(slf, call),
                    Err(error) => return Self::reject(slf, call, error),
                }
            }
        };
        if granted.tool.get().mode == Mode::Call {
            return Self::start_call(slf, granted, arguments.as_ref());
        }
        let arguments = arguments.unwrap_or_else(|| PyTuple::empty(py));
        let Granted { tool, context, .. } = granted;
        match tool.get().mode {
            Mode::Inline => Self::run_inline(slf, call, tool.get(), &context, &arguments, now),
            Mode::Thread | Mode::Process | Mode::Command => {
                Self::start_job(slf, call, tool.get(), context, &arguments, now)
            }
            Mode::Call | Mode::Task => {
                Self::start_task(slf, call, tool.get(), context, &arguments, now)
            }
        }
    }

    #[inline]
    /// Whether the call was asked to end since its turn came: validators are anybody's code.
    fn is_cancelled(slf: &Bound<'_, Self>, call: CallRef) -> PyResult<bool> {
        Ok(slf
            .get()
            .state
            .borrow(slf.py())?
            .sched
            .reason(call.id)
            .is_some())
    }

    fn finish_unstarted(slf: &Bound<'_, Self>, call: CallRef) -> PyResult<Nanos> {
        let error = slf.get().asyncio.cancellation(slf.py(), None)?;
        let (verdict, payload) = End::Cancelled(error.unbind()).into_parts();
        Self::finish(slf, call, verdict, payload)
    }

    fn start_call(
        slf: &Bound<'_, Self>,
        granted: Granted<'_>,
        arguments: Option<&Bound<'_, PyTuple>>,
    ) -> PyResult<Nanos> {
        let py = slf.py();
        let Granted {
            call,
            tool,
            context,
            task,
            seated,
            ..
        } = granted;
        let task = match task {
            Some(task) => task,
            None => Bound::new(py, CallTask::new(py, slf.clone().unbind()))?,
        };
        // Calling an `async def` runs none of its code: it may be done before the context is entered.
        let tool = tool.get();
        let made = if tool.is_lazy {
            Some(invoke(slf, call, tool, arguments))
        } else {
            None
        };
        let coroutine = match made {
            Some(Err(error)) => return Self::abandon_start(slf, task, call, error),
            Some(Ok(coroutine)) => Some(coroutine),
            None => None,
        };
        {
            let mut state = task.get().cell.borrow(py)?;
            state.call = Some(call);
            state.context = Some(context.clone().unbind());
            state.coroutine = coroutine
                .as_ref()
                .map(|coroutine| coroutine.clone().unbind());
        }
        if !seated && !Self::seat(slf, &task)? {
            // Somebody runs the loop inside a task's step: asyncio allows no second current task.
            let error =
                PyRuntimeError::new_err("another task is current in the pump's own callback");
            return Self::abandon_start(slf, task, call, error);
        }
        let first = raw::in_context(&context, || match &coroutine {
            Some(coroutine) => Ok(raw::send(coroutine)),
            None => Self::first_step(slf, &task, call, tool, arguments),
        })?;
        drop((coroutine, context));
        Self::after_step(slf, task, first.unwrap_or_else(Step::Raised))
    }

    /// Calls a function that runs code before it gives an awaitable: it may look at task and context.
    fn first_step<'py>(
        slf: &Bound<'py, Self>,
        task: &Bound<'py, CallTask>,
        call: CallRef,
        tool: &HostTool,
        arguments: Option<&Bound<'py, PyTuple>>,
    ) -> PyResult<Step<'py>> {
        let made = invoke(slf, call, tool, arguments)?;
        let coroutine = if raw::is_coroutine(&made) {
            made
        } else {
            awaitable(made)?
        };
        task.get().cell.borrow(slf.py())?.coroutine = Some(coroutine.clone().unbind());
        Ok(raw::send(&coroutine))
    }

    /// Ends a call for which no coroutine could be made or stepped.
    fn abandon_start(
        slf: &Bound<'_, Self>,
        task: Bound<'_, CallTask>,
        call: CallRef,
        error: PyErr,
    ) -> PyResult<Nanos> {
        let py = slf.py();
        task.get().cell.borrow(py)?.call = Some(call);
        let end = Self::read_error(slf, error)?;
        Self::end_task(slf, task, end)
    }

    /// Steps a suspended call whose turn has come.
    pub(crate) fn resume_step(slf: &Bound<'_, Self>, task: Bound<'_, CallTask>) -> PyResult<()> {
        if !task.get().cell.borrow(slf.py())?.is_live() {
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
            (
                call,
                coroutine.clone_ref(py).into_bound(py),
                context.clone_ref(py).into_bound(py),
            )
        };
        let waited = {
            let mut state = this.state.borrow(py)?;
            state.running = Some(call);
            state.hold(call, Entry::Running)
        };
        drop(waited);
        let stepped = raw::in_context(&context, || match &error {
            None => raw::send(&coroutine),
            Some(error) => raw::throw(&coroutine, error),
        });
        drop((coroutine, context));
        match stepped {
            Ok(stepped) => Self::after_step(slf, task, stepped).map(drop),
            // Whoever wakes the call stands in its context: it is stepped when they have left.
            Err(_) => Self::put_back(slf, &task, call, error),
        }
    }

    #[inline]
    /// Lets a call that could not be stepped wait for the next turn, with what it was to be thrown.
    fn put_back(
        slf: &Bound<'_, Self>,
        task: &Bound<'_, CallTask>,
        call: CallRef,
        error: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let py = slf.py();
        {
            let mut state = task.get().cell.borrow(py)?;
            state.waiting = Waiting::Turn;
            state.throwing = error.map(Bound::unbind);
        }
        let before = {
            let mut state = slf.get().state.borrow(py)?;
            state.running = None;
            state.hold(call, Entry::Suspended(task.clone().unbind()))
        };
        drop(before);
        Self::resume(slf, task)
    }

    fn after_step(
        slf: &Bound<'_, Self>,
        task: Bound<'_, CallTask>,
        stepped: Step<'_>,
    ) -> PyResult<Nanos> {
        match stepped {
            Step::Yielded(yielded) => Self::suspend(slf, &task, &yielded),
            Step::Returned(value) => Self::end_task(slf, task, End::Value(value.unbind())),
            Step::Raised(error) => {
                let end = Self::read_error(slf, error)?;
                Self::end_task(slf, task, end)
            }
        }
    }

    /// What an error of a tool means; `KeyboardInterrupt` and `SystemExit` will leave the pump too.
    pub(crate) fn read_error(slf: &Bound<'_, Self>, error: PyErr) -> PyResult<End> {
        let (py, this) = (slf.py(), slf.get());
        let fatal = error.is_instance_of::<pyo3::exceptions::PyKeyboardInterrupt>(py)
            || error.is_instance_of::<pyo3::exceptions::PySystemExit>(py);
        if fatal {
            this.state.borrow(py)?.fatal = Some(error.clone_ref(py));
        }
        let value = error.into_value(py).into_any();
        let cancelled = this.asyncio.is_cancellation(value.bind(py));
        Ok(if cancelled {
            End::Cancelled(value)
        } else {
            End::Error(value)
        })
    }

    /// Ends the call of a task; the task is used again if nobody else holds it.
    #[inline]
    fn end_task(slf: &Bound<'_, Self>, task: Bound<'_, CallTask>, mut end: End) -> PyResult<Nanos> {
        let (py, this) = (slf.py(), slf.get());
        let held = this
            .unshared
            .get(py)
            .is_none_or(|alone| raw::references(&task) > *alone)
            || raw::is_weakly_referenced(&task);
        let (call, done_with, cancelled, held) = {
            let mut state = task.get().cell.borrow(py)?;
            let cancelled = std::mem::take(&mut state.must_cancel);
            let held = held || state.is_marked();
            // Who holds the task may ask it for both.
            let done_with = (!held).then(|| (state.coroutine.take(), state.context.take()));
            (state.call, done_with, cancelled, held)
        };
        if let Some((coroutine, context)) = done_with {
            release(py, coroutine);
            release(py, context);
        }
        if cancelled && matches!(end, End::Value(_)) {
            let message = task.get().cell.borrow(py)?.message.take();
            end = End::Cancelled(this.asyncio.cancellation(py, message.as_ref())?.unbind());
        }
        let spare = if held {
            Self::keep_end(&task, &end)?;
            None
        } else {
            let leftovers = task.get().cell.borrow(py)?.reset();
            drop(leftovers);
            Some(task.unbind())
        };
        let (verdict, payload) = end.into_parts();
        match call {
            Some(call) => Self::finish_task(slf, call, verdict, payload, spare),
            None => Ok(this.now(py)),
        }
    }

    /// Ends a suspended call by closing its coroutine. What that raises is nobody's to handle.
    pub(crate) fn close_coroutine(
        slf: &Bound<'_, Self>,
        task: Bound<'_, CallTask>,
    ) -> PyResult<()> {
        let py = slf.py();
        let (coroutine, context) = {
            let mut state = task.get().cell.borrow(py)?;
            state.waiting = Waiting::Nothing;
            let context = state.context.as_ref().map(|context| context.clone_ref(py));
            (state.coroutine.take(), context)
        };
        let (Some(coroutine), Some(context)) = (coroutine, context) else {
            return Ok(());
        };
        let coroutine = coroutine.into_bound(py);
        let closed = raw::in_context(context.bind(py), || {
            coroutine.call_method0(pyo3::intern!(py, "close"))
        })?;
        if let Err(ignored) = closed {
            ignored.write_unraisable(py, Some(&coroutine));
        }
        drop(coroutine);
        let error = slf.get().asyncio.cancellation(py, None)?.unbind();
        Self::end_task(slf, task, End::Cancelled(error))?;
        Ok(())
    }

    /// Keeps the end for those who hold the task, and runs their callbacks.
    fn keep_end(task: &Bound<'_, CallTask>, end: &End) -> PyResult<()> {
        let py = task.py();
        let kept = match end {
            End::Value(value) => End::Value(value.clone_ref(py)),
            End::Error(error) => End::Error(error.clone_ref(py)),
            End::Cancelled(error) => End::Cancelled(error.clone_ref(py)),
        };
        let callbacks = {
            let mut state = task.get().cell.borrow(py)?;
            state.end = Some(kept);
            state.take_callbacks()
        };
        CallTask::schedule_callbacks(task, callbacks)
    }

    /// The coroutine waits: for the next turn, a sleep of ours, or a future.
    fn suspend(
        slf: &Bound<'_, Self>,
        task: &Bound<'_, CallTask>,
        yielded: &Bound<'_, PyAny>,
    ) -> PyResult<Nanos> {
        let (py, this) = (slf.py(), slf.get());
        let Some(call) = task.get().cell.borrow(py)?.call else {
            return Ok(this.now(py));
        };
        let now = this.now(py);
        let held = {
            let mut state = this.state.borrow(py)?;
            state.running = None;
            state.sched.suspended(call.id, now);
            state.hold(call, Entry::Suspended(task.clone().unbind()))
        };
        drop(held);
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
        slf.get()
            .state
            .borrow(slf.py())?
            .resumed
            .push(task.clone().unbind());
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
                return Err(bad_yield(
                    "yield was used instead of yield from for generator in task",
                    task,
                    future,
                ));
            }
            _ => {
                return Err(PyRuntimeError::new_err(format!(
                    "Task got bad yield: {}",
                    shown(future)
                )));
            }
        };
        if future.is(task) {
            let text = format!("Task cannot await on itself: {}", shown(future));
            return Err(PyRuntimeError::new_err(text));
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
        if !blocking {
            return Err(bad_yield(
                "yield was used instead of yield from in task",
                task,
                future,
            ));
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
            if state
                .current
                .as_ref()
                .is_some_and(|current| current.is(task))
            {
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

    /// After this, asyncio has no current task: for code that runs in none of ours.
    pub(crate) fn unseat(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let current = this.state.borrow(py)?.current.take();
        match current {
            Some(task) => this.asyncio.leave(task.bind(py).as_any()),
            None => Ok(()),
        }
    }
}

impl State {
    /// Reads what starting a granted call needs, and marks it as running.
    #[inline]
    fn take_up<'py>(&mut self, py: Python<'py>, call: CallRef, now: Nanos) -> Option<Granted<'py>> {
        let place = (call.tool.0 as usize).checked_sub(1)?;
        let tool = self.tools.get(place)?.bind(py).clone();
        let mode = tool.get().mode;
        self.counts.modes[mode as usize] += 1;
        self.counts.first.get_or_insert(now);
        let record = self.record_mut(call.batch)?;
        let context = record.context.bind(py).clone();
        let of = record.attempt.as_ref();
        let starting = of.and_then(|of| Some(of.starting.as_ref()?.clone_ref(py)));
        let place = &mut record.entries[call.index as usize];
        let entry = match place {
            Entry::Ticket(future) => Entry::Ticket(future.clone_ref(py)),
            _ => std::mem::replace(place, Entry::Running),
        };
        let is_told = record.log.is_some() || record.attempt.is_some();
        if is_told || self.logs.is_towered() {
            self.note_start(py, call, now);
        }
        self.running = Some(call);
        let (mut task, mut seated) = (None, false);
        if mode == Mode::Call {
            task = self.spare.take().map(|spare| spare.into_bound(py));
            seated = task
                .as_ref()
                .zip(self.current.as_ref())
                .is_some_and(|(a, b)| b.is(a));
            *(if task.is_some() {
                &mut self.counts.tasks_reused
            } else {
                &mut self.counts.tasks_made
            }) += 1;
        }
        Some(Granted {
            call,
            tool,
            context,
            entry,
            starting,
            task,
            seated,
        })
    }
}

/// Calls the tool's function with validated arguments.
pub(crate) fn invoke<'py>(
    host: &Bound<'py, Host>,
    call: CallRef,
    tool: &HostTool,
    arguments: Option<&Bound<'py, PyTuple>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = host.py();
    let (function, parameters) = (tool.function.bind(py), &tool.parameters);
    if tool.is_layered {
        let arguments = arguments.map_or_else(|| PyTuple::empty(py), Bound::clone);
        return function.call1((Context::of(host, call)?, arguments));
    }
    let nothing;
    let arguments = match arguments {
        Some(arguments) => arguments,
        None if !parameters.wants_context => return function.call0(),
        None => {
            nothing = PyTuple::empty(py);
            &nothing
        }
    };
    if parameters.extras {
        let values = arguments.get_item(0)?.cast_into::<PyTuple>()?;
        let named = arguments.get_item(1)?.cast_into::<PyDict>()?;
        let keywords = parameters
            .keywords
            .as_ref()
            .map(|keywords| keywords.bind(py));
        let context = if parameters.wants_context {
            Some(Context::of(host, call)?)
        } else {
            None
        };
        let context = context.map(Bound::unbind);
        return call_with_extras(function, &values, named, keywords, context.as_ref());
    }
    let keywords = parameters
        .keywords
        .as_ref()
        .map(|keywords| keywords.bind(py));
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
    if let Some(start) = made.getattr_opt(pyo3::intern!(made.py(), "__await__"))? {
        start.call0()
    } else {
        let text = format!("a coroutine was expected, got {}", shown(&made));
        Err(PyTypeError::new_err(text))
    }
}

/// Drops an object that is known to be on an attached thread: cheaper than finding that out.
#[inline]
pub(crate) fn release<T>(py: Python<'_>, object: Option<Py<T>>) {
    if let Some(object) = object {
        object.drop_ref(py);
    }
}

fn bad_yield(what: &str, task: &Bound<'_, CallTask>, yielded: &Bound<'_, PyAny>) -> PyErr {
    let text = format!("{what} {} with {}", shown(task.as_any()), shown(yielded));
    PyRuntimeError::new_err(text)
}

pub(crate) fn shown(object: &Bound<'_, PyAny>) -> String {
    object.repr().map_or_else(
        |_| "<an object without repr>".into(),
        |text| text.to_string(),
    )
}
