//! How large a value is, about: what its JSON would take, and what it takes in memory.
//!
//! Ground rules. Each result of a call is glanced at, so this borrows what it walks and counts no
//! references. What a container holds itself is looked at up to 64 parts, of a longer one 16 even
//! samples; what is deeper, 64 nodes in all. So it costs about the same for every value. No code of
//! anybody's runs, but `nbytes` and `__dict__` of a value that JSON does not know, and that before
//! anything is borrowed.
//!
//! Invariants:
//! 1. The value is held by the caller, and the interpreter by this thread: until a walk is over no
//!    other code runs, so what containers hold stays where it is. An interpreter without a global lock
//!    cannot promise that, so there nobody looks into containers.
//! 2. Every pointer is checked for its type before it is taken for one.
#![allow(
    unsafe_code,
    reason = "a walk by borrowed pointers: a safe one costs five times as much a node"
)]

use std::ptr;

use pyo3::exceptions::PyException;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyFrozenSet, PyList, PySet, PyString, PyTuple};

/// Nodes that are looked at below what a value holds itself.
const NODES: u32 = 64;
/// Parts of one container that are all looked at, and samples of a larger one.
const ALL: usize = 64;
const SAMPLES: usize = 16;

/// What objects take beside what is in them: headers, the collector's, and what allocators round up.
const OBJECT: u64 = 48;
const STRING: u64 = 56;
const BYTES: u64 = 40;
const POINTER: u64 = 8;
/// A place in a dict, with its share of the index.
const DICT_PLACE: u64 = 25;
const NUMBER: u64 = 32;
/// A float, a bool or None as JSON, and a number of more than 64 bits.
const SHORT: u64 = 8;
const LONG: u64 = 20;
/// A key at a glance, with its quotes.
const KEY: u64 = 12;
/// Levels that a bound is held to; JSON of more cannot be made.
const DEEPEST: u32 = 254;
const IS_LOCKED: bool = !cfg!(Py_GIL_DISABLED);

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
        Self::new(length, own.saturating_add(length))
    }

    fn add(&mut self, other: Self) {
        self.encoded = self.encoded.saturating_add(other.encoded).saturating_add(1);
        self.resident = self.resident.saturating_add(other.resident);
    }
}

/// All parts of a container, by those that were looked at. The largest counts once: one long text among
/// short ones is no sign of more.
#[derive(Default)]
struct Parts {
    seen: u64,
    total: Size,
    largest: Size,
}

impl Parts {
    fn add(&mut self, part: Size) {
        self.seen += 1;
        self.total.add(part);
        if part.encoded > self.largest.encoded {
            self.largest = part;
        }
    }

    fn of(self, own: u64, count: usize) -> Size {
        let count = count as u64;
        let Self {
            seen,
            total,
            largest,
        } = self;
        if seen >= count {
            return Size::new(2 + total.encoded, own.saturating_add(total.resident));
        }
        if seen == 1 {
            let whole = |total: u64| total.saturating_mul(count);
            return Size::new(
                whole(total.encoded),
                own.saturating_add(whole(total.resident)),
            );
        }
        // What nobody looked at has at least its separator.
        if seen == 0 {
            return Size::new(2 + 2 * count, own);
        }
        let whole = |total: u64, largest: u64| {
            let others = total.saturating_sub(largest).saturating_mul(count - 1) / (seen - 1);
            largest.saturating_add(others)
        };
        Size::new(
            whole(total.encoded, largest.encoded).saturating_add(2),
            whole(total.resident, largest.resident).saturating_add(own),
        )
    }
}

/// The places of a list or a tuple that are looked at.
fn places(count: usize) -> impl Iterator<Item = isize> {
    let (step, most) = if count <= ALL {
        (1, ALL)
    } else {
        (count / SAMPLES, SAMPLES)
    };
    (0..count).step_by(step).take(most).map(usize::cast_signed)
}

/// Returns about how large the JSON of a value is, without looking at keys and digits: for each result,
/// to find out whether it is worth a closer look.
#[inline]
pub(crate) fn glance(value: &Bound<'_, PyAny>) -> u64 {
    part::<false>(value.as_ptr(), &mut { NODES }).map_or(u64::MAX, |size| size.encoded)
}

/// Returns about how large a value is. Fails of nothing but an interrupt in an object's own code.
pub(crate) fn measure(value: &Bound<'_, PyAny>) -> PyResult<Size> {
    let is_number = value.is_none() || is_number(value.as_ptr());
    match part::<true>(value.as_ptr(), &mut { NODES }) {
        Some(size) if is_number => Ok(Size::new(size.encoded, 0)),
        Some(size) if is_text(value.as_ptr()) => Ok(Size::new(size.encoded - 2, size.resident)),
        Some(size) => Ok(size),
        None => foreign_size(value),
    }
}

/// A part of a value, `CLOSELY` or at a glance; None for what JSON does not know. Most parts are text and
/// whole numbers: those need no call.
#[expect(
    clippy::inline_always,
    reason = "a third faster, as measured, at every result"
)]
#[inline(always)]
fn part<const CLOSELY: bool>(value: *mut ffi::PyObject, nodes: &mut u32) -> Option<Size> {
    *nodes = nodes.saturating_sub(1);
    // SAFETY: both invariants; the statics are types of the interpreter.
    unsafe {
        let kind = ffi::Py_TYPE(value);
        if kind == &raw mut ffi::PyUnicode_Type {
            let length = text_bytes(value);
            return Some(Size::new(length + 2, STRING + length));
        }
        if kind == &raw mut ffi::PyLong_Type {
            let digits = if CLOSELY { digits(value) } else { SHORT };
            return Some(Size::new(digits, NUMBER));
        }
        if value == ffi::Py_None() {
            return Some(Size::new(SHORT, 0));
        }
        larger_part::<CLOSELY>(value, nodes)
    }
}

/// # Safety
///
/// See the invariants.
unsafe fn larger_part<const CLOSELY: bool>(
    value: *mut ffi::PyObject,
    nodes: &mut u32,
) -> Option<Size> {
    // SAFETY: as this function's; each container is one, as was just checked.
    unsafe {
        if ffi::PyDict_Check(value) != 0 {
            return Some(dict_size::<CLOSELY>(value, nodes));
        }
        if ffi::PyList_Check(value) != 0 {
            let count = ffi::PyList_GET_SIZE(value).unsigned_abs();
            let item = |at| ffi::PyList_GET_ITEM(value, at);
            return Some(row_size::<CLOSELY>(OBJECT + 8, count, nodes, item));
        }
        if ffi::PyTuple_Check(value) != 0 {
            let count = ffi::PyTuple_GET_SIZE(value).unsigned_abs();
            let item = |at| ffi::PyTuple_GET_ITEM(value, at);
            return Some(row_size::<CLOSELY>(OBJECT, count, nodes, item));
        }
        if is_number(value) {
            return Some(Size::new(SHORT, NUMBER));
        }
        if ffi::PyBytes_Check(value) != 0 {
            return Some(Size::flat(
                BYTES,
                ffi::PyBytes_Size(value).unsigned_abs() as u64,
            ));
        }
        if ffi::PyUnicode_Check(value) != 0 {
            return Some(Size::flat(STRING, text_bytes(value)));
        }
    }
    None
}

/// A part of a container: unless it is the last, it may use half of the nodes that are left, so that the
/// next one has some too. None for a container of which nothing could be looked at.
#[inline]
fn inside<const CLOSELY: bool>(
    value: *mut ffi::PyObject,
    is_last: bool,
    nodes: &mut u32,
) -> Option<Size> {
    let most = if is_last { *nodes } else { *nodes / 2 };
    let mut share = most;
    if share < 2 && is_container(value) {
        return None;
    }
    let size = part::<CLOSELY>(value, &mut share);
    *nodes -= most - share;
    // At a glance, what nobody knows is looked at closely by whoever glanced.
    Some(size.unwrap_or(if CLOSELY {
        Size::new(OBJECT, OBJECT)
    } else {
        Size::new(u64::MAX, 0)
    }))
}

fn is_container(value: *mut ffi::PyObject) -> bool {
    // SAFETY: invariant 1.
    unsafe {
        ffi::PyDict_Check(value) != 0
            || ffi::PyList_Check(value) != 0
            || ffi::PyTuple_Check(value) != 0
    }
}

/// # Safety
///
/// It is a dict; see the invariants.
unsafe fn dict_size<const CLOSELY: bool>(dict: *mut ffi::PyObject, nodes: &mut u32) -> Size {
    let (mut place, mut key, mut item) = (0, ptr::null_mut(), ptr::null_mut());
    let mut parts = Parts::default();
    // SAFETY: as this function's; what it borrows is used before anything can change the dict.
    let count = unsafe {
        let count = ffi::PyDict_Size(dict).unsigned_abs();
        for at in 1..=count.min(ALL) {
            if !IS_LOCKED
                || ffi::PyDict_Next(dict, &raw mut place, &raw mut key, &raw mut item) == 0
            {
                break;
            }
            let Some(mut entry) = inside::<CLOSELY>(item, at == count, nodes) else {
                continue;
            };
            if CLOSELY {
                // A key is mostly one object for all dicts that have it.
                let key = inside::<CLOSELY>(key, false, nodes).unwrap_or_default();
                entry.add(Size::new(key.encoded, 0));
            } else {
                entry.encoded = entry.encoded.saturating_add(KEY);
            }
            parts.add(entry);
        }
        count
    };
    parts.of(OBJECT + 16 + DICT_PLACE * count as u64, count)
}

/// A list or a tuple.
fn row_size<const CLOSELY: bool>(
    own: u64,
    count: usize,
    nodes: &mut u32,
    item: impl Fn(isize) -> *mut ffi::PyObject,
) -> Size {
    let mut parts = Parts::default();
    if IS_LOCKED {
        for at in places(count) {
            let is_last = at.unsigned_abs() + 1 == count;
            if let Some(size) = inside::<CLOSELY>(item(at), is_last, nodes) {
                parts.add(size);
            }
        }
    }
    parts.of(own + POINTER * count as u64, count)
}

/// About the bytes of a text in UTF-8: exact for ASCII, between a half and one and a half of it else.
///
/// # Safety
///
/// It is a text.
unsafe fn text_bytes(text: *mut ffi::PyObject) -> u64 {
    // SAFETY: as this function's; every text of the supported versions is ready.
    unsafe {
        let length = ffi::PyUnicode_GET_LENGTH(text).unsigned_abs() as u64;
        match ffi::PyUnicode_KIND(text) {
            1 => length,
            _ => 2 * length, // one wide character makes all of them wide
        }
    }
}

fn is_number(value: *mut ffi::PyObject) -> bool {
    // SAFETY: invariant 1.
    unsafe {
        let kind = ffi::Py_TYPE(value);
        kind == &raw mut ffi::PyFloat_Type
            || kind == &raw mut ffi::PyBool_Type
            || kind == &raw mut ffi::PyLong_Type
    }
}

fn is_text(value: *mut ffi::PyObject) -> bool {
    // SAFETY: invariant 1.
    unsafe { ffi::Py_TYPE(value) == &raw mut ffi::PyUnicode_Type }
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
fn foreign_size(value: &Bound<'_, PyAny>) -> PyResult<Size> {
    let py = value.py();
    if value.is_instance_of::<PySet>() || value.is_instance_of::<PyFrozenSet>() {
        return Ok(set_size(value));
    }
    if let Ok(bytes) = value.cast::<PyByteArray>() {
        return Ok(Size::flat(OBJECT, bytes.len() as u64));
    }
    let held = attribute(value, pyo3::intern!(py, "nbytes"))?;
    if let Some(bytes) = held.and_then(|bytes| bytes.extract::<u64>().ok()) {
        return Ok(Size::flat(OBJECT, bytes));
    }
    let attributes = attribute(value, pyo3::intern!(py, "__dict__"))?;
    let inner = attributes.and_then(|it| it.cast_into_exact::<PyDict>().ok());
    let inner = inner.and_then(|dict| part::<true>(dict.as_ptr(), &mut { NODES }));
    Ok(inner.map_or(Size::new(OBJECT, OBJECT), |size| {
        Size::new(size.encoded, OBJECT.saturating_add(size.resident))
    }))
}

fn attribute<'py>(
    value: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    match value.getattr_opt(name) {
        Err(error) if error.is_instance_of::<PyException>(value.py()) => Ok(None),
        other => other,
    }
}

fn set_size(value: &Bound<'_, PyAny>) -> Size {
    let (mut nodes, mut parts) = (NODES, Parts::default());
    if let Ok(items) = value.try_iter() {
        for item in items.take(SAMPLES).flatten() {
            parts.add(inside::<true>(item.as_ptr(), false, &mut nodes).unwrap_or_default());
        }
    }
    let count = value.len().unwrap_or(0);
    parts.of(OBJECT.saturating_add(2 * POINTER * count as u64), count)
}

/// Whether a value has more than `most` bytes for sure, as JSON, text or itself: for one that was
/// estimated to. Looks at all of it, until that is known; one that contains itself has.
#[pyfunction]
pub(crate) fn exceeds(value: &Bound<'_, PyAny>, most: u64) -> bool {
    // What JSON does not know says itself what it takes.
    let is_foreign = part::<false>(value.as_ptr(), &mut 1).is_none();
    is_foreign || takes_all(value, &mut most.saturating_add(1), 0)
}

/// Takes the bytes of a value away; true once none are left. Holds what it walks.
fn takes_all(value: &Bound<'_, PyAny>, left: &mut u64, depth: u32) -> bool {
    let own = if let Ok(text) = value.cast::<PyString>() {
        text.len().unwrap_or(0) as u64
    } else if let Ok(bytes) = value.cast::<PyBytes>() {
        bytes.as_bytes().len() as u64
    } else {
        1
    };
    *left = left.saturating_sub(own);
    if *left == 0 || depth >= DEEPEST {
        return *left == 0;
    }
    let mut take = |part: &Bound<'_, PyAny>| takes_all(part, left, depth + 1);
    if let Ok(dict) = value.cast::<PyDict>() {
        let entries: Vec<_> = dict.iter().collect();
        return entries.iter().any(|(key, item)| take(key) || take(item));
    }
    if let Ok(list) = value.cast::<PyList>() {
        return list.iter().any(|part| take(&part));
    }
    match value.cast::<PyTuple>() {
        Ok(row) => row.iter().any(|part| take(&part)),
        Err(_) => false,
    }
}

/// About how many bytes a value has, as JSON and in memory: `(encoded, resident)`.
///
/// Glances `glances` times at it before, as at each result: for measuring what that costs.
#[pyfunction(name = "measure")]
#[pyo3(signature = (value, *, glances = 0))]
pub(crate) fn measured(value: &Bound<'_, PyAny>, glances: u32) -> PyResult<(u64, u64)> {
    for _ in 0..glances {
        std::hint::black_box(glance(std::hint::black_box(value)));
    }
    let size = measure(value)?;
    Ok((size.encoded, size.resident))
}
