//! The sandbox and the gateway crate were written apart; here they meet over HTTP, with every word between them checked.

use super::*;
use escrow_domain::currency::Currencies;
use escrow_domain::id::{EscrowId, GatewayName, PaymentId, PayoutId, RefundId};
use escrow_domain::money::Money;
use escrow_domain::payment::Mode;
use escrow_domain::payout::BankStatus;
use escrow_domain::time::Period;
use escrow_gateways::{
    AccountAsk, CallError, Deadline, Fact, Gateway, Gateways, OpenCheckout, PaymentStanding, RefundAsk, RefundState,
    Refusal, TransferAsk, TransferState, What, Whose,
};

fn gateways(bench: &Bench) -> Gateways {
    let base = format!("{}/sandbox/stripe", bench.url);
    let settings = move |name: &str| match name {
        "STRIPE_API_BASE" => Some(base.clone()),
        "STRIPE_SECRET_KEY" => Some("sk_test_local".to_owned()),
        "STRIPE_WEBHOOK_SECRET" => Some(format!("whsec_older,{SECRET}")),
        _ => None,
    };
    Gateways::from_settings(&settings).unwrap()
}

fn sar(text: &str) -> Money {
    Money::parse(text, Currencies::default().find("SAR").unwrap()).unwrap()
}

fn soon() -> Deadline {
    Deadline::within(Deadline::LONGEST)
}

fn the_payment() -> PaymentId {
    PaymentId { escrow: EscrowId::derive("POST /v1/checkouts", "test", "usr_buyer", "key"), number: 0 }
}

fn ask() -> OpenCheckout {
    OpenCheckout {
        whose: Whose::Payment(the_payment()),
        mode: Mode::Hosted,
        money: sar("150.00"),
        description: "A job & more".to_owned(),
        method: None,
        success_url: "http://shop.test/ok".to_owned(),
        cancel_url: "http://shop.test/no".to_owned(),
        expires_at: START.after(Period::hours(24)),
    }
}

/// The facts of the webhooks that have arrived, as the gateway crate reads them.
async fn facts(bench: &Bench, stripe: &dyn Gateway) -> Vec<Fact> {
    bench.sandbox.deliver_due().await;
    let arrived = std::mem::take(&mut *bench.endpoint.arrived.lock().unwrap());
    let read = |(headers, body): (HeaderMap, String)| {
        stripe.read_webhook(&headers, body.as_bytes(), bench.clock.now()).unwrap().fact.ok()
    };
    arrived.into_iter().filter_map(read).collect()
}

#[tokio::test]
async fn a_payment_goes_from_checkout_to_refund() {
    let bench = Bench::new().await;
    let gateways = gateways(&bench);
    let stripe = gateways.get(GatewayName::Stripe).unwrap();
    let ask = ask();
    let opened = stripe.open_checkout(&ask, "pay-1", soon()).await.unwrap();
    assert_eq!(opened.expires_at, ask.expires_at);
    assert_eq!(stripe.open_checkout(&ask, "pay-1", soon()).await.unwrap(), opened, "the same bytes under the same key");
    assert_eq!(stripe.look_up_payment(&opened.reference, soon()).await.unwrap(), PaymentStanding::Open);

    bench.play(&opened.reference, r#"{"outcome": "pending"}"#).await;
    assert_eq!(stripe.look_up_payment(&opened.reference, soon()).await.unwrap(), PaymentStanding::Processing);
    let told = facts(&bench, stripe).await;
    assert!(told.iter().all(|fact| matches!(fact, Fact::PaymentProcessing(_))) && told.len() == 2, "{told:?}");

    bench.play(&opened.reference, r#"{"outcome": "paid", "duplicates": 1}"#).await;
    let PaymentStanding::Paid(paid) = stripe.look_up_payment(&opened.reference, soon()).await.unwrap() else {
        panic!("it has been paid")
    };
    assert_eq!(paid.money, ask.money);
    let told = facts(&bench, stripe).await;
    assert_eq!(told.len(), 4, "charge.succeeded says nothing new");
    for fact in told {
        let Fact::PaymentPaid { payment, money } = fact else { panic!("{fact:?}") };
        assert_eq!((payment.payment, money), (Some(the_payment()), ask.money));
        assert_eq!(payment.capture.as_ref(), Some(&paid.capture));
    }
    assert_eq!(stripe.trace_capture(&paid.capture, soon()).await.unwrap().payment, Some(the_payment()));

    let refund = RefundId { escrow: the_payment().escrow, number: 0 };
    let back = RefundAsk { escrow: the_payment().escrow, refund, capture: paid.capture, money: sar("40.00") };
    assert_eq!(stripe.look_up_refund(&back, None, soon()).await.unwrap(), None);
    let made = stripe.refund(&back, "ref-1", soon()).await.unwrap();
    assert_eq!((&made.state, made.money), (&RefundState::Succeeded, back.money));
    assert_eq!(stripe.look_up_refund(&back, None, soon()).await.unwrap().as_ref(), Some(&made));
    assert_eq!(stripe.look_up_refund(&back, Some(&made.reference), soon()).await.unwrap().as_ref(), Some(&made));
    let ours = facts(&bench, stripe).await.into_iter().filter_map(|fact| match fact {
        Fact::RefundMoved(told) => Some((told.refund, told.state)),
        _ => None,
    });
    assert_eq!(ours.collect::<Vec<_>>(), [(Some(refund), RefundState::Succeeded)]);
    let too_much = RefundAsk { money: sar("110.01"), ..back };
    let refused = stripe.refund(&too_much, "ref-2", soon()).await.unwrap_err();
    assert!(matches!(refused, CallError::Refused { status: Some(400), .. }), "{refused}");
}

#[tokio::test]
async fn closing_a_payment_tells_who_was_quicker() {
    let bench = Bench::new().await;
    let gateways = gateways(&bench);
    let stripe = gateways.get(GatewayName::Stripe).unwrap();
    for (outcome, standing) in
        [("declined", "Closed"), ("expired", "Closed"), ("pending", "Processing"), ("paid", "Paid")]
    {
        let opened = stripe.open_checkout(&ask(), outcome, soon()).await.unwrap();
        bench.play(&opened.reference, &format!("{{\"outcome\": \"{outcome}\"}}")).await;
        let key = format!("close-{outcome}");
        let closed = stripe.close_payment(&opened.reference, &key, soon()).await.unwrap();
        assert!(format!("{closed:?}").starts_with(standing), "{outcome}: {closed:?}");
    }
}

#[tokio::test]
async fn every_fault_is_understood_as_what_it_is() {
    let bench = Bench::new().await;
    let gateways = gateways(&bench);
    let stripe = gateways.get(GatewayName::Stripe).unwrap();
    for (fault, understood) in [
        ("timeout_before", "InDoubt"),
        ("timeout_after", "InDoubt"),
        ("lost_before", "InDoubt"),
        ("lost_after", "InDoubt"),
        ("409", "InDoubt"),
        ("429", "InDoubt"),
        ("500", "ServerError"),
        ("500_after", "ServerError"),
        ("400", "Refused"),
    ] {
        bench.set(&format!("{{\"next\": [{{\"checkouts\": \"{fault}\"}}]}}")).await;
        let error = stripe.open_checkout(&ask(), fault, soon()).await.unwrap_err();
        assert!(format!("{error:?}").starts_with(understood), "{fault}: {error:?}");
    }
}

#[tokio::test]
async fn a_form_on_the_shops_own_page_goes_from_its_secret_to_money() {
    let bench = Bench::new().await;
    let gateways = gateways(&bench);
    let stripe = gateways.get(GatewayName::Stripe).unwrap();
    let ask = OpenCheckout { mode: Mode::Elements, ..ask() };
    let opened = stripe.open_checkout(&ask, "pay-1", soon()).await.unwrap();
    assert_eq!(stripe.open_checkout(&ask, "pay-1", soon()).await.unwrap(), opened);
    let secret = opened.client_secret.clone().unwrap();
    assert_eq!(
        (opened.url, stripe.look_up_payment(&opened.reference, soon()).await.unwrap()),
        (None, PaymentStanding::Open)
    );
    for (outcome, standing, fact) in [
        ("declined", "Open", "PaymentDeclined"),
        ("pending", "Processing", "PaymentProcessing"),
        ("declined", "Open", "PaymentDeclined"),
        ("paid", "Paid", "PaymentPaid"),
    ] {
        assert_eq!(bench.play(&secret, &format!("{{\"outcome\": \"{outcome}\"}}")).await.status, 200);
        let stands = stripe.look_up_payment(&opened.reference, soon()).await.unwrap();
        assert!(format!("{stands:?}").starts_with(standing), "{outcome}: {stands:?}");
        let told = facts(&bench, stripe).await;
        assert!(told.len() == 1 && format!("{told:?}").starts_with(&format!("[{fact}")), "{outcome}: {told:?}");
    }
    let closed = stripe.close_payment(&opened.reference, "close-1", soon()).await.unwrap();
    assert!(matches!(closed, PaymentStanding::Paid(_)), "{closed:?}");
    let other = stripe.open_checkout(&ask, "pay-2", soon()).await.unwrap();
    assert_eq!(stripe.close_payment(&other.reference, "close-2", soon()).await.unwrap(), PaymentStanding::Closed);
    assert!(
        matches!(facts(&bench, stripe).await.as_slice(), [Fact::PaymentClosed(told)] if told.payment == Some(the_payment()))
    );
}

#[tokio::test]
async fn a_seller_goes_from_an_account_to_a_payout_and_back() {
    let bench = Bench::new().await;
    let gateways = gateways(&bench);
    let stripe = gateways.get(GatewayName::Stripe).unwrap();
    let owner: escrow_domain::id::UserId = "usr_seller".parse().unwrap();
    let ask = AccountAsk { owner: owner.clone(), email: Some("s@example.com".to_owned()), country: None };
    let account = stripe.open_account(&ask, "seller-1", soon()).await.unwrap();
    assert_eq!((account.owner.clone(), account.transfers_active), (Some(owner), false));
    assert_eq!(stripe.open_account(&ask, "seller-1", soon()).await.unwrap(), account);
    let opened = stripe.open_checkout(&super::gateway::ask(), "pay-1", soon()).await.unwrap();
    let paid = bench.play(&opened.reference, r#"{"outcome": "paid"}"#).await.json();
    let capture = paid["payment_intent"].as_str().unwrap();
    let charge = stripe.charge_of(capture, soon()).await.unwrap();
    let body = (the_payment().escrow.to_string()).replace("esc_", "pyt_");
    let payout: PayoutId = body.parse().unwrap();
    let transfer = TransferAsk {
        payout,
        account: account.account.clone(),
        money: sar("90.00"),
        charge: Some(charge),
        asked_at: bench.clock.now(),
    };
    let refused = stripe.transfer(&transfer, "pyt-1", soon()).await.unwrap_err();
    assert_eq!(refused.refusal(), Some(Refusal::AccountNotReady), "{refused}");

    let link = stripe.account_link(&account.account, "http://shop.test/again", "http://shop.test/back", soon()).await;
    let link = link.unwrap();
    assert_eq!(link.expires_at, Some(bench.clock.now().after(Period::minutes(5))));
    facts(&bench, stripe).await;
    let page = link.url.strip_prefix(&bench.url).unwrap();
    assert_eq!(bench.tell(page, r#"{"outcome": "complete"}"#).await.status, 200);
    let told = facts(&bench, stripe).await;
    assert!(
        matches!(told.as_slice(), [Fact::AccountChanged(told)] if told.standing.transfers_active && told.standing.payouts_enabled)
    );
    assert!(stripe.look_up_account(&account.account, soon()).await.unwrap().transfers_active);

    assert_eq!(stripe.look_up_transfer(&transfer, None, soon()).await.unwrap(), None);
    let sent = stripe.transfer(&transfer, "pyt-2", soon()).await.unwrap();
    assert_eq!((&sent.state, sent.money), (&TransferState::Sent, transfer.money));
    assert_eq!(stripe.look_up_transfer(&transfer, None, soon()).await.unwrap().as_ref(), Some(&sent));
    let too_much = TransferAsk { charge: None, money: sar("90.00"), ..transfer.clone() };
    let refused = stripe.transfer(&too_much, "pyt-3", soon()).await.unwrap_err();
    assert_eq!(refused.refusal(), Some(Refusal::FundsMissing), "{refused}");
    let by_hand = format!("/_local/sandbox/stripe/transfers/{}/reversals", sent.reference);
    bench.tell(&by_hand, r#"{"amount": 4000}"#).await;
    let told = facts(&bench, stripe).await;
    let [Fact::TransferReversed(back)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((back.payout, back.money, back.total), (Some(payout), sar("90.00"), sar("40.00")));

    for (status, heard) in [("paid", BankStatus::Paid), ("failed", BankStatus::Failed)] {
        let pay_out = format!("/_local/sandbox/stripe/accounts/{}/payouts", account.account);
        bench.tell(&pay_out, &format!("{{\"amount\": 1000, \"status\": \"{status}\"}}")).await;
        let told = facts(&bench, stripe).await;
        let Some(Fact::BankMoved { account: of, bank }) = told.last() else { panic!("{told:?}") };
        assert_eq!((of, bank.status), (&account.account, heard));
    }
    bench.tell(&format!("/_local/sandbox/stripe/accounts/{}/disconnect", account.account), "").await;
    assert!(matches!(facts(&bench, stripe).await.as_slice(), [Fact::AccountDisconnected { .. }]));
}

#[tokio::test]
async fn a_chargeback_is_heard_step_by_step_with_its_money() {
    let bench = Bench::new().await;
    let gateways = gateways(&bench);
    let stripe = gateways.get(GatewayName::Stripe).unwrap();
    let intent = bench.paid().await;
    let chargeback = format!("/_local/sandbox/stripe/payment_intents/{intent}/chargeback");
    let dispute = bench.tell(&chargeback, r#"{"amount": 5000, "inquiry": true}"#).await.json();
    let dispute = format!("/_local/sandbox/stripe/disputes/{}", dispute["id"].as_str().unwrap());
    let mut told = facts(&bench, stripe).await;
    for status in ["needs_response", "won"] {
        bench.tell(&dispute, &format!("{{\"status\": \"{status}\"}}")).await;
        told.extend(facts(&bench, stripe).await);
    }
    let steps: Vec<_> = told
        .into_iter()
        .map(|fact| match fact {
            Fact::ChargebackMoved(told) => {
                assert_eq!((told.money, told.moved, told.capture), (sar("50.00"), sar("50.00"), Some(intent.clone())));
                format!("{:?}", told.step)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(steps, ["Opened", "Updated(\"needs_response\")", "FundsWithdrawn", "Closed(Won)", "FundsReinstated",]);
}

#[tokio::test]
async fn the_gateways_own_statement_tells_of_every_movement() {
    let bench = Bench::new().await;
    let gateways = gateways(&bench);
    let stripe = gateways.get(GatewayName::Stripe).unwrap();
    let (until, mut captures) = (START.after(Period::days(1)), Vec::new());
    for (number, mode) in [Mode::Hosted, Mode::Elements].into_iter().enumerate() {
        let opened = stripe.open_checkout(&OpenCheckout { mode, ..ask() }, &number.to_string(), soon()).await.unwrap();
        let paid = bench.play(&opened.reference, r#"{"outcome": "paid"}"#).await.json();
        captures.push(paid["payment_intent"].as_str().unwrap().to_owned());
    }
    let pending = stripe.open_checkout(&ask(), "pending", soon()).await.unwrap();
    bench.play(&pending.reference, r#"{"outcome": "pending"}"#).await;
    let refund = RefundId { escrow: the_payment().escrow, number: 0 };
    let back = RefundAsk { escrow: the_payment().escrow, refund, capture: captures[0].clone(), money: sar("40.00") };
    let made = stripe.refund(&back, "ref-1", soon()).await.unwrap();
    bench.tell(&format!("/_local/sandbox/stripe/refunds/{}", made.reference), r#"{"status": "failed"}"#).await;
    bench.tell(&format!("/_local/sandbox/stripe/payment_intents/{}/chargeback", captures[1]), "").await;

    let report = stripe.report(START, until, None, soon()).await.unwrap();
    assert_eq!(report.next, None);
    let told: Vec<String> = report
        .lines
        .iter()
        .rev()
        .map(|line| {
            let what = match &line.what {
                What::Announced { .. } => "announced",
                What::Captured { origin, .. } if origin.payment == Some(the_payment()) => "captured",
                What::Refunded { refund: Some(ours), .. } if *ours == refund => "refunded",
                What::RefundFailed { refund: Some(ours), .. } if *ours == refund => "refund failed",
                What::ChargedBack { capture, .. } if capture.as_ref() == Some(&captures[1]) => "charged back",
                other => panic!("{other:?}"),
            };
            format!("{what} {} {}", line.settled.units, line.fee.units)
        })
        .collect();
    assert_eq!(
        told,
        [
            "captured 15000 435",
            "captured 15000 435",
            "announced 15000 435",
            "refunded -4000 0",
            "refund failed 4000 0",
            "charged back -15000 435"
        ]
    );
    let (mut page, mut opened) = (None, Vec::new());
    loop {
        let told = stripe.payments_since(START, until, page.as_deref(), soon()).await.unwrap();
        opened.extend(told.lines.into_iter().map(|line| (line.origin.payment, format!("{:?}", line.standing))));
        page = told.next;
        if page.is_none() {
            break;
        }
    }
    let standing = |word: &str| {
        opened.iter().filter(|(of, standing)| *of == Some(the_payment()) && standing.starts_with(word)).count()
    };
    // Two sessions, and the intents of those and of the form.
    assert_eq!((opened.len(), standing("Paid"), standing("Processing")), (5, 3, 2));
}
