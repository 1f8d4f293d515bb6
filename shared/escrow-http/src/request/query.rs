//! Query strings, strictly: a parameter that we do not know, that comes twice or that is badly encoded is refused rather than
//! ignored, because a filter that silently does nothing shows more than was asked for.

use super::percent_decoded;
use crate::problem::{Answer, Code, Problem};
use std::str::FromStr;

/// The longest query string, in bytes.
const LONGEST_QUERY: usize = 4_096;

/// The parameters of one request.
#[derive(Debug, Clone, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `name=value&…`; only `known` names, each at most once.
    ///
    /// # Errors
    /// 400 `query_invalid`.
    pub fn parse(text: &str, known: &[&str]) -> Answer<Self> {
        let refuse = |name: &str, detail: String| {
            let shown: String = name.chars().take(64).collect();
            Problem::input(Code::QueryInvalid, format!("?{shown}"), detail)
        };
        if text.len() > LONGEST_QUERY {
            return Err(refuse("", format!("A query has at most {LONGEST_QUERY} bytes.")));
        }
        let mut parameters: Vec<(String, String)> = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = |part: &str| percent_decoded(&part.replace('+', " "));
            let (Some(name), Some(value)) = (decoded(name), decoded(value)) else {
                return Err(refuse(name, "This is not well percent-encoded UTF-8.".to_owned()));
            };
            if !known.contains(&name.as_str()) {
                let list = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(refuse(&name, format!("There is no such parameter here. Known: {list}.")));
            }
            if parameters.iter().any(|(given, _)| *given == name) {
                return Err(refuse(&name, "This parameter is given twice.".to_owned()));
            }
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }

    /// A parameter, if it was given.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// A parameter as what it means, if it was given. `expected` says what it must be: "one of buyer, seller, all".
    ///
    /// # Errors
    /// 400 `query_invalid` if it cannot be read so.
    pub fn read<T: FromStr>(&self, name: &str, expected: &str) -> Answer<Option<T>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        text.parse()
            .map(Some)
            .map_err(|_| Problem::input(Code::QueryInvalid, format!("?{name}"), format!("This must be {expected}.")))
    }

    /// A parameter that must be given.
    ///
    /// # Errors
    /// 400 `query_invalid` without it, or if it cannot be read so.
    pub fn required<T: FromStr>(&self, name: &str, expected: &str) -> Answer<T> {
        self.read(name, expected)?.ok_or_else(|| {
            Problem::input(Code::QueryInvalid, format!("?{name}"), format!("This parameter is needed: {expected}."))
        })
    }

    /// `dry_run=true`: say what would happen, and do nothing.
    ///
    /// # Errors
    /// 400 `query_invalid` if it is neither `true` nor `false`: somebody who means a rehearsal must not get the play.
    pub fn dry_run(&self) -> Answer<bool> {
        Ok(self.read::<bool>("dry_run", "true or false")?.unwrap_or(false))
    }

    /// All that was given, sorted: what a cursor belongs to.
    #[must_use]
    pub fn sorted_without(&self, left_out: &[&str]) -> String {
        let mut pairs: Vec<_> = self
            .0
            .iter()
            .filter(|(name, _)| !left_out.contains(&name.as_str()))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.sort();
        pairs.join("&")
    }
}
