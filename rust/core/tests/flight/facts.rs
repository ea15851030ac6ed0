//! One fact a test.

use penstock_core::clock::Nanos;
use penstock_core::flight::{Changed, Claimed, Flights, FlightsConfig, Keep, Reads, Why};

use crate::common::{ANYTHING, TENANT, ask, is_done, reads, run, table};

#[test]
fn nobody_answers_what_nobody_ran() {
    let mut flights = table();
    let session = flights.open(TENANT, 1);
    let ask = ask(session, b"a", Keep::Session);
    assert_eq!(flights.claim(&ask, Nanos(0)), Claimed::Miss);
}

#[test]
fn who_asks_while_it_runs_joins() {
    let mut flights = table();
    let session = flights.open(TENANT, 1);
    let ask = ask(session, b"a", Keep::Once);
    let id = flights.start(&ask, &ANYTHING, Nanos(0)).expect("open");
    let joined = Claimed::Join { id, guessed: false };
    assert_eq!(flights.claim(&ask, Nanos(0)), joined);
}

#[test]
fn a_value_answers_the_same_session_again() {
    let mut flights = table();
    let (one, other) = (flights.open(TENANT, 1), flights.open(TENANT, 1));
    run(&mut flights, &ask(one, b"a", Keep::Session), &ANYTHING);
    assert!(is_done(&mut flights, &ask(one, b"a", Keep::Session)));
    assert!(is_done(&mut flights, &ask(one, b"a", Keep::Session)));
    assert!(!is_done(&mut flights, &ask(other, b"a", Keep::Session)));
    assert!(!is_done(&mut flights, &ask(one, b"b", Keep::Session)));
}

#[test]
fn a_value_of_a_tenant_answers_its_sessions_of_the_same_principal() {
    let mut flights = table();
    let (one, other) = (flights.open(TENANT, 1), flights.open(TENANT, 1));
    let stranger = flights.open(TENANT, 2);
    run(&mut flights, &ask(one, b"a", Keep::Tenant), &ANYTHING);
    flights.close(one);
    assert!(is_done(&mut flights, &ask(other, b"a", Keep::Tenant)));
    assert!(!is_done(&mut flights, &ask(stranger, b"a", Keep::Tenant)));
}

#[test]
fn what_answers_once_is_not_held() {
    let mut flights = table();
    let session = flights.open(TENANT, 1);
    let ask = ask(session, b"a", Keep::Once);
    run(&mut flights, &ask, &ANYTHING);
    assert!(!is_done(&mut flights, &ask));
    assert_eq!(flights.statistics().held, 0);
}

#[test]
fn a_write_of_the_session_ends_what_reads_anything() {
    let mut flights = table();
    let session = flights.open(TENANT, 1);
    let ask = ask(session, b"a", Keep::Session);
    run(&mut flights, &ask, &ANYTHING);
    flights.write(Some(session), TENANT, &Changed::Names(&["other"]));
    assert!(!is_done(&mut flights, &ask));
    assert_eq!(flights.pop_dropped().map(|it| it.why), Some(Why::Changed));
}

#[test]
fn a_write_ends_what_reads_its_names_and_nothing_else() {
    let mut flights = table();
    let session = flights.open(TENANT, 1);
    let (one, two) = (
        ask(session, b"1", Keep::Session),
        ask(session, b"2", Keep::Session),
    );
    run(&mut flights, &one, &reads(&["order:1"]));
    run(&mut flights, &two, &reads(&["order:2"]));
    flights.write(Some(session), TENANT, &Changed::Names(&["order:1"]));
    assert!(!is_done(&mut flights, &one));
    assert!(is_done(&mut flights, &two));
}

#[test]
fn names_of_a_tenant_are_those_of_all_its_sessions() {
    let mut flights = table();
    let (one, other) = (flights.open(TENANT, 1), flights.open(TENANT, 2));
    let stranger = flights.open(TENANT + 1, 3);
    for session in [one, stranger] {
        run(
            &mut flights,
            &ask(session, b"a", Keep::Session),
            &reads(&["order:1"]),
        );
    }
    flights.write(Some(other), TENANT, &Changed::Names(&["order:1"]));
    assert!(!is_done(&mut flights, &ask(one, b"a", Keep::Session)));
    assert!(is_done(&mut flights, &ask(stranger, b"a", Keep::Session)));
}

#[test]
fn a_write_that_does_not_say_ends_everything_of_its_session_and_of_tenants() {
    let mut flights = table();
    let (one, other) = (flights.open(TENANT, 1), flights.open(TENANT, 1));
    for session in [one, other] {
        run(
            &mut flights,
            &ask(session, b"a", Keep::Session),
            &reads(&["x"]),
        );
    }
    run(&mut flights, &ask(one, b"b", Keep::Tenant), &reads(&["x"]));
    flights.write(Some(one), TENANT, &Changed::Anything);
    assert!(!is_done(&mut flights, &ask(one, b"a", Keep::Session)));
    assert!(!is_done(&mut flights, &ask(other, b"b", Keep::Tenant)));
    assert!(is_done(&mut flights, &ask(other, b"a", Keep::Session)));
}

#[test]
fn families_of_names_meet_their_members() {
    let cases = [
        (["order:1"], ["order:*"], true),
        (["order:*"], ["order:1"], true),
        (["order:*"], ["order:1:line:2"], true),
        (["order:1:*"], ["order:*"], true),
        (["*"], ["order:1"], true),
        (["order:1"], ["*"], true),
        (["order:*"], ["user:1"], false),
        (["order:1"], ["order:12"], false),
    ];
    for (read, written, meets) in cases {
        let mut flights = table();
        let session = flights.open(TENANT, 1);
        let ask = ask(session, b"a", Keep::Session);
        run(&mut flights, &ask, &reads(&read));
        flights.write(Some(session), TENANT, &Changed::Names(&written));
        assert_eq!(is_done(&mut flights, &ask), !meets, "{read:?} {written:?}");
    }
}

#[test]
fn a_run_that_overlaps_a_write_is_not_held() {
    let mut flights = table();
    let session = flights.open(TENANT, 1);
    let ask = ask(session, b"a", Keep::Session);
    flights.write(Some(session), TENANT, &Changed::Anything); // it starts
    let id = flights.start(&ask, &ANYTHING, Nanos(0)).expect("open");
    flights.write(Some(session), TENANT, &Changed::Anything); // its end is seen
    assert_eq!(flights.claim(&ask, Nanos(0)), Claimed::Miss);
    assert!(!flights.land(id, 10, Nanos(0)));
    assert!(!is_done(&mut flights, &ask));
}

#[test]
fn those_who_joined_before_a_write_still_leave_one_by_one() {
    let mut flights = table();
    let session = flights.open(TENANT, 1);
    let ask = ask(session, b"a", Keep::Session);
    let id = flights.start(&ask, &ANYTHING, Nanos(0)).expect("open");
    flights.claim(&ask, Nanos(0));
    flights.write(Some(session), TENANT, &Changed::Anything);
    assert!(!flights.leave(id));
    assert!(flights.leave(id));
    assert_eq!(flights.pop_dropped(), None);
    assert_eq!(flights.statistics().running, 0);
}

#[test]
fn a_value_is_good_for_so_long_from_the_start_of_its_run() {
    let mut flights = table();
    let session = flights.open(TENANT, 1);
    let ask = ask(session, b"a", Keep::Session);
    let stable = Reads {
        stable_for: Some(Nanos(100)),
        ..ANYTHING
    };
    let id = flights.start(&ask, &stable, Nanos(50)).expect("open");
    assert!(flights.land(id, 10, Nanos(90)));
    assert!(matches!(
        flights.claim(&ask, Nanos(149)),
        Claimed::Done { .. }
    ));
    assert_eq!(flights.claim(&ask, Nanos(150)), Claimed::Miss);
}

#[test]
fn a_guess_that_has_not_begun_is_overtaken() {
    let mut flights = table();
    let session = flights.open(TENANT, 1);
    let ask = ask(session, b"a", Keep::Once);
    let id = flights.guess(&ask, &ANYTHING, Nanos(0)).expect("open");
    assert_eq!(flights.claim(&ask, Nanos(0)), Claimed::Miss);
    let dropped = flights.pop_dropped().expect("it is dropped");
    assert_eq!((dropped.id, dropped.why), (id, Why::Overtaken));
    assert!(!dropped.done);
}

#[test]
fn a_guess_answers_one_claim_and_is_then_no_guess() {
    let mut flights = table();
    let session = flights.open(TENANT, 1);
    let ask = ask(session, b"a", Keep::Once);
    let id = flights.guess(&ask, &ANYTHING, Nanos(0)).expect("open");
    flights.began(id);
    assert!(flights.land(id, 10, Nanos(0)));
    let promoted = Claimed::Done { id, guessed: true };
    assert_eq!(flights.claim(&ask, Nanos(0)), promoted);
    assert_eq!(flights.claim(&ask, Nanos(0)), Claimed::Miss);
}

#[test]
fn a_guess_that_runs_is_joined_and_then_belongs_to_who_joined() {
    let mut flights = table();
    let session = flights.open(TENANT, 1);
    let ask = ask(session, b"a", Keep::Once);
    let id = flights.guess(&ask, &ANYTHING, Nanos(0)).expect("open");
    flights.began(id);
    let promoted = Claimed::Join { id, guessed: true };
    assert_eq!(flights.claim(&ask, Nanos(0)), promoted);
    assert!(flights.leave(id), "nobody waits for it any more");
}

#[test]
fn a_write_drops_guesses_that_run() {
    let mut flights = table();
    let session = flights.open(TENANT, 1);
    let ask = ask(session, b"a", Keep::Once);
    let id = flights.guess(&ask, &ANYTHING, Nanos(0)).expect("open");
    flights.began(id);
    flights.write(Some(session), TENANT, &Changed::Anything);
    let dropped = flights.pop_dropped().expect("it is dropped");
    assert_eq!(
        (dropped.id, dropped.why, dropped.done),
        (id, Why::Changed, false)
    );
    assert!(dropped.guessed);
}

#[test]
fn what_was_used_longest_ago_leaves_first() {
    let mut flights = Flights::new(FlightsConfig {
        max_bytes: 20,
        ..FlightsConfig::default()
    });
    let session = flights.open(TENANT, 1);
    let forms: [&[u8]; 3] = [b"a", b"b", b"c"];
    run(
        &mut flights,
        &ask(session, forms[0], Keep::Session),
        &ANYTHING,
    );
    run(
        &mut flights,
        &ask(session, forms[1], Keep::Session),
        &ANYTHING,
    );
    assert!(is_done(
        &mut flights,
        &ask(session, forms[0], Keep::Session)
    ));
    run(
        &mut flights,
        &ask(session, forms[2], Keep::Session),
        &ANYTHING,
    );
    assert_eq!(flights.pop_dropped().map(|it| it.why), Some(Why::Crowded));
    assert!(!is_done(
        &mut flights,
        &ask(session, forms[1], Keep::Session)
    ));
    assert!(is_done(
        &mut flights,
        &ask(session, forms[0], Keep::Session)
    ));
}

#[test]
fn too_many_names_forget_everything() {
    let mut flights = Flights::new(FlightsConfig {
        max_names: 3,
        ..FlightsConfig::default()
    });
    let session = flights.open(TENANT, 1);
    for name in ["a", "b", "c"] {
        run(
            &mut flights,
            &ask(session, name.as_bytes(), Keep::Session),
            &reads(&[name]),
        );
    }
    assert!(is_done(&mut flights, &ask(session, b"a", Keep::Session)));
    run(
        &mut flights,
        &ask(session, b"d", Keep::Session),
        &reads(&["d"]),
    );
    assert!(!is_done(&mut flights, &ask(session, b"a", Keep::Session)));
    assert!(is_done(&mut flights, &ask(session, b"d", Keep::Session)));
    assert_eq!(flights.statistics().names, 1);
}

#[test]
fn what_a_lost_write_changes_is_not_held_until_somebody_says_it_was() {
    let mut flights = table();
    let session = flights.open(TENANT, 1);
    let (one, two) = (
        ask(session, b"1", Keep::Session),
        ask(session, b"2", Keep::Session),
    );
    flights.lose(Some(session), TENANT, &Changed::Names(&["order:1"]));
    run(&mut flights, &one, &reads(&["order:1"]));
    run(&mut flights, &two, &reads(&["order:2"]));
    assert!(!is_done(&mut flights, &one));
    assert!(is_done(&mut flights, &two));
    flights.changed(Some(TENANT), &["order:*"]);
    run(&mut flights, &one, &reads(&["order:1"]));
    assert!(is_done(&mut flights, &one));
}

#[test]
fn what_a_lost_write_changes_is_held_again_when_its_end_was_seen() {
    let mut flights = table();
    let session = flights.open(TENANT, 1);
    let one = ask(session, b"1", Keep::Session);
    let names = Changed::Names(&["order:*", "bill:1"]);
    let number = flights.lose(Some(session), TENANT, &names);
    let other = flights.lose(Some(session), TENANT, &Changed::Names(&["order:2"]));
    flights.found(number);
    flights.found(number);
    run(&mut flights, &one, &reads(&["order:1"]));
    assert!(is_done(&mut flights, &one));
    let two = ask(session, b"2", Keep::Session);
    run(&mut flights, &two, &reads(&["order:2"]));
    assert!(!is_done(&mut flights, &two), "another one runs on");
    flights.found(other);
    run(&mut flights, &two, &reads(&["order:2"]));
    assert!(is_done(&mut flights, &two));
}

#[test]
fn what_was_read_while_a_lost_write_ran_on_is_not_held_after_its_end() {
    let mut flights = table();
    let session = flights.open(TENANT, 1);
    for (changed, what) in [
        (Changed::Names(&["order:*"]), reads(&["order:1"])),
        (Changed::Anything, ANYTHING),
    ] {
        let one = ask(session, b"1", Keep::Session);
        let number = flights.lose(Some(session), TENANT, &changed);
        run(&mut flights, &one, &what);
        flights.found(number);
        assert!(!is_done(&mut flights, &one));
    }
}

#[test]
fn a_lost_write_of_which_somebody_said_what_it_changed_is_over() {
    let mut flights = table();
    let session = flights.open(TENANT, 1);
    let one = ask(session, b"1", Keep::Session);
    let number = flights.lose(None, TENANT, &Changed::Names(&["order:1"]));
    flights.changed(Some(TENANT), &["order:1"]);
    run(&mut flights, &one, &reads(&["order:1"]));
    assert!(is_done(&mut flights, &one), "somebody said what it changed");
    flights.found(number);
    assert!(is_done(&mut flights, &one), "which is known already");
}

#[test]
fn a_lost_write_is_nothing_to_others() {
    let mut flights = table();
    let (own, other) = (flights.open(TENANT, 1), flights.open(TENANT + 1, 2));
    flights.lose(Some(own), TENANT, &Changed::Anything);
    let elsewhere = ask(other, b"1", Keep::Session);
    run(&mut flights, &elsewhere, &reads(&["order:1"]));
    assert!(is_done(&mut flights, &elsewhere));
    flights.changed(Some(TENANT + 1), &["*"]);
    let here = ask(own, b"1", Keep::Session);
    run(&mut flights, &here, &reads(&["order:1"]));
    assert!(!is_done(&mut flights, &here), "another tenant was meant");
}

#[test]
fn a_session_that_ends_takes_its_own_along() {
    let mut flights = table();
    let session = flights.open(TENANT, 1);
    run(&mut flights, &ask(session, b"a", Keep::Session), &ANYTHING);
    flights.close(session);
    assert_eq!(flights.pop_dropped().map(|it| it.why), Some(Why::Closed));
    assert_eq!(flights.statistics(), table().statistics());
    assert!(
        flights
            .start(&ask(session, b"a", Keep::Session), &ANYTHING, Nanos(0))
            .is_none()
    );
}
