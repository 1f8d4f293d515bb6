//! API Gateway, as an HTTP API with payload format 2.0 shows itself to a Lambda function: an HTTP request becomes the
//! event that AWS would send, and the event becomes a request through the Lambda runtime's own conversion.
//!
//! Facts from the API Gateway developer guide ("Create AWS Lambda proxy integrations for HTTP APIs"): several headers
//! of one name are joined by commas, cookies stand apart, `rawPath` is decoded while `rawQueryString` is not, a body
//! that is not text is base64, a payload has at most 10 MB.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use escrow_domain::time::Timestamp;
use http::request::Parts;
use http::{HeaderMap, header};
use serde_json::{Value, json};

/// API Gateway refuses larger payloads, in bytes.
pub(crate) const MAX_BODY: usize = 10 * 1024 * 1024;

/// The event cannot be made of this request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EventError {
    /// The path is not percent-encoded UTF-8, or names a host that is none.
    #[error("the request's {0} cannot be read")]
    Malformed(&'static str),
    /// The runtime refuses the event, which would be a mistake of ours.
    #[error("the Lambda runtime does not take the event: {0}")]
    Refused(#[from] serde_json::Error),
}

/// What API Gateway knows beside the request.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    /// Identifies the request in logs.
    pub request_id: &'a str,
    /// When it came.
    pub now: Timestamp,
    /// Who sent it.
    pub from: SocketAddr,
    /// Where the server is: `127.0.0.1:3000`.
    pub host: &'a str,
}

/// The path as API Gateway hands it on.
///
/// # Errors
/// When it is not percent-encoded UTF-8.
pub(crate) fn decoded_path(path: &str) -> Result<String, EventError> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let (Some(digits), Some(after)) = (tail.get(..2), tail.get(2..)) else {
                return Err(EventError::Malformed("path"));
            };
            let mut byte = [0];
            hex::decode_to_slice(digits, &mut byte).map_err(|_| EventError::Malformed("path"))?;
            bytes.extend(byte);
            rest = after;
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).map_err(|_| EventError::Malformed("path"))
}

/// The request a function sees.
///
/// # Errors
/// When the event cannot be made.
pub(crate) fn request(
    parts: &Parts,
    body: &Bytes,
    path: &str,
    route_key: &str,
    variables: &BTreeMap<&str, &str>,
    context: &Context<'_>,
) -> Result<lambda_http::Request, EventError> {
    let event = event(parts, body, path, route_key, variables, context);
    Ok(lambda_http::request::from_str(&event.to_string())?)
}

fn event(
    parts: &Parts,
    body: &Bytes,
    path: &str,
    route_key: &str,
    variables: &BTreeMap<&str, &str>,
    context: &Context<'_>,
) -> Value {
    let query = parts.uri.query().unwrap_or_default();
    let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut event = json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": joined_headers(&parts.headers, context),
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": context.host,
            "domainPrefix": "local",
            "http": {
                "method": parts.method.as_str(),
                "path": path,
                "protocol": format!("{:?}", parts.version),
                "sourceIp": context.from.ip().to_string(),
                "userAgent": user_agent,
            },
            "requestId": context.request_id,
            "routeKey": route_key,
            "stage": "$default",
            "time": context.now.to_string(),
            "timeEpoch": context.now.as_millis(),
        },
        "pathParameters": variables,
        "isBase64Encoded": false,
    });
    let cookies: Vec<&str> = parts
        .headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split("; "))
        .collect();
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    if !body.is_empty() {
        match std::str::from_utf8(body) {
            Ok(text) => event["body"] = json!(text),
            Err(_) => {
                event["body"] = json!(STANDARD.encode(body));
                event["isBase64Encoded"] = json!(true);
            }
        }
    }
    event
}

/// Lower-case names, values joined by commas; what API Gateway itself sets is never the caller's.
fn joined_headers(headers: &HeaderMap, context: &Context<'_>) -> BTreeMap<String, String> {
    let mut joined = BTreeMap::new();
    for name in headers.keys().filter(|name| **name != header::COOKIE) {
        // A header that is not text is dropped, since JSON cannot carry it.
        let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        joined.insert(name.as_str().to_owned(), values.join(","));
    }
    joined.insert("host".to_owned(), context.host.to_owned());
    joined.insert("x-forwarded-for".to_owned(), context.from.ip().to_string());
    joined.insert("x-forwarded-proto".to_owned(), "http".to_owned());
    joined.insert("x-forwarded-port".to_owned(), context.host.rsplit(':').next().unwrap_or_default().to_owned());
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use lambda_http::RequestExt;

    fn seen(build: http::request::Builder, body: &'static [u8]) -> lambda_http::Request {
        let (parts, ()) = build.body(()).unwrap().into_parts();
        let path = decoded_path(parts.uri.path()).unwrap();
        let context = Context {
            request_id: "req_1",
            now: Timestamp::from_millis(1_000),
            from: "127.0.0.1:9".parse().unwrap(),
            host: "127.0.0.1:3000",
        };
        let variables = BTreeMap::from([("id", "a|b")]);
        request(&parts, &Bytes::from_static(body), &path, "POST /v1/things/{id}", &variables, &context).unwrap()
    }

    #[test]
    fn a_function_sees_the_request_as_behind_api_gateway() {
        let request = seen(
            http::Request::post("/v1/things/a%7Cb?limit=5&cursor=x%2Fy")
                .header("accept", "application/json")
                .header("accept", "text/plain")
                .header("host", "not a host")
                .header("x-forwarded-proto", "%%"),
            b"{\"a\": 1}",
        );
        assert_eq!(request.method(), http::Method::POST);
        assert_eq!(request.raw_http_path(), "/v1/things/a|b");
        assert_eq!(request.uri().query(), Some("limit=5&cursor=x%2Fy"));
        assert_eq!(request.query_string_parameters().first("cursor"), Some("x/y"));
        assert_eq!(request.path_parameters().first("id"), Some("a|b"));
        assert_eq!(request.headers()["accept"], "application/json,text/plain");
        assert_eq!(request.headers()["host"], "127.0.0.1:3000");
        assert_eq!(request.body().as_ref(), b"{\"a\": 1}");
    }

    #[test]
    fn a_body_that_is_not_text_arrives_byte_for_byte() {
        let request = seen(http::Request::post("/v1/things/a"), b"\xff\x00\xfe");
        assert_eq!(request.body().as_ref(), b"\xff\x00\xfe");
        assert_eq!(seen(http::Request::post("/v1/things/a"), b"").body().as_ref(), b"");
    }

    #[test]
    fn a_path_that_is_not_encoded_text_is_refused() {
        for bad in ["/%", "/%4", "/%zz", "/%ff"] {
            assert!(decoded_path(bad).is_err(), "{bad}");
        }
        assert_eq!(decoded_path("/a%20b/%D8%B9").unwrap(), "/a b/ع");
    }
}
