//! Schemas as a reader wants them: a line of what it is, and a table of its fields.

use std::fmt::Write;

use serde_json::Value;

use super::html::{anchor, escape, inline};
use crate::openapi::{Ordered, Sample, Schema};

/// The name that a pointer ends with: `Escrow` of `#/components/schemas/Escrow`.
pub(super) fn named(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

/// What it is, in a line: a linked name, or its type.
pub(super) fn kind(schema: &Schema) -> String {
    if let Some(reference) = &schema.reference {
        let name = named(reference);
        return format!("<a href=\"#schema-{}\">{}</a>", anchor(name), escape(name));
    }
    let several = |choices: &[Schema], glue: &str| choices.iter().map(kind).collect::<Vec<_>>().join(glue);
    for (choices, glue) in [(&schema.one_of, " or "), (&schema.any_of, " or "), (&schema.all_of, " and ")] {
        if !choices.is_empty() {
            return several(choices, glue);
        }
    }
    let mut line = match (&schema.kind, &schema.items) {
        (Some(Value::String(name)), Some(items)) if name == "array" => format!("list of {}", kind(items)),
        (Some(Value::String(name)), _) => escape(name),
        (Some(Value::Array(names)), _) => {
            names.iter().filter_map(Value::as_str).map(escape).collect::<Vec<_>>().join(" or ")
        }
        _ if !schema.properties.is_empty() => "object".to_owned(),
        _ => "any".to_owned(),
    };
    if let Some(format) = &schema.format {
        let _ = write!(line, " <span class=\"format\">{}</span>", escape(format));
    }
    line
}

/// Everything that narrows a value down, after its description.
pub(super) fn notes(schema: &Schema) -> String {
    let mut notes = inline(&schema.description);
    let mut add = |text: String| {
        if !notes.is_empty() {
            notes.push(' ');
        }
        notes.push_str(&text);
    };
    if !schema.values.is_empty() {
        let values: Vec<String> = schema.values.iter().map(code).collect();
        add(format!("One of {}.", values.join(", ")));
    }
    if let Some(constant) = &schema.constant {
        add(format!("Always {}.", code(constant)));
    }
    if let Some(pattern) = &schema.pattern {
        add(format!("Matches <code>{}</code>.", escape(pattern)));
    }
    if let Some(default) = &schema.default {
        add(format!("Default {}.", code(default)));
    }
    if let Some(Sample::Plain(example)) = sample(schema) {
        add(format!("For example {}.", code(example)));
    }
    notes
}

/// What it looks like, if the document says so.
pub(super) fn sample(schema: &Schema) -> Option<&Sample> {
    schema.example.as_ref().or_else(|| schema.examples.first())
}

/// The fields of an object, inner objects indented; nothing for what has none.
pub(super) fn fields(schema: &Schema, known: &Ordered<Schema>) -> String {
    let mut rows = String::new();
    add_rows(&mut rows, schema, "", known);
    if rows.is_empty() {
        return rows;
    }
    format!(
        "<table class=\"fields\"><thead><tr><th>Field</th><th>Type</th><th>Meaning</th></tr></thead><tbody>{rows}</tbody></table>"
    )
}

fn add_rows(rows: &mut String, schema: &Schema, within: &str, known: &Ordered<Schema>) {
    for part in schema.all_of.iter().filter(|part| part.reference.is_none()) {
        add_rows(rows, part, within, known);
    }
    for (name, property) in schema.properties.iter() {
        let path = if within.is_empty() { name.clone() } else { format!("{within}.{name}") };
        let needed = if schema.required.contains(name) { "<em>required</em>" } else { "" };
        let _ = write!(
            rows,
            "<tr><td><code>{}</code> {needed}</td><td>{}</td><td>{}</td></tr>",
            escape(&path),
            kind(property),
            meaning(property, known)
        );
        if property.reference.is_none() {
            add_rows(rows, property, &path, known);
            if let Some(items) = property.items.as_ref().filter(|items| items.reference.is_none()) {
                add_rows(rows, items, &format!("{path}[]"), known);
            }
        }
    }
}

/// What a field says of itself, or else what its schema says first.
fn meaning(property: &Schema, known: &Ordered<Schema>) -> String {
    let own = notes(property);
    if !own.is_empty() {
        return own;
    }
    let named = property.reference.as_deref().and_then(|reference| known.get(named(reference)));
    named.map(|schema| inline(schema.description.split("\n\n").next().unwrap_or_default())).unwrap_or_default()
}

fn code(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    format!("<code>{}</code>", escape(&text))
}
