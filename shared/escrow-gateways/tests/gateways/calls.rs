//! Every way in which a call can end, and that each of them sends one request.

use crate::bed::{KEY, SECRET, checkout, gateways, money, refund, soon};
use crate::server::{Server, Then};
use escrow_domain::id::GatewayName;
use escrow_domain::payment::Method;
use escrow_gateways::{CallError, Deadline, Gateway, OpenCheckout, RefundAsk};
use std::io::{Read, Write};
use std::sync::mpsc;
use std::time::Duration;

fn error(kind: &str, code: &str) -> String {
    format!(r#"{{"error":{{"type":"{kind}","code":"{code}","message":"Because."}}}}"#)
}

/// The error in one line without the words of hyper, which are not ours to pin.
fn name(error: &CallError) -> String {
    match error {
        CallError::NotSent(_) => "not sent".to_owned(),
        CallError::InDoubt(_) => "in doubt".to_owned(),
        CallError::ServerError { status } => format!("server error {status}"),
        CallError::Refused { status, code, message } => format!("refused {status:?} {code}: {message}"),
    }
}

/// How a refund ends when this is done with its request; the server must have got it once.
async fn ends(then: Then, wait: Duration) -> String {
    let server = Server::start(vec![then]).await;
    let all = gateways(&server.base, KEY, SECRET);
    let stripe = all.get(GatewayName::Stripe).unwrap();
    let outcome = stripe.refund(&refund(), "eff_1", Deadline::within(wait)).await;
    assert_eq!(server.received().len(), 1, "every request is sent once");
    outcome.map_or_else(|error| name(&error), |standing| format!("{standing:?}"))
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn silence_and_broken_connections_leave_doubt() {
    assert_eq!(ends(Then::Hang, Duration::from_secs(1)).await, "in doubt");
    assert_eq!(ends(Then::Close, LONG).await, "in doubt");
    assert_eq!(ends(Then::BreakOff, LONG).await, "in doubt");
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_leaves_doubt() {
    for body in ["", "null", "[]", "<html>", "{}", r#"{"id":"re_1"}"#, r#"{"id":"re_1","amount":"1","currency":"sar"}"#]
    {
        assert_eq!(ends(Then::Answer(200, "", body.to_owned()), LONG).await, "in doubt", "{body}");
    }
    let unknown = r#"{"id":"re_1","amount":1,"currency":"zzz","status":"succeeded"}"#;
    assert_eq!(ends(Then::Answer(200, "", unknown.to_owned()), LONG).await, "in doubt");
}

#[tokio::test]
async fn only_a_definite_no_is_a_refusal() {
    for (status, headers, body, expected) in [
        (
            400,
            "",
            error("invalid_request_error", "charge_already_refunded"),
            "refused Some(400) charge_already_refunded: Because.",
        ),
        (402, "", error("card_error", "card_declined"), "refused Some(402) card_declined: Because."),
        (404, "", error("invalid_request_error", "resource_missing"), "refused Some(404) resource_missing: Because."),
        // The same key with other parameters, or at the same time: the first request may have been done.
        (400, "", error("idempotency_error", ""), "in doubt"),
        (409, "", error("invalid_request_error", "idempotency_key_in_use"), "in doubt"),
        (409, "", error("idempotency_error", ""), "in doubt"),
        (429, "", error("invalid_request_error", "rate_limit"), "in doubt"),
        // Our key is wrong, not the request: it will be sent again when the key is right.
        (401, "", error("invalid_request_error", ""), "in doubt"),
        (403, "", error("invalid_request_error", ""), "in doubt"),
        (400, "", error("api_error", ""), "in doubt"),
        (402, "stripe-should-retry: true\r\n", error("card_error", "processing_error"), "in doubt"),
        // Not from Stripe's API: a proxy, a wrong address.
        (404, "", "<html>not here</html>".to_owned(), "in doubt"),
        (400, "", "{}".to_owned(), "in doubt"),
        (302, "location: https://elsewhere.example/\r\n", String::new(), "in doubt"),
        (500, "", error("api_error", ""), "server error 500"),
        (503, "", "<html>".to_owned(), "server error 503"),
        // Stripe replays a stored 500 under the same key.
        (500, "idempotent-replayed: true\r\n", error("api_error", ""), "server error 500"),
    ] {
        let ended = ends(Then::Answer(status, headers, body.clone()), LONG).await;
        assert_eq!(ended, expected, "{status} {headers:?} {body}");
    }
}

#[tokio::test]
async fn nothing_is_sent_without_a_connection_or_after_the_deadline() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let all = gateways(&format!("http://{free}"), KEY, SECRET);
    let outcome = all.get(GatewayName::Stripe).unwrap().refund(&refund(), "eff_1", soon()).await;
    assert_eq!(name(&outcome.unwrap_err()), "not sent");

    let server = Server::start(vec![]).await;
    let all = gateways(&server.base, KEY, SECRET);
    let stripe = all.get(GatewayName::Stripe).unwrap();
    let outcome = stripe.refund(&refund(), "eff_1", Deadline::within(Duration::ZERO)).await;
    assert_eq!(name(&outcome.unwrap_err()), "not sent");
    for key in [String::new(), "k".repeat(256)] {
        assert_eq!(name(&stripe.refund(&refund(), &key, soon()).await.unwrap_err()), "not sent");
    }
    assert_eq!(server.received().len(), 0);
}

/// A server that does not speak TLS: the handshake fails, and nothing of the request, least of all the key, has left.
#[tokio::test]
async fn without_tls_nothing_is_sent_to_an_https_address() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    let seen = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut hello = [0; 4096];
        let count = stream.read(&mut hello).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").unwrap();
        hello[..count].to_vec()
    });
    let all = gateways(&base, KEY, SECRET);
    let outcome = all.get(GatewayName::Stripe).unwrap().refund(&refund(), "eff_1", soon()).await;
    assert_eq!(name(&outcome.unwrap_err()), "not sent");
    let seen = seen.join().unwrap();
    // 22 is a TLS handshake record.
    assert_eq!(seen.first(), Some(&22));
    assert!(!seen.windows(KEY.len()).any(|window| window == KEY.as_bytes()));
}

#[tokio::test]
async fn what_stripe_cannot_be_asked_for_is_refused_here() {
    let server = Server::start(vec![]).await;
    let all = gateways(&server.base, KEY, SECRET);
    let stripe = all.get(GatewayName::Stripe).unwrap();
    let step = RefundAsk { money: money("5.124", "KWD"), ..refund() };
    assert_eq!(
        name(&stripe.refund(&step, "eff_1", soon()).await.unwrap_err()),
        "refused None amount_not_supported: stripe takes KWD only in steps of 0.010"
    );
    let mada = OpenCheckout { method: Some(Method::Mada), ..checkout() };
    assert_eq!(
        name(&stripe.open_checkout(&mada, "pay_1", soon()).await.unwrap_err()),
        "refused None method_not_supported: stripe does not offer mada"
    );
    for elsewhere in ["", "cs_1/expire", "cs_1?x=1", "../refunds", "cs_1%2f"] {
        let refused = stripe.look_up_payment(elsewhere, soon()).await.unwrap_err();
        assert!(name(&refused).starts_with("refused None reference_invalid"), "{elsewhere}");
    }
    assert_eq!(server.received().len(), 0);
}

/// The pool's own retry is the danger: a connection is closed while it lies in the pool, and the next request finds out, before
/// it is written or after. Then nobody may come again.
#[tokio::test]
async fn a_request_on_a_kept_connection_that_has_been_closed_is_not_sent_again() {
    assert_eq!(on_a_closed_connection(Finds::BeforeWriting).await, "not sent");
    assert_eq!(on_a_closed_connection(Finds::AfterWriting).await, "in doubt");
}

#[derive(PartialEq)]
enum Finds {
    BeforeWriting,
    AfterWriting,
}

async fn on_a_closed_connection(finds: Finds) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (close, told_to_close) = mpsc::channel::<()>();
    let (closed, was_closed) = mpsc::channel::<std::net::TcpListener>();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = [0; 8192];
        let mut count = 0;
        while !bytes[..count].windows(14).any(|window| window == b"payment_intent") {
            count += stream.read(&mut bytes[count..]).unwrap();
        }
        let body = r#"{"id":"re_1","amount":15000,"currency":"sar","status":"succeeded"}"#;
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        told_to_close.recv().unwrap();
        drop(stream);
        closed.send(listener).unwrap();
    });

    let all = gateways(&base, KEY, SECRET);
    let stripe = all.get(GatewayName::Stripe).unwrap();
    assert!(stripe.refund(&refund(), "eff_1", soon()).await.is_ok());
    // The connection goes back to the pool in a task of its own; the runtime has one thread, so after these turns nothing runs.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    close.send(()).unwrap();
    let listener = was_closed.recv().unwrap();
    if finds == Finds::BeforeWriting {
        // One turn more: now the runtime has heard of the closing, but polls this test before the connection. So the next request
        // is given to a connection that finds out before it writes.
        tokio::task::yield_now().await;
    }

    let outcome = stripe.refund(&refund(), "eff_1", soon()).await;
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "somebody came again");
    name(&outcome.unwrap_err())
}

#[test]
fn a_gateway_can_be_shared_between_tasks() {
    fn shared<T: Send + Sync + ?Sized>() {}
    shared::<dyn Gateway>();
}
