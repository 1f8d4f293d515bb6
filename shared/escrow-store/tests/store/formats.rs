//! Formats: what is stored stays readable, and what breaks its promises is an error.

use crate::bed::{Bed, Fault, b, bed, n, s};
use crate::deal::{minor, offer, sar, user};
use aws_sdk_dynamodb::types::AttributeValue;
use escrow_domain::chargeback::{Chargeback, ChargebackStatus};
use escrow_domain::currency::Currencies;
use escrow_domain::dispute::Proposal;
use escrow_domain::effect::Task;
use escrow_domain::escrow::{DeferredCredit, Escrow};
use escrow_domain::id::GatewayName;
use escrow_domain::journal::{Account, Posting};
use escrow_domain::lifecycle::Role;
use escrow_domain::milestone::{Ask, AskFor};
use escrow_domain::money::Money;
use escrow_domain::payment::Mode;
use escrow_domain::time::Period;
use escrow_domain::wallet::{LineKind, MovedBy};
use escrow_store::items::FORMAT;
use escrow_store::keys::{self, Item, Key};
use escrow_store::scan::Stored;
use escrow_store::{StoreError, Unreadable};
use serde_json::Value;
use std::collections::HashMap;

async fn stored(bed: &Bed, escrow: &Escrow) -> Key {
    bed.other().commit(0, escrow).await.unwrap();
    keys::escrow(escrow.id)
}

/// A value as DynamoDB writes it in JSON.
fn value(json: &Value) -> AttributeValue {
    let (kind, json) = json.as_object().unwrap().iter().next().unwrap();
    let text = || json.as_str().unwrap().to_owned();
    match kind.as_str() {
        "S" => AttributeValue::S(text()),
        "N" => AttributeValue::N(text()),
        "B" => b(&hex(&text())),
        "BOOL" => AttributeValue::Bool(json.as_bool().unwrap()),
        "L" => AttributeValue::L(json.as_array().unwrap().iter().map(value).collect()),
        "M" => AttributeValue::M(item(json)),
        other => panic!("{other}"),
    }
}

pub(crate) fn item(json: &Value) -> Item {
    json.as_object().unwrap().iter().map(|(name, json)| (name.clone(), value(json))).collect()
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// The other way, for making an example of a new format; bytes in hexadecimal digits.
fn json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => serde_json::json!({"S": text}),
        AttributeValue::N(number) => serde_json::json!({"N": number}),
        AttributeValue::B(bytes) => {
            let digits: String = bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            serde_json::json!({"B": digits})
        }
        AttributeValue::Bool(truth) => serde_json::json!({"BOOL": truth}),
        AttributeValue::L(list) => serde_json::json!({"L": list.iter().map(json).collect::<Vec<_>>()}),
        AttributeValue::M(map) => serde_json::json!({"M": object(map)}),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn object(item: &HashMap<String, AttributeValue>) -> Value {
    Value::Object(item.iter().map(|(name, value)| (name.clone(), json(value))).collect())
}

/// One escrow with everything that an escrow can hold: made by decisions where there are any, and by hand for the rest.
fn full() -> Escrow {
    let mut escrow = offer("full").disputed();
    escrow.terms.metadata.insert("order".into(), "4711".into());
    let at = escrow.updated_at;
    let dispute = &mut escrow.disputes[0];
    (dispute.evidence_of_buyer, dispute.evidence_of_seller, dispute.proposals) = (2, 1, 3);
    dispute.reminded_for = Some(dispute.rule_by);
    dispute.proposal = Some(Proposal { number: 7, by: Role::Seller, to_buyer: minor(0), at });
    let milestone = &mut escrow.milestones[0];
    milestone.asked = Some(Ask { by: Role::Buyer, what: AskFor::Extend(at.after(Period::days(3))), at });
    milestone.reminded_for = Some(at);
    let payment = &mut escrow.payments[0];
    payment.mode = Mode::Elements;
    payment.client_secret = Some("pi_1_secret_2".into());
    payment.pay_in = Some(Money { amount: minor(4_000), currency: Currencies::default().find("USD").unwrap() });
    escrow.chargebacks.push(Chargeback {
        reference: "du_1".into(),
        gateway: GatewayName::Stripe,
        payment: 0,
        capture: 0,
        amount: minor(15_000),
        reason: Some("fraudulent".into()),
        status: ChargebackStatus::Lost,
        taken: minor(15_001),
        given_back: minor(1),
        of_escrow: minor(9_000),
        of_seller: minor(5_000),
        of_buyer: minor(1_000),
        opened_at: at,
        ended_at: Some(at),
    });
    escrow.credits.push(DeferredCredit {
        owner: user("usr_01hselle"),
        amount: minor(1),
        kind: LineKind::Release,
        entry: 1,
        since: at,
    });
    let (waits, given) = (Account::Credits(user("usr_01hselle")), Account::Wallet(user("usr_01hselle")));
    let postings = [Posting::credit(waits, minor(1), sar()), Posting::debit(given, minor(1), sar())];
    escrow.journal.entries.last_mut().unwrap().postings.extend(postings);
    // The first two entries have moved into a page.
    let journal = &mut escrow.journal;
    let paged: Vec<_> = journal.entries.drain(..2).flat_map(|entry| entry.postings).collect();
    journal.carried = paged.into_iter().filter(|posting| posting.account == Account::Escrow).collect();
    journal.paged = 2;
    escrow.freezes.push(escrow_domain::escrow::Freeze {
        cause: escrow_domain::escrow::FreezeCause::Operator,
        reason: "looking into it".into(),
        since: escrow.updated_at,
    });
    escrow.reviews.push(escrow_domain::escrow::Review {
        cause: escrow_domain::escrow::ReviewCause::RefundFailed,
        part: 0,
        note: "card closed".into(),
        since: escrow.updated_at,
    });
    escrow.stopped_since = Some(escrow.updated_at);
    escrow.alarm_at = Some(escrow.updated_at.after(escrow_domain::time::Period::days(1)));
    escrow.payments[0].captures[0].unasked = minor(1);
    let refund = |of, status| escrow_domain::payment::Refund {
        payment: 0,
        capture: 0,
        of,
        principal: minor(0),
        amount: minor(5),
        status,
        reference: Some("re_1".into()),
        promised_at: escrow.updated_at,
        look_up_at: Some(escrow.updated_at),
        look_ups: 2,
    };
    escrow.refunds = vec![
        refund(escrow_domain::payment::RefundOf::Milestone(0), escrow_domain::payment::RefundStatus::Failed),
        refund(escrow_domain::payment::RefundOf::Unapplied, escrow_domain::payment::RefundStatus::Succeeded),
    ];
    let claim = escrow_domain::effect::Claim {
        token: [7; 16],
        fence: 2,
        lease_until: escrow.updated_at,
        first_sent: escrow.terms.created_at,
        earlier_lease: Some(escrow.terms.created_at),
    };
    let effect = |task, progress| escrow_domain::effect::Effect {
        task,
        progress,
        due_at: escrow.updated_at,
        tries: 3,
        key_suffix: 1,
        look_up_first: true,
        epoch: 4,
    };
    escrow.effects = vec![
        effect(Task::ClosePayment(0), escrow_domain::effect::Progress::Ready),
        effect(Task::Refund(0), escrow_domain::effect::Progress::Sending(claim)),
        effect(Task::Refund(1), escrow_domain::effect::Progress::InDoubt(claim)),
    ];
    escrow
}

#[tokio::test]
async fn everything_that_an_escrow_can_hold_comes_back_as_it_was() {
    let bed = bed().await;
    let escrow = full();
    stored(&bed, &escrow).await;
    assert_eq!(bed.store.escrow(escrow.id).await.unwrap(), Some(escrow));
}

/// Without what is drawn anew by every write.
pub(crate) fn without_token(mut item: Item) -> Item {
    item.remove("w").unwrap();
    item
}

/// A stored example, kept for ever.
fn example(format: u32) -> Option<Item> {
    let path = format!("{}/tests/store/format-{format}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).ok().map(|text| item(&serde_json::from_str(&text).unwrap()))
}

#[tokio::test]
async fn the_stored_example_of_this_format_is_passed_over_nowhere() {
    let (old, new) = (bed().await, bed().await);
    let Some(example) = example(FORMAT) else {
        // A new format's example is made once, here, and kept for ever.
        let key = stored(&old, &full()).await;
        let path = format!("{}/tests/store/format-{FORMAT}.json", env!("CARGO_MANIFEST_DIR"));
        let example = object(&old.item(&key).await.unwrap());
        std::fs::write(path, format!("{}\n", serde_json::to_string_pretty(&example).unwrap())).unwrap();
        panic!("wrote a new example: look at it, and keep it");
    };
    old.put(example.clone()).await;
    let escrow = old.store.escrow(full().id).await.unwrap().unwrap();
    // Nothing of it was passed over: written again, it is the same.
    let key = stored(&new, &escrow).await;
    assert_eq!(without_token(new.item(&key).await.unwrap()), without_token(example));
}

#[tokio::test]
async fn an_escrow_of_format_1_stays_readable_and_its_evidence_is_brought_out_before_it_is_written_again() {
    let bed = bed().await;
    let example = example(1).unwrap();
    let within = example["di"].as_l().unwrap()[0].as_m().unwrap()["v"].as_l().unwrap().len();
    assert_eq!(within, 1);
    bed.put(example.clone()).await;
    // Who may only read can read it.
    bed.wire.next("PutItem", Fault::error(400, "AccessDeniedException"));
    assert!(bed.store.escrow(full().id).await.unwrap().is_some());
    // Who may write does not get it before its evidence is safe.
    bed.wire.always("PutItem", &Fault::error(400, "ThrottlingException"));
    assert!(matches!(bed.store.escrow(full().id).await, Err(StoreError::Contended { .. })));
    bed.wire.heal();
    let escrow = bed.store.escrow(full().id).await.unwrap().unwrap();
    let dispute = &escrow.disputes[0];
    assert_eq!((dispute.evidence_of_buyer, dispute.evidence_of_seller), (1, 0));
    assert_eq!((escrow.reviews.len(), escrow.refunds.len(), escrow.effects.len()), (1, 2, 3));
    // Read again, from a list, it is the same, and the evidence is there once.
    let key = keys::escrow(escrow.id);
    let loaded = bed.store.load(std::slice::from_ref(&key)).await.unwrap().remove(0);
    assert_eq!(*loaded.escrow.unwrap(), escrow);
    let piece = bed.item(&keys::evidence(escrow.id, 0, 0)).await.unwrap();
    assert_eq!((piece["u"].clone(), piece["x"].clone()), (s("https://market.example.com/e/1"), s("as seen")));
    // Written again it is of the new format, and says the same.
    let mut next = escrow.clone();
    next.version += 1;
    bed.store.commit(escrow.version, &next).await.unwrap();
    let item = bed.item(&key).await.unwrap();
    assert_eq!(item["f"], n(FORMAT));
    assert!(!item["di"].as_l().unwrap()[0].as_m().unwrap().contains_key("v"));
    assert_eq!(bed.store.escrow(escrow.id).await.unwrap(), Some(next));
}

#[tokio::test]
async fn wallets_and_lines_of_format_1_stay_readable() {
    let bed = bed().await;
    let (owner, id) = (user("usr_01hselle"), offer("a").id());
    let mut wallet = keys::wallet(&owner, sar()).to_item();
    for (name, value) in [("a", 13_500), ("p", 0), ("g", 0), ("e", 13_500), ("o", 0), ("l", 1), ("v", 1), ("f", 1)] {
        wallet.insert(name.into(), n(value));
    }
    wallet.extend([("u".into(), s("SAR2")), ("h".into(), AttributeValue::Bool(false)), ("w".into(), b(&[1; 16]))]);
    bed.put(wallet.clone()).await;
    let read = bed.store.wallet(&owner, sar()).await.unwrap();
    assert_eq!((read.available, read.hold, read.auto_payout), (minor(13_500), None, None));
    // What was on hold stays on hold, though nobody wrote down why.
    wallet.insert("h".into(), AttributeValue::Bool(true));
    bed.put(wallet).await;
    assert!(bed.store.wallet(&owner, sar()).await.unwrap().hold.is_some());
    let mut line = keys::wallet_line(&owner, sar(), 0).to_item();
    for (name, value) in [("a", 1_790_000_000_123_i64), ("m", 13_500), ("x", 0), ("y", 13_500), ("g", 4), ("f", 1)] {
        line.insert(name.into(), n(value));
    }
    line.extend([("u".into(), s("SAR2")), ("k".into(), s("release")), ("i".into(), s(id.body()))]);
    line.insert("w".into(), b(&[1; 16]));
    bed.put(line).await;
    let lines = bed.store.statement(&owner, sar(), 10, None).await.unwrap().items;
    assert_eq!(lines[0].as_ref().unwrap().of, MovedBy::Escrow(id));
}

#[tokio::test]
async fn a_newer_format_is_told_by_its_number_and_never_written_over() {
    let bed = bed().await;
    let held = offer("a").held();
    let key = stored(&bed, &held).await;
    bed.tamper(&key, &[("f", Some(n(FORMAT + 1))), ("added", Some(s("by a newer release")))]).await;
    let error = bed.store.escrow(held.id).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreadable(Unreadable::NewerFormat { found: 3, known: 2, .. })), "{error:?}");
    // Nobody can decide on what cannot be read; and a put on the version seen before its upgrade fails on its condition.
    let delivered = offer("a").delivered();
    bed.tamper(&key, &[("v", Some(n(held.version + 1)))]).await;
    assert!(bed.store.commit(held.version, &delivered).await.is_err());
    assert!(bed.item(&key).await.unwrap().contains_key("added"));
}

#[tokio::test]
async fn whatever_breaks_a_promise_is_corrupt_and_never_a_default() {
    let bed = bed().await;
    let disputed = offer("a").disputed();
    let key = stored(&bed, &disputed).await;
    let sound = bed.item(&key).await.unwrap();
    let change = |name: &str, change: &dyn Fn(&mut Item)| {
        let mut milestone = sound[name].as_l().unwrap()[0].as_m().unwrap().clone();
        change(&mut milestone);
        let mut list = sound[name].as_l().unwrap().clone();
        list[0] = AttributeValue::M(milestone);
        Some(AttributeValue::L(list))
    };
    let set = |name: &'static str, value: AttributeValue| {
        move |map: &mut Item| {
            map.insert(name.to_owned(), value.clone());
        }
    };
    for (name, value) in [
        ("f", None),
        ("f", Some(n(0))),
        ("f", Some(s("1"))),
        ("v", None),
        ("v", Some(n(0))),
        ("v", Some(s("4"))),
        ("b", None),
        ("b", Some(s("a buyer with spaces"))),
        ("b", sound.get("s").cloned()),
        ("j", Some(s("without a type"))),
        ("k", Some(s("barter"))),
        ("u", Some(s("sar2"))),
        ("u", Some(s("SAR"))),
        ("u", Some(s(""))),
        ("m", Some(AttributeValue::L(Vec::new()))),
        ("m", change("m", &set("a", n(15_001)))),
        ("m", change("m", &set("a", n(-1)))),
        ("m", change("m", &set("m", AttributeValue::L(vec![n(0); 6])))),
        ("m", change("m", &set("unheard-of", n(1)))),
        ("pa", None),
        ("pa", change("pa", &set("st", s("imagined")))),
        ("pa", change("pa", &set("i", b(&[9])))),
        ("di", None),
        ("di", change("di", &set("m", n(1)))),
        ("h", Some(b(&[0; 31]))),
        ("o", Some(b(&[]))),
        ("o", Some(b(&[0; 24]))),
        ("o", Some(b(&[0; 16]))),
        ("e", Some(AttributeValue::L(Vec::new()))),
        ("e", change("e", &set("k", s("vanish")))),
        ("e", change("e", &set("p", s("m7")))),
        ("pg", Some(n(1))),
        ("unheard-of", Some(n(1))),
    ] {
        bed.put(sound.clone()).await;
        bed.tamper(&key, &[(name, value.clone())]).await;
        let read = bed.store.escrow(disputed.id).await;
        assert!(
            matches!(&read, Err(StoreError::Unreadable(Unreadable::Corrupt { key: at, .. })) if *at == key),
            "{name} = {value:?}: {read:?}"
        );
    }
    bed.put(sound).await;
    assert!(bed.store.escrow(disputed.id).await.is_ok());
}

#[tokio::test]
async fn a_scan_tells_of_every_item_what_it_is_or_why_it_cannot_be_read() {
    let bed = bed().await;
    for key in ["a", "b"] {
        let delivered = offer(key).delivered();
        stored(&bed, &delivered).await;
        let now = crate::deal::moment(crate::deal::later(&delivered));
        let start = escrow_store::change::Start::Load(delivered.id);
        bed.other().change(start, |escrow| crate::deal::release(escrow, now)).await.unwrap();
    }
    bed.tamper(&keys::escrow(offer("b").id()), &[("k", None)]).await;
    let mut stranger = keys::escrow(offer("b").id()).to_item();
    stranger.insert("pk".into(), s("Z#1"));
    bed.put(stranger).await;
    let mut told = Vec::new();
    let mut position = None;
    loop {
        let page = bed.store.scan(Some(2), position.as_ref()).await.unwrap();
        told.extend(page.items.into_iter().map(|scanned| match scanned.stored {
            Ok(Stored::Escrow(_)) => "escrow",
            Ok(Stored::Page(_)) => "page",
            Ok(Stored::Evidence(_)) => "evidence",
            Ok(Stored::Payout(_)) => "payout",
            Ok(Stored::TopUp(_)) => "top-up",
            Ok(Stored::Seller(_)) => "seller",
            Ok(Stored::Account(_)) => "account",
            Ok(Stored::Wallet(_)) => "wallet",
            Ok(Stored::Line(_)) => "line",
            Ok(Stored::Parked(_)) => "parked",
            Ok(Stored::Beside) => "beside",
            Err(_) => "unreadable",
        }));
        position = page.next;
        if position.is_none() {
            break;
        }
    }
    told.sort_unstable();
    assert_eq!(told, ["escrow", "line", "line", "unreadable", "unreadable", "wallet"]);
}
