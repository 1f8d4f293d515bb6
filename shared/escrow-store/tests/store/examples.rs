//! An example of everything that is stored beside escrows, kept for ever: what was written once stays readable, and nothing of it is passed
//! over.

use crate::bed::{Bed, bed};
use crate::deal::{START, by, later, minor, moment, offer, sar, user};
use crate::formats::{item, object, without_token};
use escrow_domain::chargeback::ChargebackStatus;
use escrow_domain::command::Command;
use escrow_domain::decide;
use escrow_domain::dispute::{Evidence, NewEvidence};
use escrow_domain::effect::{Claim, Effect, Progress};
use escrow_domain::escrow::Escrow;
use escrow_domain::id::{EscrowId, GatewayName, Operation, PayoutId, TopUpId, UserId};
use escrow_domain::journal::{Account, Actor, Entry, Journal, JournalPage, Posting};
use escrow_domain::lifecycle::Role;
use escrow_domain::money::Money;
use escrow_domain::payment::{Capture, Mode, Payment, PaymentStatus, Source};
use escrow_domain::payout::{
    BankState, BankStatus, Payout, PayoutStatus, PayoutTransition, Rail, TiedTo, Transfer, WaitCause, Waiting,
};
use escrow_domain::seller::{AccountState, Seller, SellerAccount};
use escrow_domain::time::{Period, Timestamp};
use escrow_domain::top_up::{GivenBack, TopUp, TopUpChargeback, TopUpTransition};
use escrow_domain::wallet::{AutoPayout, LineKind, MovedBy, Wallet, WalletLine};
use escrow_store::items::FORMAT;
use escrow_store::keys::Key;
use escrow_store::scan::Stored;
use escrow_store::{Member, Together};

fn owner() -> UserId {
    user("usr_01hselle")
}

fn money(units: i64) -> Money {
    Money { amount: minor(units), currency: sar() }
}

fn at(minute: u32) -> Timestamp {
    START.after(Period::minutes(minute))
}

fn entry<T>(transition: T, actor: Actor, debit: Account, credit: Account, units: i64) -> Entry<T> {
    let postings = [Posting::debit(debit, minor(units), sar()), Posting::credit(credit, minor(units), sar())];
    Entry {
        at: at(1),
        transition,
        actor,
        part: None,
        moves: Vec::new(),
        postings: postings.into_iter().filter(|posting| posting.units != 0).collect(),
        reference: Some("tr_1".into()),
        note: Some("why".into()),
    }
}

fn journal<T: std::fmt::Display>(entries: Vec<Entry<T>>) -> Journal<T> {
    let mut journal = Journal::default();
    for (number, entry) in (0_u8..).zip(entries) {
        journal.append(Operation { name: [number; 8], content: [7; 8] }, entry).unwrap();
    }
    journal
}

fn payout() -> Payout {
    let ask = entry(
        PayoutTransition::Ask,
        Actor::person(Role::Operator, user("usr_operator")),
        Account::Wallet(owner()),
        Account::Payouts(GatewayName::Stripe),
        1_000,
    );
    let claim = Claim { token: [7; 16], fence: 2, lease_until: at(3), first_sent: at(2), earlier_lease: Some(at(2)) };
    Payout {
        id: PayoutId::derive("r", "i", "s", "k"),
        owner: owner(),
        money: money(1_000),
        rail: Rail::Gateway { gateway: GatewayName::Stripe, account: "acct_1".into() },
        tied_to: Some(TiedTo { escrow: EscrowId::derive("r", "i", "s", "k"), capture: "pi_1".into() }),
        asked_by: Actor::person(Role::Operator, user("usr_operator")),
        status: PayoutStatus::Sending,
        reference: Some("tr_1".into()),
        reason: Some("as was said".into()),
        waiting: Some(Waiting { cause: WaitCause::Gateway, reason: "balance".into(), since: at(1) }),
        returned: minor(0),
        bank: Some(bank()),
        effect: Some(Effect {
            task: Transfer,
            progress: Progress::Sending(claim),
            due_at: at(3),
            tries: 2,
            key_suffix: 1,
            look_up_first: true,
            epoch: 4,
        }),
        sending_since: Some(at(2)),
        look_up_at: None,
        look_ups: 3,
        alarm_at: None,
        created_at: at(1),
        updated_at: at(2),
        journal: journal(vec![ask]),
        version: 3,
    }
}

/// One that came back in part, and one that waits for an operator.
fn other_payouts() -> [Payout; 2] {
    let wallet = || Account::Wallet(owner());
    let seller = || Actor::person(Role::Seller, owner());
    let stripe = || (Account::Payouts(GatewayName::Stripe), Account::Gateway(GatewayName::Stripe));
    let asked = entry(PayoutTransition::Ask, seller(), wallet(), stripe().0, 1_000);
    let paid = entry(PayoutTransition::Pay, Actor::gateway(), stripe().0, stripe().1, 1_000);
    let back = entry(PayoutTransition::Return, Actor::gateway(), stripe().1, wallet(), 300);
    let returned = Payout {
        id: PayoutId::derive("r", "i", "s", "returned"),
        asked_by: Actor::clock(),
        status: PayoutStatus::Paid,
        returned: minor(300),
        tied_to: None,
        effect: None,
        sending_since: None,
        journal: journal(vec![asked, paid, back]),
        ..payout()
    };
    let owed = entry(PayoutTransition::Ask, seller(), wallet(), Account::PayoutsByHand, 1_000);
    let by_hand = Payout {
        id: PayoutId::derive("r", "i", "s", "by hand"),
        rail: Rail::ByHand,
        status: PayoutStatus::Owed,
        alarm_at: Some(at(9)),
        returned: minor(0),
        journal: journal(vec![owed]),
        ..returned.clone()
    };
    [returned, by_hand]
}

fn bank() -> BankState {
    BankState { status: BankStatus::Failed, reference: "po_1".into(), reason: Some("closed".into()), told_at: at(5) }
}

fn top_up() -> TopUp {
    let create = entry(
        TopUpTransition::Create,
        Actor::person(Role::Platform, user("usr_platform")),
        Account::Exchange,
        Account::Exchange,
        0,
    );
    let (stripe, wallet) = (|| Account::Gateway(GatewayName::Stripe), || Account::Wallet(owner()));
    let credit = entry(TopUpTransition::Credit, Actor::gateway(), stripe(), wallet(), 5_000);
    let took = entry(TopUpTransition::Chargeback, Actor::gateway(), wallet(), stripe(), 5_000);
    let gave = entry(TopUpTransition::WinChargeback, Actor::gateway(), stripe(), wallet(), 5_000);
    TopUp {
        id: TopUpId::derive("r", "i", "s", "k"),
        owner: owner(),
        money: money(5_000),
        payment: Payment {
            source: Source::Gateway(GatewayName::Stripe),
            method: None,
            mode: Mode::Elements,
            amount: minor(5_000),
            pay_in: None,
            milestones: Vec::new(),
            status: PaymentStatus::Paid,
            request: None,
            attempt: 1,
            reference: Some("pi_1".into()),
            url: None,
            client_secret: Some("pi_1_secret".into()),
            expires_at: at(60),
            created_at: at(1),
            captures: vec![Capture {
                id: "pi_1".into(),
                amount: minor(5_000),
                at: at(2),
                applied: true,
                unasked: minor(0),
            }],
        },
        refunded: vec![GivenBack { capture: 0, total: minor(0), told_at: at(4) }],
        chargebacks: vec![TopUpChargeback {
            reference: "du_1".into(),
            capture: 0,
            amount: minor(5_000),
            reason: Some("fraudulent".into()),
            status: ChargebackStatus::Won,
            taken: minor(5_000),
            given_back: minor(5_000),
            opened_at: at(3),
            ended_at: Some(at(5)),
        }],
        created_at: at(1),
        updated_at: at(5),
        journal: journal(vec![create, credit, took, gave]),
        version: 5,
    }
}

fn seller() -> Seller {
    let account = |gateway, account: Option<&str>| SellerAccount {
        gateway,
        account: account.map(str::to_owned),
        attempt: 1,
        state: AccountState::Onboarding,
        currently_due: vec!["external_account".into()],
        disabled_reason: Some("requirements.past_due".into()),
        bank: Some(bank()),
        told_at: Some(at(4)),
    };
    Seller {
        owner: owner(),
        accounts: vec![account(GatewayName::Stripe, Some("acct_1")), account(GatewayName::PayPal, None)],
        created_at: at(1),
        updated_at: at(5),
        version: 4,
    }
}

fn wallet() -> Wallet {
    Wallet {
        owner: owner(),
        currency: sar(),
        available: minor(500),
        pending: minor(1_000),
        debt: minor(0),
        earned: minor(2_000),
        withdrawn: minor(500),
        hold: None,
        auto_payout: Some(AutoPayout {
            gateway: Some(GatewayName::Stripe),
            minimum: minor(100),
            every: Some(Period::days(7)),
            next: Some(at(9)),
        }),
        lines: 3,
        version: 7,
    }
}

fn lines() -> [WalletLine; 2] {
    let line = |number, of, units, before| WalletLine {
        owner: owner(),
        currency: sar(),
        number,
        at: at(2),
        kind: LineKind::Payout,
        units,
        before,
        after: before + units,
        of,
        entry: 0,
    };
    let (out, into) = (PayoutId::derive("r", "i", "s", "k"), TopUpId::derive("r", "i", "s", "k"));
    [line(1, MovedBy::Payout(out), -1_000, 1_500), line(2, MovedBy::TopUp(into), 5_000, 500)]
}

fn page_and_evidence(escrow: &Escrow) -> (JournalPage, NewEvidence) {
    let page = JournalPage { escrow: escrow.id, number: 0, first: 0, entries: escrow.journal.entries.clone() };
    let evidence = Evidence {
        kind: "screenshot".into(),
        uri: "https://market.example.com/e/1".into(),
        sha256: Some("ab".repeat(32)),
        note: Some("as seen".into()),
        by: Role::Seller,
        at: at(7),
    };
    (page, NewEvidence { escrow: escrow.id, dispute: 0, number: 3, evidence })
}

/// Puts the example of everything.
async fn everything(bed: &Bed) {
    let held = offer("example").held();
    let reason = "not what was agreed".to_owned();
    let command = Command::Dispute { milestone: None, amount: None, reason, evidence: Vec::new() };
    let disputed = decide::decide(&held, &by(&held, Role::Buyer, "dispute", command), moment(later(&held)));
    let (page, evidence) = page_and_evidence(&crate::deal::changed(disputed).escrow);
    let (payouts, lines) = (other_payouts(), lines());
    let (payout, top_up, seller, wallet) = (payout(), top_up(), seller(), wallet());
    let members = [
        Member::Payout { was: 0, now: &payout },
        Member::Payout { was: 0, now: &payouts[0] },
        Member::Payout { was: 0, now: &payouts[1] },
        Member::TopUp { was: 0, now: &top_up },
        Member::Seller { was: 0, now: &seller },
        Member::Account { gateway: GatewayName::Stripe, account: "acct_1", owner: &seller.owner },
        Member::Wallet { was: 0, now: &wallet },
        Member::Line(&lines[0]),
        Member::Line(&lines[1]),
        Member::Page { of: &held, page: &page },
        Member::Evidence(&evidence),
    ];
    assert_eq!(bed.store.commit_together(&members).await.unwrap(), Together::Applied);
}

async fn all(bed: &Bed) -> Vec<(Key, Stored)> {
    let page = bed.store.scan(None, None).await.unwrap();
    let mut all: Vec<(Key, Stored)> =
        page.items.into_iter().map(|scanned| (scanned.key, scanned.stored.unwrap())).collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}

#[tokio::test]
async fn everything_that_stands_beside_escrows_comes_back_as_it_was() {
    let bed = bed().await;
    everything(&bed).await;
    let all = all(&bed).await;
    assert_eq!(all.len(), 11);
    let stored = |wanted: &Stored| all.iter().any(|(_, stored)| stored == wanted);
    assert!(stored(&Stored::Payout(Box::new(payout()))));
    assert!(other_payouts().into_iter().all(|payout| stored(&Stored::Payout(Box::new(payout)))));
    assert!(stored(&Stored::TopUp(Box::new(top_up()))));
    assert!(stored(&Stored::Seller(seller())));
    assert!(stored(&Stored::Account(owner())));
    assert!(stored(&Stored::Wallet(wallet())));
    assert!(lines().into_iter().all(|line| stored(&Stored::Line(line))));
}

#[tokio::test]
async fn the_stored_examples_of_this_format_are_passed_over_nowhere() {
    let path = format!("{}/tests/store/format-{FORMAT}-beside.json", env!("CARGO_MANIFEST_DIR"));
    let (old, new) = (bed().await, bed().await);
    everything(&new).await;
    let keys: Vec<Key> = all(&new).await.into_iter().map(|(key, _)| key).collect();
    let Ok(text) = std::fs::read_to_string(&path) else {
        // A new format's examples are made once, here, and kept for ever.
        let mut examples = Vec::new();
        for key in &keys {
            examples.push(object(&new.item(key).await.unwrap()));
        }
        std::fs::write(path, format!("{}\n", serde_json::to_string_pretty(&examples).unwrap())).unwrap();
        panic!("wrote new examples: look at them, and keep them");
    };
    let examples: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    for example in &examples {
        old.put(item(example)).await;
    }
    assert_eq!(all(&old).await, all(&new).await, "what was stored once is read as what it was");
    for (key, example) in keys.iter().zip(&examples) {
        assert_eq!(without_token(new.item(key).await.unwrap()), without_token(item(example)), "{key}");
    }
}
