//! Crash points. Every call that a flow makes to the table, the queue or the gateway is struck once in every way that there is; then
//! people repeat their requests, the gateway its events, the queue its messages, and the schedule comes. In the end everything must
//! stand as it does when nothing goes wrong: the escrow, the ledger, the statement, and what the gateway was made to do.
//!
//! Nothing here knows a flow's calls: a first run writes them down, and each is struck by what can happen to a call of its kind.

use crate::hand::{Deed, Hand, Heard, Life, Made, Step, Who};
use holdfast::Given;
use holdfast::faults::{Target, Verdict};
use holdfast_tests::json::Look;
use serde_json::{Value, json};

use Deed::{Accept, ChargedBack, Commands, Ends, Extend, NextPart, Order, ReleaseIntoHotWallet, Talk};
use Step::{
    AnotherPage, Cancel, Checkout, Deliver, Dispute, Does, Later, Pay, PayLate, PayTwice, Refund, Release, Rule, Sweep,
};
use Who::{Buyer, Operator, Seller};

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
    /// What the entries are that move no money, and in which order all of them are, may differ: a notice that comes late is no news.
    loosely: bool,
    /// So many calls are known to be made in it, at least. A flow that shrinks proves less than it seems to.
    calls: usize,
}

/// Everything that can happen to a call.
pub(crate) fn blows(call: &Made) -> Vec<(&'static str, Verdict)> {
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
                // A new one that somebody else had put would have come with the rest of its transaction.
                if call.body.pointer("/TransactItems/0/Put/ExpressionAttributeValues/:v").is_some() {
                    blows.push(("escrow overtaken", Verdict::Overtake { member: 0 }));
                }
                // What else is in the transaction belongs to the escrow's version: nobody else can have put it.
                let second = call.body.pointer("/TransactItems/1/Put/Item/pk/S").and_then(Value::as_str);
                if second.is_some_and(|key| key.starts_with("W#")) {
                    blows.push(("wallet overtaken", Verdict::Overtake { member: 1 }));
                }
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
            let (mut picture, version) = (life.picture(&around).await, life.version().await);
            if self.loosely {
                loosen(&mut picture);
            }
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

/// Only the entries that move money, in an order of their own.
fn loosen(picture: &mut Value) {
    let moves = |entry: &&Value| entry["postings"].as_array().is_some_and(|postings| !postings.is_empty());
    let mut entries: Vec<Value> = picture.list("/journal").iter().filter(moves).cloned().collect();
    entries.sort_by_key(Value::to_string);
    picture["journal"] = json!(entries);
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
    let mut settings = Given::new();
    settings.insert("HOLDFAST_UNITS".to_owned(), "COIN:0:SAR:10".to_owned());
    let hand = Hand::start_with(settings).await;
    // So that the wallets are there, and can move.
    hand.life().live(&[Checkout, Pay, Release]).await;
    for (currency, amount) in [("SAR", "900000.00"), ("COIN", "900000")] {
        hand.fill_wallet(currency, amount).await;
    }
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
pub(crate) fn difference(expected: &Value, found: &Value) -> String {
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
    check(Flow { before: &[], struck: &[Checkout], then: Then::Soon, loosely: false, calls: 3 }).await;
}

#[tokio::test]
async fn a_payment_survives_every_blow() {
    check(Flow { before: &[Checkout], struck: &[Pay], then: Then::Soon, loosely: false, calls: 3 }).await;
}

#[tokio::test]
async fn a_delivery_survives_every_blow() {
    check(Flow { before: &[Checkout, Pay], struck: &[Deliver], then: Then::Soon, loosely: false, calls: 2 }).await;
}

#[tokio::test]
async fn a_release_survives_every_blow() {
    check(Flow { before: &[Checkout, Pay, Deliver], struck: &[Release], then: Then::Soon, loosely: false, calls: 3 })
        .await;
}

#[tokio::test]
async fn a_release_by_the_clock_survives_every_blow() {
    let struck = &[Later("P7D"), Sweep];
    check(Flow { before: &[Checkout, Pay, Deliver], struck, then: Then::Soon, loosely: false, calls: 19 }).await;
}

const REFUNDED: Flow = Flow { before: &[Checkout, Pay], struck: &[Refund], then: Then::Soon, loosely: false, calls: 9 };

#[tokio::test]
async fn a_refund_survives_every_blow() {
    check(REFUNDED).await;
}

#[tokio::test]
async fn a_refund_that_nobody_asks_about_for_a_day_survives_every_blow() {
    check(Flow { then: Then::NextDay, ..REFUNDED }).await;
}

const CANCELLED: Flow = Flow { before: &[Checkout], struck: &[Cancel], then: Then::Soon, loosely: false, calls: 7 };

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
    loosely: false,
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

const LATE: Flow =
    Flow { before: &[Checkout, Later("PT25H"), Sweep], struck: &[PayLate], then: Then::Soon, loosely: false, calls: 9 };

#[tokio::test]
async fn a_late_payment_survives_every_blow() {
    check(LATE).await;
}

#[tokio::test]
async fn a_late_payment_that_goes_back_a_day_later_survives_every_blow() {
    check(Flow { then: Then::NextDay, ..LATE }).await;
}

const SECOND: Flow =
    Flow { before: &[Checkout, AnotherPage], struck: &[PayTwice], then: Then::Soon, loosely: false, calls: 9 };

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

/// An escrow whose money comes from the buyer's wallet is held in the same commit.
#[tokio::test]
async fn a_deal_paid_from_the_wallet_survives_every_blow() {
    let struck = &[Does(Order(r#"{"gateway": null, "funding": "wallet"}"#))];
    check(Flow { before: &[], struck, then: Then::Soon, loosely: false, calls: 2 }).await;
}

const IN_COINS: Step = Does(Order(r#"{"currency": "COIN", "amount": "500", "pay_in": "SAR"}"#));

#[tokio::test]
async fn coins_that_are_issued_into_a_deal_survive_every_blow() {
    check(Flow { before: &[], struck: &[IN_COINS, Pay], then: Then::Soon, loosely: false, calls: 6 }).await;
}

#[tokio::test]
async fn coins_that_go_back_to_the_buyers_wallet_survive_every_blow() {
    let struck = &[Does(Commands(Seller, "refund", r#"{"amount": "200"}"#))];
    check(Flow { before: &[IN_COINS, Pay], struck, then: Then::Soon, loosely: false, calls: 3 }).await;
}

#[tokio::test]
async fn a_payment_on_the_marketplaces_own_page_survives_every_blow() {
    check(Flow {
        before: &[],
        struck: &[Does(Order(r#"{"mode": "elements"}"#)), Pay],
        then: Then::Soon,
        loosely: false,
        calls: 5,
    })
    .await;
}

#[tokio::test]
async fn a_page_of_the_marketplaces_own_that_is_given_up_survives_every_blow() {
    let before = &[Does(Order(r#"{"mode": "elements"}"#))];
    check(Flow { before, struck: &[Cancel], then: Then::NextDay, loosely: false, calls: 7 }).await;
}

const IN_PARTS: Step = Does(Order(
    r#"{"kind": "project", "amount": null, "fund": ["m1"], "fee_payer": "split",
        "milestones": [{"title": "Design", "amount": "100.00"}, {"title": "Build", "amount": "200.10"}]}"#,
));

#[tokio::test]
async fn the_payment_of_the_next_part_survives_every_blow() {
    const NEXT: Step = Does(NextPart(r#"{"gateway": "stripe", "milestones": ["m2"]}"#));
    check(Flow { before: &[IN_PARTS, Pay], struck: &[NEXT, Pay], then: Then::Soon, loosely: false, calls: 6 }).await;
}

#[tokio::test]
async fn the_payment_of_the_next_part_from_the_wallet_survives_every_blow() {
    const NEXT: Step = Does(NextPart(r#"{"funding": "wallet", "milestones": ["m2"]}"#));
    const BACK: Step = Does(Commands(Seller, "refund", r#"{"milestone": "m2"}"#));
    check(Flow { before: &[IN_PARTS, Pay], struck: &[NEXT, BACK], then: Then::Soon, loosely: false, calls: 6 }).await;
}

/// A part to the seller, a part back to the buyer, and the rest as the clock says: each once.
#[tokio::test]
async fn a_deal_that_is_settled_in_parts_survives_every_blow() {
    let struck = &[
        Does(Commands(Buyer, "release", r#"{"amount": "33.33"}"#)),
        Does(Commands(Seller, "refund", r#"{"amount": "50.01"}"#)),
    ];
    check(Flow { before: &[Checkout, Pay, Deliver], struck, then: Then::Soon, loosely: false, calls: 12 }).await;
}

#[tokio::test]
async fn parts_that_go_back_and_nobody_hears_about_survive_every_blow() {
    let struck = &[
        Does(Commands(Seller, "refund", r#"{"amount": "33.33"}"#)),
        Does(Commands(Operator, "refund", r#"{"amount": "50.01", "reason": "It was late."}"#)),
    ];
    check(Flow { before: &[Checkout, Pay], struck, then: Then::NextDay, loosely: true, calls: 12 }).await;
}

/// Evidence and offers from both sides, and the agreement.
#[tokio::test]
async fn a_dispute_that_the_sides_settle_survives_every_blow() {
    const EVIDENCE: &str = r#"{"evidence": [{"type": "file", "uri": "https://files.example/1", "note": "See here."}]}"#;
    let struck = &[
        Does(Commands(Buyer, "dispute", r#"{"amount": "80.00", "reason": "It does not open."}"#)),
        Does(Commands(Seller, "dispute/evidence", EVIDENCE)),
        Does(Commands(Seller, "dispute/propose", r#"{"to_buyer": "20.00"}"#)),
        Does(Commands(Buyer, "dispute/propose", r#"{"to_buyer": "50.00"}"#)),
        Does(Accept(Seller)),
    ];
    check(Flow { before: &[Checkout, Pay, Deliver], struck, then: Then::Soon, loosely: false, calls: 17 }).await;
}

#[tokio::test]
async fn a_deal_that_both_sides_call_off_survives_every_blow() {
    let struck = &[
        Does(Commands(Seller, "cancel", r#"{"reason": "It is too much."}"#)),
        Does(Commands(Buyer, "cancel", r#"{"reason": "Agreed."}"#)),
    ];
    check(Flow { before: &[Checkout, Pay, Later("P2D")], struck, then: Then::Soon, loosely: false, calls: 10 }).await;
}

#[tokio::test]
async fn a_deadline_that_is_asked_for_and_granted_survives_every_blow() {
    let struck = &[Does(Extend(Seller, 5)), Does(Commands(Buyer, "extend", "{}")), Does(Extend(Buyer, 3))];
    check(Flow { before: &[Checkout, Pay], struck, then: Then::Soon, loosely: false, calls: 6 }).await;
}

#[tokio::test]
async fn a_chargeback_that_is_lost_survives_every_blow() {
    let before = &[Checkout, Pay, Does(Commands(Buyer, "release", r#"{"amount": "50.00"}"#))];
    check(Flow { before, struck: &[Does(ChargedBack), Does(Ends("lost"))], then: Then::Soon, loosely: true, calls: 6 })
        .await;
}

#[tokio::test]
async fn a_chargeback_that_is_won_survives_every_blow() {
    let struck = &[Does(ChargedBack), Later("P3D"), Does(Ends("won"))];
    check(Flow { before: &[Checkout, Pay, Deliver], struck, then: Then::Soon, loosely: true, calls: 8 }).await;
}

/// The release did not wait for the wallet that everybody wanted; the sweep lands its credit.
#[tokio::test]
async fn a_credit_that_was_put_off_lands_once_after_every_blow() {
    let before = &[Checkout, Pay, Deliver, Does(ReleaseIntoHotWallet)];
    check(Flow { before, struck: &[Later("PT2M"), Sweep], then: Then::Soon, loosely: false, calls: 19 }).await;
}

/// The oldest entries leave for a page in the transaction that adds the next one.
#[tokio::test]
async fn a_journal_whose_page_is_turned_survives_every_blow() {
    let before = &[Checkout, Pay, Later("P2D"), Does(Talk(45))];
    check(Flow { before, struck: &[Does(Talk(1)), Deliver], then: Then::Soon, loosely: false, calls: 4 }).await;
}
