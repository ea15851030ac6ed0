//! Chances corrected by what is known of a guess, and by what the conversation itself does.

use penstock_core::predict::{Decision, Key, Parts, Predictor, PredictorConfig, canonical};

use crate::common::{Turn, after, begin, learn, taught, tell};

const ITEMS: usize = 4;

/// A predictor without tables of chances, so that what is shown is what was judged.
fn uncalibrated(judge: bool) -> Predictor {
    let parts = Parts {
        calibration: false,
        judge,
        ..Parts::default()
    };
    Predictor::new(PredictorConfig {
        parts,
        ..PredictorConfig::default()
    })
}

/// Follows a conversation that asks for all items of a list at once, scores it, then learns it.
fn all_at_once(predictor: &mut Predictor, number: usize) -> Decision {
    let names: Vec<String> = (0..ITEMS).map(|item| format!("#I{number}{item}")).collect();
    let list = format!(r#"{{"items":["{}"]}}"#, names.join(r#"",""#));
    let asked: Vec<String> = names
        .iter()
        .map(|name| format!(r#"{{"item":"{name}"}}"#))
        .collect();
    let calls: Vec<_> = asked
        .iter()
        .map(|call| ("get_item", call.as_str(), "1"))
        .collect();
    let user = format!("What is in list {number}?");
    let before = [Turn::User(&user), Turn::Step(&[("get_list", "{}", &list)])];
    let name = format!("all-{number}");
    begin(predictor, &name, false);
    tell(predictor, &name, &before);
    let decision = predictor.predict(&name, 8);
    let truth: Vec<Key> = asked
        .iter()
        .filter_map(|call| Some(canonical("get_item", call.as_bytes()).ok()?.1))
        .collect();
    predictor.score(&name, decision.number, &truth);
    let [user, list] = before;
    learn(
        predictor,
        &name,
        &[user, list, Turn::Step(&calls), Turn::End],
    );
    decision
}

fn chances_of_items(judge: bool) -> Vec<f32> {
    let mut predictor = uncalibrated(judge);
    let decisions = (0..80).map(|number| all_at_once(&mut predictor, number));
    let last = decisions.last().unwrap_or_default();
    let items = last
        .candidates
        .iter()
        .filter(|each| &*each.tool == "get_item");
    items.map(|each| each.chance).take(ITEMS).collect()
}

#[test]
fn guesses_that_come_true_together_are_not_alternatives() {
    let judged = chances_of_items(true);
    assert!(
        judged.len() == ITEMS && judged.iter().all(|chance| *chance > 0.7),
        "{judged:?}"
    );
    let raw = chances_of_items(false);
    assert!(raw.iter().all(|chance| *chance < 0.6), "{raw:?}");
}

#[test]
fn a_conversation_that_is_stuck_is_expected_to_stay_stuck() {
    let mut predictor = taught(40); // whose conversations never make a call twice
    let again = (
        "get_order",
        r#"{"order_id":"#.to_owned() + r##""#W77"}"##,
        r#"{"status":"sent"}"#,
    );
    let step = [(again.0, again.1.as_str(), again.2)];
    let mut chance_after = |calls: usize| {
        let mut turns = vec![Turn::User("Where is #W77?")];
        turns.extend(std::iter::repeat_n(Turn::Step(&step), calls));
        let decision = after(&mut predictor, &format!("stuck-{calls}"), &turns);
        let found = decision
            .candidates
            .iter()
            .find(|each| *each.arguments == *again.1);
        found.map_or(0.0, |each| each.chance)
    };
    let chances: Vec<f32> = [2, 4, 8, 16].map(&mut chance_after).into();
    assert!(chances.is_sorted(), "{chances:?}");
    assert!(chances[0] < 0.3 && chances[3] > 0.7, "{chances:?}");
}
