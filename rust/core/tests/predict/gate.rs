//! Whether a launch is worth it.

use penstock_core::predict::gate::{
    Offer, Terms, Verdict, WasteBudget, benefit, cost, gain, is_control, scarcity, slot_price,
    token_price, weigh,
};
use proptest::prelude::*;

fn offer(chance: f64) -> Offer {
    Offer {
        chance,
        late: 0.0,
        overlap: Some(0.5),
        latency: Some(1.0),
        price: 0.0,
        tokens: 0.0,
        seconds_per_token: 0.0,
        fill: 1.0,
        busy: 0.0,
        waste_left: 18.0,
    }
}

#[test]
fn a_likely_read_that_costs_nothing_is_launched() {
    assert_eq!(weigh(&Terms::default(), &offer(0.21)), Verdict::Launch);
    assert_eq!(weigh(&Terms::default(), &offer(0.19)), Verdict::Unlikely);
}

#[test]
fn a_priced_tool_needs_a_surer_guess_that_pays() {
    let terms = Terms::default();
    let priced = |chance, price| Offer {
        price,
        ..offer(chance)
    };
    assert_eq!(weigh(&terms, &priced(0.49, 1.0)), Verdict::Unlikely);
    assert_eq!(weigh(&terms, &priced(0.6, 700.0)), Verdict::Launch); // 300 against 280
    assert_eq!(weigh(&terms, &priced(0.6, 800.0)), Verdict::Dear);
}

#[test]
fn without_samples_it_is_shadow() {
    let unknown = Offer {
        latency: None,
        ..offer(0.9)
    };
    assert_eq!(weigh(&Terms::default(), &unknown), Verdict::Shadow);
}

#[test]
fn a_limit_is_free_when_full_and_priceless_when_nearly_empty() {
    let terms = Terms::default();
    assert!(token_price(&terms, 0.1, 0.7).abs() < 1e-9);
    assert!(token_price(&terms, 0.1, 0.2).is_infinite());
    assert!((token_price(&terms, 0.1, 0.45) - 100.0).abs() < 1e-9);
    let scarce = Offer {
        tokens: 1.0,
        fill: 0.1,
        ..offer(0.99)
    };
    assert_eq!(weigh(&terms, &scarce), Verdict::Dear);
}

#[test]
fn a_busy_tool_has_no_slot_for_guesses() {
    let terms = Terms::default();
    assert!((slot_price(&terms, 0.5) - 1_000.0).abs() < 1e-9);
    assert_eq!(
        weigh(
            &terms,
            &Offer {
                busy: 0.8,
                ..offer(0.99)
            }
        ),
        Verdict::Dear
    );
    assert!((cost(&terms, &offer(0.5), 1.0)).abs() < 1e-9);
    assert!((benefit(&terms, 0.5, 0.1, 0.5, 1.0) - 350.0).abs() < 1e-9);
}

#[test]
fn what_is_gained_is_what_is_saved_less_what_it_takes() {
    let terms = Terms::default();
    let priced = Offer {
        price: 700.0,
        ..offer(0.6)
    };
    assert!((gain(&terms, &priced).unwrap() - 20.0).abs() < 1e-9);
    let unknown = Offer {
        overlap: None,
        ..priced
    };
    assert_eq!(gain(&terms, &unknown), None);
}

#[test]
fn one_point_in_a_hundred_is_control_and_always_the_same() {
    let points = (0..100_000)
        .filter(|number| is_control("session", *number, 10))
        .count();
    assert!((800..1_200).contains(&points), "{points}");
    assert_eq!(is_control("a", 7, 10), is_control("a", 7, 10));
}

#[test]
fn what_is_left_goes_to_the_surest() {
    assert!(scarcity(1.0) > scarcity(3.0) && scarcity(3.0) > scarcity(20.0));
    assert!((scarcity(18.0) - 1.0).abs() < 1e-9 && (scarcity(50.0) - 0.65).abs() < 1e-9);
}

proptest! {
    /// However wrong the guesses are: waste is at most 5 + 0.3 times the calls.
    #[test]
    fn waste_is_bounded(moves in prop::collection::vec(0..3_u8, 0..400)) {
        let mut budget = WasteBudget::default();
        let (mut launched, mut promoted, mut calls) = (0_u32, 0_u32, 0_u32);
        for step in moves {
            match step {
                0 => launched += u32::from(budget.launch()),
                1 => {
                    budget.call();
                    calls += 1;
                }
                _ if promoted < launched => {
                    budget.promoted();
                    promoted += 1;
                }
                _ => {}
            }
            prop_assert!(f64::from(launched - promoted) <= f64::from(calls).mul_add(0.3, 5.0) + 1e-9);
            prop_assert!(budget.left() <= 50.0);
        }
    }
}
