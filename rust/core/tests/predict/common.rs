//! Small conversations, told to a predictor as an engine would tell them.

use penstock_core::predict::{Decision, Event, Outcome, Predictor, Start};

/// A call with its result: tool, arguments, what came back.
pub type Call<'a> = (&'a str, &'a str, &'a str);

/// What happens in a conversation.
#[derive(Clone, Copy, Debug)]
pub enum Turn<'a> {
    /// The user writes.
    User(&'a str),
    /// One message of the model, and its results.
    Step(&'a [Call<'a>]),
    /// The model answers in words.
    End,
}

pub fn begin(predictor: &mut Predictor, session: &str, learns: bool) {
    let start = Start {
        tenant: "shop",
        agent: "support",
        task: session,
        learns,
    };
    predictor.observe(session, Event::Start(start));
}

pub fn tell(predictor: &mut Predictor, session: &str, turns: &[Turn<'_>]) {
    for turn in turns {
        match turn {
            Turn::User(text) => predictor.observe(session, Event::User(text)),
            Turn::End => predictor.observe(session, Event::End),
            Turn::Step(calls) => step(predictor, session, calls),
        }
    }
}

fn step(predictor: &mut Predictor, session: &str, calls: &[Call<'_>]) {
    for (tool, arguments, _) in calls {
        let arguments = arguments.as_bytes();
        predictor.observe(session, Event::Call { tool, arguments });
    }
    for (call, (_, _, value)) in calls.iter().enumerate() {
        let outcome = if *value == "[]" {
            Outcome::Empty
        } else {
            Outcome::Ok
        };
        let value = value.as_bytes();
        predictor.observe(
            session,
            Event::Result {
                call,
                outcome,
                value,
            },
        );
    }
    predictor.observe(session, Event::Decision);
}

/// Learns a conversation from beginning to end.
pub fn learn(predictor: &mut Predictor, session: &str, turns: &[Turn<'_>]) {
    begin(predictor, session, true);
    tell(predictor, session, turns);
    predictor.forget(session);
}

/// Follows a conversation and guesses what comes after it.
pub fn after(predictor: &mut Predictor, session: &str, turns: &[Turn<'_>]) -> Decision {
    begin(predictor, session, false);
    tell(predictor, session, turns);
    predictor.predict(session, 8)
}

/// A customer who looks up two orders, with ids of his own.
pub fn shop(predictor: &mut Predictor, number: u32) {
    let user = format!("anna_berg_{number:04}");
    let (one, two) = (format!("#W{number:04}1"), format!("#W{number:04}2"));
    let asked = format!("Hello, my user id is {user}. Where are my orders?");
    let found = format!(r#"{{"name":"Anna","orders":["{one}","{two}"]}}"#);
    let by_user = format!(r#"{{"user_id":"{user}"}}"#);
    let (first, second) = (
        format!(r#"{{"order_id":"{one}"}}"#),
        format!(r#"{{"order_id":"{two}"}}"#),
    );
    learn(
        predictor,
        &format!("shop-{number}"),
        &[
            Turn::User(&asked),
            Turn::Step(&[("get_user", &by_user, &found)]),
            Turn::Step(&[("get_order", &first, r#"{"status":"sent"}"#)]),
            Turn::Step(&[("get_order", &second, r#"{"status":"late"}"#)]),
            Turn::End,
        ],
    );
}

/// One that has learned so many of these.
pub fn taught(sessions: u32) -> Predictor {
    let mut predictor = Predictor::default();
    (0..sessions).for_each(|number| shop(&mut predictor, number));
    predictor
}

/// The arguments of the candidates, the likeliest first.
pub fn arguments(decision: &Decision) -> Vec<&str> {
    decision
        .candidates
        .iter()
        .map(|candidate| candidate.arguments.as_ref())
        .collect()
}
