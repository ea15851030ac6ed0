//! What leaves memory next, and that nothing is lost or counted twice.

use penstock_core::pack::Ledger;
use penstock_core::pack::ledger::{Entry, Place};
use proptest::prelude::*;

const MEMORY: u64 = 1_000;

fn ledger() -> Ledger {
    Ledger::new(MEMORY, true)
}

fn filled(entries: usize) -> (Ledger, Vec<Entry>) {
    let mut ledger = ledger();
    let entries = (0..entries).map(|_| ledger.add(100, true)).collect();
    (ledger, entries)
}

fn add(ledger: &mut Ledger, entries: usize) {
    for _ in 0..entries {
        ledger.add(100, true);
    }
}

/// Makes all moves; packing leaves a quarter. The entries in their order, and where they went.
fn drain(ledger: &mut Ledger) -> Vec<(Entry, Place)> {
    let mut moves = Vec::new();
    while let Some(next) = ledger.next_move() {
        let bytes = if next.to == Place::Packed { 25 } else { 0 };
        assert!(ledger.moved(next.entry, next.to, bytes));
        moves.push((next.entry, next.to));
    }
    moves
}

#[test]
fn nothing_moves_up_to_the_memory() {
    let (mut ledger, _) = filled(10);
    assert_eq!(ledger.next_move(), None);
}

#[test]
fn above_it_the_coldest_are_packed_down_to_four_fifths() {
    let (mut ledger, entries) = filled(11);
    ledger.touch(entries[0]);
    let moves = drain(&mut ledger);
    let expected: Vec<_> = (1..6)
        .map(|number| (entries[number], Place::Packed))
        .collect();
    assert_eq!(moves, expected[..4]);
    let statistics = ledger.statistics();
    assert_eq!(statistics.object_bytes + statistics.packed_bytes, 800);
}

#[test]
fn moves_under_way_count_as_made() {
    let (mut ledger, entries) = filled(11);
    let under_way: Vec<_> = std::iter::from_fn(|| ledger.next_move()).collect();
    assert_eq!(
        under_way.len(),
        3,
        "each is expected to free all of its bytes"
    );
    assert!(!ledger.is_full());
    ledger.moved(entries[0], Place::Packed, 90);
    assert!(ledger.next_move().is_some(), "it freed less than that");
}

#[test]
fn packed_ones_go_to_disk_when_they_hold_half_of_the_memory() {
    let (mut ledger, entries) = filled(40);
    let moves = drain(&mut ledger);
    let to_disk = moves.iter().filter(|(_, to)| *to == Place::Disk).count();
    assert!(to_disk > 0);
    assert!(
        moves.contains(&(entries[0], Place::Disk)),
        "the coldest first"
    );
    assert_eq!(ledger.place(entries[0]), Some(Place::Disk));
    let statistics = ledger.statistics();
    assert!(statistics.object_bytes + statistics.packed_bytes <= 800);
    assert!(statistics.packed_bytes >= 475, "{statistics:?}");
}

#[test]
fn a_large_value_goes_straight_to_disk_if_there_is_one() {
    for (spills, place) in [(true, Place::Disk), (false, Place::Packed)] {
        let mut ledger = Ledger::new(MEMORY, spills);
        ledger.add(126, true);
        ledger.add(900, false);
        assert_eq!(ledger.next_move().unwrap().to, place);
    }
}

#[test]
fn pinned_and_opaque_values_stay() {
    let mut ledger = ledger();
    let pinned = ledger.add(600, true);
    ledger.add(600, false);
    ledger.pin(pinned);
    ledger.pin(pinned);
    assert_eq!(ledger.next_move(), None);
    assert!(ledger.is_full());
    ledger.unpin(pinned);
    assert_eq!(ledger.next_move(), None);
    ledger.unpin(pinned);
    assert!(!ledger.is_full());
    assert_eq!(ledger.next_move().unwrap().entry, pinned);
    assert!(!ledger.unpin(pinned), "it has no more pins");
}

#[test]
fn what_does_not_pack_goes_to_disk_or_stays() {
    let (mut ledger, entries) = filled(11);
    let first = ledger.next_move().unwrap();
    assert_eq!((first.entry, first.to), (entries[0], Place::Packed));
    assert!(ledger.stuck(first.entry));
    ledger.set_spills(false);
    let moves = drain(&mut ledger);
    assert!(
        moves
            .iter()
            .all(|(entry, to)| *entry != entries[0] && *to == Place::Packed)
    );
    let mut ledger = Ledger::new(MEMORY, true);
    let entries: Vec<_> = (0..11).map(|_| ledger.add(100, true)).collect();
    while let Some(next) = ledger.next_move() {
        if next.to == Place::Packed {
            ledger.stuck(next.entry);
        } else {
            ledger.moved(next.entry, Place::Disk, 0);
        }
    }
    assert_eq!(ledger.place(entries[0]), Some(Place::Disk));
    assert_eq!(ledger.statistics().on_disk, 3);
}

#[test]
fn without_a_disk_it_is_full_when_all_is_packed() {
    let mut ledger = Ledger::new(MEMORY, false);
    add(&mut ledger, 50);
    drain(&mut ledger);
    let statistics = ledger.statistics();
    assert_eq!(
        (statistics.object_bytes, statistics.packed_bytes),
        (0, 1_250)
    );
    assert!(ledger.is_full());
    ledger.set_spills(true);
    assert!(!ledger.is_full());
}

#[test]
fn the_last_holder_ends_an_entry_and_its_number_is_not_reused() {
    let mut ledger = ledger();
    let entry = ledger.add(100, true);
    assert!(ledger.hold(entry));
    assert!(!ledger.release(entry));
    assert!(ledger.release(entry));
    assert!(!ledger.release(entry));
    let next = ledger.add(100, true);
    assert_ne!(next, entry);
    assert!(!ledger.hold(entry) && !ledger.pin(entry) && !ledger.touch(entry));
    assert_eq!(
        (ledger.place(entry), ledger.place(next)),
        (None, Some(Place::Object))
    );
}

#[test]
fn an_entry_released_while_it_moves_says_so() {
    let (mut ledger, entries) = filled(11);
    let next = ledger.next_move().unwrap();
    assert!(ledger.release(entries[0]));
    assert!(!ledger.moved(next.entry, Place::Packed, 25));
    assert!(!ledger.stuck(next.entry));
    assert_eq!(ledger.statistics().moving, 0);
}

#[test]
fn a_promoted_value_is_warm_again() {
    let (mut ledger, entries) = filled(11);
    drain(&mut ledger);
    assert!(ledger.moved(entries[0], Place::Object, 100));
    assert_eq!(ledger.statistics().promoted, 1);
    add(&mut ledger, 3);
    let moves = drain(&mut ledger);
    assert!(!moves.contains(&(entries[0], Place::Packed)));
}

#[derive(Clone, Debug)]
enum Step {
    Add(u64, bool),
    Hold(usize),
    Release(usize),
    Pin(usize),
    Unpin(usize),
    Touch(usize),
    Move,
    Finish(usize, bool),
    Promote(usize),
    Spills(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1_u64..400, prop::bool::weighted(0.8)).prop_map(|(bytes, plain)| Step::Add(bytes, plain)),
        1 => any::<usize>().prop_map(Step::Hold),
        3 => any::<usize>().prop_map(Step::Release),
        1 => any::<usize>().prop_map(Step::Pin),
        2 => any::<usize>().prop_map(Step::Unpin),
        2 => any::<usize>().prop_map(Step::Touch),
        6 => Just(Step::Move),
        6 => (any::<usize>(), prop::bool::weighted(0.8)).prop_map(|(pick, works)| Step::Finish(pick, works)),
        1 => any::<usize>().prop_map(Step::Promote),
        1 => any::<bool>().prop_map(Step::Spills),
    ]
}

/// An entry as a test sees it.
#[derive(Clone, Debug)]
struct Seen {
    entry: Entry,
    holders: u32,
    pins: u32,
    bytes: u64,
    plain: bool,
    place: Place,
    moving: Option<Place>,
}

fn pick(seen: &mut [Seen], number: usize) -> Option<&mut Seen> {
    let length = seen.len().max(1);
    seen.get_mut(number % length)
}

fn run(ledger: &mut Ledger, seen: &mut Vec<Seen>, step: &Step) {
    match *step {
        Step::Add(bytes, plain) => {
            let entry = ledger.add(bytes, plain);
            let (holders, pins, place, moving) = (1, 0, Place::Object, None);
            seen.push(Seen {
                entry,
                holders,
                pins,
                bytes,
                plain,
                place,
                moving,
            });
        }
        Step::Spills(spills) => ledger.set_spills(spills),
        Step::Move => start(ledger, seen),
        Step::Hold(number) => {
            if let Some(one) = pick(seen, number) {
                one.holders += 1;
                assert!(ledger.hold(one.entry));
            }
        }
        Step::Release(number) => release(ledger, seen, number),
        Step::Pin(number) => {
            if let Some(one) = pick(seen, number) {
                one.pins += 1;
                assert!(ledger.pin(one.entry));
            }
        }
        Step::Unpin(number) => {
            if let Some(one) = pick(seen, number) {
                assert_eq!(ledger.unpin(one.entry), one.pins > 0);
                one.pins = one.pins.saturating_sub(1);
            }
        }
        Step::Touch(number) => {
            if let Some(one) = pick(seen, number) {
                assert!(ledger.touch(one.entry));
            }
        }
        Step::Finish(number, works) => finish(ledger, seen, number, works),
        Step::Promote(number) => {
            if let Some(one) = pick(seen, number) {
                (one.place, one.bytes, one.moving) = (Place::Object, 200, None);
                assert!(ledger.moved(one.entry, Place::Object, 200));
            }
        }
    }
}

fn start(ledger: &mut Ledger, seen: &mut [Seen]) {
    if let Some(next) = ledger.next_move() {
        let one = seen.iter_mut().find(|one| one.entry == next.entry).unwrap();
        assert!(
            one.plain && one.pins == 0 && one.moving.is_none(),
            "{one:?}"
        );
        assert!(matches!(one.place, Place::Object | Place::Packed));
        one.moving = Some(next.to);
    }
}

fn release(ledger: &mut Ledger, seen: &mut Vec<Seen>, number: usize) {
    if let Some(one) = pick(seen, number) {
        one.holders -= 1;
        let (entry, gone) = (one.entry, one.holders == 0);
        assert_eq!(ledger.release(entry), gone);
        seen.retain(|one| one.holders > 0);
        assert_eq!(ledger.place(entry).is_none(), gone);
    }
}

fn finish(ledger: &mut Ledger, seen: &mut [Seen], number: usize, works: bool) {
    let mut moving: Vec<_> = seen.iter_mut().filter(|one| one.moving.is_some()).collect();
    let length = moving.len().max(1);
    let Some(one) = moving.get_mut(number % length) else {
        return;
    };
    let to = one.moving.take().unwrap();
    if works {
        one.bytes = if to == Place::Packed {
            one.bytes / 3
        } else {
            0
        };
        one.place = to;
        assert!(ledger.moved(one.entry, to, one.bytes));
    } else {
        assert!(ledger.stuck(one.entry));
    }
}

fn check(ledger: &Ledger, seen: &[Seen]) {
    let bytes = |place| {
        seen.iter()
            .filter(|one| one.place == place)
            .map(|one| one.bytes)
            .sum::<u64>()
    };
    let statistics = ledger.statistics();
    assert_eq!(statistics.entries, seen.len());
    assert_eq!(statistics.object_bytes, bytes(Place::Object));
    assert_eq!(statistics.packed_bytes, bytes(Place::Packed));
    assert_eq!(
        statistics.pinned,
        seen.iter().filter(|one| one.pins > 0).count()
    );
    assert_eq!(
        statistics.moving,
        seen.iter().filter(|one| one.moving.is_some()).count()
    );
    assert_eq!(
        statistics.on_disk,
        seen.iter().filter(|one| one.place == Place::Disk).count()
    );
    for one in seen {
        assert_eq!(ledger.place(one.entry), Some(one.place));
    }
}

proptest! {
    /// Any history: bytes are conserved, only those move that may, and after all moves with a disk
    /// no more is in memory than is allowed or cannot move.
    #[test]
    fn the_ledger_conserves_bytes(steps in prop::collection::vec(step(), 1..200)) {
        let (mut ledger, mut seen) = (ledger(), Vec::new());
        for step in &steps {
            run(&mut ledger, &mut seen, step);
            check(&ledger, &seen);
        }
        ledger.set_spills(true);
        while seen.iter().any(|one| one.moving.is_some()) {
            finish(&mut ledger, &mut seen, 0, true);
        }
        drain(&mut ledger);
        let statistics = ledger.statistics();
        let stays = |one: &&Seen| !one.plain || one.pins > 0;
        let stuck: u64 = seen.iter().filter(stays).map(|one| one.bytes).sum();
        prop_assert!(statistics.object_bytes + statistics.packed_bytes <= MEMORY + stuck);
        for one in seen {
            (1..one.holders).for_each(|_| assert!(!ledger.release(one.entry)));
            prop_assert!(ledger.release(one.entry));
        }
        let end = ledger.statistics();
        let held = (end.entries, end.object_bytes, end.packed_bytes, end.pinned, end.opaque, end.on_disk);
        prop_assert_eq!(held, (0, 0, 0, 0, 0, 0));
    }
}
