use super::{Opened, Opening};
use crate::config::Seconds;
use crate::evidence::{Class, Evidence, Fact, Fault, FaultFact, Histogram, Outcome, RequestFact, SecondFact};
use crate::timeline::Timeline;
use crate::timeline::tests::header;

fn second(at: i64, took_ms: f64) -> Fact {
    let mut times = Histogram::default();
    (0..10).for_each(|_| times.record(took_ms));
    Fact::Second(SecondFact {
        at,
        agent: "l".into(),
        node: "n".into(),
        class: Class::Direct,
        due: 10,
        on_time: 10,
        outcomes: vec![(Outcome::Answered(200), 10)],
        open: 0,
        times,
        pod: Some("a".into()),
        template: 0,
        without_retry_after: 0,
    })
}

fn slow(due: i64) -> Fact {
    Fact::Request(RequestFact {
        due,
        sent: due,
        took_ms: 3_000.0,
        agent: "l".into(),
        node: "n".into(),
        class: Class::Direct,
        request: "GET /".into(),
        outcome: Outcome::Answered(503),
        error: None,
        trace_id: None,
        parent_id: None,
        pod: Some("a".into()),
        template: 0,
    })
}

fn hang(ended: i64) -> Fact {
    Fact::Fault(FaultFact {
        began: 0,
        ended,
        dependency: "postgres".into(),
        pod: "a".into(),
        fault: Fault::Hang,
        first_hit: Some(10),
        last_hit: Some(10),
        met: 0,
        met_again: None,
        spared: 0,
        hits: 1,
        held: Vec::new(),
        others: 0,
    })
}

fn opening(facts: Vec<Fact>) -> Opening {
    opening_of(30.0, facts)
}

fn opening_of(open_for: f64, facts: Vec<Fact>) -> Opening {
    let mut header = header();
    header.plan.dependencies[0].breaker.as_mut().unwrap().open_for = Seconds(open_for);
    Timeline::new(&Evidence::new(header, facts)).circuits[0].opening.clone()
}

#[test]
fn a_short_open_time_leaves_a_short_stretch_and_that_is_enough() {
    // Opened at the latest moment that the declaration allows, and hung as long as the experiment does.
    let mut facts = vec![hang(9_890), slow(100), slow(6_900)];
    facts.extend((7..9).map(|s| second(s * 1_000, 2.0)));
    let opened = Opened { last: 6_900, by: 7_100 };
    assert_eq!(opening_of(7.0, facts.clone()), Opening::At(opened));
    assert_eq!(opening_of(30.0, facts), Opening::Never);
}

#[test]
fn the_last_waiting_request_is_the_moment_of_opening() {
    let mut facts = vec![hang(20_000), slow(100), slow(6_400)];
    facts.extend((7..20).map(|s| second(s * 1_000, 2.0)));
    assert_eq!(opening(facts), Opening::At(Opened { last: 6_400, by: 7_100 }));
}

#[test]
fn requests_that_wait_until_the_end_never_opened_it() {
    let mut facts = vec![hang(20_000), slow(100), slow(18_000)];
    facts.extend((0..20).map(|s| second(s * 1_000, 2.0)));
    assert_eq!(opening(facts), Opening::Never);
}

#[test]
fn seconds_that_tell_of_slow_answers_are_believed() {
    let mut facts = vec![hang(20_000), slow(6_400)];
    facts.extend((7..20).map(|s| second(s * 1_000, 800.0)));
    assert_eq!(opening(facts), Opening::Never);
}

#[test]
fn without_requests_to_the_pod_nothing_is_known() {
    assert!(matches!(opening(vec![hang(20_000)]), Opening::Unseen(_)));
}

#[test]
fn where_few_requests_touch_the_dependency_it_opened_between_two_of_them() {
    let mut facts = vec![hang(20_000), slow(100), slow(4_400)];
    for at in 0..20 {
        let Fact::Second(mut other) = second(at * 1_000, 2.0) else { panic!() };
        other.template = 1;
        facts.push(Fact::Second(other));
        let Fact::Second(mut rare) = second(at * 1_000, 2.0) else { panic!() };
        rare.due = 1;
        facts.extend((at >= 6).then_some(Fact::Second(rare)));
    }
    assert_eq!(opening(facts), Opening::At(Opened { last: 4_400, by: 7_000 }));
}

#[test]
fn an_answer_that_was_slow_while_the_load_was_late_moves_nothing() {
    let mut facts = vec![hang(20_000), slow(100), slow(6_400)];
    for at in 7..20 {
        let is_late = at == 15;
        let Fact::Second(mut one) = second(at * 1_000, if is_late { 800.0 } else { 2.0 }) else { panic!() };
        one.on_time = if is_late { 0 } else { 10 };
        facts.push(Fact::Second(one));
    }
    assert_eq!(opening(facts), Opening::At(Opened { last: 6_400, by: 7_100 }));
}

#[test]
fn where_the_load_is_always_late_quick_answers_show_that_it_opened_and_slow_ones_do_not() {
    let of = |took_ms| {
        let late = (7..20).map(|at| {
            let Fact::Second(mut one) = second(at * 1_000, took_ms) else { panic!() };
            one.on_time = 0;
            Fact::Second(one)
        });
        opening([hang(20_000), slow(100), slow(6_400)].into_iter().chain(late).collect())
    };
    assert_eq!(of(2.0), Opening::At(Opened { last: 6_400, by: 7_100 }));
    assert_eq!(of(800.0), Opening::Never);
}
