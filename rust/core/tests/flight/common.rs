//! Short ways to ask.

use penstock_core::clock::Nanos;
use penstock_core::flight::{
    Ask, Claimed, EntryId, Flights, FlightsConfig, Keep, Reads, SessionId,
};

pub(crate) const TENANT: u64 = 7;

pub(crate) const ANYTHING: Reads<'static> = Reads {
    names: None,
    stable_for: None,
};

pub(crate) fn table() -> Flights {
    Flights::new(FlightsConfig::default())
}

pub(crate) fn ask(session: SessionId, form: &[u8], keep: Keep) -> Ask<'_> {
    Ask {
        session,
        tool: 1,
        form,
        keep,
    }
}

pub(crate) fn reads<'a>(names: &'a [&'a str]) -> Reads<'a> {
    Reads {
        names: Some(names),
        stable_for: None,
    }
}

/// Runs a read from its start to its end.
pub(crate) fn run(flights: &mut Flights, ask: &Ask<'_>, reads: &Reads<'_>) -> EntryId {
    let id = flights
        .start(ask, reads, Nanos(0))
        .expect("an open session");
    flights.land(id, 10, Nanos(0));
    id
}

pub(crate) fn is_done(flights: &mut Flights, ask: &Ask<'_>) -> bool {
    matches!(flights.claim(ask, Nanos(0)), Claimed::Done { .. })
}
