//! Crash points and races of what goes into and out of a wallet: payouts, top-ups, accounts of sellers.
//!
//! Every call that a flow makes to the table, the queue or the gateway is struck once in every way that there is; then people repeat
//! their requests, the gateway its events, and the schedule comes. In the end everything must stand as it does when nothing goes
//! wrong: the payout, the wallet, its lines, and what the gateway was made to do.

use crate::crashes::{blows, difference};
use crate::hand::{Hand, Heard, Made};
use holdfast::Given;
use holdfast::faults::{Target, Verdict};
use holdfast_tests::api::{Answer, Caller};
use holdfast_tests::deal::order;
use holdfast_tests::json::{Look, with};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::task::JoinSet;

/// An invocation that fails more often than this fails for ever.
const MOST_TRIES: usize = 6;

/// What is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// An account is opened at the gateway.
    Onboard,
    /// A payout is asked for, and sent to the account.
    Ask,
    /// The same, tied to the payment.
    AskTied,
    /// A payout by hand is asked for, and an operator has made it.
    ByHand,
    /// An operator approves a payout.
    Approve,
    /// An operator does not.
    Reject,
    /// The transfer comes back.
    Return,
    /// The clock pays out, as the owner wishes.
    Automatic,
    /// Money is paid in.
    TopUp,
}

/// What comes after a blow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Everybody tries again.
    Soon,
    /// What was on its way is lost; the schedule comes while the gateway knows its keys.
    Unheard,
    /// The same, a day later, when the gateway has forgotten its keys.
    NextDay,
}

/// Somebody with a wallet.
struct Owner {
    who: Caller,
    escrow: String,
    payout: String,
    heard: Heard,
}

/// The same request under the same key until it is answered for good.
async fn insist(hand: &Hand, who: &Caller, path: &str, body: &Value) -> Value {
    let key = hand.key();
    for _try in 0..MOST_TRIES {
        match hand.ask(who, path, &key, body).await {
            None => {}
            Some(answer) if answer.asks_to_come_again() => {}
            Some(answer) if matches!(answer.status, 200 | 201) => return answer.body,
            Some(answer) => panic!("{path} answered {}: {:#}", answer.status, answer.body),
        }
    }
    panic!("{path} was never answered");
}

fn wish(amount: &str, gateway: &str) -> Value {
    json!({ "currency": "SAR", "amount": amount, "gateway": gateway })
}

impl Owner {
    /// Somebody who has earned 135 riyals.
    async fn new(hand: &Hand, number: usize) -> Self {
        let who = hand.people.api.caller(&format!("usr_owner{number}"), "").await;
        let opened =
            insist(hand, &hand.people.buyer, "/v1/checkouts", &with(order(), json!({ "seller": who.sub }))).await;
        let escrow = opened.text("/escrow/id").to_owned();
        hand.people.api.post(opened.text("/checkout/url")).json(&json!({ "outcome": "paid" })).send().await.is(200);
        hand.drain(false).await;
        insist(hand, &hand.people.buyer, &format!("/v1/escrows/{escrow}/release"), &json!({})).await;
        hand.drain(false).await;
        Self { who, escrow, payout: String::new(), heard: Heard::default() }
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/wallets/{}/{rest}", self.who.sub)
    }

    async fn ask(&mut self, hand: &Hand, wish: &Value) {
        let asked = insist(hand, &self.who, &self.path("payouts"), wish).await;
        self.payout = asked.text("/id").to_owned();
    }

    async fn onboard(&self, hand: &Hand) {
        let page = "https://market.example/me";
        let body = json!({ "gateway": "stripe", "return_url": page, "refresh_url": page, "country": "AE" });
        let link = insist(hand, &self.who, &format!("/v1/sellers/{}/onboarding", self.who.sub), &body).await;
        hand.people.api.post(link.text("/url")).json(&json!({ "outcome": "complete" })).send().await.is(200);
        hand.drain(false).await;
    }

    async fn operator(&self, hand: &Hand, command: &str, body: Value) {
        insist(hand, &hand.people.operator, &format!("/v1/payouts/{}/{command}", self.payout), &body).await;
    }

    /// What goes before.
    async fn prepare(&mut self, hand: &Hand, act: Act) {
        if !matches!(act, Act::Onboard | Act::ByHand | Act::TopUp) {
            self.onboard(hand).await;
        }
        match act {
            Act::Onboard | Act::Ask | Act::AskTied | Act::ByHand | Act::TopUp => {}
            Act::Approve | Act::Reject => self.ask(hand, &wish("120.00", "stripe")).await,
            Act::Return => {
                self.ask(hand, &wish("100.00", "stripe")).await;
                hand.drain(false).await;
            }
            Act::Automatic => {
                let body = json!({ "currency": "SAR", "automatic": true, "gateway": "stripe", "minimum": "1.00" });
                insist(hand, &self.who, &format!("/v1/sellers/{}/payout-policy", self.who.sub), &body).await;
            }
        }
    }

    /// What is struck, with everything that follows from it.
    async fn act(&mut self, hand: &Hand, act: Act, left_alone: bool) {
        hand.wire.hear(std::mem::take(&mut self.heard));
        match act {
            Act::Onboard => self.onboard(hand).await,
            Act::Ask => self.ask(hand, &wish("100.00", "stripe")).await,
            Act::AskTied => {
                let tied = with(wish("100.00", "stripe"), json!({ "escrow": self.escrow }));
                self.ask(hand, &tied).await;
            }
            Act::ByHand => {
                self.ask(hand, &wish("100.00", "manual")).await;
                self.operator(hand, "mark-paid", json!({ "reference": "SWIFT 7731" })).await;
            }
            Act::Approve => self.operator(hand, "approve", json!({})).await,
            Act::Reject => self.operator(hand, "reject", json!({ "reason": "The account is new." })).await,
            Act::Return => {
                let sandbox = hand.people.sandbox().await;
                let transfer = self.transfers(&sandbox).remove(0);
                let path = format!("/_local/sandbox/stripe/transfers/{}/reversals", transfer.text("/id"));
                hand.people.api.post(&path).json(&json!({ "amount": 4_000 })).send().await.is(200);
            }
            Act::Automatic => hand.sweep().await,
            Act::TopUp => {
                let opened = insist(hand, &self.who, &self.path("top-ups"), &wish("50.00", "stripe")).await;
                let page = opened.text("/checkout/url");
                hand.people.api.post(page).json(&json!({ "outcome": "paid" })).send().await.is(200);
            }
        }
        hand.drain(left_alone).await;
        self.heard = hand.wire.hear(Heard::default());
    }

    /// The transfers to this owner.
    fn transfers(&self, sandbox: &Value) -> Vec<Value> {
        let accounts: Vec<&Value> = self.accounts(sandbox).into_iter().map(|account| &account["id"]).collect();
        let all = sandbox.list("/transfers").iter();
        all.filter(|transfer| accounts.contains(&&transfer["destination"])).cloned().collect()
    }

    fn accounts<'a>(&self, sandbox: &'a Value) -> Vec<&'a Value> {
        let names = |value: &Value| value == self.who.sub.as_str();
        let ours = |account: &&Value| account["metadata"].as_object().is_some_and(|ours| ours.values().any(names));
        sandbox.list("/accounts").iter().filter(ours).collect()
    }

    /// Where everything stands that matters, without names and times.
    async fn picture(&self, hand: &Hand, sandbox: &Value) -> Value {
        let see = async |path: String| self.who.get(&path).send().await.is(200);
        let wallet = see(format!("/v1/wallets/{}", self.who.sub)).await;
        let lines = see(self.path("transactions?limit=100&currency=SAR")).await;
        let payouts = see(self.path("payouts?limit=100")).await;
        let seller = see(format!("/v1/sellers/{}", self.who.sub)).await;
        let balance = |balance: &Value| {
            let fields = ["available", "pending", "debt", "total_earned", "total_withdrawn"];
            fields.map(|field| format!("{field} {}", balance.text(&format!("/{field}")))).join(", ")
        };
        let payout = |payout: &Value| {
            let story: Vec<&str> = payout.list("/history").iter().map(|entry| entry.text("/type")).collect();
            let tied = if payout["escrow"].is_null() { "" } else { ", tied" };
            let (amount, status) = (payout.text("/amount"), payout.text("/status"));
            format!("{amount} {status}, {} back{tied}: {}", payout.text("/returned"), story.join(" "))
        };
        let line = |line: &Value| format!("{} {}", line.text("/type"), line.text("/amount"));
        let sent = self.transfers(sandbox);
        assert_eq!(hand.people.balance(&self.who.sub, "USD").await, Value::Null);
        json!({
            "balances": wallet.list("/balances").iter().map(balance).collect::<Vec<_>>(),
            "lines": lines.list("/data").iter().map(line).collect::<Vec<_>>(),
            "payouts": payouts.list("/data").iter().map(payout).collect::<Vec<_>>(),
            "accounts": seller.list("/accounts").iter().map(|account| &account["state"]).collect::<Vec<_>>(),
            "sent": sent.iter().map(|sent| json!([sent["amount"], sent["amount_reversed"]])).collect::<Vec<_>>(),
        })
    }
}

/// Some owners, each struck once at one call: what they called, and how they ended.
async fn lives(
    hand: &Hand,
    next: &mut usize,
    act: Act,
    then: Then,
    strikes: Vec<Option<(usize, Verdict)>>,
) -> Vec<(Heard, Value)> {
    let mut owners = Vec::new();
    for strike in strikes {
        *next += 1;
        let mut owner = Owner::new(hand, *next).await;
        owner.prepare(hand, act).await;
        owner.heard = Heard::listen(strike);
        owners.push(owner);
    }
    for owner in &mut owners {
        owner.act(hand, act, then != Then::Soon).await;
    }
    if then == Then::NextDay {
        hand.pass("PT25H");
    }
    hand.recover().await;
    let sandbox = hand.people.sandbox().await;
    let mut ended = Vec::new();
    for owner in owners {
        let picture = owner.picture(hand, &sandbox).await;
        ended.push((owner.heard, picture));
    }
    ended
}

/// Whether a blow to this call tells something that others do not. A read that fails is a read that fails: one act shows it for all.
/// What is lost on its way matters where the gateway was asked.
fn tells(act: Act, then: Then, call: &Made, blow: &Verdict) -> bool {
    let writes = matches!(call.operation.as_str(), "PutItem" | "TransactWriteItems" | "SendMessage");
    let asks_gateway = call.target == Target::Gateway;
    let wanted = match (act, then) {
        (Act::Ask, Then::Soon) => true,
        (Act::Ask, Then::Unheard | Then::NextDay) | (Act::AskTied, _) => asks_gateway,
        _ => writes || asks_gateway,
    };
    wanted && !cannot_be(call, blow)
}

/// Nobody puts a payout without its wallet, or whose an account is without its seller: such an overtaker does not exist.
fn cannot_be(call: &Made, blow: &Verdict) -> bool {
    let Verdict::Overtake { member } = blow else { return false };
    let replaces = format!("/TransactItems/{member}/Put/ExpressionAttributeValues/:v");
    call.operation == "TransactWriteItems" && call.body.pointer(&replaces).is_none()
}

/// Strikes every call of an act. `calls` are known to be made, at least: an act that shrinks proves less than it seems to.
async fn check(act: Act, then: Then, calls: usize) {
    let settings = [("HOLDFAST_PAYOUT_APPROVAL_ABOVE", "SAR:110.00")];
    let settings: Given = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let settings = if act == Act::Automatic { Given::new() } else { settings };
    let hand = Hand::start_with(settings).await;
    let mut next = 0;
    let (heard, undisturbed) = lives(&hand, &mut next, act, then, vec![None]).await.remove(0);
    assert!(heard.made.len() >= calls, "{act:?}: {} calls are made, {calls} were known", heard.made.len());
    let struck = heard.made.iter().enumerate();
    let all = struck.flat_map(|call| blows(call.1).into_iter().map(move |blow| (call, blow)));
    let cases: Vec<_> = all.filter(|((_, call), (_, blow))| tells(act, then, call, blow)).collect();
    // A sweep takes whatever is due: every owner needs it for themselves.
    let together = if act == Act::Automatic { 1 } else { 1_000 };
    let mut wrong = Vec::new();
    for cases in cases.chunks(together) {
        let strikes = cases.iter().map(|((number, _), (_, blow))| Some((*number, blow.clone()))).collect();
        let ended = lives(&hand, &mut next, act, then, strikes).await;
        for (((number, call), (name, _)), (heard, picture)) in cases.iter().zip(ended) {
            let at = format!("{number} {}, {name}", call.operation);
            assert!(heard.has_struck, "{at}: the blow never fell");
            if picture != undisturbed {
                wrong.push(format!("{at}:\n{}", difference(&undisturbed, &picture)));
            }
        }
    }
    let (wrong_ones, all) = (wrong.len(), cases.len());
    assert!(wrong.is_empty(), "{act:?}: {wrong_ones} of {all} ended otherwise:\n{}", wrong.join("\n"));
    hand.people.verify().await;
}

#[tokio::test]
async fn a_payout_survives_every_blow() {
    check(Act::Ask, Then::Soon, 8).await;
}

#[tokio::test]
async fn a_payout_survives_every_blow_unheard() {
    check(Act::Ask, Then::Unheard, 8).await;
}

#[tokio::test]
async fn a_payout_survives_every_blow_and_a_day() {
    check(Act::Ask, Then::NextDay, 8).await;
}

#[tokio::test]
async fn a_tied_payout_survives_every_blow() {
    check(Act::AskTied, Then::Soon, 10).await;
}

#[tokio::test]
async fn a_payout_by_hand_survives_every_blow() {
    check(Act::ByHand, Then::Soon, 4).await;
}

#[tokio::test]
async fn an_approval_survives_every_blow() {
    check(Act::Approve, Then::Soon, 7).await;
    check(Act::Reject, Then::Soon, 3).await;
}

#[tokio::test]
async fn a_return_survives_every_blow() {
    check(Act::Return, Then::Soon, 3).await;
}

#[tokio::test]
async fn a_payout_by_the_clock_survives_every_blow() {
    check(Act::Automatic, Then::Soon, 20).await;
}

#[tokio::test]
async fn a_top_up_survives_every_blow() {
    check(Act::TopUp, Then::Soon, 5).await;
}

#[tokio::test]
async fn an_onboarding_survives_every_blow() {
    check(Act::Onboard, Then::Soon, 6).await;
}

/// All of these requests at once, each until it is told something for good.
async fn race(hand: &Arc<Hand>, requests: Vec<(Caller, String, String, Value)>) -> Vec<Answer> {
    let mut racing = JoinSet::new();
    for (who, path, key, body) in requests {
        let hand = Arc::clone(hand);
        racing.spawn(async move {
            loop {
                let answer = hand.ask(&who, &path, &key, &body).await.unwrap();
                if !answer.asks_to_come_again() {
                    return answer;
                }
            }
        });
    }
    racing.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_payouts_that_are_asked_for_at_once_no_more_is_granted_than_there_is() {
    let hand = Arc::new(Hand::start().await);
    for round in 0..4 {
        let owner = Owner::new(&hand, round).await;
        // 135 riyals are there: three of 45, however many ask.
        let asks = (0..12).map(|_| (owner.who.clone(), owner.path("payouts"), hand.key(), wish("45.00", "manual")));
        let answers = race(&hand, asks.collect()).await;
        let granted = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(granted, 3, "round {round}");
        for answer in answers.into_iter().filter(|answer| answer.status != 201) {
            answer.refuses(409, "insufficient_funds");
        }
        let balance = hand.people.balance(&owner.who.sub, "SAR").await;
        balance.shows(json!({ "available": "0.00", "pending": "135.00" }));
    }
    hand.people.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_wish_sent_many_times_at_once_is_one_payout() {
    let hand = Arc::new(Hand::start().await);
    for round in 0..4 {
        let owner = Owner::new(&hand, round).await;
        let asks =
            (0..8).map(|_| (owner.who.clone(), owner.path("payouts"), format!("one-{round}"), wish("45.00", "manual")));
        let answers = race(&hand, asks.collect()).await;
        assert!(answers.iter().filter(|answer| !answer.is_replay()).count() <= 1, "round {round}");
        let ids: std::collections::BTreeSet<String> =
            answers.into_iter().map(|answer| answer.is(201).text("/id").to_owned()).collect();
        assert_eq!(ids.len(), 1);
        hand.people.balance(&owner.who.sub, "SAR").await.shows(json!({ "available": "90.00", "pending": "45.00" }));
    }
    hand.people.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_operators_who_decide_at_once_exactly_one_wins() {
    let settings = [("HOLDFAST_PAYOUT_APPROVAL_ABOVE".to_owned(), "SAR:0".to_owned())].into();
    let hand = Arc::new(Hand::start_with(settings).await);
    for round in 0..4 {
        let mut owner = Owner::new(&hand, round).await;
        owner.ask(&hand, &wish("100.00", "manual")).await;
        let requests = (0..10).map(|number| {
            let command = if number % 2 == 0 { "approve" } else { "reject" };
            let path = format!("/v1/payouts/{}/{command}", owner.payout);
            (hand.people.operator.clone(), path, hand.key(), json!({ "reason": "So be it." }))
        });
        let answers = race(&hand, requests.collect()).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "round {round}");
        for answer in answers.into_iter().filter(|answer| answer.status != 200) {
            answer.refuses(409, "transition_refused");
        }
    }
    hand.people.verify().await;
}
