//! What is believed of what is posted: the signature's rules, one by one.

use crate::bed::{KEY, SECRET, code, fixtures, gateways, post, signature};
use escrow_domain::time::{Period, Timestamp};
use escrow_gateways::{NoFact, WebhookRefused};

const BODY: &[u8] = br#"{"id":"evt_1","object":"event","type":"something.new","livemode":false,"created":1700000000}"#;
const AT: i64 = 1_700_000_000;

fn now() -> Timestamp {
    Timestamp::from_seconds(AT)
}

/// What becomes of `BODY` under these headers; `accepted` or the reason.
fn told(headers: &[&str], secrets: &str) -> String {
    let all = gateways("http://127.0.0.1:1", KEY, secrets);
    match post(&all, headers, BODY, now()) {
        Ok(notice) => {
            assert_eq!(notice.fact, Err(NoFact::NotHeeded));
            "accepted".to_owned()
        }
        Err(why) => why.to_string(),
    }
}

#[test]
fn the_published_scheme_is_verified_over_the_raw_bytes() {
    let body = br#"{"id":"evt_test_1","object":"event","type":"checkout.session.completed"}"#;
    let right = "t=1700000000,v1=ca796b857b81e24d595a4c37abf88d2fafb533a32ede6ce4cfc9b0e892a35b08";
    let moved = "t=1700000001,v1=ca796b857b81e24d595a4c37abf88d2fafb533a32ede6ce4cfc9b0e892a35b08";
    let later = "t=1700000001,v1=58bacb0583e8f47908d8cc9e594522f525b0261aabbaf7254aaf19fa934675cd";
    let all = gateways("http://127.0.0.1:1", KEY, SECRET);
    assert_eq!(code(SECRET, "1700000000", body), right.split_once("v1=").unwrap().1);
    // The signature fits, and only then it is seen that this event, made for the vector, has no object.
    let without_object = |outcome| matches!(outcome, Err(WebhookRefused::BodyInvalid(_)));
    assert!(without_object(post(&all, &[right], body, now())));
    assert!(without_object(post(&all, &[later], body, now())));
    assert_eq!(post(&all, &[moved], body, now()), Err(WebhookRefused::SignatureMismatch));
    // One space more is another body, although the JSON is the same.
    let spaced = br#"{"id":"evt_test_1", "object":"event","type":"checkout.session.completed"}"#;
    assert_eq!(post(&all, &[right], spaced, now()), Err(WebhookRefused::SignatureMismatch));
}

#[test]
fn only_a_whole_and_right_header_is_accepted() {
    let good = code(SECRET, "1700000000", BODY);
    let other = code("whsec_other", "1700000000", BODY);
    let (short, bad_hex) = (&good[..62], good.replacen(|digit: char| digit.is_ascii_hexdigit(), "x", 1));
    let mismatch = "no signature fits";
    let malformed = |why: &str| format!("the signature header is malformed: {why}");
    let upper = good.to_uppercase();
    for (header, expected) in [
        (format!("t=1700000000,v1={good}"), "accepted".to_owned()),
        (format!("v1={good},t=1700000000"), "accepted".to_owned()),
        (format!("t=1700000000, v1={good}"), "accepted".to_owned()),
        (format!("t=1700000000,v1={upper}"), "accepted".to_owned()),
        // While a secret is rotated there are several, and any may fit.
        (format!("t=1700000000,v1={other},v1={good}"), "accepted".to_owned()),
        (format!("t=1700000000,v1={good},v1={other},v0=6666"), "accepted".to_owned()),
        (format!("t=1700000000,v1=zz,v1={good}"), "accepted".to_owned()),
        (format!("t=1700000000,v1={other}"), mismatch.to_owned()),
        (format!("t=1700000000,v1={short}"), mismatch.to_owned()),
        (format!("t=1700000000,v1={good}00"), mismatch.to_owned()),
        (format!("t=1700000000,v1={bad_hex}"), mismatch.to_owned()),
        ("t=1700000000,v1=".to_owned(), mismatch.to_owned()),
        ("t=1700000000,v1=zz".to_owned(), mismatch.to_owned()),
        (format!("t=1700000001,v1={good}"), mismatch.to_owned()),
        (format!("t=01700000000,v1={good}"), mismatch.to_owned()),
        // A scheme for test clocks proves nothing.
        (format!("t=1700000000,v0={good}"), malformed("there is no v1 signature")),
        ("t=1700000000".to_owned(), malformed("there is no v1 signature")),
        (format!("v1={good}"), malformed("there is no time")),
        (format!("t=,v1={good}"), malformed("the time is not a number")),
        (format!("t=yesterday,v1={good}"), malformed("the time is not a number")),
        (format!("t=+1700000000,v1={good}"), malformed("the time is not a number")),
        (format!("t=99999999999999999999,v1={good}"), malformed("the time is not a number")),
        (format!("t=1700000000,v1={good},"), malformed("a pair has no `=`")),
        (format!("t=1700000000;v1={good}"), malformed("a pair has more than one `=`")),
        (format!("t=1700000000,v1={good}="), malformed("a pair has more than one `=`")),
        (format!("t=1700000000,t=1700000000,v1={good}"), malformed("there is more than one time")),
        // As API Gateway joins two headers of one name.
        (format!("t=1700000000,v1={good},t=1700000000,v1={good}"), malformed("there is more than one time")),
        (String::new(), malformed("a pair has no `=`")),
    ] {
        assert_eq!(told(&[&header], SECRET), expected, "{header}");
    }
    let header = format!("t=1700000000,v1={good}");
    assert_eq!(told(&[], SECRET), "the signature header is missing");
    assert_eq!(told(&[&header, &header], SECRET), malformed("it is there more than once"));
}

#[test]
fn any_of_several_secrets_may_fit_and_no_other() {
    let header = signature("whsec_new", AT, BODY);
    assert_eq!(told(&[&header], "whsec_old,whsec_new"), "accepted");
    assert_eq!(told(&[&header], " whsec_new , whsec_old"), "accepted");
    assert_eq!(told(&[&header], "whsec_old"), "no signature fits");
    assert_eq!(told(&[&signature("", AT, BODY)], "whsec_old,whsec_new"), "no signature fits");
    assert_eq!(told(&[&signature("whsec_old,whsec_new", AT, BODY)], "whsec_old,whsec_new"), "no signature fits");
}

#[test]
fn a_signature_lives_three_hundred_seconds_in_both_directions() {
    let all = gateways("http://127.0.0.1:1", KEY, SECRET);
    let header = signature(SECRET, AT, BODY);
    let at = |now| post(&all, &[&header], BODY, now).map(|_| ());
    let (wide, over) = (Period::seconds(300), Period::from_millis(300_001));
    assert_eq!(at(now().after(wide)), Ok(()));
    assert_eq!(at(now().before(wide)), Ok(()));
    assert_eq!(at(now().after(over)), Err(WebhookRefused::Stale));
    assert_eq!(at(now().before(over)), Err(WebhookRefused::Early));
}

#[test]
fn a_body_of_one_megabyte_is_read_and_one_byte_more_is_not() {
    let all = gateways("http://127.0.0.1:1", KEY, SECRET);
    let mut body = BODY.to_vec();
    body.resize(WebhookRefused::LARGEST_BODY, b' ');
    assert!(post(&all, &[&signature(SECRET, AT, &body)], &body, now()).is_ok());
    body.push(b' ');
    // Even without a signature, because it is refused before anything is computed.
    assert_eq!(post(&all, &[], &body, now()), Err(WebhookRefused::TooLarge));
}

#[test]
fn what_is_rightly_signed_must_still_be_an_event() {
    let all = gateways("http://127.0.0.1:1", KEY, SECRET);
    let read = |body: &[u8]| post(&all, &[&signature(SECRET, AT, body)], body, now()).map(|_| ());
    let invalid = |outcome| matches!(outcome, Err(WebhookRefused::BodyInvalid(_)));
    for body in [
        "",
        "null",
        "[]",
        "\u{feff}{}",
        r#"{"id":1,"object":"event","type":"x"}"#,
        r#"{"object":"event","type":"x"}"#,
        r#"{"id":"evt_1","object":"event"}"#,
        r#"{"id":"evt_1","object":"event","type":"x"} {}"#,
        r#"{"id":"evt_1","object":"event","type":"checkout.session.completed","data":{"object":null}}"#,
        r#"{"id":"evt_1","object":"event","type":"checkout.session.completed","data":{"object":{"payment_status":"paid"}}}"#,
        r#"{"id":"evt_1","object":"event","type":"refund.updated","data":{"object":{"id":"re_1","amount":"15000"}}}"#,
    ] {
        assert!(invalid(read(body.as_bytes())), "{body}");
    }
    assert!(invalid(read(b"\xff\xfe")));
    // Deep nesting ends in an error, not in an overflow.
    assert!(invalid(read("[".repeat(100_000).as_bytes())));
    for thin in [r#"{"id":"evt_1","object":"v2.core.event","type":"v1.billing"}"#, r#"{"id":"evt_1","type":"x"}"#] {
        assert_eq!(read(thin.as_bytes()), Err(WebhookRefused::NotAnEvent), "{thin}");
    }
}

#[test]
fn live_and_test_are_kept_apart() {
    let event = |livemode: &str| format!(r#"{{"id":"evt_1","object":"event","type":"x"{livemode}}}"#);
    let (live, test, silent) = (event(r#","livemode":true"#), event(r#","livemode":false"#), event(""));
    for (key, body, accepted) in [
        ("sk_live_1", &live, true),
        ("rk_live_1", &live, true),
        ("sk_live_1", &test, false),
        // An event that does not say is a test: nothing live is believed for want of a word.
        ("sk_live_1", &silent, false),
        ("sk_test_1", &test, true),
        ("sk_test_1", &silent, true),
        ("sk_test_1", &live, false),
        ("sandbox", &test, true),
        ("sandbox", &live, false),
    ] {
        let all = gateways("http://127.0.0.1:1", key, SECRET);
        let outcome = post(&all, &[&signature(SECRET, AT, body.as_bytes())], body.as_bytes(), now()).map(|_| ());
        let expected = if accepted { Ok(()) } else { Err(WebhookRefused::WrongMode) };
        assert_eq!(outcome, expected, "{key} {body}");
    }
}

#[test]
fn no_byte_of_a_signed_body_can_be_changed_or_cut_off() {
    let (_, event) = fixtures().into_iter().find(|(kind, _)| kind == "payment_intent.succeeded").unwrap();
    let body = event.to_string().into_bytes();
    let all = gateways("http://127.0.0.1:1", KEY, SECRET);
    let header = signature(SECRET, AT, &body);
    assert!(post(&all, &[&header], &body, now()).is_ok());
    for place in 0..body.len() {
        let mut forged = body.clone();
        forged[place] ^= 1;
        assert_eq!(post(&all, &[&header], &forged, now()), Err(WebhookRefused::SignatureMismatch), "{place}");
        assert_eq!(post(&all, &[&header], &body[..place], now()), Err(WebhookRefused::SignatureMismatch), "{place}");
    }
}
