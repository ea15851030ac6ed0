//! How large a value is, about: what its JSON would take, and what it takes in memory.
//!
//! Ground rules. Each result of a call is looked at, so this borrows what it walks and counts no
//! references. It looks at 64 nodes at most, and at 16 even samples of a longer list: so it costs the
//! same for every value. No code of anybody's runs, but `nbytes` and `__dict__` of a value that JSON
//! does not know, and that before anything is borrowed.
//!
//! Invariants:
//! 1. The value is held by the caller, and the interpreter by this thread. Until `walk` returns no
//!    other code runs, so what containers hold stays where it is.
//! 2. Every pointer is checked for its type before it is taken for one.
#![allow(
    unsafe_code,
    reason = "a walk by borrowed pointers: a safe one costs five times as much a node"
)]

use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyDict, PyFrozenSet, PySet};

const MOST_NODES: u32 = 64;
const SAMPLES: usize = 16;

/// What objects take beside what is in them: headers, and the collector's.
const OBJECT: u64 = 48;
const STRING: u64 = 49;
const BYTES: u64 = 33;
const POINTER: u64 = 8;
/// A place in a dict, with its share of the index.
const DICT_PLACE: u64 = 32;
const NUMBER: u64 = 28;
/// A float, a bool or None as JSON, and a number of more than 64 bits.
const SHORT: u64 = 8;
const LONG: u64 = 20;
/// A key, with its quotes.
const KEY: u64 = 12;

/// Bytes of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// As JSON, as text or as it is; exact for bytes and for text in ASCII.
    pub(crate) encoded: u64,
    /// In memory; nothing for what every value has, a number or None.
    pub(crate) resident: u64,
}

impl Size {
    const fn new(encoded: u64, resident: u64) -> Self {
        Self { encoded, resident }
    }

    /// Of bytes or text that take so many bytes themselves.
    const fn flat(own: u64, length: u64) -> Self {
        Self::new(length, own + length)
    }

    /// Of a container that takes `own`, and of whose `count` parts `seen` were looked at.
    fn of_parts(own: u64, count: usize, seen: usize, parts: Self) -> Self {
        let (count, seen) = (count as u64, seen as u64);
        if seen == count {
            return Self::new(2 + parts.encoded, own + parts.resident);
        }
        // What nobody looked at has at least its separator.
        let Some(encoded) = parts.encoded.saturating_mul(count).checked_div(seen) else {
            return Self::new(2 + 2 * count, own);
        };
        let resident = parts.resident.saturating_mul(count) / seen;
        Self::new(2 + encoded, own + resident)
    }

    fn add(&mut self, other: Self) {
        self.encoded += other.encoded + 1;
        self.resident += other.resident;
    }
}

/// Returns about how large the JSON of a value is, without looking at keys and digits: for each result,
/// to find out whether it is worth a closer look.
#[inline]
pub(crate) fn glance(value: &Bound<'_, PyAny>) -> u64 {
    glimpse(value.as_ptr(), &mut { MOST_NODES })
}

/// Most of what is in a result is text and whole numbers: those need no call.
#[expect(
    clippy::inline_always,
    reason = "a third faster, as measured, at every result"
)]
#[inline(always)]
fn glimpse(value: *mut ffi::PyObject, nodes: &mut u32) -> u64 {
    *nodes = nodes.saturating_sub(1);
    // SAFETY: both invariants; the statics are types of the interpreter.
    unsafe {
        let kind = ffi::Py_TYPE(value);
        if kind == &raw mut ffi::PyUnicode_Type {
            let length = ffi::PyUnicode_GET_LENGTH(value).unsigned_abs() as u64;
            return length * u64::from(ffi::PyUnicode_KIND(value));
        }
        if kind == &raw mut ffi::PyLong_Type || value == ffi::Py_None() {
            return SHORT;
        }
        glimpse_further(value, kind, nodes)
    }
}

/// # Safety
///
/// `kind` is the type of the value; see the invariants.
unsafe fn glimpse_further(
    value: *mut ffi::PyObject,
    kind: *mut ffi::PyTypeObject,
    nodes: &mut u32,
) -> u64 {
    // SAFETY: as this function's.
    unsafe {
        if ffi::PyDict_Check(value) != 0 {
            return glimpse_dict(value, nodes);
        }
        if ffi::PyList_Check(value) != 0 {
            let count = ffi::PyList_GET_SIZE(value).unsigned_abs();
            return glimpse_row(count, nodes, |at| ffi::PyList_GET_ITEM(value, at));
        }
        if kind == &raw mut ffi::PyBool_Type || kind == &raw mut ffi::PyFloat_Type {
            return SHORT;
        }
        if ffi::PyTuple_Check(value) != 0 {
            let count = ffi::PyTuple_GET_SIZE(value).unsigned_abs();
            return glimpse_row(count, nodes, |at| ffi::PyTuple_GET_ITEM(value, at));
        }
        if ffi::PyBytes_Check(value) != 0 {
            return ffi::PyBytes_Size(value).unsigned_abs() as u64;
        }
    }
    u64::MAX // look closer
}

/// # Safety
///
/// It is a dict; see the invariants.
unsafe fn glimpse_dict(dict: *mut ffi::PyObject, nodes: &mut u32) -> u64 {
    let (mut place, mut item) = (0, ptr::null_mut());
    let (mut seen, mut total) = (0, 0_u64);
    // SAFETY: as this function's; what it borrows is used before anything can change the dict.
    unsafe {
        while seen < SAMPLES as u64
            && *nodes > 0
            && ffi::PyDict_Next(dict, &raw mut place, ptr::null_mut(), &raw mut item) != 0
        {
            total = total
                .saturating_add(glimpse(item, nodes))
                .saturating_add(KEY);
            seen += 1;
        }
        whole(total, seen, ffi::PyDict_Size(dict).unsigned_abs() as u64)
    }
}

fn glimpse_row(count: usize, nodes: &mut u32, item: impl Fn(isize) -> *mut ffi::PyObject) -> u64 {
    let step = if count <= SAMPLES { 1 } else { count / SAMPLES };
    let (mut seen, mut at, mut total) = (0, 0, 0_u64);
    while seen < SAMPLES && at < count && *nodes > 0 {
        total = total.saturating_add(glimpse(item(at.cast_signed()), nodes));
        seen += 1;
        at += step;
    }
    whole(total, seen as u64, count as u64)
}

/// All parts, by those that were looked at.
#[inline]
fn whole(total: u64, seen: u64, count: u64) -> u64 {
    if seen == count {
        return total;
    }
    let each = total.checked_div(seen).unwrap_or(SHORT);
    each.saturating_mul(count)
}

/// Returns about how large a value is.
#[inline]
pub(crate) fn measure(value: &Bound<'_, PyAny>) -> Size {
    if value.is_none() {
        return Size::new(SHORT, 0);
    }
    let mut nodes = MOST_NODES;
    match walk(value.as_ptr(), &mut nodes) {
        Node::Text(size) | Node::Other(size) => size,
        Node::Number(size) => Size::new(size.encoded, 0),
        Node::Foreign => foreign_size(value),
    }
}

enum Node {
    Text(Size),
    Number(Size),
    Other(Size),
    /// What JSON does not know.
    Foreign,
}

impl Node {
    /// As a part of another value.
    fn inside(self) -> Size {
        match self {
            Self::Text(size) => Size::new(size.encoded + 2, size.resident),
            Self::Number(size) | Self::Other(size) => size,
            Self::Foreign => Size::new(OBJECT, OBJECT),
        }
    }
}

fn walk(value: *mut ffi::PyObject, nodes: &mut u32) -> Node {
    *nodes = nodes.saturating_sub(1);
    // SAFETY: both invariants; the statics are types of the interpreter.
    unsafe {
        let kind = ffi::Py_TYPE(value);
        if kind == &raw mut ffi::PyUnicode_Type {
            let length = ffi::PyUnicode_GET_LENGTH(value).unsigned_abs() as u64;
            return Node::Text(Size::flat(
                STRING,
                length * u64::from(ffi::PyUnicode_KIND(value)),
            ));
        }
        if kind == &raw mut ffi::PyLong_Type {
            return Node::Number(Size::new(digits(value), NUMBER));
        }
        if ffi::PyDict_Check(value) != 0 {
            return Node::Other(dict_size(value, nodes));
        }
        if ffi::PyList_Check(value) != 0 {
            let count = ffi::PyList_GET_SIZE(value).unsigned_abs();
            let item = |at| ffi::PyList_GET_ITEM(value, at);
            return Node::Other(row_size(OBJECT + 8, count, nodes, item));
        }
        if ffi::PyTuple_Check(value) != 0 {
            let count = ffi::PyTuple_GET_SIZE(value).unsigned_abs();
            let item = |at| ffi::PyTuple_GET_ITEM(value, at);
            return Node::Other(row_size(OBJECT, count, nodes, item));
        }
        if kind == &raw mut ffi::PyFloat_Type
            || kind == &raw mut ffi::PyBool_Type
            || value == ffi::Py_None()
        {
            return Node::Number(Size::new(SHORT, NUMBER));
        }
        if ffi::PyBytes_Check(value) != 0 {
            let length = ffi::PyBytes_Size(value).unsigned_abs() as u64;
            return Node::Other(Size::flat(BYTES, length));
        }
    }
    Node::Foreign
}

/// A dict, by its first entries.
///
/// # Safety
///
/// It is a dict; see the invariants.
unsafe fn dict_size(dict: *mut ffi::PyObject, nodes: &mut u32) -> Size {
    let (mut place, mut key, mut item) = (0, ptr::null_mut(), ptr::null_mut());
    let (mut seen, mut parts) = (0, Size::default());
    // SAFETY: as this function's; what it borrows is used before anything can change the dict.
    let count = unsafe {
        let next = |place: &mut isize, key: &mut _, item: &mut _| {
            ffi::PyDict_Next(dict, place, key, item) != 0
        };
        while seen < SAMPLES / 2 && *nodes > 0 && next(&mut place, &mut key, &mut item) {
            parts.add(walk(key, nodes).inside());
            parts.add(walk(item, nodes).inside());
            seen += 1;
        }
        ffi::PyDict_Size(dict).unsigned_abs()
    };
    Size::of_parts(OBJECT + 16 + DICT_PLACE * count as u64, count, seen, parts)
}

/// A list or a tuple, by even samples.
fn row_size(
    own: u64,
    count: usize,
    nodes: &mut u32,
    item: impl Fn(isize) -> *mut ffi::PyObject,
) -> Size {
    let step = (count / SAMPLES).max(1);
    let (mut seen, mut at, mut parts) = (0, 0, Size::default());
    while seen < SAMPLES && at < count && *nodes > 0 {
        parts.add(walk(item(at.cast_signed()), nodes).inside());
        seen += 1;
        at += step;
    }
    Size::of_parts(own + POINTER * count as u64, count, seen, parts)
}

/// The characters of a whole number.
///
/// # Safety
///
/// It is an int.
unsafe fn digits(number: *mut ffi::PyObject) -> u64 {
    let mut overflow = 0;
    // SAFETY: as this function's; an int raises nothing here.
    let value = unsafe { ffi::PyLong_AsLongLongAndOverflow(number, &raw mut overflow) };
    if overflow != 0 {
        return LONG;
    }
    let digits = value.unsigned_abs().checked_ilog10().unwrap_or(0) + 1;
    u64::from(digits + u32::from(value < 0))
}

/// An array by its `nbytes`, a set by its first items, any other object by its attributes. What raises
/// has none.
#[cold]
fn foreign_size(value: &Bound<'_, PyAny>) -> Size {
    let py = value.py();
    if value.is_instance_of::<PySet>() || value.is_instance_of::<PyFrozenSet>() {
        return set_size(value);
    }
    if let Ok(bytes) = value.cast::<PyByteArray>() {
        return Size::flat(OBJECT, bytes.len() as u64);
    }
    let held = value
        .getattr_opt(pyo3::intern!(py, "nbytes"))
        .ok()
        .flatten();
    if let Some(bytes) = held.and_then(|bytes| bytes.extract::<u64>().ok()) {
        return Size::flat(OBJECT, bytes);
    }
    let attributes = value.getattr_opt(pyo3::intern!(py, "__dict__"));
    match attributes.ok().flatten() {
        Some(dict) if dict.is_exact_instance_of::<PyDict>() => {
            let size = walk(dict.as_ptr(), &mut { MOST_NODES }).inside();
            Size::new(size.encoded, OBJECT + size.resident)
        }
        _ => Size::new(OBJECT, OBJECT),
    }
}

fn set_size(value: &Bound<'_, PyAny>) -> Size {
    let (count, mut nodes) = (value.len().unwrap_or(0), MOST_NODES);
    let (mut seen, mut parts) = (0, Size::default());
    if let Ok(items) = value.try_iter() {
        for item in items.take(SAMPLES).flatten() {
            parts.add(walk(item.as_ptr(), &mut nodes).inside());
            seen += 1;
        }
    }
    Size::of_parts(OBJECT + 2 * POINTER * count as u64, count, seen, parts)
}

/// About how many bytes a value has, as JSON and in memory: `(encoded, resident)`.
///
/// Glances `glances` times at it before, as at each result: for measuring what that costs.
#[pyfunction(name = "measure")]
#[pyo3(signature = (value, *, glances = 0))]
pub(crate) fn measured(value: &Bound<'_, PyAny>, glances: u32) -> (u64, u64) {
    for _ in 0..glances {
        std::hint::black_box(glance(std::hint::black_box(value)));
    }
    let size = measure(value);
    (size.encoded, size.resident)
}
