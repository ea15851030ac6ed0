//! What providers said, from the values that `limits/headers.py` has read.

use penstock_core::clock::Nanos;
use penstock_core::limit::{Feedback, Reading, Unit};

use crate::convert;

/// `(unit, limit, remaining, reset)`, each but the first perhaps None. The reset is seconds until a new
/// window starts; that of units which come back all the time is left out.
pub(crate) type Readings = Vec<(String, Option<u64>, Option<u64>, Option<f64>)>;

/// Of a call that was sent at time zero: who knows better says so.
pub(crate) fn read(
    status: Option<u16>,
    retry_after: Option<f64>,
    readings: Option<Readings>,
) -> Feedback {
    let mut feedback = Feedback {
        status,
        retry_after: retry_after.map(convert::nanos),
        sent_at: Nanos::ZERO,
        renews: readings.iter().flatten().any(|(.., reset)| reset.is_some()),
        ..Feedback::default()
    };
    for (unit, limit, remaining, reset) in readings.unwrap_or_default() {
        let reading = Reading {
            limit,
            remaining,
            reset: reset.map(convert::nanos),
        };
        if let Some(unit) = parse_unit(&unit) {
            feedback.readings[unit as usize] = reading;
        }
    }
    feedback
}

/// A unit by the name that Python's `Limit.unit` has.
pub(crate) fn parse_unit(name: &str) -> Option<Unit> {
    Some(match name {
        "requests" => Unit::Requests,
        "input_tokens" => Unit::InputTokens,
        "output_tokens" => Unit::OutputTokens,
        "total_tokens" | "tokens" => Unit::TotalTokens,
        "microusd" => Unit::Microusd,
        _ => return None,
    })
}
