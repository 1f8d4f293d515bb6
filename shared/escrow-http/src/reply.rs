//! Replies: a status, a JSON body, headers.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use lambda_http::Body;
use serde::Serialize;

/// What a handler answers.
#[derive(Debug, Clone)]
pub struct Reply {
    status: StatusCode,
    body: String,
    headers: HeaderMap,
}

impl Reply {
    /// An answer with that status and body. The body's fields keep the order in which its struct declares them.
    #[must_use]
    pub fn new(status: StatusCode, body: &impl Serialize) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // Answers are about money and people: no cache between us and the caller keeps them.
        headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // Views are structs with named fields and maps with text for keys: writing them into memory cannot fail.
        let body = serde_json::to_string(body).unwrap_or_default();
        Self { status, body, headers }
    }

    /// 200, with a text of another type than JSON.
    #[must_use]
    pub fn text(text: String, content_type: &'static str) -> Self {
        let reply = Self::new(StatusCode::OK, &()).of_type(content_type);
        Self { body: text, ..reply }
    }

    /// 200.
    #[must_use]
    pub fn ok(body: &impl Serialize) -> Self {
        Self::new(StatusCode::OK, body)
    }

    /// 201: something was created.
    #[must_use]
    pub fn created(body: &impl Serialize) -> Self {
        Self::new(StatusCode::CREATED, body)
    }

    /// Adds a header. A value that no header can have is left out: values are ours, never the caller's.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl AsRef<str>) -> Self {
        if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// Says that this request was carried out before, and that this is how things stand now.
    #[must_use]
    pub fn replayed(self) -> Self {
        self.header("idempotency-replayed", "true")
    }

    /// The version of what is answered, to be sent back in `If-Match`.
    #[must_use]
    pub fn version(self, version: u64) -> Self {
        self.header("etag", format!("\"{version}\""))
    }

    /// Another content type than JSON's own.
    #[must_use]
    pub fn of_type(self, content_type: &'static str) -> Self {
        self.header("content-type", content_type)
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The body, as JSON.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// As Lambda and the local server send it.
    #[must_use]
    pub fn into_response(self) -> crate::Response {
        let mut response = crate::Response::new(Body::Text(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_reply_keeps_its_status_body_and_headers() {
        let response = Reply::created(&json!({"id": "esc_1"})).replayed().version(3).into_response();
        assert_eq!(response.status(), 201);
        assert_eq!(response.headers()["idempotency-replayed"], "true");
        assert_eq!(response.headers()["etag"], "\"3\"");
        assert_eq!(response.headers()["content-type"], "application/json");
        assert!(matches!(response.body(), Body::Text(text) if text == r#"{"id":"esc_1"}"#));
    }
}
