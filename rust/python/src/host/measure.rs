//! How large a value is, about: what its JSON would take, and what it takes in memory.
//!
//! Ground rules. Looks at 64 nodes at most, and at 16 even samples of a longer list, so that it costs
//! the same for every value. Nothing is made, and no code of the value's own runs, but `nbytes` and
//! `__dict__` of objects that JSON does not know.

use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyString,
    PyTuple,
};

use super::raw;

const MOST_NODES: u32 = 64;
const SAMPLES: usize = 16;

/// What a whole number, a float, a bool or None takes as JSON.
const SCALAR: Size = Size {
    encoded: 8,
    resident: 0,
};

/// What objects take beside what is in them: headers, and the collector's.
const OBJECT: u64 = 48;
const STRING: u64 = 49;
const BYTES: u64 = 33;
const POINTER: u64 = 8;
/// A place in a dict, with its share of the index.
const DICT_PLACE: u64 = 32;
const NUMBER: u64 = 28;

/// Bytes of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// As JSON, as text or as it is; exact for bytes and for text in ASCII.
    pub(crate) encoded: u64,
    /// In memory; nothing for what every value has, a number or None.
    pub(crate) resident: u64,
}

impl Size {
    fn of_parts(own: u64, count: usize, seen: usize, parts: Self) -> Self {
        let whole = |part: u64| match seen {
            0 => 0,
            _ => part.saturating_mul(count as u64) / seen as u64,
        };
        // What nobody looked at has at least its separator.
        let unseen = if seen == 0 { 2 * count as u64 } else { 0 };
        Self {
            encoded: 2 + whole(parts.encoded) + unseen,
            resident: own + whole(parts.resident),
        }
    }

    fn add(&mut self, other: Self) {
        self.encoded += other.encoded + 1;
        self.resident += other.resident;
    }
}

/// Returns about how large a value is.
#[inline]
pub(crate) fn measure(value: &Bound<'_, PyAny>) -> Size {
    if value.is_none() || value.is_exact_instance_of::<PyBool>() {
        return SCALAR;
    }
    if let Ok(text) = value.cast_exact::<PyString>() {
        return text_size(text);
    }
    if let Ok(bytes) = value.cast_exact::<PyBytes>() {
        return bytes_size(bytes.as_bytes().len());
    }
    if value.is_exact_instance_of::<PyInt>() || value.is_exact_instance_of::<PyFloat>() {
        return SCALAR;
    }
    let mut nodes = MOST_NODES;
    node(value, &mut nodes)
}

fn text_size(text: &Bound<'_, PyString>) -> Size {
    let (length, width) = raw::text_length(text);
    Size {
        encoded: length * width,
        resident: STRING + length * width,
    }
}

fn bytes_size(length: usize) -> Size {
    Size {
        encoded: length as u64,
        resident: BYTES + length as u64,
    }
}

/// One node, and what is in it.
fn node(value: &Bound<'_, PyAny>, nodes: &mut u32) -> Size {
    *nodes = nodes.saturating_sub(1);
    if let Ok(text) = value.cast_exact::<PyString>() {
        let size = text_size(text);
        return Size {
            encoded: size.encoded + 2,
            ..size
        };
    }
    if let Ok(dict) = value.cast::<PyDict>() {
        return dict_size(dict, nodes);
    }
    if let Ok(list) = value.cast::<PyList>() {
        let own = OBJECT + 8 + POINTER * list.len() as u64;
        return row(own, list.len(), nodes, |at| list.get_item(at).ok());
    }
    if let Ok(tuple) = value.cast::<PyTuple>() {
        let own = OBJECT + POINTER * tuple.len() as u64;
        return row(own, tuple.len(), nodes, |at| tuple.get_item(at).ok());
    }
    leaf(value, nodes)
}

fn dict_size(dict: &Bound<'_, PyDict>, nodes: &mut u32) -> Size {
    // Taken out first: code of a value in it might change the dict.
    let mut items = dict.iter();
    let samples: [_; SAMPLES / 2] = std::array::from_fn(|_| items.next());
    let (mut seen, mut parts) = (0, Size::default());
    for (key, item) in samples.into_iter().flatten() {
        if *nodes == 0 {
            break;
        }
        parts.add(node(&key, nodes));
        parts.add(node(&item, nodes));
        seen += 1;
    }
    let own = OBJECT + 16 + DICT_PLACE * dict.len() as u64;
    Size::of_parts(own, dict.len(), seen, parts)
}

/// A list or a tuple: even samples of it.
fn row<'py>(
    own: u64,
    count: usize,
    nodes: &mut u32,
    item: impl Fn(usize) -> Option<Bound<'py, PyAny>>,
) -> Size {
    let step = (count / SAMPLES).max(1);
    let (mut seen, mut parts) = (0, Size::default());
    for at in (0..count).step_by(step).take(SAMPLES) {
        if *nodes == 0 {
            break;
        }
        let Some(part) = item(at) else { break };
        parts.add(node(&part, nodes));
        seen += 1;
    }
    Size::of_parts(own, count, seen, parts)
}

/// Numbers, and what JSON does not know.
fn leaf(value: &Bound<'_, PyAny>, nodes: &mut u32) -> Size {
    if value.is_none() || value.is_exact_instance_of::<PyBool>() {
        return SCALAR;
    }
    if value.is_exact_instance_of::<PyFloat>() {
        return Size {
            resident: NUMBER,
            ..SCALAR
        };
    }
    if value.is_exact_instance_of::<PyInt>() {
        return Size {
            encoded: digits(value),
            resident: NUMBER,
        };
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return bytes_size(bytes.as_bytes().len());
    }
    if let Ok(bytes) = value.cast::<PyByteArray>() {
        return bytes_size(bytes.len());
    }
    if let Ok(text) = value.cast::<PyString>() {
        return text_size(text);
    }
    if value.is_instance_of::<PySet>() || value.is_instance_of::<PyFrozenSet>() {
        return set_size(value, nodes);
    }
    object_size(value, nodes)
}

fn digits(number: &Bound<'_, PyAny>) -> u64 {
    const LONG: u64 = 20;
    let digits = |number: i64| {
        let digits = number.unsigned_abs().checked_ilog10().unwrap_or(0) + 1;
        u64::from(digits + u32::from(number < 0))
    };
    number.extract().map_or(LONG, digits)
}

fn set_size(value: &Bound<'_, PyAny>, nodes: &mut u32) -> Size {
    let (mut seen, mut parts) = (0, Size::default());
    let count = value.len().unwrap_or(0);
    if let Ok(items) = value.try_iter() {
        for item in items.take(SAMPLES).flatten() {
            if *nodes == 0 {
                break;
            }
            parts.add(node(&item, nodes));
            seen += 1;
        }
    }
    let own = OBJECT + 2 * POINTER * count as u64;
    Size::of_parts(own, count, seen, parts)
}

/// An array by its `nbytes`, any other object by its attributes. What raises has none.
fn object_size(value: &Bound<'_, PyAny>, nodes: &mut u32) -> Size {
    let py = value.py();
    let held = value
        .getattr_opt(pyo3::intern!(py, "nbytes"))
        .ok()
        .flatten();
    if let Some(bytes) = held.and_then(|bytes| bytes.extract::<u64>().ok()) {
        return Size {
            encoded: bytes,
            resident: OBJECT + bytes,
        };
    }
    let attributes = value.getattr_opt(pyo3::intern!(py, "__dict__"));
    let own = Size {
        encoded: OBJECT,
        resident: OBJECT,
    };
    match attributes.ok().flatten() {
        Some(dict) if dict.is_exact_instance_of::<PyDict>() && *nodes > 0 => {
            let inside = node(&dict, nodes);
            Size {
                encoded: inside.encoded,
                resident: own.resident + inside.resident,
            }
        }
        _ => own,
    }
}

/// About how many bytes a value has, as JSON and in memory: `(encoded, resident)`.
///
/// Looks `repeat` times; more than once is for measuring what a look costs.
#[pyfunction(name = "measure")]
#[pyo3(signature = (value, repeat = 1))]
pub(crate) fn measured(value: &Bound<'_, PyAny>, repeat: u32) -> (u64, u64) {
    let mut size = Size::default();
    for _ in 0..repeat.max(1) {
        size = measure(std::hint::black_box(value));
    }
    (size.encoded, size.resident)
}
