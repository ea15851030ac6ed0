//! The inbox: the one thing of an engine that other threads may touch.
//!
//! Threads push what their jobs gave and wake the loop once a burst: the flag is cleared *before*
//! the drain, so a push during the drain wakes again and nothing is left lying.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use penstock_core::limit::{Cost, Feedback};
use penstock_core::sched::{CallRef, Verdict};
use pyo3::prelude::*;

use super::engine::Host;
use super::modes::plain_value;
use super::tell::Told;
use crate::calls::Payload;

/// What a thread has to say about a call.
pub(crate) enum Message {
    Ended(CallRef, PyResult<Py<PyAny>>),
    Told(CallRef, Told),
    /// What the provider answered, and what the call took.
    Answered(CallRef, Option<Box<Feedback>>, Option<Box<Cost>>),
}

pub(crate) struct Inbox {
    messages: Mutex<Vec<Message>>,
    woken: AtomicBool,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self {
            messages: Mutex::new(Vec::new()),
            woken: AtomicBool::new(false),
        }
    }

    /// Leaves a message; true if the loop must be woken by the one who left it.
    pub(crate) fn push(&self, message: Message) -> bool {
        // Nothing can panic while the lock is held, so a poisoned list is whole.
        self.messages
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(message);
        !self.woken.swap(true, Ordering::AcqRel)
    }

    fn take(&self) -> Vec<Message> {
        if !self.woken.swap(false, Ordering::AcqRel) {
            return Vec::new();
        }
        std::mem::take(&mut *self.messages.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Host {
    /// Ends the calls whose threads are done, and hears what the others tell.
    pub(crate) fn read_inbox(slf: &Bound<'_, Self>) -> PyResult<()> {
        let mut read = Ok(());
        for message in slf.get().inbox.take() {
            let told = match message {
                Message::Ended(call, Ok(value)) => Self::end_returned(slf, call, value),
                Message::Ended(call, Err(error)) => {
                    Self::end_with_error(slf, call, error).map(drop)
                }
                Message::Told(call, told) => Self::hear_told(slf, call, told),
                Message::Answered(call, feedback, actual) => {
                    Self::note_answer(slf, call, feedback, actual.map(|actual| *actual))
                }
            };
            read = read.and(told); // one that fails loses no other
        }
        read
    }

    fn end_returned(slf: &Bound<'_, Self>, call: CallRef, value: Py<PyAny>) -> PyResult<()> {
        let py = slf.py();
        let tool = slf.get().state.borrow(py)?.tool(py, call);
        let value = match tool {
            Some(tool) => plain_value(tool.get(), value.into_bound(py)),
            None => Ok(value.into_bound(py)),
        };
        match value {
            Ok(value) => {
                let payload = Payload::Value(value.unbind());
                Self::finish(slf, call, Verdict::Returned, payload)?;
            }
            Err(error) => {
                Self::end_with_error(slf, call, error)?;
            }
        }
        Ok(())
    }
}
