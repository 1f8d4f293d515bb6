//! The reference: chapters by tag, one section per call, then every schema.

use std::fmt::Write;

use super::html::{anchor, escape, inline, markdown, pretty};
use super::schema::{fields, kind, named, notes, sample};
use crate::openapi::{Components, Document, Media, Operation, Parameter, RequestBody, Response, Route, Sample, Tag};

/// The page's body.
pub(super) fn render(document: &Document, routes: &[Route], url: &str) -> String {
    let chapters = chapters(document, routes);
    let mut page = String::from("<div class=\"page\">");
    page.push_str(&contents(document, &chapters));
    let _ = write!(
        page,
        "<main><h1>{} <small>{}</small></h1><p class=\"lead\">Base URL <code>{}</code> · <a href=\"/openapi.yaml\">openapi.yaml</a></p>{}",
        escape(&document.info.title),
        escape(&document.info.version),
        escape(url),
        markdown(&document.info.description)
    );
    for (tag, routes) in &chapters {
        let _ =
            write!(page, "<h2 id=\"{}\">{}</h2>{}", anchor(&tag.name), escape(&tag.name), markdown(&tag.description));
        for route in routes {
            page.push_str(&call(route, &document.components));
        }
    }
    if !document.components.schemas.is_empty() {
        page.push_str("<h2 id=\"schemas\">Schemas</h2>");
        for (name, schema) in document.components.schemas.iter() {
            let _ = write!(
                page,
                "<section class=\"schema\" id=\"schema-{}\"><h3>{}</h3><p>{} {}</p>{}{}</section>",
                anchor(name),
                escape(name),
                if schema.properties.is_empty() { kind(schema) } else { String::new() },
                notes(schema),
                fields(schema, &document.components.schemas),
                sample(schema).filter(|sample| matches!(sample, Sample::Object(_))).map(pretty).unwrap_or_default()
            );
        }
    }
    page.push_str("</main></div>");
    page
}

/// The calls by their first tag, in the order of the tags; what has none comes last.
fn chapters<'a>(document: &Document, routes: &'a [Route]) -> Vec<(Tag, Vec<&'a Route>)> {
    let mut chapters: Vec<(Tag, Vec<&Route>)> = document.tags.iter().map(|tag| (tag.clone(), Vec::new())).collect();
    for route in routes {
        let name = route.operation.tags.first().map_or("Other", String::as_str);
        match chapters.iter_mut().find(|(tag, _)| tag.name == name) {
            Some((_, calls)) => calls.push(route),
            None => chapters.push((Tag { name: name.to_owned(), description: String::new() }, vec![route])),
        }
    }
    chapters.retain(|(_, calls)| !calls.is_empty());
    chapters
}

fn contents(document: &Document, chapters: &[(Tag, Vec<&Route>)]) -> String {
    let mut nav = format!("<nav><a class=\"home\" href=\"/\">{}</a>", escape(&document.info.title));
    for (tag, routes) in chapters {
        let _ = write!(nav, "<a class=\"chapter\" href=\"#{}\">{}</a><ul>", anchor(&tag.name), escape(&tag.name));
        for route in routes {
            let _ = write!(
                nav,
                "<li><a href=\"#{}\">{} {}</a></li>",
                call_anchor(route),
                method(route),
                escape(title(&route.operation, &route.path))
            );
        }
        nav.push_str("</ul>");
    }
    if !document.components.schemas.is_empty() {
        nav.push_str("<a class=\"chapter\" href=\"#schemas\">Schemas</a><ul>");
        for (name, _) in document.components.schemas.iter() {
            let _ = write!(nav, "<li><a href=\"#schema-{}\">{}</a></li>", anchor(name), escape(name));
        }
        nav.push_str("</ul>");
    }
    nav.push_str("</nav>");
    nav
}

fn call(route: &Route, components: &Components) -> String {
    let operation = &route.operation;
    let mut section = format!(
        "<section class=\"call\" id=\"{}\"><h3>{}</h3><p class=\"line\">{} <code>{}</code></p>{}",
        call_anchor(route),
        escape(title(operation, &route.path)),
        method(route),
        escape(&route.path).replace('{', "<i>{").replace('}', "}</i>"),
        markdown(&operation.description)
    );
    if operation.security.as_ref().is_some_and(Vec::is_empty) {
        section.push_str("<p class=\"hint\">No token is needed.</p>");
    } else if !operation.callers.is_empty() {
        let _ = write!(section, "<p class=\"hint\">For {}.</p>", escape(&operation.callers.join(", ")));
    }
    section.push_str(&parameters(&operation.parameters, components));
    if let Some(body) = &operation.request_body {
        let body = resolved(body, &body.reference, |name| components.request_bodies.get(name));
        section.push_str(&request_body(body, components));
    }
    section.push_str(&responses(operation, components));
    section.push_str("</section>");
    section
}

fn parameters(parameters: &[Parameter], components: &Components) -> String {
    if parameters.is_empty() {
        return String::new();
    }
    let mut table = String::from(
        "<h4>Parameters</h4><table class=\"fields\"><thead><tr><th>Name</th><th>Type</th><th>Meaning</th></tr></thead><tbody>",
    );
    for parameter in parameters {
        let parameter = resolved(parameter, &parameter.reference, |name| components.parameters.get(name));
        let _ = write!(
            table,
            "<tr><td><code>{}</code> <span class=\"place\">{}</span> {}</td><td>{}</td><td>{} {}</td></tr>",
            escape(&parameter.name),
            escape(&parameter.place),
            if parameter.required { "<em>required</em>" } else { "" },
            kind(&parameter.schema),
            inline(&parameter.description),
            notes(&parameter.schema)
        );
    }
    table.push_str("</tbody></table>");
    table
}

fn request_body(body: &RequestBody, components: &Components) -> String {
    let mut html = format!("<h4>Body</h4>{}", markdown(&body.description));
    for (kind_of_media, media) in body.content.iter() {
        let _ = write!(html, "<p><span class=\"place\">{}</span> {}</p>", escape(kind_of_media), kind(&media.schema));
        let schema = resolved(&media.schema, &media.schema.reference, |name| components.schemas.get(name));
        html.push_str(&fields(schema, &components.schemas));
        html.push_str(&examples(media));
    }
    html
}

fn responses(operation: &Operation, components: &Components) -> String {
    let mut html = String::from("<h4>Answers</h4><table class=\"fields answers\"><tbody>");
    let mut shown = String::new();
    for (status, response) in operation.responses.iter() {
        let response: &Response = resolved(response, &response.reference, |name| components.responses.get(name));
        let media = response.content.first().map(|(_, media)| media);
        let _ = write!(
            html,
            "<tr><td><b class=\"s{}\">{}</b></td><td>{}</td><td>{}</td></tr>",
            escape(status.get(..1).unwrap_or_default()),
            escape(status),
            media.map(|media| kind(&media.schema)).unwrap_or_default(),
            with_codes(response)
        );
        if status.starts_with('2') {
            shown.push_str(&media.map(examples).unwrap_or_default());
        }
    }
    html.push_str("</tbody></table>");
    html.push_str(&shown);
    html
}

fn with_codes(response: &Response) -> String {
    let codes: Vec<String> = response.codes.iter().map(|code| format!("<code>{}</code>", escape(code))).collect();
    format!("{} {}", inline(&response.description), codes.join(" "))
}

fn examples(media: &Media) -> String {
    let mut html = media.example.as_ref().map(pretty).unwrap_or_default();
    for (name, example) in media.examples.iter() {
        let summary = if example.summary.is_empty() { name } else { &example.summary };
        let _ = write!(html, "<p class=\"hint\">{}</p>{}", escape(summary), pretty(&example.value));
    }
    html
}

/// What a pointer points to, or the thing itself.
fn resolved<'a, T>(thing: &'a T, reference: &Option<String>, find: impl Fn(&str) -> Option<&'a T>) -> &'a T {
    reference.as_deref().and_then(|reference| find(named(reference))).unwrap_or(thing)
}

fn title<'a>(operation: &'a Operation, path: &'a str) -> &'a str {
    if operation.summary.is_empty() { path } else { operation.summary.trim_end_matches('.') }
}

fn method(route: &Route) -> String {
    let name = route.method.as_str();
    format!("<span class=\"method {}\">{name}</span>", name.to_lowercase())
}

fn call_anchor(route: &Route) -> String {
    if route.operation.operation_id.is_empty() {
        anchor(&format!("{} {}", route.method, route.path))
    } else {
        anchor(&route.operation.operation_id)
    }
}
