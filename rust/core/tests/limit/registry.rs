//! Rules, scopes, sets: who has which limits, and when they go.

use penstock_core::clock::Nanos;
use penstock_core::limit::{
    AddError, Change, LimiterConfig, LimiterStatistics, RefusalKind, RuleSpec, Scope, ScopeError,
    Taken, Unit, Who,
};

use crate::common::{Bench, SECOND, bucket, ms, secs, slots, window};

#[test]
fn a_scope_is_written_as_it_was_read() {
    for text in [
        "global",
        "tenant:acme",
        "tenant:*/model:gpt-5",
        "service:a%2Fb/tool:%2A",
    ] {
        assert_eq!(Scope::parse(text).unwrap().to_string(), text);
    }
    assert_eq!(Scope::parse("batch").unwrap().to_string(), "batch:*");
}

#[test]
fn a_bad_scope_says_which_part_is_bad() {
    let part = |text: &str| Box::<str>::from(text);
    let parse = |text: &str| Scope::parse(text).unwrap_err();
    assert_eq!(
        parse("planet:x"),
        ScopeError::UnknownPart {
            part: part("planet:x")
        }
    );
    assert_eq!(
        parse("tool"),
        ScopeError::UnknownPart { part: part("tool") }
    );
    assert_eq!(
        parse("tool:a/tenant:b"),
        ScopeError::Order {
            part: part("tenant:b")
        }
    );
    assert_eq!(
        parse("tool:a/tool:b"),
        ScopeError::Order {
            part: part("tool:b")
        }
    );
    assert_eq!(
        parse("tool:"),
        ScopeError::BadName {
            part: part("tool:")
        }
    );
    assert_eq!(
        parse("tool:%zz"),
        ScopeError::BadName {
            part: part("tool:%zz")
        }
    );
    let long = format!("tool:{}", "x".repeat(201));
    assert_eq!(parse(&long), ScopeError::BadName { part: long.into() });
}

#[test]
fn every_limit_that_matches_applies() {
    let mut bench = Bench::default();
    let all = bench.add("all", "global", Unit::Requests, window(10, SECOND));
    let tool = bench.add("tool", "tool:a", Unit::Requests, window(10, SECOND));
    let other = bench.add("other", "tool:b", Unit::Requests, window(10, SECOND));
    let set = bench.tool("a");
    bench.granted(set, 1, Nanos::ZERO);
    let used = [all, tool, other].map(|rule| bench.used(rule, Nanos::ZERO));
    assert_eq!(used, [1, 1, 0]);
}

#[test]
fn each_value_of_a_star_has_a_limit_of_its_own() {
    let mut bench = Bench::default();
    let rule = bench.add("each", "tenant:*", Unit::Requests, window(1, SECOND));
    let (acme, other) = (bench.tenant("acme"), bench.tenant("other"));
    bench.granted(acme, 1, Nanos::ZERO);
    let refusal = bench.refused(acme, 1, Nanos::ZERO);
    assert_eq!(bench.limiter.describe(&refusal), ("each", "tenant:acme"));
    bench.granted(other, 1, Nanos::ZERO);
    assert_eq!(bench.limiter.rule_statistics(rule).unwrap().keys, 2);
    assert_eq!(
        bench.limiter.resolve(&Who::default(), Nanos::ZERO),
        Ok(None)
    );
}

#[test]
fn values_that_find_no_place_share_one_limit() {
    let mut bench = Bench::new(LimiterConfig {
        max_keys: 2,
        ..LimiterConfig::default()
    });
    let rule = bench.add("each", "tenant:*", Unit::Requests, window(1, SECOND));
    let sets = ["a", "b", "c", "d"].map(|tenant| bench.tenant(tenant));
    bench.granted(sets[0], 1, Nanos::ZERO);
    bench.granted(sets[1], 1, Nanos::ZERO);
    bench.granted(sets[2], 1, Nanos::ZERO);
    bench.refused(sets[3], 1, Nanos::ZERO);
    assert_eq!(bench.limiter.rule_statistics(rule).unwrap().overflow, 2);
}

#[test]
fn only_what_is_at_rest_is_dropped_for_a_new_value() {
    let mut bench = Bench::new(LimiterConfig {
        max_keys: 2,
        ..LimiterConfig::default()
    });
    let rule = bench.add("each", "tenant:*", Unit::Requests, window(1, secs(60)));
    let (busy, idle) = (bench.tenant("busy"), bench.tenant("idle"));
    let permit = bench.granted(busy, 1, Nanos::ZERO);
    bench.settle(permit, Nanos::ZERO);
    bench.limiter.unpin(busy);
    bench.limiter.unpin(idle);
    let set = bench.tenant("new");
    bench.granted(set, 1, Nanos::ZERO);
    let busy = bench.tenant("busy");
    bench.refused(busy, 1, Nanos::ZERO);
    let statistics = bench.limiter.rule_statistics(rule).unwrap();
    assert_eq!((statistics.keys, statistics.overflow), (2, 0));
    assert_eq!(statistics.granted, 2);
}

#[test]
fn a_set_lives_while_somebody_needs_it() {
    let (mut bench, set) = Bench::with(slots(1));
    let permit = bench.granted(set, 1, Nanos::ZERO);
    bench.wait(set, 1, Nanos::ZERO);
    bench.limiter.unpin(set);
    bench.settle(permit, ms(1));
    let permit = bench.grants(ms(1))[0].result.unwrap();
    assert_eq!(bench.limiter.statistics().sets, 1);
    bench.settle(permit, ms(2));
    assert_eq!(bench.limiter.statistics().sets, 0);
}

#[test]
fn a_limit_that_is_removed_lets_its_calls_go() {
    let mut bench = Bench::default();
    let rule = bench.add("batch", "batch:7", Unit::Requests, slots(1));
    let set = bench.set(&Who {
        batch: Some("7"),
        ..Who::default()
    });
    let held = bench.granted(set, 1, Nanos::ZERO);
    bench.wait(set, 1, Nanos::ZERO);
    bench.limiter.remove(rule, ms(1));
    let waited = bench.grants(ms(1))[0].result.unwrap();
    bench.settle(held, ms(2));
    bench.settle(waited, ms(2));
    bench.limiter.unpin(set);
    assert_eq!(bench.limiter.statistics(), LimiterStatistics::default());
    bench.add("batch", "batch:8", Unit::Requests, slots(1));
}

#[test]
fn bad_rules_are_refused_with_the_field() {
    let mut bench = Bench::default();
    bench.add("taken", "global", Unit::Requests, slots(1));
    let mut add = |name: &str, shape| {
        let spec = RuleSpec::new(name, Scope::default(), Unit::Requests, shape);
        bench.limiter.add(spec, Nanos::ZERO).unwrap_err()
    };
    let bad = |field| AddError::BadNumber { field };
    assert_eq!(
        add("taken", slots(1)),
        AddError::DuplicateName {
            name: "taken".into()
        }
    );
    assert_eq!(add("a", window(0, SECOND)), bad("n"));
    assert_eq!(add("a", window(1 << 53, SECOND)), bad("n"));
    assert_eq!(add("a", window(1, Nanos(999_999))), bad("per"));
    assert_eq!(add("a", window(1, secs(367 * 86_400))), bad("per"));
    assert_eq!(add("a", bucket(1, SECOND, 0)), bad("burst"));
}

#[test]
fn more_than_sixteen_limits_are_too_many() {
    let mut bench = Bench::default();
    for place in 0..17 {
        bench.add(&place.to_string(), "global", Unit::Requests, slots(1));
    }
    let error = bench
        .limiter
        .resolve(&Who::default(), Nanos::ZERO)
        .unwrap_err();
    assert_eq!(error.limits, 17);
}

#[test]
fn a_change_keeps_what_is_spent_and_who_waits() {
    let mut bench = Bench::default();
    let rule = bench.add("rate", "global", Unit::Requests, bucket(10, SECOND, 10));
    let set = bench.set(&Who::default());
    bench.granted(set, 10, Nanos::ZERO);
    bench.wait(set, 10, Nanos::ZERO);
    let change = |n, burst| Change {
        n: Some(n),
        burst: Some(burst),
        per: None,
    };
    bench
        .limiter
        .change(rule, change(100, 10), ms(500))
        .unwrap();
    assert_eq!(bench.used(rule, ms(500)), 5);
    assert!(bench.tokens(ms(500)).is_empty());
    assert_eq!(bench.limiter.next_wake(), Some(ms(550)));
    bench.limiter.change(rule, change(100, 9), ms(501)).unwrap();
    let refusal = bench.grants(ms(501))[0].result.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Impossible);
    let per = Change {
        per: Some(SECOND),
        ..Change::default()
    };
    let slot = bench.add("slots", "global", Unit::Requests, slots(1));
    assert_eq!(
        bench.limiter.change(slot, per, ms(501)),
        Err(AddError::BadNumber { field: "per" })
    );
}

#[test]
fn no_slots_are_a_pause_and_no_error() {
    let mut bench = Bench::default();
    let rule = bench.add("slots", "global", Unit::Requests, slots(0));
    let set = bench.set(&Who::default());
    assert!(matches!(bench.take(set, 1, Nanos::ZERO), Taken::Waiting(_)));
    let change = Change {
        n: Some(1),
        ..Change::default()
    };
    bench.limiter.change(rule, change, ms(1)).unwrap();
    assert_eq!(bench.tokens(ms(1)), [1]);
}

#[test]
fn the_time_and_the_name_of_the_binding_limit_are_known() {
    let mut bench = Bench::default();
    bench.add("wide", "global", Unit::Requests, bucket(100, SECOND, 100));
    let narrow = bench.add("narrow", "global", Unit::Requests, bucket(1, SECOND, 2));
    let set = bench.set(&Who::default());
    let cost = penstock_core::limit::Cost::requests(2);
    bench.granted(set, 2, Nanos::ZERO);
    let (at, rule) = bench.limiter.payable_at(set, &cost, Nanos::ZERO).unwrap();
    assert_eq!((at, rule), (secs(2), narrow));
    assert_eq!(bench.limiter.name_of(rule), "narrow");
    let never = penstock_core::limit::Cost::requests(3);
    assert_eq!(bench.limiter.payable_at(set, &never, Nanos::ZERO), None);
    assert!((bench.limiter.fill(set, secs(1)) - 0.5).abs() < 1e-9);
    assert_eq!(
        bench.limiter.rule_called("wide").map(|rule| rule.0),
        Some(0)
    );
}
