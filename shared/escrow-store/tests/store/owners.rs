//! Payouts, top-ups and sellers: what leaves or enters a wallet commits with it, once, and each is found where its owner looks.

use crate::bed::{Bed, Fault, bed};
use crate::deal::{START, later, minor, moment, offer, release, sar, user};
use escrow_domain::command::Attempt;
use escrow_domain::decide::{Moment, Outcome as Decided};
use escrow_domain::id::{GatewayName, Operation, PayoutId, TopUpId, UserId};
use escrow_domain::journal::Actor;
use escrow_domain::lifecycle::Role;
use escrow_domain::money::{Minor, Money};
use escrow_domain::payment::{CheckoutRequest, Mode};
use escrow_domain::payout::{
    self, Auto, NewPayout, Payout, PayoutChange, PayoutCommand, PayoutFact, PayoutLimits, PayoutOutcome, PayoutStatus,
    PayoutUndecided, Rail, TransferOutcome, auto_payout,
};
use escrow_domain::refusal::Undecided;
use escrow_domain::seller::Seller;
use escrow_domain::time::{Period, Timestamp};
use escrow_domain::top_up::{self, NewTopUp, TopUp, TopUpFact};
use escrow_domain::wallet::{AutoPayout, LineKind, MovedBy, Wallet, WalletRefusal};
use escrow_store::change::{ChangeError, Changed, CreateError, Start};
use escrow_store::keys::{self, KeyKind};
use escrow_store::lists::List;
use escrow_store::owners::Payouts;
use escrow_store::{Outcome, StoreError, Unreadable};

const STRIPE: GatewayName = GatewayName::Stripe;

fn owner() -> UserId {
    user("usr_01hselle")
}

fn riyals(units: i64) -> Money {
    Money { amount: minor(units), currency: sar() }
}

/// A wallet with 135.00 SAR in it.
async fn earned(bed: &Bed) -> Wallet {
    let delivered = offer("earned").delivered();
    bed.other().commit(0, &delivered).await.unwrap();
    let now = moment(later(&delivered));
    bed.other().change(Start::Load(delivered.id), |escrow| release(escrow, now)).await.unwrap();
    bed.other().wallet(&owner(), sar()).await.unwrap()
}

fn at(minutes: u32) -> Moment {
    moment(START.after(Period::days(1)).after(Period::minutes(minutes)))
}

fn asked(key: &str, units: i64, rail: Rail, limit: Option<i64>, wallet: &Wallet, now: Moment) -> PayoutChange {
    let id = PayoutId::derive("POST payouts", "issuer", "usr_01hselle", key);
    let new = NewPayout { id, owner: owner(), money: riyals(units), rail, tied_to: None };
    let limits = PayoutLimits { minimum: minor(1), approval_above: limit.map(minor) };
    // A wallet that has everything: whether the real one has, the commit finds out.
    let rich = Wallet { available: minor(1_000_000), ..wallet.clone() };
    let operation = Operation::of_person("issuer", "usr_01hselle", "POST", "payouts", key, b"{}");
    payout::ask(&new, &rich, &limits, Actor::person(Role::Seller, owner()), operation, now).unwrap()
}

fn to_stripe() -> Rail {
    Rail::Gateway { gateway: STRIPE, account: "acct_1".into() }
}

fn sent(payout: &Payout, now: Moment) -> Result<PayoutOutcome, PayoutUndecided> {
    let (reference, outcome) = ("tr_1".to_owned(), TransferOutcome::Sent);
    let fact = PayoutFact::Transfer { gateway: STRIPE, reference, money: payout.money, outcome };
    let operation = Operation::of_gateway(STRIPE, "tr_1", "sent");
    payout::decide(payout, &Attempt { command: PayoutCommand::Fact(fact), actor: Actor::gateway(), operation }, now)
}

async fn stands(bed: &Bed) -> (i64, i64, i64, u64) {
    let wallet = bed.other().wallet(&owner(), sar()).await.unwrap();
    (wallet.available.units(), wallet.pending.units(), wallet.withdrawn.units(), wallet.lines)
}

#[tokio::test]
async fn a_payout_reserves_is_claimed_and_confirmed_in_its_budget_of_requests() {
    let bed = bed().await;
    earned(&bed).await;
    let before = bed.store.counters();
    // Asked: has it been asked before, is there enough, commit.
    let id = PayoutId::derive("POST payouts", "issuer", "usr_01hselle", "a");
    assert_eq!(bed.store.aggregate::<Payout>(&id).await.unwrap(), None);
    let wallet = bed.store.wallet(&owner(), sar()).await.unwrap();
    let change = asked("a", 10_000, to_stripe(), None, &wallet, at(0));
    assert_eq!(bed.store.create::<Payout>(&change, vec![wallet]).await.unwrap(), Outcome::Applied);
    assert_eq!(stands(&bed).await, (3_500, 10_000, 0, 2));
    // Claimed.
    let claimed = bed
        .store
        .change_aggregate(Start::<Payout>::Load(id), |payout| {
            payout.claim([7; 16], at(1)).map(|change| Decided::Changed(Box::new(change)))
        })
        .await
        .unwrap();
    // Confirmed: the balance is the same, so there is no line.
    let start = Start::From(Box::new(claimed.into_aggregate()));
    let paid = bed.store.change_aggregate(start, |payout| sent(payout, at(2))).await.unwrap();
    assert_eq!(paid.aggregate().status, PayoutStatus::Paid);
    assert_eq!(stands(&bed).await, (3_500, 0, 10_000, 2));
    let used = bed.store.counters().since(before);
    // Asked: payout, wallet and line, each twice; entries in the indexes by seller and due. Claimed: the payout, its entry in the due index
    // taken out and put in elsewhere. Confirmed: payout and wallet, each twice; the entry taken out.
    assert_eq!((used.requests, used.read_units, used.write_units), (7, 4_000, 8_000 + 3_000 + 5_000));
    assert_eq!(
        bed.wire.asked(),
        ["GetItem", "GetItem", "TransactWriteItems", "GetItem", "PutItem", "GetItem", "TransactWriteItems"]
    );
    // Told again: a read, no write.
    let again = bed.store.change_aggregate(Start::<Payout>::Load(id), |payout| sent(payout, at(3))).await.unwrap();
    assert!(!again.is_committed());
    assert_eq!(bed.store.aggregate::<Payout>(&id).await.unwrap(), Some(paid.into_aggregate()));
    let line = bed.store.line(&owner(), sar(), 1).await.unwrap().unwrap();
    assert_eq!((line.kind, line.units, line.of), (LineKind::Payout, -10_000, MovedBy::Payout(id)));
}

#[tokio::test]
async fn a_payout_that_was_asked_for_before_is_brought_back_though_the_wallet_is_empty_now() {
    let bed = bed().await;
    let wallet = earned(&bed).await;
    let change = asked("a", 13_500, to_stripe(), None, &wallet, at(0));
    assert_eq!(bed.store.create::<Payout>(&change, Vec::new()).await.unwrap(), Outcome::Applied);
    let again = bed.other().create::<Payout>(&change, Vec::new()).await.unwrap();
    assert_eq!(again, Outcome::Moved(Box::new(change.payout.clone())));
    // By what the caller has read, there was enough: the commit itself finds the other, and brings the payout.
    let stale = bed.other().create::<Payout>(&change, vec![wallet]).await.unwrap();
    assert_eq!(stale, Outcome::Moved(Box::new(change.payout)));
    assert_eq!(stands(&bed).await, (0, 13_500, 0, 2));
}

#[tokio::test]
async fn what_a_wallet_has_not_is_refused_with_what_is_missing_and_nothing_is_written() {
    let bed = bed().await;
    let wallet = earned(&bed).await;
    let change = asked("a", 13_501, to_stripe(), None, &wallet, at(0));
    let error = bed.store.create::<Payout>(&change, Vec::new()).await.unwrap_err();
    let CreateError::Wallet(refused) = error else { panic!("{error:?}") };
    assert_eq!((refused.owner, refused.currency, refused.amount), (owner(), sar(), minor(13_501)));
    assert_eq!(refused.refusal, WalletRefusal::Insufficient { available: minor(13_500) });
    assert_eq!(bed.store.aggregate::<Payout>(&change.payout.id).await.unwrap(), None);
    assert_eq!(stands(&bed).await, (13_500, 0, 0, 1));
}

#[tokio::test]
async fn nobody_is_refused_for_what_a_wallet_was_when_the_caller_read_it() {
    let bed = bed().await;
    let wallet = earned(&bed).await;
    let change = asked("a", 13_500, to_stripe(), None, &wallet, at(0));
    let poorer = Wallet::empty(owner(), sar());
    assert_eq!(bed.store.create::<Payout>(&change, vec![poorer]).await.unwrap(), Outcome::Applied);
    assert_eq!(bed.wire.asked(), ["GetItem", "TransactWriteItems"]);
    assert_eq!(stands(&bed).await, (0, 13_500, 0, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_payouts_at_once_as_many_are_made_as_there_is_money() {
    let bed = bed().await;
    let wallet = earned(&bed).await;
    let mut racers = tokio::task::JoinSet::new();
    for number in 0..10 {
        let change = asked(&format!("key-{number}"), 4_000, Rail::ByHand, None, &wallet, at(0));
        let (store, seen) = (bed.other(), wallet.clone());
        racers.spawn(async move {
            match store.create::<Payout>(&change, vec![seen]).await {
                Ok(Outcome::Applied) => true,
                Err(CreateError::Wallet(_)) => false,
                other => panic!("{other:?}"),
            }
        });
    }
    let made = racers.join_all().await.into_iter().filter(|made| *made).count();
    assert_eq!((made, stands(&bed).await), (3, (1_500, 12_000, 0, 4)));
}

#[tokio::test]
async fn a_payout_whose_answer_was_lost_is_recognised_as_ones_own() {
    for fault in [Fault::LoseAnswer, Fault::Twice, Fault::TwiceForgotten] {
        let bed = bed().await;
        let wallet = earned(&bed).await;
        let change = asked("a", 10_000, to_stripe(), None, &wallet, at(0));
        bed.wire.next("TransactWriteItems", fault);
        assert_eq!(bed.store.create::<Payout>(&change, Vec::new()).await.unwrap(), Outcome::Applied);
        assert_eq!(stands(&bed).await, (3_500, 10_000, 0, 2));
    }
}

#[tokio::test]
async fn a_fact_that_a_twin_has_booked_is_not_refused_by_the_wallet_that_it_has_left() {
    let bed = bed().await;
    let wallet = earned(&bed).await;
    let change = asked("a", 10_000, to_stripe(), None, &wallet, at(0));
    bed.store.create::<Payout>(&change, Vec::new()).await.unwrap();
    let before = change.payout;
    let start = || Start::From(Box::new(before.clone()));
    let first = bed.other().change_aggregate(start(), |payout| sent(payout, at(1))).await.unwrap();
    // The pending amount is gone: the wallet could not bear it again, and need not.
    let second = bed.store.change_aggregate(start(), |payout| sent(payout, at(1))).await;
    assert!(matches!(&second, Ok(Changed::AlreadyDone(payout)) if **payout == *first.aggregate()), "{second:?}");
}

#[tokio::test]
async fn payouts_are_listed_for_their_owner_and_in_the_queues_of_operators_and_escrows_beside_them() {
    let bed = bed().await;
    let wallet = earned(&bed).await;
    let mut made = Vec::new();
    for (number, (rail, limit)) in
        [(to_stripe(), None), (to_stripe(), Some(10)), (Rail::ByHand, None), (to_stripe(), Some(10))]
            .into_iter()
            .enumerate()
    {
        let minutes = u32::try_from(number).unwrap();
        let change = asked(&format!("key-{number}"), 1_000, rail, limit, &wallet, at(minutes));
        bed.other().create::<Payout>(&change, Vec::new()).await.unwrap();
        made.push(change.payout);
    }
    let ids = |payouts: &[usize]| -> Vec<PayoutId> { payouts.iter().map(|place| made[*place].id).collect() };
    for (list, expected) in [
        (Payouts::Of(owner()), ids(&[3, 2, 1, 0])),
        (Payouts::Of(user("usr_other")), Vec::new()),
        (Payouts::Waiting(PayoutStatus::Approval), ids(&[1, 3])),
        (Payouts::Waiting(PayoutStatus::Owed), ids(&[2])),
        (Payouts::Waiting(PayoutStatus::Review), Vec::new()),
        (Payouts::Waiting(PayoutStatus::Paid), Vec::new()),
    ] {
        for limit in [1, 2, 4, 100] {
            let (mut found, mut cursor) = (Vec::new(), None);
            loop {
                let page = bed.store.payouts(&list, limit, cursor.as_deref()).await.unwrap();
                found.extend(page.items.into_iter().map(|loaded| loaded.escrow.unwrap().id));
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(found, expected, "{list:?} by {limit}");
        }
    }
    // A seller's escrows are not mixed with their payouts, and neither are open disputes.
    let escrows = bed.store.list(&List::Seller(owner()), 1, None).await.unwrap();
    assert_eq!((escrows.items.len(), escrows.next), (1, None));
    assert!(bed.store.list(&List::OpenDisputes, 10, None).await.unwrap().items.is_empty());
    // What is done leaves the queue.
    let proof = PayoutCommand::MarkPaid { reference: "bank 7".into() };
    let operator = Actor::person(Role::Operator, user("usr_operator"));
    let operation = Operation::of_person("issuer", "usr_operator", "POST", "mark-paid", "k", b"{}");
    let attempt = Attempt { command: proof, actor: operator, operation };
    let start = Start::<Payout>::Load(made[2].id);
    bed.store.change_aggregate(start, |payout| payout::decide(payout, &attempt, at(60))).await.unwrap();
    assert!(bed.store.payouts(&Payouts::Waiting(PayoutStatus::Owed), 10, None).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn payouts_are_due_with_their_owners_escrows_and_read_as_what_they_are() {
    let bed = bed().await;
    let wallet = earned(&bed).await;
    let change = asked("a", 1_000, to_stripe(), None, &wallet, at(0));
    bed.store.create::<Payout>(&change, Vec::new()).await.unwrap();
    let shard = keys::due_shard(owner().as_str());
    let due = bed.store.due(shard, at(0).at, None).await.unwrap().entries;
    assert_eq!(due.iter().map(|entry| entry.key.kind()).collect::<Vec<_>>(), [KeyKind::Payout(change.payout.id)]);
    let keys: Vec<_> = due.into_iter().map(|entry| entry.key).collect();
    let loaded = bed.store.load_payouts(&keys).await.unwrap();
    assert_eq!(loaded[0].escrow, Ok(Box::new(change.payout)));
    assert!(bed.store.load(&keys).await.unwrap()[0].escrow.is_err(), "it is no escrow");
}

fn new_top_up(key: &str, now: Moment) -> top_up::TopUpChange {
    let new = NewTopUp {
        id: TopUpId::derive("POST top-ups", "issuer", "usr_01hselle", key),
        owner: owner(),
        money: riyals(5_000),
        pay_in: riyals(5_000),
        gateway: STRIPE,
        method: None,
        mode: Mode::Elements,
        request: CheckoutRequest {
            description: "top-up".into(),
            success_url: "https://market.example.com/a".into(),
            cancel_url: "https://market.example.com/b".into(),
        },
        expires_at: now.at.after(Period::days(1)),
    };
    let operation = Operation::of_person("issuer", "usr_01hselle", "POST", "top-ups", key, b"{}");
    top_up::create(&new, Actor::person(Role::Buyer, owner()), operation, now).unwrap()
}

fn top_up_paid(top_up: &TopUp, capture: &str, now: Moment) -> Result<top_up::TopUpOutcome, Undecided> {
    let capture = capture.to_owned();
    let operation = Operation::of_gateway(STRIPE, &capture, "paid");
    let fact = TopUpFact::Paid { gateway: STRIPE, capture, money: riyals(5_000), reference: None };
    top_up::decide(top_up, &Attempt { command: fact, actor: Actor::gateway(), operation }, now)
}

#[tokio::test]
async fn a_top_up_credits_every_capture_once_and_is_listed_for_its_owner() {
    let bed = bed().await;
    let change = new_top_up("a", at(0));
    assert_eq!(bed.store.create::<TopUp>(&change, Vec::new()).await.unwrap(), Outcome::Applied);
    assert_eq!(bed.wire.asked(), ["PutItem"], "nothing moves yet");
    let id = change.top_up.id;
    for capture in ["pi_1", "pi_1", "pi_2", "pi_1"] {
        let start = Start::<TopUp>::Load(id);
        bed.store.change_aggregate(start, |top_up| top_up_paid(top_up, capture, at(1))).await.unwrap();
    }
    assert_eq!(stands(&bed).await, (10_000, 0, 0, 2));
    bed.other().create::<TopUp>(&new_top_up("b", at(5)), Vec::new()).await.unwrap();
    let first = bed.store.top_ups(&owner(), 1, None).await.unwrap();
    let second = bed.store.top_ups(&owner(), 1, first.next.as_deref()).await.unwrap();
    assert_eq!(second.next, None);
    assert_eq!(*second.items[0].escrow.clone().unwrap(), bed.store.aggregate::<TopUp>(&id).await.unwrap().unwrap());
    assert!(bed.store.list(&List::Buyer(owner()), 10, None).await.unwrap().items.is_empty());
    assert_eq!(bed.entries("due").await, 0);
}

/// The decision of a seller, who has no refusals.
type Sellers = Result<Decided<Seller>, escrow_domain::refusal::Broken>;

async fn seller_with(bed: &Bed, owner: &UserId, account: &str, now: Timestamp) -> Result<Seller, String> {
    let mut begun = Seller::new(owner.clone(), now);
    if let Decided::Changed(next) = begun.begin(STRIPE, now).unwrap() {
        begun = *next;
    }
    bed.other().create::<Seller>(&begun, Vec::new()).await.unwrap();
    let open = |seller: &Seller| -> Sellers { seller.opened(STRIPE, account, now) };
    let start = Start::<Seller>::Load(owner.clone());
    bed.store.change_aggregate(start, open).await.map(Changed::into_aggregate).map_err(|error| format!("{error:?}"))
}

#[tokio::test]
async fn an_account_leads_to_its_seller_and_to_one_only() {
    let bed = bed().await;
    bed.wire.next("TransactWriteItems", Fault::LoseAnswer);
    let seller = seller_with(&bed, &owner(), "acct_1", START).await.unwrap();
    assert_eq!(bed.store.aggregate::<Seller>(&owner()).await.unwrap(), Some(seller.clone()));
    assert_eq!(bed.store.seller_of(STRIPE, "acct_1").await.unwrap(), Some(owner()));
    assert_eq!(bed.store.seller_of(STRIPE, "acct_2").await.unwrap(), None);
    // What is told of the account later is one put: it leads to its seller already.
    bed.wire.asked();
    let later = START.after(Period::days(1));
    let touched = |seller: &Seller| -> Sellers {
        let mut next = seller.clone();
        (next.updated_at, next.version) = (later, seller.version + 1);
        Ok(Decided::Changed(Box::new(next)))
    };
    bed.store.change_aggregate(Start::From(Box::new(seller)), touched).await.unwrap();
    assert_eq!(bed.wire.asked(), ["PutItem"]);
    // Another seller with the same account: never in a sound system, and never taken over silently.
    let other = user("usr_other");
    let error = seller_with(&bed, &other, "acct_1", START).await.unwrap_err();
    assert!(error.contains("Corrupt") && error.contains("G#stripe#acct_1"), "{error}");
    assert_eq!(bed.store.seller_of(STRIPE, "acct_1").await.unwrap(), Some(owner()));
    assert_eq!(bed.store.aggregate::<Seller>(&other).await.unwrap().unwrap().account(STRIPE).unwrap().account, None);
}

const LIMITS: PayoutLimits = PayoutLimits { minimum: Minor::ZERO, approval_above: None };

fn wish(wallet: &Wallet) -> Result<Option<Wallet>, PayoutUndecided> {
    let wish = AutoPayout { gateway: None, minimum: minor(100), every: None, next: None };
    wallet.with_auto_payout(Some(wish), &LIMITS, START).map(Some)
}

#[tokio::test]
async fn a_wallet_is_due_only_if_its_owner_wishes_so_and_there_is_enough() {
    let bed = bed().await;
    // A wish before the first credit.
    let wished = bed.store.change_wallet(&owner(), sar(), wish).await.unwrap();
    assert_eq!((wished.version, bed.entries("due").await), (1, 0));
    let wallet = earned(&bed).await;
    let shard = keys::due_shard(owner().as_str());
    let due = bed.store.due(shard, START.after(Period::days(9)), None).await.unwrap().entries;
    assert_eq!(due.iter().map(|entry| entry.key.kind()).collect::<Vec<_>>(), [KeyKind::Wallet]);
    let keys: Vec<_> = due.into_iter().map(|entry| entry.key).collect();
    let loaded = bed.store.load_wallets(&keys).await.unwrap().remove(0).escrow.unwrap();
    assert_eq!(*loaded, wallet);
    // Two sweeps that meet make one payout.
    let Auto::Pay(change) = auto_payout(&loaded, None, &LIMITS, at(0)).unwrap() else { panic!("it is due") };
    let first = bed.store.create::<Payout>(&change, vec![*loaded.clone()]).await.unwrap();
    let second = bed.other().create::<Payout>(&change, vec![*loaded]).await.unwrap();
    assert_eq!((first, second), (Outcome::Applied, Outcome::Moved(Box::new(change.payout))));
    assert_eq!(stands(&bed).await, (0, 13_500, 0, 2));
    // Only the payout is due now.
    let due = bed.store.due(shard, START.after(Period::days(9)), None).await.unwrap().entries;
    assert!(matches!(due.as_slice(), [only] if matches!(only.key.kind(), KeyKind::Payout(_))), "{due:?}");
}

#[tokio::test]
async fn a_wallets_money_never_changes_alone_but_its_hold_and_wishes_do() {
    let bed = bed().await;
    let wallet = earned(&bed).await;
    let stolen = |wallet: &Wallet| -> Result<Option<Wallet>, ()> {
        Ok(Some(Wallet { available: minor(1_000_000), version: wallet.version + 1, ..wallet.clone() }))
    };
    let error = bed.store.change_wallet(&owner(), sar(), stolen).await.unwrap_err();
    assert!(matches!(error, ChangeError::Store(StoreError::Unwritable(_))), "{error:?}");
    // A hold set while somebody else is faster is set on what stands there then.
    let mut rounds = 0;
    let mut held = |wallet: &Wallet| -> Result<Option<Wallet>, PayoutUndecided> {
        rounds += 1;
        wallet.held(Some("a break")).map(Some)
    };
    bed.wire.next("PutItem", Fault::LoseAnswer);
    let after = bed.store.change_wallet(&owner(), sar(), &mut held).await.unwrap();
    assert_eq!((rounds, after.version), (1, wallet.version + 1));
    assert_eq!(bed.store.wallet(&owner(), sar()).await.unwrap(), after);
    let change = asked("a", 100, Rail::ByHand, None, &Wallet { hold: None, ..after }, at(0));
    let error = bed.store.create::<Payout>(&change, Vec::new()).await.unwrap_err();
    assert!(
        matches!(&error, CreateError::Wallet(refused) if matches!(refused.refusal, WalletRefusal::OnHold { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn whatever_breaks_a_payouts_top_ups_or_sellers_promise_is_corrupt_and_never_a_default() {
    let bed = bed().await;
    let wallet = earned(&bed).await;
    let change = asked("a", 1_000, to_stripe(), None, &wallet, at(0));
    bed.store.create::<Payout>(&change, Vec::new()).await.unwrap();
    let id = change.payout.id;
    let key = keys::payout(id);
    let sound = bed.item(&key).await.unwrap();
    for (name, value) in [
        ("v", None),
        ("s", Some(crate::bed::s("usr_01hselle"))),
        ("m", None),
        ("st", Some(crate::bed::s("paid"))),
        ("st", Some(crate::bed::s("imagined"))),
        ("l", None),
        ("ef", None),
        ("e", None),
        ("o", Some(crate::bed::b(&[0; 32]))),
        ("unheard-of", Some(crate::bed::n(1))),
    ] {
        bed.put(sound.clone()).await;
        bed.tamper(&key, &[(name, value.clone())]).await;
        let read = bed.store.aggregate::<Payout>(&id).await;
        assert!(
            matches!(&read, Err(StoreError::Unreadable(Unreadable::Corrupt { key: at, .. })) if *at == key),
            "{name} = {value:?}: {read:?}"
        );
    }
    let top_up = new_top_up("a", at(0)).top_up;
    bed.other().create::<TopUp>(&new_top_up("a", at(0)), Vec::new()).await.unwrap();
    bed.tamper(&keys::top_up(top_up.id), &[("b", Some(crate::bed::s("P#usr_01hselle")))]).await;
    assert!(bed.store.aggregate::<TopUp>(&top_up.id).await.is_err());
    seller_with(&bed, &owner(), "acct_1", START).await.unwrap();
    bed.tamper(&keys::seller(&owner()), &[("a", None)]).await;
    assert!(bed.store.aggregate::<Seller>(&owner()).await.is_err());
}
