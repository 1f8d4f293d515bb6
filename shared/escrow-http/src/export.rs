//! Lists for spreadsheets and programs: the page that a list would answer as JSON, as CSV or as JSON lines instead.

use crate::page::Listed;
use crate::problem::{Answer, Problem};
use crate::reply::Reply;
use crate::request::Query;
use serde::Serialize;
use serde_json::Value;
use std::str::FromStr;

/// The header that says how a page in such a form goes on.
const NEXT: &str = "x-next-cursor";

/// The form of a list's answer: the parameter `format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// One JSON object with the page and its cursor.
    #[default]
    Json,
    /// A line of names, and a line for each row (RFC 4180).
    Csv,
    /// A JSON object a line.
    JsonLines,
}

impl FromStr for Format {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "json" => Ok(Self::Json),
            "csv" => Ok(Self::Csv),
            "jsonl" => Ok(Self::JsonLines),
            _ => Err(()),
        }
    }
}

impl Format {
    /// Reads `?format=`.
    ///
    /// # Errors
    /// 400 `query_invalid` for another word.
    pub fn read(query: &Query) -> Answer<Self> {
        Ok(query.read("format", "one of json, csv, jsonl")?.unwrap_or_default())
    }

    /// The page in this form. `columns` are the fields that CSV has, in their order, `subject.id` for one inside
    /// another; the other forms have all.
    ///
    /// # Errors
    /// 500 if a row is no JSON object: never for a view.
    pub fn reply<T: Serialize>(self, listed: &Listed<T>, columns: &[&str]) -> Answer<Reply> {
        let (text, content_type) = match self {
            Self::Json => return Ok(Reply::ok(listed)),
            Self::Csv => (csv(&listed.data, columns)?, "text/csv; charset=utf-8"),
            Self::JsonLines => (json_lines(&listed.data)?, "application/jsonl"),
        };
        let reply = Reply::text(text, content_type);
        Ok(match &listed.next_cursor {
            Some(cursor) => reply.header(NEXT, cursor),
            None => reply,
        })
    }
}

fn json_lines<T: Serialize>(rows: &[T]) -> Answer<String> {
    let mut text = String::new();
    for row in rows {
        text.push_str(&serde_json::to_string(row).map_err(Problem::internal)?);
        text.push('\n');
    }
    Ok(text)
}

fn csv<T: Serialize>(rows: &[T], columns: &[&str]) -> Answer<String> {
    let mut text = columns.join(",");
    text.push_str("\r\n");
    for row in rows {
        let row = serde_json::to_value(row).map_err(Problem::internal)?;
        let at = |column: &str| row.pointer(&format!("/{}", column.replace('.', "/"))).unwrap_or(&Value::Null);
        let cells = columns.iter().map(|column| cell(at(column)));
        text.push_str(&cells.collect::<Vec<_>>().join(","));
        text.push_str("\r\n");
    }
    Ok(text)
}

fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => without_formula(text),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => other.to_string(),
    };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// Spreadsheets calculate what begins like a formula, and people choose their own words: such a text gets an apostrophe in front,
/// which they hide (OWASP, *CSV Injection*). A negative amount is a number and stays one.
fn without_formula(text: &str) -> String {
    let is_number = text
        .strip_prefix('-')
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_number { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn page(next: Option<&str>) -> Listed<Value> {
        let rows = [json!({"amount": "-15.00", "note": "a,\"b\"\nc", "n": 1, "escrow": null}), json!({"note": "=1+1"})];
        Listed { data: rows.to_vec(), next_cursor: next.map(str::to_owned) }
    }

    #[test]
    fn csv_quotes_what_must_be_and_disarms_formulas() {
        let reply = Format::Csv.reply(&page(Some("c1")), &["n", "amount", "escrow", "note"]).unwrap();
        assert_eq!(reply.body(), "n,amount,escrow,note\r\n1,-15.00,,\"a,\"\"b\"\"\nc\"\r\n,,,'=1+1\r\n");
        assert_eq!(reply.headers()["content-type"], "text/csv; charset=utf-8");
        assert_eq!(reply.headers()["x-next-cursor"], "c1");
    }

    #[test]
    fn a_column_may_lie_inside_another() {
        let row = json!({"subject": {"type": "job", "id": "@SUM(A1)"}, "fee": {"amount": "1.50"}});
        let listed = Listed { data: vec![row], next_cursor: None };
        let reply = Format::Csv.reply(&listed, &["subject.type", "subject.id", "fee.amount", "fee.payer"]).unwrap();
        assert_eq!(reply.body(), "subject.type,subject.id,fee.amount,fee.payer\r\njob,'@SUM(A1),1.50,\r\n");
    }

    #[test]
    fn json_lines_are_rows_that_can_be_read_one_by_one() {
        let reply = Format::JsonLines.reply(&page(None), &[]).unwrap();
        let rows: Vec<Value> = reply.body().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows, page(None).data);
        assert!(reply.headers().get("x-next-cursor").is_none());
    }

    #[test]
    fn without_a_format_the_answer_is_the_lists_own() {
        let reply = Format::default().reply(&page(Some("c1")), &[]).unwrap();
        assert_eq!(serde_json::from_str::<Value>(reply.body()).unwrap()["next_cursor"], "c1");
        assert!("xml".parse::<Format>().is_err());
    }
}
