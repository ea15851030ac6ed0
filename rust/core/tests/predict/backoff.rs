//! Who knows a situation, how well a guess is confirmed, and whether its tool is still in shadow.

use penstock_core::predict::{Decision, Event, Predictor, Reach, Start};
use proptest::prelude::*;

use crate::common::{Turn, after, begin, shop, taught, tell};

const ASKED: Turn<'_> = Turn::User("Hi, my user id is carl_dahl_9999. Where are my orders?");
const FOUND: Turn<'_> = Turn::Step(&[(
    "get_user",
    r#"{"user_id":"carl_dahl_9999"}"#,
    r##"{"orders":["#W99991"]}"##,
)]);

fn start<'a>(tenant: &'a str, agent: &'a str, learns: bool) -> Event<'a> {
    let task = "";
    Event::Start(Start {
        tenant,
        agent,
        task,
        learns,
    })
}

/// What is thought in another tenant after a user was found there.
fn elsewhere(predictor: &mut Predictor, agent: &str) -> Decision {
    predictor.observe("other", start("bank", agent, false));
    tell(predictor, "other", &[ASKED, FOUND]);
    predictor.predict("other", 8)
}

#[test]
fn what_only_others_know_is_known_by_names_of_ones_own_and_is_marked() {
    let mut predictor = taught(20);
    assert!(
        elsewhere(&mut predictor, "support").tools.is_empty(),
        "no name is shared"
    );
    predictor.guess("bank", "get_order", true);
    let decision = elsewhere(&mut predictor, "support");
    assert_eq!(&*decision.tools[0].0, "get_order");
    assert!(decision.tools[0].1 > 0.5, "{decision:?}");
    assert!(
        decision.candidates.is_empty(),
        "no value and no argument is shared"
    );
}

#[test]
fn a_guess_that_others_taught_is_global_until_it_happened_here() {
    let mut predictor = taught(20);
    let order = Turn::Step(&[(
        "get_order",
        r##"{"order_id":"#W11111"}"##,
        r#"{"status":"sent"}"#,
    )]);
    let asked = Turn::User("Order #W11111, please");
    // The tool is known here, but not that it follows `get_user`.
    predictor.observe("known", start("bank", "support", true));
    tell(&mut predictor, "known", &[asked, order, Turn::End]);
    for reach in [Reach::Global, Reach::Agent] {
        predictor.observe("other", start("bank", "support", false));
        tell(
            &mut predictor,
            "other",
            &[Turn::User("Order #W22222, please"), FOUND],
        );
        let decision = predictor.predict("other", 8);
        assert_eq!(&*decision.candidates[0].tool, "get_order");
        assert!(
            decision.candidates.iter().all(|each| each.reach == reach),
            "{decision:?}"
        );
        predictor.observe("taught", start("bank", "support", true));
        tell(&mut predictor, "taught", &[asked, FOUND, order, Turn::End]);
    }
}

#[test]
fn another_agent_of_the_tenant_is_told_apart() {
    let mut predictor = taught(20);
    let own = after(&mut predictor, "own", &[ASKED, FOUND]);
    assert!(own.candidates.iter().all(|each| each.reach == Reach::Agent));
    predictor.observe("new", start("shop", "sales", false));
    tell(&mut predictor, "new", &[ASKED, FOUND]);
    let decision = predictor.predict("new", 8);
    assert!(!decision.candidates.is_empty());
    assert!(
        decision
            .candidates
            .iter()
            .all(|each| each.reach == Reach::Tenant)
    );
}

#[test]
fn real_calls_confirm_where_a_value_comes_from() {
    let confirmed = |sessions| {
        let decision = after(&mut taught(sessions), "new", &[ASKED, FOUND]);
        decision.candidates[0].confirmed
    };
    assert!((1..20).contains(&confirmed(8)));
    assert!(confirmed(30) > 20);
}

#[test]
fn a_tool_is_in_shadow_until_its_guesses_came_true_as_said() {
    let mut predictor = Predictor::default();
    let is_shadow = |predictor: &mut Predictor| {
        after(predictor, "look", &[ASKED, FOUND]).candidates[0].is_shadow
    };
    (0..30).for_each(|number| shop(&mut predictor, number));
    assert!(is_shadow(&mut predictor));
    for number in 0..40 {
        let decision = after(&mut predictor, &format!("scored-{number}"), &[ASKED, FOUND]);
        let truth = [decision.candidates[0].key];
        predictor.score(&format!("scored-{number}"), decision.number, &truth);
    }
    assert!(!is_shadow(&mut predictor));
    predictor.declare("shop", "get_order", b"schema 1");
    assert!(!is_shadow(&mut predictor), "nobody had said another form");
    let mut kept = Predictor::default();
    kept.load(&predictor.snapshot()).unwrap();
    assert!(!is_shadow(&mut kept), "a snapshot keeps it");
    for predictor in [&mut predictor, &mut kept] {
        predictor.declare("shop", "get_order", b"schema 1");
        assert!(!is_shadow(predictor));
        predictor.declare("shop", "get_order", b"schema 2");
        assert!(is_shadow(predictor));
    }
}

#[test]
fn of_two_versions_the_merged_tool_is_in_shadow() {
    let mut versions = [&b"1"[..], b"2"].map(|form| {
        let mut predictor = taught(20);
        predictor.declare("shop", "get_order", form);
        for number in 0..40 {
            let decision = after(&mut predictor, "scored", &[ASKED, FOUND]);
            let truth = [decision.candidates[0].key];
            predictor.score("scored", decision.number, &truth);
            assert!(number < 39 || !decision.candidates[0].is_shadow);
        }
        predictor
    });
    let snapshots = versions.each_ref().map(Predictor::snapshot);
    versions[0].merge(&snapshots[1]).unwrap();
    versions[1].merge(&snapshots[0]).unwrap();
    assert_eq!(versions[0].snapshot(), versions[1].snapshot());
    for predictor in &mut versions {
        assert!(after(predictor, "look", &[ASKED, FOUND]).candidates[0].is_shadow);
    }
}

/// A tenant whose conversations call tools of these numbers, one after the other.
fn told(predictor: &mut Predictor, tenant: &str, stories: &[Vec<u8>]) {
    for story in stories {
        predictor.observe("story", start(tenant, "support", true));
        for tool in story {
            let (tool, given) = (
                format!("tool_{tool}"),
                format!(r#"{{"id":"{tenant}-{tool}"}}"#),
            );
            tell(
                predictor,
                "story",
                &[Turn::Step(&[(&tool, &given, r#"{"ok":1}"#)])],
            );
        }
        predictor.observe("story", Event::End);
        predictor.forget("story");
    }
}

fn stories() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(0..4_u8, 1..6), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn nothing_of_a_tenant_is_seen_in_another(ones in stories(), others in stories(), now in stories()) {
        let mut predictor = Predictor::default();
        told(&mut predictor, "secret", &ones);
        told(&mut predictor, "bank", &others);
        predictor.observe("new", start("bank", "support", false));
        for tool in now.iter().flatten() {
            let tool = format!("tool_{tool}");
            tell(&mut predictor, "new", &[Turn::Step(&[(&tool, "{}", r#"{"ok":1}"#)])]);
            let decision = predictor.predict("new", 8);
            prop_assert!(decision.candidates.iter().all(|each| !each.arguments.contains("secret")));
            let known: Vec<String> = others.iter().flatten().map(|tool| format!("tool_{tool}")).collect();
            prop_assert!(decision.tools.iter().all(|(tool, _)| known.iter().any(|each| **each == **tool)));
        }
    }

    #[test]
    fn merging_tenants_of_two_processes_commutes(ones in stories(), others in stories()) {
        let (mut one, mut other) = (Predictor::default(), Predictor::default());
        told(&mut one, "a", &ones);
        told(&mut other, "b", &others);
        let (first, second) = (one.snapshot(), other.snapshot());
        one.merge(&second).unwrap();
        other.merge(&first).unwrap();
        prop_assert_eq!(one.snapshot(), other.snapshot());
    }
}

#[test]
fn the_memory_of_everybody_is_bounded_too() {
    let config = penstock_core::predict::PredictorConfig {
        memory_bytes: 2 << 20,
        ..penstock_core::predict::PredictorConfig::default()
    };
    let mut predictor = Predictor::new(config);
    for number in 0..1_200 {
        let tool = format!("tool_{number}");
        begin(&mut predictor, "new", true);
        tell(
            &mut predictor,
            "new",
            &[Turn::Step(&[(&tool, "{}", "1")]), Turn::End],
        );
    }
    assert!(
        predictor.statistics().bytes <= 2 << 20,
        "{:?}",
        predictor.statistics()
    );
}
