use super::*;
use serde::Deserialize;
use serde_json::json;

/// One line per attempt: what came, and what was made of it.
fn verdict<T: std::fmt::Debug>(answer: Answer<T>) -> String {
    match answer {
        Ok(value) => format!("ok {value:?}"),
        Err(problem) => {
            let shown: serde_json::Value = serde_json::from_str(problem.into_reply("r").body()).unwrap();
            let pointer = shown["errors"][0]["pointer"].as_str().unwrap_or("-");
            format!(
                "{} {} {pointer}: {}",
                shown["status"],
                shown["code"].as_str().unwrap(),
                shown["detail"].as_str().unwrap()
            )
        }
    }
}

fn request(build: impl FnOnce(http::request::Builder) -> http::request::Builder, body: impl Into<Body>) -> Incoming {
    let builder = http::Request::builder().method("POST").uri("https://api.example/v1/escrows/esc_1/release");
    Incoming::new(build(builder).body(body.into()).unwrap())
}

fn with_body(body: impl Into<Body>) -> Incoming {
    request(|builder| builder.header("content-type", "application/json"), body)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only read by Debug")]
struct Order {
    amount: Option<String>,
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only read by Debug")]
struct Part {
    title: String,
}

#[test]
fn the_corpus_of_bodies() {
    let mut table = String::new();
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for (name, body) in [
        ("nothing", ""),
        ("an empty object", "{}"),
        ("a good one", r#"{"amount": "1.00", "parts": [{"title": "a"}]}"#),
        ("an unknown field", r#"{"price": "1.00"}"#),
        ("an unknown field inside", r#"{"parts": [{"title": "a"}, {"title": "b", "a/b": 1}]}"#),
        ("a missing field inside", r#"{"parts": [{}]}"#),
        ("a field twice", r#"{"amount": "1.00", "amount": "2.00"}"#),
        ("a number for a text", r#"{"amount": 1.00}"#),
        ("a text for a list", r#"{"parts": "a"}"#),
        ("a number for an object", r#"{"parts": [1]}"#),
        ("a list", "[]"),
        ("a list of the fields' values", r#" ["1.00", []]"#),
        ("null", "null"),
        ("a text", "\"a\""),
        ("half of it", r#"{"amount": "1."#),
        ("two of them", "{} {}"),
        ("something behind it", "{}x"),
        ("a comment", "{/* */}"),
        ("no JSON", "amount=1.00"),
        ("a lone surrogate", r#"{"amount": "\ud800"}"#),
        ("deeper than anybody needs", &format!(r#"{{"amount": {deep}}}"#)),
    ] {
        table.push_str(&format!("{name}: {}\n", verdict(with_body(body).json::<Order>())));
    }
    let bytes = Body::Binary(vec![b'{', b'"', 0xff, b'"', b':', b'1', b'}']);
    table.push_str(&format!("bytes that are no UTF-8: {}\n", verdict(with_body(bytes).json::<Order>())));
    insta::assert_snapshot!(table);
}

#[test]
fn a_body_is_measured_before_it_is_read() {
    let fits = format!("{{}}{}", " ".repeat(LARGEST_BODY - 2));
    assert!(with_body(fits.clone()).json::<Order>().is_ok());
    assert_eq!(with_body(fits + " ").json::<Order>().unwrap_err().code(), Code::BodyTooLarge);
    assert!(with_body(" ".repeat(LARGEST_WEBHOOK)).webhook_body().is_ok());
    assert_eq!(with_body(" ".repeat(LARGEST_WEBHOOK + 1)).webhook_body().unwrap_err().code(), Code::BodyTooLarge);
}

#[test]
fn only_json_is_read_as_json() {
    for good in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
        "application/json;",
    ] {
        assert!(request(|builder| builder.header("content-type", good), "{}").json::<Order>().is_ok(), "{good}");
    }
    for bad in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "json", ""] {
        let incoming = request(|builder| builder.header("content-type", bad), "{}");
        assert_eq!(incoming.json::<Order>().unwrap_err().code(), Code::UnsupportedMediaType, "{bad}");
    }
    assert_eq!(request(|builder| builder, "{}").json::<Order>().unwrap_err().code(), Code::UnsupportedMediaType);
    let twice = request(
        |builder| builder.header("content-type", "application/json").header("content-type", "text/plain"),
        "{}",
    );
    assert_eq!(twice.json::<Order>().unwrap_err().code(), Code::UnsupportedMediaType);
}

#[test]
fn card_data_is_refused_wherever_it_hides_and_never_repeated() {
    for (pointer, body) in [
        ("/card_number", json!({"card_number": "x"})),
        ("/cardNumber", json!({"cardNumber": "4242424242424242"})),
        ("/parts/0/CVC", json!({"parts": [{"CVC": "123"}]})),
        ("/metadata/note", json!({"metadata": {"note": "4242 4242 4242 4242"}})),
        ("/metadata/n", json!({"metadata": {"n": 4_242_424_242_424_242_u64}})),
        ("/a/0/1", json!({"a": [[1, "5555-5555-5555-4444"]]})),
        ("/amex", json!({"amex": "378282246310005"})),
        ("/mada", json!({"mada": "4201320111111010"})),
        ("/two", json!({"two": "2223003122003222"})),
        ("/pan", json!({"pan": "6011111111111117"})),
    ] {
        let problem = with_body(body.to_string()).json::<Order>().unwrap_err();
        assert_eq!(problem.code(), Code::CardDataRefused, "{body}");
        let shown = problem.into_reply("r").body().to_owned();
        assert!(shown.contains(&format!("\"pointer\":\"{pointer}\"")), "{shown}");
        assert!(!shown.contains("4242") && !shown.contains("5555"), "{shown}");
    }
}

#[test]
fn numbers_that_are_no_cards_are_let_through() {
    for value in [
        json!("1785432109876543210"), // an id counted up by time: no scheme begins with 1
        json!("1000000000000000008"), // passes the check digit
        json!("1763692800000"),       // milliseconds
        json!("4242424242424241"),    // the check digit is wrong
        json!("424242424242"),        // twelve digits
        json!("order 4242424242424242 of today"),
        json!("0000000000000000"),
        json!("150.00"),
        json!(null),
    ] {
        assert!(
            body::refuse_card_data(json!({"metadata": {"number": value}}).to_string().as_bytes()).is_ok(),
            "{value}"
        );
    }
    assert!(body::refuse_card_data(br#"{"metadata": {"pan": "ABCPN1234F"}}"#).is_ok(), "a tax number in India");
}

#[test]
fn an_idempotency_key_is_one_printable_header() {
    let with = |key: &str| {
        request(|builder| builder.header("idempotency-key", key), "").idempotency_key().map_err(|p| p.code())
    };
    assert_eq!(with("a b~").map(|key| key.as_str().to_owned()), Ok("a b~".to_owned()));
    assert!(with(&"k".repeat(255)).is_ok());
    for bad in ["", &"k".repeat(256), "\u{a0}", "a\tb", " a", "a "] {
        assert_eq!(with(bad), Err(Code::IdempotencyKeyInvalid), "{bad:?}");
    }
    assert_eq!(request(|builder| builder, "").idempotency_key().unwrap_err().code(), Code::IdempotencyKeyMissing);
    let twice = request(|builder| builder.header("idempotency-key", "a").header("idempotency-key", "a"), "");
    assert_eq!(twice.idempotency_key().unwrap_err().code(), Code::IdempotencyKeyInvalid);
}

#[test]
fn if_match_is_one_version_in_quotes() {
    let with = |value: &str| request(|builder| builder.header("if-match", value), "").if_match().map_err(|p| p.code());
    assert_eq!(with("\"3\""), Ok(Some(3)));
    assert_eq!(request(|builder| builder, "").if_match().unwrap(), None);
    for bad in ["3", "*", "W/\"3\"", "\"\"", "\"+3\"", "\"3\", \"4\"", "\"-1\"", "\"99999999999999999999\""] {
        assert_eq!(with(bad), Err(Code::IfMatchInvalid), "{bad}");
    }
}

#[test]
fn a_bearer_token_is_one_header() {
    let with = |value: &str| {
        request(|builder| builder.header("authorization", value), "").bearer().map(str::to_owned).map_err(|p| p.code())
    };
    assert_eq!(with("Bearer a.b.c"), Ok("a.b.c".to_owned()));
    assert_eq!(with("bearer  a.b.c"), Ok("a.b.c".to_owned()));
    for bad in ["a.b.c", "Basic a", "Bearer", "Bearer ", ""] {
        assert_eq!(with(bad), Err(Code::TokenInvalid), "{bad:?}");
    }
    assert_eq!(request(|builder| builder, "").bearer().unwrap_err().code(), Code::Unauthenticated);
}

#[test]
fn a_query_is_strict() {
    let mut table = String::new();
    for text in [
        "",
        "limit=5",
        "limit=5&limit=6",
        "limit=",
        "limit",
        "limits=5",
        "cursor=a%20b+c",
        "cursor=%zz",
        "cursor=%2",
        "cursor=%ff",
        "dry_run=1",
        "dry_run=true",
        "&&limit=5&",
        "LIMIT=5",
        "limit=5;cursor=1",
    ] {
        let query = Query::parse(text, &["limit", "cursor", "dry_run"]);
        let read = query.and_then(|query| {
            Ok((query.read::<u8>("limit", "a number")?, query.get("cursor").map(str::to_owned), query.dry_run()?))
        });
        table.push_str(&format!("{text:?}: {}\n", verdict(read)));
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_part_of_the_path_that_cannot_be_a_name_names_nothing() {
    use escrow_domain::id::EscrowId;
    let incoming = |id: &str| {
        let request = http::Request::builder().uri("/v1/escrows/x").body(Body::Empty).unwrap();
        let parameters: std::collections::HashMap<String, String> = [("id".to_owned(), id.to_owned())].into();
        Incoming::new(request.with_path_parameters(parameters))
    };
    let good = EscrowId::derive("r", "i", "s", "k");
    assert_eq!(incoming(&good.to_string()).parameter::<EscrowId>("id", "escrow").unwrap(), good);
    for bad in ["", "esc_", "esc_%00", "pay_x", "../etc", &"x".repeat(100_000)] {
        assert_eq!(incoming(bad).parameter::<EscrowId>("id", "escrow").unwrap_err().code(), Code::NotFound);
    }
}

/// An event as API Gateway's HTTP APIs send it, format 2.0.
fn event(stage: &str, path: &str) -> Incoming {
    let event = json!({
        "version": "2.0", "routeKey": "POST /v1/escrows/{id}/release", "rawPath": path, "rawQueryString": "dry_run=true&dry_run=false",
        "headers": {"content-type": "application/json", "host": "x.execute-api.eu-west-1.amazonaws.com"},
        "queryStringParameters": {"dry_run": "true,false"}, "pathParameters": {"id": "auth0%7Cu"},
        "requestContext": {"accountId": "1", "apiId": "x", "domainName": "x", "domainPrefix": "x", "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "POST /v1/escrows/{id}/release", "stage": stage, "time": "t", "timeEpoch": 1,
            "http": {"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "a"}},
        "body": "e30=", "isBase64Encoded": true
    });
    Incoming::new(lambda_http::request::from_str(&event.to_string()).unwrap())
}

#[test]
fn an_event_of_api_gateway_is_read_whole() {
    let incoming = event("$default", "/v1/escrows/auth0%7Cu/release");
    assert_eq!((incoming.method().as_str(), incoming.path()), ("POST", "/v1/escrows/auth0%7Cu/release"));
    assert_eq!(incoming.request_id(), "JKJaXmPLvHcESHA=");
    assert_eq!(incoming.last_segment(), "release");
    assert_eq!(incoming.parameter::<escrow_domain::id::UserId>("id", "wallet").unwrap().as_str(), "auth0|u");
    assert!(incoming.json::<Order>().is_ok());
    assert_eq!(
        incoming.query(&["dry_run"]).unwrap_err().code(),
        Code::QueryInvalid,
        "given twice, joined by API Gateway"
    );
}

#[test]
fn the_stage_of_the_deployment_is_no_part_of_the_path() {
    assert_eq!(event("prod", "/prod/v1/escrows").path(), "/v1/escrows");
    assert_eq!(event("v1", "/v1/v1/escrows").path(), "/v1/escrows");
    assert_eq!(event("prod", "/production/v1").path(), "/production/v1");
}
