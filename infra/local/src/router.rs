//! Which function answers a request, by the routes of the API's document, as API Gateway decides it.

use std::collections::BTreeMap;

use http::Method;

use crate::openapi::Route;

/// The routes of the API.
#[derive(Debug)]
pub(crate) struct Router {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    method: Method,
    path: String,
    segments: Vec<Segment>,
    function: String,
}

#[derive(Debug)]
enum Segment {
    Fixed(String),
    Variable(String),
}

/// What a request leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Match<'a> {
    /// A function answers it.
    Function {
        /// The Lambda's name.
        name: &'a str,
        /// `POST /v1/escrows/{id}/release`.
        route_key: String,
        /// The values of the path's variables.
        variables: BTreeMap<&'a str, &'a str>,
    },
    /// The path exists, with these methods only.
    WrongMethod(Vec<&'a Method>),
    /// Nothing has this path.
    Unknown,
}

impl Router {
    /// The router of these routes.
    #[must_use]
    pub(crate) fn new(routes: &[Route]) -> Self {
        let entries = routes
            .iter()
            .map(|route| Entry {
                method: route.method.clone(),
                path: route.path.clone(),
                segments: route.path.split('/').skip(1).map(Segment::of).collect(),
                function: route.operation.function.clone(),
            })
            .collect();
        Self { entries }
    }

    /// The functions that the routes name, each once.
    pub(crate) fn functions(&self) -> std::collections::BTreeSet<&str> {
        self.entries.iter().map(|entry| entry.function.as_str()).collect()
    }

    /// Finds what a request leads to; `path` is already decoded. A fixed path wins over one with variables.
    #[must_use]
    pub(crate) fn find<'a>(&'a self, method: &Method, path: &'a str) -> Match<'a> {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let mut candidates: Vec<(&Entry, BTreeMap<&str, &str>)> =
            self.entries.iter().filter_map(|entry| Some((entry, entry.matches(&parts)?))).collect();
        candidates.sort_by_key(|(_, variables)| variables.len());
        let methods = candidates.iter().map(|(entry, _)| &entry.method).collect::<Vec<_>>();
        match candidates.iter().position(|(entry, _)| entry.method == *method) {
            Some(at) => {
                let (entry, variables) = candidates.swap_remove(at);
                let route_key = format!("{} {}", entry.method, entry.path);
                Match::Function { name: &entry.function, route_key, variables }
            }
            None if methods.is_empty() => Match::Unknown,
            None => Match::WrongMethod(methods),
        }
    }
}

impl Segment {
    fn of(text: &str) -> Self {
        match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            Some(name) => Self::Variable(name.to_owned()),
            None => Self::Fixed(text.to_owned()),
        }
    }
}

impl Entry {
    fn matches<'a>(&'a self, parts: &[&'a str]) -> Option<BTreeMap<&'a str, &'a str>> {
        if parts.len() != self.segments.len() {
            return None;
        }
        let mut variables = BTreeMap::new();
        for (segment, part) in self.segments.iter().zip(parts) {
            match segment {
                Segment::Fixed(text) if text == part => {}
                // A variable needs something to hold.
                Segment::Variable(name) if !part.is_empty() => {
                    variables.insert(name.as_str(), *part);
                }
                Segment::Fixed(_) | Segment::Variable(_) => return None,
            }
        }
        Some(variables)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::Document;

    fn router() -> Router {
        let document = Document::parse(
            r"
            openapi: 3.1.0
            info: {title: t, version: '1'}
            paths:
              /v1/escrows/{id}:
                get: {x-holdfast-function: query-escrow}
              /v1/escrows/{id}/release:
                post: {x-holdfast-function: release-escrow}
              /v1/escrows/new:
                get: {x-holdfast-function: create-checkout}
            ",
        );
        Router::new(&document.unwrap().routes())
    }

    fn check(method: Method, path: &str) -> String {
        match router().find(&method, path) {
            Match::Function { name, route_key, variables } => format!("{name} [{route_key}] {variables:?}"),
            Match::WrongMethod(methods) => format!("only {methods:?}"),
            Match::Unknown => "unknown".to_owned(),
        }
    }

    #[test]
    fn a_request_leads_to_the_function_that_its_operation_names() {
        assert_eq!(check(Method::GET, "/v1/escrows/esc_1"), r#"query-escrow [GET /v1/escrows/{id}] {"id": "esc_1"}"#);
        assert_eq!(
            check(Method::POST, "/v1/escrows/a|b/release"),
            r#"release-escrow [POST /v1/escrows/{id}/release] {"id": "a|b"}"#
        );
    }

    #[test]
    fn a_fixed_path_wins_over_one_with_variables() {
        assert_eq!(check(Method::GET, "/v1/escrows/new"), "create-checkout [GET /v1/escrows/new] {}");
    }

    #[test]
    fn a_wrong_method_is_told_from_an_unknown_path() {
        assert_eq!(check(Method::GET, "/v1/escrows/esc_1/release"), "only [POST]");
        for unknown in ["/v1/escrows/", "/v1/escrows", "/", "", "/v1/escrows/esc_1/", "/v2/escrows/esc_1"] {
            assert_eq!(check(Method::GET, unknown), "unknown", "{unknown}");
        }
    }
}
