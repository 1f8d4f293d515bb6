//! Incoming requests: bounded before they are parsed, strict when they are, and never a `&str` where an id is meant.
//!
//! The path is the one without API Gateway's stage, since idempotency keys belong to it and must not change with the deployment.

mod body;
mod query;

pub use query::Query;

use crate::line::Line;
use crate::problem::{Answer, Code, Problem};
use escrow_domain::id::Operation;
use http::{HeaderMap, Method};
use lambda_http::request::RequestContext;
use lambda_http::{Body, RequestExt};
use serde::de::DeserializeOwned;
use std::str::FromStr;

/// The largest body of a person's request, in bytes.
pub const LARGEST_BODY: usize = 64 * 1024;
/// The largest body of a gateway's webhook, in bytes.
pub const LARGEST_WEBHOOK: usize = 1024 * 1024;
/// The longest idempotency key, in characters.
const LONGEST_KEY: usize = 255;
/// The longest request id that we take over, in characters.
const LONGEST_REQUEST_ID: usize = 128;

/// One request.
#[derive(Debug, Clone)]
pub struct Incoming {
    method: Method,
    path: String,
    parameters: Vec<(String, String)>,
    query: String,
    headers: HeaderMap,
    body: Vec<u8>,
    request_id: String,
    line: Line,
}

/// The key under which a request is carried out once: 1 to 255 printable ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// No key: what a rehearsal has that came without one. No header can say it.
    #[must_use]
    pub fn none() -> Self {
        Self(String::new())
    }

    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Incoming {
    /// Takes a request over from Lambda (or from the local server, which makes the same events).
    #[must_use]
    pub fn new(request: crate::Request) -> Self {
        let path = path_without_stage(&request);
        let parameters = request
            .path_parameters()
            .iter()
            .map(|(name, value)| (name.to_owned(), percent_decoded(value).unwrap_or_default()))
            .collect();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let request_id = request_id(&request);
        let (parts, body) = request.into_parts();
        let body = match body {
            Body::Text(text) => text.into_bytes(),
            Body::Binary(bytes) => bytes,
            _ => Vec::new(),
        };
        let line = Line::default();
        Self { method: parts.method, path, parameters, query, headers: parts.headers, body, request_id, line }
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path, without the stage.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// API Gateway's id of the request: `instance` of a problem, `request.id` in the log.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The log line of this request, to which whoever learns something worth knowing adds it.
    #[must_use]
    pub fn line(&self) -> &Line {
        &self.line
    }

    /// The headers, for gateways' signatures.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// A part of the path that names something: `{id}` of `/v1/escrows/{id}`.
    ///
    /// # Errors
    /// 404 if it is not a possible name of such a thing: what cannot exist does not exist.
    pub fn parameter<T: FromStr>(&self, name: &str, what: &'static str) -> Answer<T> {
        let given = self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        given.and_then(|value| value.parse().ok()).ok_or_else(|| Problem::not_found(what))
    }

    /// The last part of the path: the verb of a command.
    #[must_use]
    pub fn last_segment(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The query, of which only `known` parameters may be given, each once.
    ///
    /// # Errors
    /// 400 `query_invalid` for an unknown, doubled or malformed parameter.
    pub fn query(&self, known: &[&str]) -> Answer<Query> {
        Query::parse(&self.query, known)
    }

    /// The body as JSON. No body at all is read as `{}`, so that a command without arguments needs none.
    ///
    /// # Errors
    /// 413 over 64 KB, 415 if it is not called JSON, 400 if it is not the JSON of `T` or carries card data.
    pub fn json<T: DeserializeOwned>(&self) -> Answer<T> {
        self.bounded(LARGEST_BODY)?;
        if self.body.is_empty() {
            return body::parse(b"{}");
        }
        self.called_json()?;
        body::refuse_card_data(&self.body)?;
        body::parse(&self.body)
    }

    /// The body as a gateway signed it.
    ///
    /// # Errors
    /// 413 over 1 MB.
    pub fn webhook_body(&self) -> Answer<&[u8]> {
        self.bounded(LARGEST_WEBHOOK)?;
        Ok(&self.body)
    }

    fn bounded(&self, largest: usize) -> Answer<()> {
        if self.body.len() > largest {
            let detail = format!("A body has at most {largest} bytes, this one has {}.", self.body.len());
            return Err(Problem::new(Code::BodyTooLarge, detail));
        }
        Ok(())
    }

    fn called_json(&self) -> Answer<()> {
        let refused = || Problem::new(Code::UnsupportedMediaType, "Send Content-Type: application/json.");
        let given = self.one_header("content-type").map_err(|_| refused())?.ok_or_else(refused)?;
        let (media_type, parameters) = given.split_once(';').unwrap_or((given, ""));
        let charset_fits = match parameters.trim().split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            Some(_) | None => parameters.trim().is_empty(),
        };
        if media_type.trim().eq_ignore_ascii_case("application/json") && charset_fits { Ok(()) } else { Err(refused()) }
    }

    /// The `Idempotency-Key`.
    ///
    /// # Errors
    /// 400 `idempotency_key_missing` without one, `idempotency_key_invalid` if it is not 1 to 255 printable ASCII characters.
    pub fn idempotency_key(&self) -> Answer<IdempotencyKey> {
        let invalid = || {
            let detail = "An Idempotency-Key is one header of 1 to 255 printable ASCII characters.";
            Problem::input(Code::IdempotencyKeyInvalid, "Idempotency-Key", detail)
        };
        let key = self.one_header("idempotency-key").map_err(|_| invalid())?.ok_or_else(|| {
            let detail = "Send a header Idempotency-Key, the same for every repetition of this request.";
            Problem::input(Code::IdempotencyKeyMissing, "Idempotency-Key", detail)
        })?;
        let printable = key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        // Surrounding blanks are cut by some proxies and kept by others: the key would be two keys.
        let trimmed = key.trim() == key;
        if (1..=LONGEST_KEY).contains(&key.len()) && printable && trimmed {
            Ok(IdempotencyKey(key.to_owned()))
        } else {
            Err(invalid())
        }
    }

    /// Whether there is an `Idempotency-Key` at all.
    #[must_use]
    pub fn has_idempotency_key(&self) -> bool {
        self.headers.contains_key("idempotency-key")
    }

    /// Checks that the body is not too large to be hashed and read.
    ///
    /// # Errors
    /// 413 over 64 KB.
    pub fn check_size(&self) -> Answer<()> {
        self.bounded(LARGEST_BODY)
    }

    /// The version in `If-Match`, if there is one.
    ///
    /// # Errors
    /// 400 if it is not one version in quotes.
    pub fn if_match(&self) -> Answer<Option<u64>> {
        let invalid = || Problem::input(Code::IfMatchInvalid, "If-Match", "If-Match is one version in quotes: \"3\".");
        let Some(given) = self.one_header("if-match").map_err(|_| invalid())? else { return Ok(None) };
        let version = given.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or_else(invalid)?;
        let plain = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
        if plain { version.parse().map(Some).map_err(|_| invalid()) } else { Err(invalid()) }
    }

    /// The token of `Authorization: Bearer …`.
    ///
    /// # Errors
    /// 401 `unauthenticated` without one; `token_invalid` if the header is doubled or is not a bearer token.
    pub fn bearer(&self) -> Answer<&str> {
        let invalid = || Problem::new(Code::TokenInvalid, "The header must be: Authorization: Bearer <JWT>.");
        let given = self.one_header("authorization").map_err(|_| invalid())?.ok_or_else(Problem::unauthenticated)?;
        let (scheme, token) = given.split_once(' ').ok_or_else(invalid)?;
        let token = token.trim();
        if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() { Ok(token) } else { Err(invalid()) }
    }

    /// What this request is, for ever: who asked, for what, under which key, with which body.
    #[must_use]
    pub fn operation(&self, issuer: &str, sub: &str, key: &IdempotencyKey) -> Operation {
        Operation::of_person(issuer, sub, self.method.as_str(), &self.path, key.as_str(), &self.body)
    }

    /// A header that may be given once, as text.
    fn one_header(&self, name: &str) -> Result<Option<&str>, NotOneHeader> {
        let mut values = self.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => value.to_str().map(Some).map_err(|_| NotOneHeader),
            (Some(_), Some(_)) => Err(NotOneHeader),
        }
    }
}

/// A header was given twice, or is not ASCII.
struct NotOneHeader;

/// API Gateway's raw path begins with the stage, unless that is `$default`.
fn path_without_stage(request: &crate::Request) -> String {
    let raw = match request.raw_http_path() {
        "" => request.uri().path(),
        raw => raw,
    };
    let stage = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.stage.as_deref().unwrap_or_default(),
        _ => "",
    };
    let without = raw.strip_prefix('/').and_then(|rest| rest.strip_prefix(stage)).filter(|rest| rest.starts_with('/'));
    match (stage, without) {
        ("" | "$default", _) | (_, None) => raw.to_owned(),
        (_, Some(rest)) => rest.to_owned(),
    }
}

/// The id that API Gateway gave, or Lambda's own.
fn request_id(request: &crate::Request) -> String {
    let from_gateway = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone(),
        _ => None,
    };
    let from_lambda = request.lambda_context_ref().map(|context| context.request_id.clone());
    let id = from_gateway.or(from_lambda).filter(|id| !id.is_empty()).unwrap_or_else(|| "unknown".to_owned());
    id.chars().filter(|letter| letter.is_ascii_graphic()).take(LONGEST_REQUEST_ID).collect()
}

/// Undoes percent-encoding. `None` if a percent sign is not followed by two hexadecimal digits, or the result is not UTF-8.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
            bytes.push((high << 4) | low);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
