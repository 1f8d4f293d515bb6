//! `kill -9` at any moment, and a start on the same data: whatever was begun is finished, and everything that moved money has moved
//! it once.
//!
//! A marketplace drives its deals with fixed idempotency keys. The process is killed again and again while it does; after each start the
//! marketplace asks again for whatever got no answer. At the end it is left alone until all is done.

use std::collections::BTreeSet;
use std::time::Duration;

use holdfast_tests::api::{Answer, Caller, Unanswered};
use holdfast_tests::deal::order;
use holdfast_tests::json::{Look, with};
use holdfast_tests::process::Process;
use holdfast_tests::stack::Stack;
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinSet;
use tokio::time::timeout;

const BINARY: &str = env!("CARGO_BIN_EXE_holdfast-to-be-killed");
const KILLS: usize = 16;
/// Deals that are driven at the same time.
const AT_ONCE: usize = 6;
/// A kill comes after at most so many steps since the start …
const MOST_STEPS: usize = 16;
/// … and a moment, so that it falls anywhere between two of them.
const LONGEST_MOMENT: Duration = Duration::from_millis(25);

/// How a deal is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
    Release,
    Refund,
    Withdraw,
    Cancel,
    PayTwice,
}

/// The calls of a plan, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Checkout,
    SecondCheckout,
    Pay,
    PaySecond,
    /// Ask until the gateway's notice has come.
    AwaitHeld,
    Deliver,
    Release,
    Refund,
    Cancel,
}

impl Plan {
    const ALL: [Self; 5] = [Self::Release, Self::Refund, Self::Withdraw, Self::Cancel, Self::PayTwice];

    const fn steps(self) -> &'static [Step] {
        match self {
            Self::Release => &[Step::Checkout, Step::Pay, Step::AwaitHeld, Step::Deliver, Step::Release],
            Self::Refund => &[Step::Checkout, Step::Pay, Step::AwaitHeld, Step::Deliver, Step::Refund],
            Self::Withdraw => &[Step::Checkout, Step::Pay, Step::AwaitHeld, Step::Cancel],
            Self::Cancel => &[Step::Checkout, Step::Cancel],
            Self::PayTwice => {
                &[Step::Checkout, Step::SecondCheckout, Step::Pay, Step::PaySecond, Step::AwaitHeld, Step::Release]
            }
        }
    }

    /// Where the escrow ends, and how much of the buyer's money stays, in halalas.
    const fn end(self) -> (&'static str, i64) {
        match self {
            Self::Release | Self::PayTwice => ("released", 15_000),
            Self::Refund | Self::Withdraw => ("refunded", 0),
            Self::Cancel => ("cancelled", 0),
        }
    }
}

/// What the marketplace knows about a deal, which it keeps itself.
#[derive(Debug, Clone)]
struct Progress {
    number: usize,
    plan: Plan,
    done: usize,
    escrow: String,
    pages: [String; 2],
}

/// Why a drive ended before its end.
enum Ended {
    /// The system died.
    Unanswered,
    /// It asks to come again later.
    Later,
}

impl From<Unanswered> for Ended {
    fn from(_: Unanswered) -> Self {
        Self::Unanswered
    }
}

impl Progress {
    fn new(number: usize) -> Self {
        let plan = Plan::ALL[number % Plan::ALL.len()];
        Self { number, plan, done: 0, escrow: String::new(), pages: Default::default() }
    }

    fn is_done(&self) -> bool {
        self.done == self.plan.steps().len()
    }

    /// Goes on until the plan is done, or the system is. Tells of every step.
    async fn drive(&mut self, buyer: &Caller, seller: &Caller, told: &UnboundedSender<()>) -> Result<(), Ended> {
        while let Some(step) = self.plan.steps().get(self.done) {
            let key = format!("deal-{}-{}", self.number, self.done);
            let command = |who: &Caller, command: &str, body: Value| {
                who.post(&format!("/v1/escrows/{}/{command}", self.escrow)).key(&key).json(&body).try_send()
            };
            match step {
                Step::Checkout => {
                    let asked = with(order(), json!({ "metadata": { "deal": self.number.to_string() } }));
                    let opened = buyer.post("/v1/checkouts").key(&key).json(&asked).try_send().await?;
                    let opened = carried_out(opened, 201)?;
                    self.escrow = opened.text("/escrow/id").to_owned();
                    self.pages[0] = opened.text("/checkout/url").to_owned();
                }
                Step::SecondCheckout => {
                    let opened = command(buyer, "checkouts", json!({ "gateway": "stripe" })).await?;
                    self.pages[1] = carried_out(opened, 201)?.text("/checkout/url").to_owned();
                }
                Step::Pay | Step::PaySecond => {
                    let page = &self.pages[usize::from(*step == Step::PaySecond)];
                    let play = json!({ "outcome": "paid", "duplicates": 2, "shuffle": true });
                    let paid = buyer.post(page).json(&play).try_send().await?;
                    // Conflict: it was paid before and the answer was lost, or the other page was faster and this one is closed.
                    assert!(matches!(paid.status, 200 | 409), "{paid:?}");
                }
                Step::AwaitHeld => {
                    let settled = buyer.post("/_local/settle").try_send().await?;
                    carried_out(settled, 200)?;
                    let seen = buyer.get(&format!("/v1/escrows/{}", self.escrow)).try_send().await?;
                    if carried_out(seen, 200)?.text("/status") == "pending" {
                        // The notice was lost with a process; the gateway says it again later.
                        return Err(Ended::Later);
                    }
                }
                Step::Deliver => drop(carried_out(command(seller, "deliver", json!({})).await?, 200)?),
                Step::Release => drop(carried_out(command(buyer, "release", json!({})).await?, 200)?),
                Step::Refund => drop(carried_out(command(seller, "refund", json!({ "reason": "Ill." })).await?, 200)?),
                Step::Cancel => drop(carried_out(command(buyer, "cancel", json!({})).await?, 200)?),
            }
            self.done += 1;
            // Nobody listens any more once the kill is decided.
            let _ = told.send(());
        }
        Ok(())
    }
}

/// The body, unless the system asks to come again; any other answer is a mistake.
fn carried_out(answer: Answer, status: u16) -> Result<Value, Ended> {
    if answer.asks_to_come_again() { Err(Ended::Later) } else { Ok(answer.is(status)) }
}

/// When a kill comes, counted from the start of a drive.
struct Moment {
    steps: usize,
    then: Duration,
}

/// Drives deals at the same time, and kills the process at its moment, if there is one. Gives the deals back, with the steps that got
/// no answer.
async fn drive(deals: Vec<Progress>, stack: &Stack, kill: Option<(Process, Moment)>) -> (Vec<Progress>, Vec<Step>) {
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut driven = JoinSet::new();
    for mut deal in deals {
        let (buyer, seller, tell) = (stack.buyer.clone(), stack.seller.clone(), tell.clone());
        driven.spawn(async move {
            let ended = deal.drive(&buyer, &seller, &tell).await;
            let struck = matches!(ended, Err(Ended::Unanswered)).then(|| deal.plan.steps()[deal.done]);
            (deal, struck)
        });
    }
    drop(tell);
    if let Some((process, moment)) = kill {
        for _ in 0..moment.steps {
            if told.recv().await.is_none() {
                break;
            }
        }
        // Not to wait for something, but to fall anywhere.
        let _ = timeout(moment.then, std::future::pending::<()>()).await;
        process.kill().await;
    }
    let (mut deals, mut struck) = (Vec::new(), Vec::new());
    while let Some(ended) = driven.join_next().await {
        let (deal, step) = ended.expect("a drive does not panic");
        deals.push(deal);
        struck.extend(step);
    }
    deals.sort_by_key(|deal| deal.number);
    (deals, struck)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_killed_at_any_moment_finishes_what_was_begun_when_it_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let (data, log) = (folder.path().join("data"), folder.path().join("log"));
    let (mut done, mut going): (Vec<Progress>, Vec<Progress>) = Default::default();
    let (mut kills_that_struck, mut steps_struck) = (0, BTreeSet::new());
    for _ in 0..KILLS {
        let process = Process::start(BINARY, &data, &log).await;
        let stack = Stack::at(process.url()).await;
        let begun = done.len() + going.len();
        going.extend((begun..).take(AT_ONCE - going.len()).map(Progress::new));
        let moment = Moment {
            steps: rand::random_range(0..=MOST_STEPS),
            then: rand::random_range(Duration::ZERO..=LONGEST_MOMENT),
        };
        let (driven, struck) = drive(going, &stack, Some((process, moment))).await;
        kills_that_struck += usize::from(!struck.is_empty());
        steps_struck.extend(struck);
        (going, done) = driven.into_iter().chain(done).partition(|deal| !deal.is_done());
    }
    assert!(
        kills_that_struck >= KILLS / 2,
        "only {kills_that_struck} of {KILLS} kills struck anything: they prove little"
    );
    assert!(steps_struck.len() >= 4, "the kills struck only {steps_struck:?}: they prove little");

    // From now on it is left alone.
    let process = Process::start(BINARY, &data, &log).await;
    let stack = Stack::at(process.url()).await;
    for _ in 0..20 {
        let struck;
        (going, struck) = drive(going, &stack, None).await;
        assert_eq!(struck, [], "nobody kills it any more");
        if going.iter().all(Progress::is_done) {
            break;
        }
        stack.advance("PT10M").await;
    }
    assert!(going.iter().all(Progress::is_done), "some were never finished: {going:#?}");
    done.extend(going);
    // Effects whose claim died with a process are taken up when its lease is over.
    for _ in 0..6 {
        stack.advance("PT30M").await;
    }

    check_ends(&stack, &done).await;
    process.kill().await;
}

/// Every deal has come to its end; the gateway has kept what it must, and given every refund once.
async fn check_ends(stack: &Stack, deals: &[Progress]) {
    stack.verify().await.shows(json!({ "escrows": deals.len() }));
    let sandbox = stack.sandbox().await;
    let mut released = 0;
    for deal in deals {
        let (status, stays) = deal.plan.end();
        let seen = stack.buyer.get(&format!("/v1/escrows/{}", deal.escrow)).send().await.is(200);
        seen.shows(json!({ "status": status, "metadata": { "deal": deal.number.to_string() } }));
        assert!(
            !seen
                .list("/payments")
                .iter()
                .any(|payment| matches!(payment.text("/status"), "opening" | "open" | "closing")),
            "a page is still open: {seen:#}"
        );
        let ours = |intent: &&Value| {
            intent["metadata"]["escrow_id"] == deal.escrow.as_str() && intent["status"] == "succeeded"
        };
        let kept = sandbox
            .list("/payment_intents")
            .iter()
            .filter(ours)
            .map(|intent| intent["amount"].as_i64().unwrap() - intent["refunded"].as_i64().unwrap());
        assert_eq!(kept.sum::<i64>(), stays, "{deal:?}");
        released += i64::from(status == "released");
    }
    for (refund, times) in sandbox["refund_effects"].as_object().unwrap() {
        assert_eq!(times, 1, "{refund} took effect more than once");
    }
    let earned = released * 13_500;
    let earned = format!("{}.{:02}", earned / 100, earned % 100);
    stack.balance("usr_seller", "SAR").await.shows(json!({ "available": earned, "total_earned": earned }));
}
