//! The one port: what comes in on it goes to the API, to the local calls, to the sandboxes, or to a page.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use bytes::Bytes;
use escrow_http::problem::{Code, Problem};
use escrow_http::reply::Reply;
use http::request::Parts;
use http::{HeaderValue, Request, header};
use http_body_util::{BodyExt, Limited};
use rand::Rng;

use crate::gateway_v2::{self, Context, EventError, MAX_BODY};
use crate::openapi;
use crate::router::Match;
use crate::system::System;

/// A request that is being answered.
pub(crate) struct Incoming {
    pub(crate) parts: Parts,
    pub(crate) body: Bytes,
    pub(crate) from: SocketAddr,
    /// Its name in logs and problems.
    pub(crate) id: String,
    /// Decoded.
    pub(crate) path: String,
}

/// Everything on the port.
pub(crate) fn routes(system: Arc<System>) -> Router {
    let sandbox = system.sandbox_routes();
    Router::new().fallback(answer).with_state(system).merge(sandbox)
}

async fn answer(
    State(system): State<Arc<System>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response {
    let id = format!("req_{:016x}", rand::rng().next_u64());
    let mut response = answer_as(&id, system, from, request).await;
    // The functions say it themselves; what never reaches a function says it here.
    if let (false, Ok(id)) = (response.headers().contains_key("x-request-id"), HeaderValue::try_from(id)) {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

/// Answers a request of that name.
async fn answer_as(id: &str, system: Arc<System>, from: SocketAddr, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let path = match gateway_v2::decoded_path(parts.uri.path()) {
        Ok(path) => path,
        Err(error) => return malformed(&error).into_reply(id).into_axum(),
    };
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return unreadable(&*error).into_reply(id).into_axum(),
    };
    let incoming = Incoming { parts, body, from, id: id.to_owned(), path };
    match incoming.path.as_str() {
        path if path.starts_with("/_local/") => crate::local_api::answer(&system, &incoming).await.into_axum(),
        path @ ("/" | "/docs" | "/openapi.yaml") => page(&system, &incoming, path),
        _ => function(&system, incoming).await,
    }
}

/// The API: the function that the document names, called as Lambda would call it.
pub(crate) async fn function(system: &Arc<System>, incoming: Incoming) -> Response {
    let Incoming { parts, body, from, id, path } = &incoming;
    let (name, route_key, variables) = match system.router.find(&parts.method, path) {
        Match::Function { name, route_key, variables } => (name, route_key, variables),
        Match::WrongMethod(methods) => return wrong_method(&methods).into_reply(id).allowing(&methods).into_axum(),
        Match::Unknown => {
            return Problem::new(Code::NotFound, "Nothing has this path; /docs lists what there is.")
                .into_reply(id)
                .into_axum();
        }
    };
    let context = Context { request_id: id, now: system.clock.now(), from: *from, host: &system.host };
    match gateway_v2::request(parts, body, path, &route_key, &variables, &context) {
        Ok(request) => from_lambda(system.call(name, request, id).await),
        Err(error) => malformed(&error).into_reply(id).into_axum(),
    }
}

fn page(system: &System, incoming: &Incoming, path: &str) -> Response {
    if incoming.parts.method != http::Method::GET && incoming.parts.method != http::Method::HEAD {
        let methods = [&http::Method::GET, &http::Method::HEAD];
        return wrong_method(&methods).into_reply(&incoming.id).allowing(&methods).into_axum();
    }
    let (kind, text) = match path {
        "/docs" => ("text/html; charset=utf-8", system.pages.reference.clone()),
        "/openapi.yaml" => ("application/yaml; charset=utf-8", Bytes::from_static(openapi::YAML.as_bytes())),
        _ => ("text/html; charset=utf-8", system.pages.index.clone()),
    };
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    // The pages carry their own style and nothing else.
    let policy =
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'";
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

fn wrong_method(methods: &[&http::Method]) -> Problem {
    let names: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
    Problem::new(Code::MethodNotAllowed, format!("This path takes {}.", names.join(" and ")))
}

fn malformed(error: &EventError) -> Problem {
    match error {
        EventError::Malformed(part) => {
            Problem::new(Code::QueryInvalid, format!("The {part} is not encoded as it must be."))
        }
        EventError::Refused(error) => Problem::internal(error),
    }
}

fn unreadable(error: &(dyn std::error::Error + 'static)) -> Problem {
    if error.is::<http_body_util::LengthLimitError>() {
        Problem::new(Code::BodyTooLarge, "The body is larger than 10 MB.")
    } else {
        Problem::new(Code::BodyInvalid, "The body ended before it was complete.")
    }
}

/// A function's answer as the HTTP server sends it.
pub(crate) fn from_lambda(response: escrow_http::Response) -> Response {
    response.map(|body| match body {
        lambda_http::Body::Text(text) => Body::from(text),
        lambda_http::Body::Binary(bytes) => Body::from(bytes),
        _ => Body::empty(),
    })
}

/// What replies need here beside what every function needs.
pub(crate) trait LocalReply {
    /// As the HTTP server sends it.
    fn into_axum(self) -> Response;
    /// With the header that RFC 9110 §15.5.6 wants in a 405.
    fn allowing(self, methods: &[&http::Method]) -> Self;
}

impl LocalReply for Reply {
    fn into_axum(self) -> Response {
        from_lambda(self.into_response())
    }

    fn allowing(self, methods: &[&http::Method]) -> Self {
        let names: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
        self.header("allow", names.join(", "))
    }
}
