//! The pages for people: the rendered reference at `/docs` and the index at `/`. Made once at the start from the API's
//! document; plain HTML with its own style, no scripts, nothing from elsewhere.

mod html;
mod reference;
mod schema;

use bytes::Bytes;

use crate::openapi::{Document, Route};
use html::escape;

const STYLE: &str = include_str!("docs_page/style.css");

/// The pages, ready to send.
#[derive(Debug, Clone)]
pub(crate) struct Pages {
    /// `/docs`
    pub reference: Bytes,
    /// `/`
    pub index: Bytes,
}

impl Pages {
    /// Renders the pages of a system that answers at `url`.
    #[must_use]
    pub(crate) fn render(document: &Document, routes: &[Route], url: &str) -> Self {
        let reference = whole(&format!("{} reference", document.info.title), &reference::render(document, routes, url));
        let index = whole(&document.info.title, &index(document, url));
        Self { reference: Bytes::from(reference), index: Bytes::from(index) }
    }
}

fn whole(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{}</title><style>{STYLE}</style></head>\n<body>{body}</body></html>\n",
        escape(title)
    )
}

fn index(document: &Document, url: &str) -> String {
    let url = escape(url);
    let title = escape(&document.info.title);
    let token = "{\"sub\": \"usr_buyer\"}";
    let checkout = "{\"kind\": \"service\", \"subject\": {\"type\": \"job\", \"id\": \"job_42\"},\n       \
                    \"buyer\": \"usr_buyer\", \"seller\": \"usr_seller\",\n       \
                    \"currency\": \"SAR\", \"amount\": \"150.00\", \"gateway\": \"stripe\"}";
    format!(
        r#"<main class="index">
<h1>{title}</h1>
<p class="lead">Holds a buyer's money until the work is accepted, and moves it exactly once.
The whole system runs in this one process.</p>
<ul class="cards">
<li><a href="/docs"><b>Reference</b><span>Every call, with its fields and answers</span></a></li>
<li><a href="/openapi.yaml"><b>OpenAPI document</b><span>For code generators and other tools</span></a></li>
<li><a href="/_local/health"><b>Health</b><span>Is it ready, and what time is it here</span></a></li>
<li><a href="/_local/verify"><b>Verify</b><span>Replay every journal, check every sum</span></a></li>
<li><a href="/_local/capacity"><b>Capacity</b><span>DynamoDB requests and units so far</span></a></li>
</ul>
<h2>Begin</h2>
<p>A token for a buyer, and a checkout in their name. Its <code>url</code> opens the sandbox's payment page.</p>
<pre><code>TOKEN=$(curl -s {url}/_local/tokens -d '{token}' \
  | sed 's/.*"token":"\([^"]*\)".*/\1/')

curl -s {url}/v1/checkouts -H "authorization: Bearer $TOKEN" \
  -H 'idempotency-key: my-first' -H 'content-type: application/json' \
  -d '{checkout}'</code></pre>
<h2>Move the clock</h2>
<p>Deadlines pass when you say so, and what became due is done before the call answers.</p>
<pre><code>curl -s {url}/_local/clock -d '{{"advance": "P7D"}}'</code></pre>
</main>"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::YAML;

    #[test]
    fn the_reference_shows_every_call_and_every_schema_of_the_document() {
        let document = Document::parse(YAML).unwrap();
        let routes = document.routes();
        let pages = Pages::render(&document, &routes, "http://127.0.0.1:3000");
        let page = std::str::from_utf8(&pages.reference).unwrap();
        assert!(!routes.is_empty());
        for route in &routes {
            let anchor = format!("id=\"{}\"", html::anchor(&route.operation.operation_id));
            assert_eq!(page.matches(&anchor).count(), 1, "{anchor}");
        }
        for (name, _) in document.components.schemas.iter() {
            assert!(page.contains(&format!("id=\"schema-{}\"", html::anchor(name))), "{name}");
        }
        // Every link within the page leads somewhere.
        for link in page.split("href=\"#").skip(1) {
            let name = link.split('"').next().unwrap();
            assert!(page.contains(&format!("id=\"{name}\"")), "#{name} leads nowhere");
        }
        assert!(!page.contains("<script") && !page.contains("src="), "nothing runs, nothing is loaded");
    }

    #[test]
    fn text_of_the_document_cannot_become_markup() {
        let yaml = r#"
            openapi: 3.1.0
            info: {title: "<b>T</b>", version: "1"}
            paths:
              /v1/x:
                get: {x-holdfast-function: wallet, operationId: x, summary: "<i>&\"'", responses: {}}
        "#;
        let document = Document::parse(yaml).unwrap();
        let pages = Pages::render(&document, &document.routes(), "http://x");
        let page = std::str::from_utf8(&pages.reference).unwrap();
        assert!(page.contains("&lt;b&gt;T&lt;/b&gt;") && page.contains("&lt;i&gt;&amp;&quot;&#39;"));
        assert!(!page.contains("<b>T</b>"));
    }
}
