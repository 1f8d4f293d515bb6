//! The API as it is written down: `infra/openapi.yaml`, read at the start. The router takes its routes from it and the
//! reference page its words, so neither can say something else than the document.

mod ordered;

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use ordered::Ordered;

/// The document, byte for byte.
pub const YAML: &str = include_str!("../../openapi.yaml");

/// The document does not parse.
#[derive(Debug, thiserror::Error)]
#[error("infra/openapi.yaml cannot be read: {0}")]
pub struct DocumentInvalid(String);

/// The parts of an OpenAPI 3.1 document that are used here.
#[derive(Debug, Clone, Deserialize)]
pub struct Document {
    /// Title, version, introduction.
    pub info: Info,
    /// Chapters, in the order in which they are shown.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// Operations by path and method.
    pub paths: Ordered<Path>,
    /// What others point to.
    #[serde(default)]
    pub components: Components,
}

/// What the API is.
#[derive(Debug, Clone, Deserialize)]
pub struct Info {
    /// Its name.
    pub title: String,
    /// The version of the contract.
    pub version: String,
    /// Markdown.
    #[serde(default)]
    pub description: String,
}

/// A chapter.
#[derive(Debug, Clone, Deserialize)]
pub struct Tag {
    /// What operations refer to.
    pub name: String,
    /// Markdown.
    #[serde(default)]
    pub description: String,
}

/// Named parts.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Components {
    /// Schemas by name.
    #[serde(default)]
    pub schemas: Ordered<Schema>,
    /// Parameters by name.
    #[serde(default)]
    pub parameters: Ordered<Parameter>,
    /// Answers by name.
    #[serde(default)]
    pub responses: Ordered<Response>,
    /// Bodies by name.
    #[serde(default, rename = "requestBodies")]
    pub request_bodies: Ordered<RequestBody>,
}

/// What can be done at a path.
#[derive(Debug, Clone, Default, Deserialize)]
#[expect(missing_docs, reason = "each is the operation of that method")]
pub struct Path {
    /// Those of every operation.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    #[serde(default)]
    pub get: Option<Operation>,
    #[serde(default)]
    pub post: Option<Operation>,
    #[serde(default)]
    pub put: Option<Operation>,
    #[serde(default)]
    pub patch: Option<Operation>,
    #[serde(default)]
    pub delete: Option<Operation>,
}

/// One call of the API.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Its name, which is also its anchor.
    #[serde(default)]
    pub operation_id: String,
    /// One line.
    #[serde(default)]
    pub summary: String,
    /// Markdown.
    #[serde(default)]
    pub description: String,
    /// Chapters; the first one counts.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The Lambda function that answers it.
    #[serde(rename = "x-holdfast-function")]
    pub function: String,
    /// Who may call it.
    #[serde(default, rename = "x-holdfast-callers")]
    pub callers: Vec<String>,
    /// Parameters of its own.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// The body, if it takes one.
    #[serde(default)]
    pub request_body: Option<RequestBody>,
    /// Answers by status.
    #[serde(default)]
    pub responses: Ordered<Response>,
    /// `[]` where no token is asked for.
    #[serde(default)]
    pub security: Option<Vec<Value>>,
}

/// A parameter, or a pointer to one.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Parameter {
    /// Points to a named one.
    #[serde(default, rename = "$ref")]
    pub reference: Option<String>,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// `path`, `query` or `header`.
    #[serde(default, rename = "in")]
    pub place: String,
    /// Whether it must be given.
    #[serde(default)]
    pub required: bool,
    /// Markdown.
    #[serde(default)]
    pub description: String,
    /// What it may be.
    #[serde(default)]
    pub schema: Schema,
}

/// A request's body, or a pointer to one.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct RequestBody {
    /// Points to a named one.
    #[serde(default, rename = "$ref")]
    pub reference: Option<String>,
    /// Markdown.
    #[serde(default)]
    pub description: String,
    /// By media type.
    #[serde(default)]
    pub content: Ordered<Media>,
}

/// An answer, or a pointer to one.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Response {
    /// The codes that a problem of this status can have.
    #[serde(default, rename = "x-holdfast-codes")]
    pub codes: Vec<String>,
    /// Points to a named one.
    #[serde(default, rename = "$ref")]
    pub reference: Option<String>,
    /// Markdown.
    #[serde(default)]
    pub description: String,
    /// By media type.
    #[serde(default)]
    pub content: Ordered<Media>,
}

/// A body of one media type.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Media {
    /// Its form.
    #[serde(default)]
    pub schema: Schema,
    /// What it looks like.
    #[serde(default)]
    pub example: Option<Sample>,
    /// Several of them, by name.
    #[serde(default)]
    pub examples: Ordered<Example>,
}

/// A named example.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Example {
    /// One line.
    #[serde(default)]
    pub summary: String,
    /// The example itself.
    #[serde(default)]
    pub value: Option<Sample>,
}

/// A value as it was written, its fields in their order.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Sample {
    /// An object.
    Object(Ordered<Sample>),
    /// An array.
    List(Vec<Sample>),
    /// Anything else.
    Plain(Value),
}

/// A JSON schema, as far as the reference shows it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schema {
    /// Points to a named one.
    #[serde(default, rename = "$ref")]
    pub reference: Option<String>,
    /// A name, or several of which one may be `null`.
    #[serde(default, rename = "type")]
    pub kind: Option<Value>,
    /// `date-time`, `duration` …
    #[serde(default)]
    pub format: Option<String>,
    /// Markdown.
    #[serde(default)]
    pub description: String,
    /// The only values allowed.
    #[serde(default, rename = "enum")]
    pub values: Vec<Value>,
    /// The only value allowed.
    #[serde(default, rename = "const")]
    pub constant: Option<Value>,
    /// A regular expression.
    #[serde(default)]
    pub pattern: Option<String>,
    /// When it is left out.
    #[serde(default)]
    pub default: Option<Value>,
    /// One value it might have.
    #[serde(default)]
    pub example: Option<Sample>,
    /// Some values it might have.
    #[serde(default)]
    pub examples: Vec<Sample>,
    /// Of an object.
    #[serde(default)]
    pub properties: Ordered<Schema>,
    /// Names of properties that must be there.
    #[serde(default)]
    pub required: Vec<String>,
    /// Of an array.
    #[serde(default)]
    pub items: Option<Box<Schema>>,
    /// One of these.
    #[serde(default)]
    pub one_of: Vec<Schema>,
    /// Any of these.
    #[serde(default)]
    pub any_of: Vec<Schema>,
    /// All of these.
    #[serde(default)]
    pub all_of: Vec<Schema>,
}

/// One operation with where it is found.
#[derive(Debug, Clone)]
pub struct Route {
    /// `POST`.
    pub method: Method,
    /// `/v1/escrows/{id}/release`.
    pub path: String,
    /// What it does.
    pub operation: Operation,
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// When it is not YAML of the form of OpenAPI.
    pub fn parse(yaml: &str) -> Result<Self, DocumentInvalid> {
        serde_saphyr::from_str(yaml).map_err(|error| DocumentInvalid(error.to_string()))
    }

    /// Every operation, in the document's order. Parameters of the path are among the operation's.
    #[must_use]
    pub fn routes(&self) -> Vec<Route> {
        let mut routes = Vec::new();
        for (path, item) in self.paths.iter() {
            let operations = [
                (Method::GET, &item.get),
                (Method::POST, &item.post),
                (Method::PUT, &item.put),
                (Method::PATCH, &item.patch),
                (Method::DELETE, &item.delete),
            ];
            for (method, operation) in operations {
                if let Some(mut operation) = operation.clone() {
                    operation.parameters.splice(0..0, item.parameters.iter().cloned());
                    routes.push(Route { method, path: path.clone(), operation });
                }
            }
        }
        routes
    }
}
