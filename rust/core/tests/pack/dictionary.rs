//! Dictionaries make small results smaller, and never meet what is not theirs.

use penstock_core::pack::dictionary::{FIRST_ID, train};
use penstock_core::pack::{Dictionary, Unreadable};

use super::common::{Numbers, json, parcel_of, sheet, unpack};

fn samples() -> Vec<Vec<u8>> {
    (1..=250).map(|seed| json(seed, 1024)).collect()
}

pub fn trained() -> Dictionary {
    train(&samples(), |_| false).unwrap()
}

#[test]
fn small_results_get_smaller_and_come_back() {
    let dictionary = trained();
    let value = json(1_000, 1024);
    let (with, without) = (
        parcel_of(&value, Some(&dictionary)),
        parcel_of(&value, None),
    );
    assert!(
        with.len() * 10 < without.len() * 9,
        "{} {}",
        with.len(),
        without.len()
    );
    assert_eq!(sheet(&with).dictionary, dictionary.id());
    assert_eq!(unpack(&with, 2_000, Some(&dictionary)).unwrap(), value);
}

#[test]
fn without_its_dictionary_a_parcel_says_which_one_is_missing() {
    let dictionary = trained();
    let parcel = parcel_of(&json(1_000, 1024), Some(&dictionary));
    let missing = Unreadable::DictionaryMissing {
        id: dictionary.id(),
    };
    assert_eq!(unpack(&parcel, 2_000, None).unwrap_err(), missing);
    let others: Vec<_> = (1..=250).map(|seed| json(seed + 5_000, 700)).collect();
    let other = train(&others, |_| false).unwrap();
    assert_eq!(unpack(&parcel, 2_000, Some(&other)).unwrap_err(), missing);
}

#[test]
fn a_larger_value_uses_no_dictionary() {
    let dictionary = trained();
    let parcel = parcel_of(&json(1, 8 << 10), Some(&dictionary));
    assert_eq!(sheet(&parcel).dictionary, 0);
    assert!(unpack(&parcel, 10_000, None).is_ok());
}

#[test]
fn samples_without_anything_in_common_give_no_dictionary() {
    let mut numbers = Numbers(77);
    let noise: Vec<_> = (0..250).map(|_| numbers.noise(1024)).collect();
    assert!(train(&noise, |_| false).is_none());
    assert!(train::<Vec<u8>>(&[], |_| false).is_none());
    assert!(train(&samples()[..3], |_| false).is_none());
}

#[test]
fn an_id_is_made_of_the_bytes_and_a_clash_is_salted() {
    let first = trained();
    assert!((FIRST_ID..1 << 31).contains(&first.id()));
    assert_eq!(trained().id(), first.id());
    let second = train(&samples(), |id| id == first.id()).unwrap();
    assert_ne!(second.id(), first.id());
    assert!(Dictionary::load(second.bytes(), false).is_some());
    assert!(train(&samples(), |_| true).is_none(), "every id is taken");
}

#[test]
fn a_stored_dictionary_is_the_same_or_refused() {
    let dictionary = trained();
    let loaded = Dictionary::load(dictionary.bytes(), false).unwrap();
    assert_eq!(loaded.id(), dictionary.id());
    assert!(!loaded.packs() && dictionary.packs());
    let value = json(2_000, 2_000);
    let parcel = parcel_of(&value, Some(&dictionary));
    assert_eq!(unpack(&parcel, 2_000, Some(&loaded)).unwrap(), value);
    for place in [0, 4, 9, 1_000, loaded.bytes().len() - 1] {
        let mut damaged = loaded.bytes().to_vec();
        damaged[place] ^= 1;
        assert!(Dictionary::load(&damaged, false).is_none(), "byte {place}");
    }
    assert!(Dictionary::load(&loaded.bytes()[..500], false).is_none());
    assert!(Dictionary::load(b"", false).is_none());
}
