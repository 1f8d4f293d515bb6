//! The sandbox and the gateway crate were written apart; here they meet over HTTP, with every word between them checked.

use super::*;
use escrow_domain::currency::Currencies;
use escrow_domain::id::{EscrowId, GatewayName, PaymentId, RefundId};
use escrow_domain::money::Money;
use escrow_domain::payment::Mode;
use escrow_domain::time::Period;
use escrow_gateways::{
    CallError, Deadline, Fact, Gateway, Gateways, OpenCheckout, PaymentStanding, RefundAsk, RefundState,
    Whose,
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
    assert!(told.iter().all(|fact| matches!(fact, Fact::PaymentProcessing(_))) && told.len() == 1, "{told:?}");

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
