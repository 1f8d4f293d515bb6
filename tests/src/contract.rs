//! Every answer against `infra/openapi.yaml`: is the status described, is the body of the form described, is the problem's code one
//! of those named. The client asks here about each answer that any proof receives, so every proof is a proof of the contract too.
//!
//! Which operations have answered with which status is written beside the test binary, `contract.txt`, with what nobody has seen yet.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use holdfast::openapi::{Document, YAML};
use http::Method;
use jsonschema::{Registry, Validator};
use serde_json::{Value, json};

use crate::api::Answer;

/// The document's name, to which its inner references belong.
const NAME: &str = "https://holdfast.dev/openapi.yaml";

static CONTRACT: LazyLock<Contract> = LazyLock::new(Contract::read);

struct Contract {
    document: Value,
    operations: Vec<Operation>,
    schemas: Registry<'static>,
    validators: Mutex<BTreeMap<String, Arc<Validator>>>,
    seen: Mutex<BTreeSet<(String, String)>>,
}

/// One call of the API.
#[derive(Debug, Clone)]
pub struct Operation {
    /// `releaseEscrow`.
    pub id: String,
    /// `POST`.
    pub method: Method,
    /// `/v1/escrows/{id}/release`.
    pub path: String,
    /// Who may call it, in the document's words: `buyer`, `owner`, `anyone signed in`.
    pub callers: Vec<String>,
}

impl Operation {
    fn matches(&self, method: &Method, path: &str) -> bool {
        let variable = |segment: &str| segment.starts_with('{');
        self.method == *method
            && self.path.split('/').count() == path.split('/').count()
            && self.path.split('/').zip(path.split('/')).all(|(ours, given)| variable(ours) || ours == given)
    }

    fn variables(&self) -> usize {
        self.path.matches('{').count()
    }
}

/// Every operation of the document.
#[must_use]
pub fn operations() -> &'static [Operation] {
    &CONTRACT.operations
}

/// Holds an answer against the document. What has no place in the document (local calls, pages) is not looked at.
///
/// # Errors
/// What the document does not allow, a line each.
pub fn check(method: &Method, path: &str, answer: &Answer) -> Result<(), String> {
    let candidates = CONTRACT.operations.iter().filter(|operation| operation.matches(method, path));
    let Some(operation) = candidates.min_by_key(|operation| operation.variables()) else { return Ok(()) };
    CONTRACT.saw(&operation.id, answer.status);
    let violations = CONTRACT.violations(operation, answer);
    if violations.is_empty() { Ok(()) } else { Err(violations.join("\n")) }
}

impl Contract {
    fn read() -> Self {
        let document: Value = serde_saphyr::from_str(YAML).expect("infra/openapi.yaml is YAML");
        let routes = Document::parse(YAML).expect("infra/openapi.yaml is an OpenAPI document").routes();
        let operations = routes.into_iter().map(|route| Operation {
            id: route.operation.operation_id,
            callers: route.operation.callers,
            method: route.method,
            path: route.path,
        });
        let schemas = Registry::new().add(NAME, document.clone()).and_then(|registry| registry.prepare());
        Self {
            operations: operations.collect(),
            schemas: schemas.expect("every schema of infra/openapi.yaml can be found"),
            document,
            validators: Mutex::default(),
            seen: Mutex::default(),
        }
    }

    fn violations(&'static self, operation: &Operation, answer: &Answer) -> Vec<String> {
        let mut violations = Vec::new();
        let Some(request_id) = answer.header("x-request-id") else {
            return vec!["there is no header x-request-id".to_owned()];
        };
        let Some((pointer, response)) = self.response(operation, answer.status) else {
            return vec![format!("{} has no response {}", operation.id, answer.status)];
        };
        let media = answer.header("content-type").unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim();
        if response["content"].get(media).is_none() {
            return vec![format!("{} {} has no content {media:?}", operation.id, answer.status)];
        }
        let pointer = format!("{pointer}/content/{}/schema", escaped(media));
        for error in self.validator(&pointer).iter_errors(&answer.body) {
            violations.push(format!("{}: {error}", error.instance_path()));
        }
        if media == "application/problem+json" {
            let codes = response["x-holdfast-codes"].as_array().map(Vec::as_slice).unwrap_or_default();
            if !codes.contains(&answer.body["code"]) {
                violations.push(format!("the code {} is not among {codes:?}", answer.body["code"]));
            }
            if answer.body["status"] != answer.status || answer.body["instance"] != request_id {
                violations.push("status or instance are not those of the answer".to_owned());
            }
        }
        let version = answer.body.get("version").or_else(|| answer.body.pointer("/escrow/version"));
        // A page of one line is an object too, and no thing with a version.
        if let Some(version) = version
            && media == "application/json"
            && answer.header("etag") != Some(&format!("\"{version}\""))
        {
            violations.push(format!("the etag is not \"{version}\" but {:?}", answer.header("etag")));
        }
        if answer.status == 401 && answer.header("www-authenticate").is_none() {
            violations.push("a 401 without a challenge".to_owned());
        }
        if answer.status == 503 && answer.header("retry-after").is_none() {
            violations.push("a 503 that does not say when to come again".to_owned());
        }
        violations
    }

    /// The description of an answer, and where it stands.
    fn response(&self, operation: &Operation, status: u16) -> Option<(String, &Value)> {
        let method = operation.method.as_str().to_ascii_lowercase();
        let mut pointer = format!("/paths/{}/{method}/responses/{status}", escaped(&operation.path));
        let mut response = self.document.pointer(&pointer)?;
        if let Some(reference) = response.get("$ref").and_then(Value::as_str) {
            pointer = reference.trim_start_matches('#').to_owned();
            response = self.document.pointer(&pointer)?;
        }
        Some((pointer, response))
    }

    /// Built when it is first needed: building all of them would take longer than most proofs.
    fn validator(&'static self, pointer: &str) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(validator) = validators.get(pointer) {
            return Arc::clone(validator);
        }
        let built = jsonschema::options()
            .with_registry(&self.schemas)
            .should_validate_formats(true)
            .build(&json!({ "$ref": format!("{NAME}#{}", pointer.replace('{', "%7B").replace('}', "%7D")) }));
        let validator = Arc::new(built.unwrap_or_else(|error| panic!("the schema at {pointer}: {error}")));
        validators.insert(pointer.to_owned(), Arc::clone(&validator));
        validator
    }

    fn saw(&self, operation: &str, status: u16) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.insert((operation.to_owned(), status.to_string())) {
            // The report helps people; a disk that is full is no reason for a proof to fail.
            let _ = self.report(&seen);
        }
    }

    fn report(&self, seen: &BTreeSet<(String, String)>) -> std::io::Result<()> {
        let mut unseen = String::new();
        let mut described = 0_usize;
        for operation in &self.operations {
            let method = operation.method.as_str().to_ascii_lowercase();
            let pointer = format!("/paths/{}/{method}/responses", escaped(&operation.path));
            let statuses = self.document.pointer(&pointer).and_then(Value::as_object);
            for status in statuses.into_iter().flat_map(|responses| responses.keys()) {
                described = described.saturating_add(1);
                if !seen.contains(&(operation.id.clone(), status.clone())) {
                    let _ = writeln!(unseen, "{} {status}", operation.id);
                }
            }
        }
        let binary = std::env::current_exe()?;
        let report = binary.with_file_name("contract.txt");
        if tells_more(&report, &binary, seen.len()).unwrap_or(false) {
            return Ok(());
        }
        let text = format!("{} of {described} described answers were seen. Never seen:\n{unseen}", seen.len());
        std::fs::write(report, text)
    }
}

/// Whether the report is of this build and of a run that has seen more: that of a few proofs does not replace that of all.
fn tells_more(report: &Path, binary: &Path, seen: usize) -> std::io::Result<bool> {
    let of_this_build = std::fs::metadata(report)?.modified()? > std::fs::metadata(binary)?.modified()?;
    let text = std::fs::read_to_string(report)?;
    let before = text.split(' ').next().and_then(|count| count.parse::<usize>().ok()).unwrap_or_default();
    Ok(of_this_build && before > seen)
}

/// As a JSON pointer wants it (RFC 6901).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer of that status and body to `GET /v1/disputes`: what the contract says of it.
    fn said(status: u16, media: &str, body: Value) -> String {
        let mut headers = http::HeaderMap::new();
        headers.insert("x-request-id", http::HeaderValue::from_static("req_1"));
        headers.insert("content-type", http::HeaderValue::from_str(media).expect("a media type"));
        let answer = Answer { call: String::new(), status, headers, body, text: String::new() };
        check(&Method::GET, "/v1/disputes", &answer).err().unwrap_or_default()
    }

    #[test]
    fn an_answer_as_described_is_let_through() {
        assert_eq!(said(200, "application/json", json!({ "data": [], "next_cursor": null })), "");
        let problem = json!({
            "type": "https://holdfast.dev/problems/forbidden", "title": "Not allowed", "status": 403, "detail": "No.",
            "instance": "req_1", "code": "forbidden",
        });
        assert_eq!(said(403, "application/problem+json", problem), "");
    }

    #[test]
    fn an_answer_that_is_not_as_described_is_not() {
        let page = json!({ "data": [], "next_cursor": null });
        for (status, media, body, word) in [
            (200, "application/json", json!({ "next_cursor": null }), "data"),
            (200, "application/json", json!({ "data": [], "next_cursor": 7 }), "/next_cursor"),
            (200, "application/json", json!({ "data": {}, "next_cursor": null }), "/data"),
            (200, "text/plain", page.clone(), "no content"),
            (201, "application/json", page, "no response 201"),
            (403, "application/problem+json", json!({ "code": "lost", "status": 403, "instance": "req_1" }), "lost"),
        ] {
            let said = said(status, media, body);
            assert!(said.contains(word), "{word:?} is not in {said:?}");
        }
    }
}
