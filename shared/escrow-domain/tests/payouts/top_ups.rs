//! Top-ups: every capture is credited once, and what the gateway takes back is claimed once, in whatever order it is told.

use super::purse::{STRIPE, money, owner};
use crate::fixture::{START, actor, minor, sar, user};
use escrow_domain::chargeback::ChargebackStatus;
use escrow_domain::command::{Attempt, ChargebackTold};
use escrow_domain::currency::Currency;
use escrow_domain::decide::{Moment, Outcome, Page};
use escrow_domain::id::{GatewayName, Operation, TopUpId};
use escrow_domain::journal::Actor;
use escrow_domain::lifecycle::Role;
use escrow_domain::money::Money;
use escrow_domain::payment::{CheckoutRequest, Mode, PaymentStatus};
use escrow_domain::refusal::Undecided;
use escrow_domain::time::{Period, Timestamp};
use escrow_domain::top_up::{self, NewTopUp, TopUp, TopUpFact, TopUpOutcome, TopUpStatus, verify};
use escrow_domain::wallet::Wallet;

const NOW: Moment = Moment { at: START, epoch: 0 };

fn coins(units: i64) -> Money {
    minor(units).of(Currency::coin("COIN", 0).unwrap())
}

fn new_top_up(gets: Money, pays: Money) -> NewTopUp {
    NewTopUp {
        id: TopUpId::derive("POST /v1/wallets/usr_seller/top-ups", "issuer", "usr_seller", "key"),
        owner: owner(),
        money: gets,
        pay_in: pays,
        gateway: STRIPE,
        method: None,
        mode: Mode::Hosted,
        request: CheckoutRequest {
            description: "coins".to_owned(),
            success_url: "https://shop/ok".to_owned(),
            cancel_url: "https://shop/no".to_owned(),
        },
        expires_at: START.after(Period::hours(24)),
    }
}

fn buyer() -> Actor {
    Actor::person(Role::Buyer, owner())
}

#[derive(Clone)]
struct Till {
    top_up: TopUp,
    wallet: Wallet,
}

impl Till {
    fn of(gets: Money, pays: Money) -> Self {
        let name = Operation::of_person("i", "s", "POST", "/v1/top-ups", "key", b"{}");
        let change = top_up::create(&new_top_up(gets, pays), buyer(), name, NOW).unwrap();
        assert!(change.moves.is_empty());
        verify::check_history(&change.top_up).unwrap();
        Self { top_up: change.top_up, wallet: Wallet::empty(owner(), gets.currency) }
    }

    /// 1 000 coins for 100.00 SAR.
    fn of_coins() -> Self {
        Self::of(coins(1_000), money(10_000))
    }

    fn commit(&mut self, outcome: Result<TopUpOutcome, Undecided>) -> bool {
        match outcome.unwrap() {
            Outcome::AlreadyDone => false,
            Outcome::Changed(change) => {
                assert_eq!(change.top_up.version, self.top_up.version + 1);
                verify::check_history(&change.top_up).unwrap();
                for moved in &change.moves {
                    self.wallet = self.wallet.moved(moved).unwrap().0;
                }
                self.top_up = change.top_up;
                true
            }
        }
    }

    fn decide(&self, object: &str, happening: &str, fact: TopUpFact) -> Result<TopUpOutcome, Undecided> {
        let operation = Operation::of_gateway(STRIPE, object, happening);
        top_up::decide(&self.top_up, &Attempt { command: fact, actor: Actor::gateway(), operation }, NOW)
    }

    fn tell(&mut self, (object, happening, fact): (&str, &str, TopUpFact)) -> bool {
        let decided = self.decide(object, happening, fact);
        self.commit(decided)
    }
}

fn paid(capture: &str, units: i64) -> (&str, &'static str, TopUpFact) {
    let (id, reference) = (capture.to_owned(), Some("cs_1".to_owned()));
    (capture, "paid", TopUpFact::Paid { gateway: STRIPE, capture: id, money: money(units), reference })
}

fn refunded(total: i64, second: i64) -> TopUpFact {
    let told_at = Timestamp::from_seconds(second);
    TopUpFact::CaptureRefunded { gateway: STRIPE, capture: "pi_1".to_owned(), total: money(total), told_at }
}

fn chargeback(units: i64) -> ChargebackTold {
    ChargebackTold { gateway: STRIPE, reference: "dp_1".to_owned(), capture: "pi_1".to_owned(), money: money(units) }
}

fn opened(units: i64) -> (&'static str, &'static str, TopUpFact) {
    let reason = "fraudulent".to_owned();
    ("dp_1", "opened", TopUpFact::ChargebackOpened { chargeback: chargeback(units), reason })
}

fn funds(units: i64, back: bool) -> (&'static str, &'static str, TopUpFact) {
    let happening = if back { "funds reinstated" } else { "funds withdrawn" };
    ("dp_1", happening, TopUpFact::ChargebackFunds { chargeback: chargeback(units), moved: money(units), back })
}

fn closed(units: i64, won: bool) -> (&'static str, &'static str, TopUpFact) {
    let happening = if won { "closed won" } else { "closed lost" };
    ("dp_1", happening, TopUpFact::ChargebackClosed { chargeback: chargeback(units), won })
}

fn code<T: std::fmt::Debug>(decided: &Result<T, Undecided>) -> &'static str {
    match decided {
        Ok(_) => "done",
        Err(Undecided::Refused(refusal)) => refusal.code(),
        Err(Undecided::Misfit(_)) => "misfit",
        Err(Undecided::Broken(_)) => "broken",
    }
}

#[test]
fn coins_are_in_the_wallet_at_the_pinned_rate_once_they_are_paid() {
    let mut till = Till::of_coins();
    assert_eq!((till.top_up.pay_in(), till.top_up.status(START)), (money(10_000), TopUpStatus::Open));
    let page = Page { url: Some("https://pay"), client_secret: None };
    let opened = top_up::checkout_opened(&till.top_up, "cs_1", &page, START.after(Period::hours(24)), NOW);
    assert!(till.commit(opened));
    assert!(till.tell(paid("pi_1", 10_000)));
    assert_eq!((till.wallet.available, till.top_up.status(START)), (minor(1_000), TopUpStatus::Paid));
    assert_eq!(till.wallet.earned, minor(0), "what somebody pays in was not earned");
    assert!(!till.tell(paid("pi_1", 10_000)), "the same capture again is the same fact");
    let (_, _, fact) = paid("pi_1", 10_000);
    assert!(!till.tell(("pi_1", "told once more", fact)), "under whatever name");
    let postings = &till.top_up.journal.entries[1].postings;
    let texts: Vec<String> =
        postings.iter().map(|posting| format!("{} {} {}", posting.account, posting.units, posting.currency)).collect();
    assert_eq!(
        texts.join(", "),
        "gateway:stripe 10000 SAR, exchange -10000 SAR, exchange 1000 COIN, wallet:usr_seller -1000 COIN"
    );
}

#[test]
fn a_late_or_second_payment_is_the_owners_too() {
    let mut till = Till::of(money(5_000), money(5_000));
    let late = Moment { at: START.after(Period::days(2)), epoch: 0 };
    assert_eq!(till.top_up.status(late.at), TopUpStatus::Expired);
    assert!(till.tell(("cs_1", "closed", TopUpFact::Closed { gateway: STRIPE })));
    assert_eq!(till.top_up.payment.status, PaymentStatus::Closed);
    assert!(till.tell(paid("pi_1", 5_000)) && till.tell(paid("pi_2", 5_000)));
    assert_eq!((till.wallet.available, till.top_up.status(late.at)), (minor(10_000), TopUpStatus::Paid));
    assert!(!till.tell(("cs_1", "closed again", TopUpFact::Closed { gateway: STRIPE })), "it stays paid");
    assert!(!till.tell(("cs_1", "processing", TopUpFact::Processing { gateway: STRIPE })));
}

#[test]
fn another_amount_unit_or_gateway_is_never_booked() {
    let till = Till::of_coins();
    let (object, happening, fact) = paid("pi_1", 9_999);
    assert_eq!(code(&till.decide(object, happening, fact)), "misfit");
    let fact = TopUpFact::Paid { gateway: STRIPE, capture: "pi_1".to_owned(), money: coins(1_000), reference: None };
    assert_eq!(code(&till.decide("pi_1", "paid", fact)), "misfit", "coins are not what is charged");
    let fact = TopUpFact::Processing { gateway: GatewayName::PayPal };
    assert_eq!(code(&till.decide("pi_1", "processing", fact)), "misfit");
    assert_eq!(code(&till.decide("pi_1", "refunded", refunded(1, 1))), "misfit", "nothing was captured");
    assert_eq!(code(&till.decide("dp_1", "opened", opened(1).2)), "misfit", "it is told again later");
    let (_, _, fact) = paid("pi_1", 10_000);
    let operation = Operation::of_gateway(STRIPE, "pi_1", "paid");
    let attempt = Attempt { command: fact, actor: actor(Role::Operator), operation };
    assert_eq!(code(&top_up::decide(&till.top_up, &attempt, NOW)), "not_found");
}

#[test]
fn only_the_owner_and_the_platform_ask_for_it_and_for_something() {
    let name = Operation::of_person("i", "s", "POST", "/v1/top-ups", "key", b"{}");
    let create = |new: &NewTopUp, who: Actor| code(&top_up::create(new, who, name, NOW));
    let new = new_top_up(coins(1_000), money(10_000));
    assert_eq!(create(&new, buyer()), "done");
    assert_eq!(create(&new, actor(Role::Platform)), "done");
    assert_eq!(create(&new, Actor::person(Role::Buyer, user("usr_other"))), "not_found");
    for role in [Role::Seller, Role::Arbiter, Role::Operator, Role::Gateway, Role::Clock] {
        assert_eq!(create(&new, actor(role)), "not_found", "{role}");
    }
    assert_eq!(create(&new_top_up(coins(0), money(1)), buyer()), "broken");
    assert_eq!(create(&new_top_up(coins(1), money(0)), buyer()), "broken");
    assert_eq!(create(&new_top_up(money(2), money(1)), buyer()), "broken");
}

#[test]
fn a_page_is_merged_like_that_of_a_payment() {
    let mut till = Till::of_coins();
    let until = START.after(Period::hours(23));
    let page = Page { url: Some("https://pay"), client_secret: None };
    let failed = top_up::next_attempt(&till.top_up, 0, NOW);
    assert!(till.commit(failed));
    assert_eq!(till.top_up.key(), format!("{}-1", till.top_up.id));
    assert_eq!(top_up::next_attempt(&till.top_up, 0, NOW), Ok(Outcome::AlreadyDone));
    let opened = top_up::checkout_opened(&till.top_up, "cs_1", &page, until, NOW);
    assert!(till.commit(opened));
    assert_eq!((till.top_up.payment.url.as_deref(), till.top_up.payment.expires_at), (Some("https://pay"), until));
    assert_eq!(top_up::checkout_opened(&till.top_up, "cs_1", &page, until, NOW), Ok(Outcome::AlreadyDone));
    assert_eq!(top_up::checkout_refused(&till.top_up, NOW), Ok(Outcome::AlreadyDone), "it is open");
    // The webhook was faster than the answer.
    let mut fast = Till::of_coins();
    assert!(fast.tell(paid("pi_1", 10_000)));
    let late = top_up::checkout_opened(&fast.top_up, "cs_1", &page, until, NOW);
    assert!(!fast.commit(late));
    assert_eq!(fast.top_up.payment.url, None, "nobody shall pay it again");
    let mut refused = Till::of_coins();
    let no = top_up::checkout_refused(&refused.top_up, NOW);
    assert!(refused.commit(no));
    assert_eq!(refused.top_up.status(START), TopUpStatus::Refused);
}

#[test]
fn what_was_given_back_by_hand_is_claimed_pro_rata_and_the_newest_total_counts() {
    let mut till = Till::of_coins();
    till.tell(paid("pi_1", 10_000));
    assert!(till.tell(("pi_1", "refunded 33.33", refunded(3_333, 10))));
    assert_eq!(till.wallet.available, minor(667), "333 coins: the owner keeps the fraction");
    assert!(!till.tell(("pi_1", "refunded 10.00", refunded(1_000, 9))), "an older total");
    assert!(till.tell(("pi_1", "refunded all", refunded(10_000, 12))));
    assert_eq!(till.wallet.available, minor(0));
    assert!(till.tell(("pi_1", "failed", refunded(3_333, 13))), "one of the refunds failed after all");
    assert_eq!(till.wallet.available, minor(667));
    assert_eq!(code(&till.decide("pi_1", "too much", refunded(10_001, 14))), "misfit");
}

#[test]
fn what_was_spent_and_is_taken_back_is_debt() {
    let mut till = Till::of(money(5_000), money(5_000));
    till.tell(paid("pi_1", 5_000));
    let spent = escrow_domain::wallet::WalletMove {
        owner: owner(),
        currency: sar(),
        amount: minor(4_000),
        kind: escrow_domain::wallet::LineKind::Funding,
        of: escrow_domain::wallet::MovedBy::Escrow(escrow_domain::id::EscrowId::derive("r", "i", "s", "k")),
        entry: 0,
        at: START,
    };
    till.wallet = till.wallet.moved(&spent).unwrap().0;
    assert!(till.tell(funds(5_000, false)));
    assert_eq!((till.wallet.available, till.wallet.debt), (minor(0), minor(4_000)));
    assert!(till.tell(funds(5_000, true)));
    assert_eq!((till.wallet.available, till.wallet.debt), (minor(1_000), minor(0)));
}

#[test]
fn a_chargeback_comes_to_the_same_in_every_order_and_however_often_it_is_told() {
    let news = |won: bool| {
        if won {
            vec![opened(10_000), funds(10_000, false), funds(10_000, true), closed(10_000, true)]
        } else {
            vec![opened(10_000), funds(10_000, false), closed(10_000, false)]
        }
    };
    for won in [true, false] {
        let news = news(won);
        let mut orders = vec![vec![]];
        for _ in 0..news.len() {
            let longer = |order: Vec<usize>| {
                let free = (0..news.len()).filter(|index| !order.contains(index)).collect::<Vec<_>>();
                free.into_iter().map(move |index| [order.clone(), vec![index]].concat()).collect::<Vec<_>>()
            };
            orders = orders.into_iter().flat_map(longer).collect();
        }
        for order in &orders {
            let mut till = Till::of_coins();
            till.tell(paid("pi_1", 10_000));
            for index in order.iter().chain(order) {
                till.tell(news[*index].clone());
            }
            assert_eq!(till.wallet.balance(), if won { 1_000 } else { 0 }, "won {won} in the order {order:?}");
        }
    }
}

#[test]
fn a_lost_chargeback_whose_taking_was_never_told_of_is_claimed_all_the_same() {
    let mut till = Till::of_coins();
    till.tell(paid("pi_1", 10_000));
    assert!(till.tell(opened(4_000)));
    assert_eq!(till.wallet.available, minor(1_000), "nothing was taken yet");
    assert!(till.tell(closed(4_000, false)));
    assert_eq!(till.wallet.available, minor(600));
    assert!(!till.tell(funds(4_000, false)), "it is booked");
}

#[test]
fn more_than_a_capture_brought_is_never_claimed_from_the_wallet() {
    let mut till = Till::of_coins();
    till.tell(paid("pi_1", 10_000));
    till.tell(("pi_1", "refunded", refunded(8_000, 10)));
    assert!(till.tell(funds(10_000, false)), "the gateway gave it back by hand, and the bank took it too");
    assert_eq!((till.wallet.available, till.wallet.debt), (minor(0), minor(0)));
    let owed = &till.top_up.journal.entries.last().unwrap().postings;
    let owed = owed.iter().find(|posting| posting.account.to_string() == "receivable:usr_seller").unwrap();
    assert_eq!((owed.units, owed.currency), (8_000, sar()), "what is left is the owner's to pay");
    assert!(till.tell(funds(10_000, true)));
    assert_eq!(till.wallet.available, minor(200));
}

#[test]
fn an_inquiry_that_ended_can_still_become_a_loss() {
    let mut till = Till::of(money(10_000), money(10_000));
    assert!(till.tell(paid("pi_1", 10_000)));
    assert!(till.tell(opened(4_000)) && till.tell(closed(4_000, true)));
    assert_eq!(till.wallet.available, minor(10_000), "no money was taken");
    assert!(till.tell(closed(4_000, false)));
    assert_eq!((till.top_up.chargebacks[0].status, till.wallet.available), (ChargebackStatus::Lost, minor(6_000)));
    assert!(!till.tell(closed(4_000, true)), "a loss is final");
    assert_eq!(till.wallet.available, minor(6_000));
}
