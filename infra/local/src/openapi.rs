//! The API as it is written down: `infra/openapi.yaml`, read at the start. The router takes its routes from it and the
//! reference page its words, so neither can say something else than the document.

mod ordered;

use serde::Deserialize;
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
    pub paths: Ordered<Ordered<Value>>,
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
    pub example: Option<Value>,
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
    pub value: Value,
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
    pub example: Option<Value>,
    /// Some values it might have.
    #[serde(default)]
    pub examples: Vec<Value>,
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

/// Methods an operation can have; other keys of a path belong to the path.
const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];

/// One operation with where it is found.
#[derive(Debug, Clone)]
pub struct Route {
    /// `POST`.
    pub method: http::Method,
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
    ///
    /// # Errors
    /// When an operation does not say which function answers it, or is not of the form of OpenAPI.
    pub fn routes(&self) -> Result<Vec<Route>, DocumentInvalid> {
        let mut routes = Vec::new();
        for (path, item) in self.paths.iter() {
            let shared: Vec<Parameter> = match item.get("parameters") {
                Some(parameters) => read(parameters, path)?,
                None => Vec::new(),
            };
            for (name, value) in item.iter().filter(|(name, _)| METHODS.contains(&name.as_str())) {
                let method = name.to_uppercase().parse().map_err(|_| DocumentInvalid(format!("{path}: {name}")))?;
                let mut operation: Operation = read(value, &format!("{name} {path}"))?;
                operation.parameters.splice(0..0, shared.iter().cloned());
                routes.push(Route { method, path: path.clone(), operation });
            }
        }
        Ok(routes)
    }
}

fn read<T: serde::de::DeserializeOwned>(value: &Value, place: &str) -> Result<T, DocumentInvalid> {
    serde_json::from_value(value.clone()).map_err(|error| DocumentInvalid(format!("{place}: {error}")))
}
