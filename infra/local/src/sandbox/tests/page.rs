//! The hosted page, for programs and for browsers.

use super::*;
use escrow_domain::time::Period;

/// The types that a click caused, and how the session and its intent stand then.
async fn click(bench: &Bench, session: &str, json: &str) -> String {
    let played = bench.play(session, json).await;
    if played.status != 200 {
        return played.verdict();
    }
    bench.sandbox.deliver_due().await;
    let types = bench.endpoint.types().join(", ");
    bench.endpoint.forget();
    let summary = played.json();
    let intent = summary["payment_intent"].as_str();
    let standing = match intent {
        Some(id) => bench.get(&format!("payment_intents/{id}")).await.json()["status"].as_str().unwrap().to_owned(),
        None => "no intent".to_owned(),
    };
    format!(
        "{types} | {} {} {standing}",
        summary["status"].as_str().unwrap(),
        summary["payment_status"].as_str().unwrap()
    )
}

#[tokio::test]
async fn every_outcome_has_stripes_events_in_stripes_order() {
    let bench = Bench::new().await;
    for (clicks, told) in [
        (
            &["paid"][..],
            &["payment_intent.succeeded, charge.succeeded, checkout.session.completed | complete paid succeeded"][..],
        ),
        (
            &["declined", "declined", "paid"],
            &[
                "payment_intent.payment_failed | open unpaid requires_payment_method",
                "payment_intent.payment_failed | open unpaid requires_payment_method",
                "payment_intent.succeeded, charge.succeeded, checkout.session.completed | complete paid succeeded",
            ],
        ),
        (&["expired"], &["checkout.session.expired | expired unpaid no intent"]),
        (
            &["declined", "expired"],
            &[
                "payment_intent.payment_failed | open unpaid requires_payment_method",
                "checkout.session.expired, payment_intent.canceled | expired unpaid canceled",
            ],
        ),
        (
            &["pending", "paid"],
            &[
                "payment_intent.processing, checkout.session.completed | complete unpaid processing",
                "payment_intent.succeeded, charge.succeeded, checkout.session.async_payment_succeeded | complete paid succeeded",
            ],
        ),
        (
            &["pending", "declined"],
            &[
                "payment_intent.processing, checkout.session.completed | complete unpaid processing",
                "payment_intent.payment_failed, checkout.session.async_payment_failed | complete unpaid requires_payment_method",
            ],
        ),
        (
            &["pending", "pending", "expired"],
            &[
                "payment_intent.processing, checkout.session.completed | complete unpaid processing",
                "409 session_final",
                "409 session_final",
            ],
        ),
    ] {
        let session = bench.checkout().await;
        for (outcome, told) in clicks.iter().zip(told) {
            assert_eq!(click(&bench, &session, &format!("{{\"outcome\": \"{outcome}\"}}")).await, *told, "{clicks:?}");
        }
    }
}

#[tokio::test]
async fn what_is_final_stays_as_it_is() {
    let bench = Bench::new().await;
    for first in ["paid", "expired"] {
        let session = bench.checkout().await;
        click(&bench, &session, &format!("{{\"outcome\": \"{first}\"}}")).await;
        for then in ["paid", "declined", "pending", "expired"] {
            let told = click(&bench, &session, &format!("{{\"outcome\": \"{then}\"}}")).await;
            assert_eq!(told, "409 session_final", "{first}, then {then}");
        }
    }
    assert_eq!(bench.play("cs_test_x", r#"{"outcome": "paid"}"#).await.verdict(), "404 not_found");
}

#[tokio::test]
async fn a_session_that_is_over_can_still_be_paid_late() {
    let bench = Bench::new().await;
    let late = r#"{"outcome": "paid", "late": true}"#;
    let paid = "payment_intent.succeeded, charge.succeeded, checkout.session.completed | complete paid succeeded";
    let expired = bench.checkout().await;
    click(&bench, &expired, r#"{"outcome": "declined"}"#).await;
    bench.post(&format!("checkout/sessions/{expired}/expire"), "").await;
    bench.sandbox.deliver_due().await;
    bench.endpoint.forget();
    assert_eq!(click(&bench, &expired, late).await, paid, "the cancelled intent is left alone; another one pays");
    assert_eq!(click(&bench, &expired, late).await, "409 session_final");

    let timed_out = bench.checkout().await;
    bench.clock.advance(Period::days(2));
    bench.sandbox.deliver_due().await;
    bench.endpoint.forget();
    assert_eq!(click(&bench, &timed_out, late).await, paid);

    let failed = bench.checkout().await;
    click(&bench, &failed, r#"{"outcome": "pending"}"#).await;
    click(&bench, &failed, r#"{"outcome": "declined"}"#).await;
    assert!(click(&bench, &failed, late).await.contains("async_payment_succeeded | complete paid"));

    let open = bench.checkout().await;
    assert_eq!(click(&bench, &open, late).await, paid, "it is not late yet, and simply paid");
    assert_eq!(
        click(&bench, &bench.checkout().await, r#"{"outcome": "declined", "late": true}"#).await,
        "400 body_invalid"
    );
}

#[tokio::test]
async fn a_click_says_nothing_that_is_not_understood() {
    let bench = Bench::new().await;
    let session = bench.checkout().await;
    for bad in [
        "",
        "{}",
        "[]",
        r#"{"outcome": "won"}"#,
        r#"{"outcome": "paid", "amount": 1}"#,
        r#"{"outcome": "paid", "duplicates": -1}"#,
        r#"{"outcome": "paid", "duplicates": 101}"#,
        r#"{"outcome": "paid", "delay_ms": 60001}"#,
        r#"{"outcome": "paid", "shuffle": "yes"}"#,
        r#"{"outcome": "paid", "duplicates": 1.5}"#,
    ] {
        assert_eq!(click(&bench, &session, bad).await, "400 body_invalid", "{bad}");
    }
    assert_eq!(bench.get(&format!("checkout/sessions/{session}")).await.json()["status"], "open");
}

async fn browse(bench: &Bench, session: &str, form: Option<&str>) -> Answer {
    let url = format!("{}/sandbox/stripe/pay/{session}", bench.url);
    let request = match form {
        Some(form) => Request::post(url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::new(Bytes::from(form.to_owned()))),
        None => Request::get(url).body(Full::default()),
    };
    bench.send(request.unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_browser_without_scripts_pays_and_is_sent_back_to_the_shop() {
    let bench = Bench::new().await;
    let switches = "duplicates=&delay_ms=0";
    for (form, to) in [
        (format!("outcome=paid&{switches}&shuffle=on&late=on"), "http://shop.test/ok?cs={id}"),
        (format!("outcome=pending&{switches}"), "http://shop.test/ok?cs={id}"),
        (format!("outcome=declined&{switches}&late=on"), "/sandbox/stripe/pay/{id}?declined"),
        (format!("outcome=expired&{switches}"), "http://shop.test/no"),
    ] {
        let session = bench.checkout().await;
        let page = browse(&bench, &session, None).await;
        assert!(page.text.contains("150.00 SAR") && page.text.contains("A job"), "{}", page.text);
        assert!(!page.text.contains("<script"));
        let sent = browse(&bench, &session, Some(&form)).await;
        assert_eq!(
            (sent.status, sent.headers["location"].to_str().unwrap()),
            (303, to.replace("{id}", &session).as_str()),
            "{form}"
        );
    }
    let session = bench.checkout().await;
    assert_eq!(browse(&bench, &session, Some("outcome=stolen")).await.status, 400);
    assert_eq!(browse(&bench, "cs_test_x", None).await.status, 404);
    browse(&bench, &session, Some("outcome=paid")).await;
    assert_eq!(browse(&bench, &session, Some("outcome=paid")).await.status, 409);
    assert!(browse(&bench, &session, None).await.text.contains("has been paid"));
}

#[tokio::test]
async fn the_shops_words_are_not_markup_on_the_page() {
    let bench = Bench::new().await;
    let form = CHECKOUT.replace("=A+job", "=%3Cimg+src%3Dx%3E").replace("/no", "/no%22%3E%3Cb%3E");
    let session = bench.post("checkout/sessions", &form).await.json()["id"].as_str().unwrap().to_owned();
    let page = browse(&bench, &session, None).await;
    assert!(page.text.contains("&lt;img src=x&gt;") && !page.text.contains("<img") && !page.text.contains("<b>\""));
    assert!(page.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
}
