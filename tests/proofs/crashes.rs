//! Crash points. Every call that a flow makes to the table, the queue or the gateway is struck once in every way that there is; then
//! people repeat their requests, the gateway its events, the queue its messages, and the schedule comes. In the end everything must
//! stand as it does when nothing goes wrong: the escrow, the ledger, the statement, and what the gateway was made to do.
//!
//! Nothing here knows a flow's calls: a first run writes them down, and each is struck by what can happen to a call of its kind.

use crate::hand::{Hand, Heard, Life, Made, Step};
use holdfast::faults::{Target, Verdict};
use serde_json::{Value, json};

use Step::{
    AnotherPage, Cancel, Checkout, Deliver, Dispute, Later, Pay, PayLate, PayTwice, Refund, Release, Rule, Sweep,
};

/// What comes after a blow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Everybody tries again.
    Soon,
    /// What was on its way is lost; minutes later, while the gateway knows its keys, the schedule comes.
    Unheard,
    /// What was on its way is lost, and a day later, when the gateway has forgotten its keys, the schedule comes.
    NextDay,
}

/// One way in which things go: what was before it, and what is struck.
struct Flow {
    before: &'static [Step],
    struck: &'static [Step],
    then: Then,
    /// So many calls are known to be made in it, at least. A flow that shrinks proves less than it seems to.
    calls: usize,
}

/// Everything that can happen to a call.
fn blows(call: &Made) -> Vec<(&'static str, Verdict)> {
    let answer = |status, code: &str| Verdict::Answer { status, code: code.to_owned() };
    let mut blows = vec![
        ("not done", Verdict::FailBeforeSending),
        ("done, answer lost", Verdict::LoseAnswer),
        ("done twice", Verdict::SendTwice),
        ("killed before", Verdict::KillBefore),
        ("killed after", Verdict::KillAfter),
    ];
    match (call.target, call.operation.as_str()) {
        (Target::DynamoDb, operation) => {
            blows.push(("throttled", answer(400, "ThrottlingException")));
            blows.push(("broken", answer(500, "InternalServerError")));
            if operation == "PutItem" {
                blows.push(("conflict", answer(400, "TransactionConflictException")));
                blows.push(("overtaken", Verdict::Overtake { member: 0 }));
            }
            if operation == "TransactWriteItems" {
                blows.push(("conflict", conflict(&call.body)));
                blows.push(("escrow overtaken", Verdict::Overtake { member: 0 }));
                blows.push(("wallet overtaken", Verdict::Overtake { member: 1 }));
            }
        }
        (Target::Queue, _) => {
            blows.push(("throttled", answer(400, "RequestThrottled")));
            blows.push(("refused", answer(403, "AccessDenied")));
        }
        (Target::Gateway, _) => {
            blows.push(("throttled", answer(429, r#"{"error":{"type":"invalid_request_error","code":"rate_limit"}}"#)));
            blows.push(("conflict", answer(409, r#"{"error":{"type":"idempotency_error"}}"#)));
            blows.push(("broken", answer(500, r#"{"error":{"type":"api_error"}}"#)));
        }
    }
    blows
}

/// A transaction that another one was in the way of.
fn conflict(body: &Value) -> Verdict {
    let members = body["TransactItems"].as_array().map_or(0, Vec::len);
    let reasons: Vec<Value> = (0..members)
        .map(|member| json!({ "Code": if member == 0 { "TransactionConflict" } else { "None" } }))
        .collect();
    let body =
        json!({ "__type": "TransactionCanceledException", "message": "injected", "CancellationReasons": reasons });
    Verdict::Answer { status: 400, code: body.to_string() }
}

impl Flow {
    /// As many lives as strikes, each struck once: what they called, and how they ended. They go side by side, step by step, since
    /// they share a clock.
    async fn run(&self, hand: &Hand, strikes: Vec<Option<(usize, Verdict)>>) -> Vec<Ended> {
        let mut lives: Vec<Life<'_>> = strikes.iter().map(|_| hand.life()).collect();
        self.together(hand, &mut lives, self.before).await;
        for (life, strike) in lives.iter_mut().zip(strikes) {
            life.left_alone = self.then != Then::Soon;
            life.heard = Heard::listen(strike);
        }
        self.together(hand, &mut lives, self.struck).await;
        if self.then == Then::NextDay {
            hand.pass("PT25H");
        }
        hand.recover().await;
        let around = hand.surroundings().await;
        let mut ended = Vec::new();
        for life in lives {
            let (picture, version) = (life.picture(&around).await, life.version().await);
            ended.push(Ended { heard: life.heard, picture, version });
        }
        ended
    }

    async fn together(&self, hand: &Hand, lives: &mut [Life<'_>], steps: &[Step]) {
        for step in steps {
            match step {
                Later(time) => hand.pass(time),
                step => {
                    for life in &mut *lives {
                        life.live(&[*step]).await;
                    }
                }
            }
        }
    }

    /// A sweep takes whatever is due: where it is struck itself, every life needs it for itself.
    fn most_together(&self) -> usize {
        if self.struck.contains(&Sweep) { 1 } else { 1_000 }
    }
}

/// How a life ended.
struct Ended {
    heard: Heard,
    picture: Value,
    version: u64,
}

/// Whether somebody else's commit comes before the one that this call makes.
fn overtakes_an_escrow(call: &Made, blow: &Verdict) -> bool {
    let replaces = ["/ExpressionAttributeValues/:v", "/TransactItems/0/Put/ExpressionAttributeValues/:v"];
    *blow == Verdict::Overtake { member: 0 } && replaces.iter().any(|version| call.body.pointer(version).is_some())
}

async fn check(flow: Flow) {
    let hand = Hand::start().await;
    // So that the seller's wallet is there, and can move.
    hand.life().live(&[Checkout, Pay, Release]).await;
    let undisturbed = flow.run(&hand, vec![None]).await.remove(0);
    let heard = &undisturbed.heard;
    assert!(heard.made.len() >= flow.calls, "{} calls are made, {} were known", heard.made.len(), flow.calls);
    let calls = heard.made.iter().enumerate();
    let cases: Vec<_> = calls.flat_map(|call| blows(call.1).into_iter().map(move |blow| (call, blow))).collect();
    let mut wrong = Vec::new();
    for cases in cases.chunks(flow.most_together()) {
        let strikes = cases.iter().map(|((number, _), (_, blow))| Some((*number, blow.clone()))).collect();
        let ended = flow.run(&hand, strikes).await;
        for (((number, call), (name, blow)), disturbed) in cases.iter().zip(ended) {
            let at = format!("{number} {}, {name}", call.operation);
            assert!(disturbed.heard.has_struck, "{at}: the blow never fell");
            if disturbed.picture != undisturbed.picture {
                wrong.push(format!("{at}:\n{}", difference(&undisturbed.picture, &disturbed.picture)));
            }
            // Who is overtaken on an escrow decides anew on what stands there, and writes over nothing. (Where words are lost, others
            // do a part of the work, in commits of another number.)
            let one_more = disturbed.version == undisturbed.version + 1;
            if flow.then == Then::Soon && overtakes_an_escrow(call, blow) && !one_more {
                wrong.push(format!("{at}: version {} after {}", disturbed.version, undisturbed.version));
            }
        }
    }
    let (wrong_ones, all) = (wrong.len(), cases.len());
    assert!(wrong.is_empty(), "{wrong_ones} of {all} ended otherwise:\n{}", wrong.join("\n"));
    hand.people.verify().await;
}

/// The lines in which two documents differ.
fn difference(expected: &Value, found: &Value) -> String {
    let (expected, found) = (format!("{expected:#}"), format!("{found:#}"));
    let only = |sign: &str, one: &str, other: &str| -> String {
        let lines = one.lines().filter(|line| !other.lines().any(|known| known == *line));
        lines.map(|line| format!("  {sign} {line}\n")).collect()
    };
    let told = only("-", &expected, &found) + &only("+", &found, &expected);
    if told.is_empty() { format!("  the same lines in another order or number:\n{expected}\n{found}") } else { told }
}

#[tokio::test]
async fn a_checkout_survives_every_blow() {
    check(Flow { before: &[], struck: &[Checkout], then: Then::Soon, calls: 3 }).await;
}

#[tokio::test]
async fn a_payment_survives_every_blow() {
    check(Flow { before: &[Checkout], struck: &[Pay], then: Then::Soon, calls: 3 }).await;
}

#[tokio::test]
async fn a_delivery_survives_every_blow() {
    check(Flow { before: &[Checkout, Pay], struck: &[Deliver], then: Then::Soon, calls: 2 }).await;
}

#[tokio::test]
async fn a_release_survives_every_blow() {
    check(Flow { before: &[Checkout, Pay, Deliver], struck: &[Release], then: Then::Soon, calls: 3 }).await;
}

#[tokio::test]
async fn a_release_by_the_clock_survives_every_blow() {
    let struck = &[Later("P7D"), Sweep];
    check(Flow { before: &[Checkout, Pay, Deliver], struck, then: Then::Soon, calls: 19 }).await;
}

const REFUNDED: Flow = Flow { before: &[Checkout, Pay], struck: &[Refund], then: Then::Soon, calls: 9 };

#[tokio::test]
async fn a_refund_survives_every_blow() {
    check(REFUNDED).await;
}

#[tokio::test]
async fn a_refund_that_nobody_asks_about_for_a_day_survives_every_blow() {
    check(Flow { then: Then::NextDay, ..REFUNDED }).await;
}

const CANCELLED: Flow = Flow { before: &[Checkout], struck: &[Cancel], then: Then::Soon, calls: 7 };

#[tokio::test]
async fn a_cancellation_survives_every_blow() {
    check(CANCELLED).await;
}

#[tokio::test]
async fn a_page_that_nobody_closes_for_a_day_survives_every_blow() {
    check(Flow { then: Then::NextDay, ..CANCELLED }).await;
}

const RULED: Flow = Flow {
    before: &[Checkout, Pay, Deliver],
    struck: &[Dispute, Later("P2D"), Rule("75.00")],
    then: Then::Soon,
    calls: 12,
};

#[tokio::test]
async fn a_ruling_by_halves_survives_every_blow() {
    check(RULED).await;
}

#[tokio::test]
async fn a_ruling_whose_refund_nobody_hears_about_survives_every_blow() {
    check(Flow { then: Then::Unheard, ..RULED }).await;
}

#[tokio::test]
async fn a_ruling_that_is_carried_out_a_day_later_survives_every_blow() {
    check(Flow { then: Then::NextDay, ..RULED }).await;
}

const LATE: Flow = Flow { before: &[Checkout, Later("PT25H"), Sweep], struck: &[PayLate], then: Then::Soon, calls: 9 };

#[tokio::test]
async fn a_late_payment_survives_every_blow() {
    check(LATE).await;
}

#[tokio::test]
async fn a_late_payment_that_goes_back_a_day_later_survives_every_blow() {
    check(Flow { then: Then::NextDay, ..LATE }).await;
}

const SECOND: Flow = Flow { before: &[Checkout, AnotherPage], struck: &[PayTwice], then: Then::Soon, calls: 9 };

#[tokio::test]
async fn a_second_payment_survives_every_blow() {
    check(SECOND).await;
}

#[tokio::test]
async fn a_second_payment_that_goes_back_a_day_later_survives_every_blow() {
    check(Flow { then: Then::NextDay, ..SECOND }).await;
}

/// The gateway does it and says that it broke, which it will repeat for as long as it knows the key: only asking tells.
#[tokio::test]
async fn what_the_gateway_does_while_it_says_that_it_is_broken_is_done_once() {
    let hand = Hand::start().await;
    for (flow, armed) in [(REFUNDED, "refunds"), (RULED, "refunds"), (LATE, "refunds"), (CANCELLED, "closes")] {
        let undisturbed = flow.run(&hand, vec![None]).await.remove(0);
        for times in 1..=3 {
            hand.people.switch_sandbox(json!({ "next": vec![json!({ armed: "500_after" }); times] })).await;
            let broken = flow.run(&hand, vec![None]).await.remove(0);
            let disturbed = broken.picture != undisturbed.picture;
            assert!(!disturbed, "{armed} {times}:\n{}", difference(&undisturbed.picture, &broken.picture));
            hand.people.switch_sandbox(json!({ "next": [] })).await;
        }
    }
    hand.people.verify().await;
}
