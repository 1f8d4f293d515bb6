//! Secrets by ARN: fetched once, when a function starts.
//!
//! Two ways were weighed. AWS's *Parameters and Secrets* extension is a layer with another ARN in every region, another process
//! in every sandbox, and does not exist on emulators; the SDK's crates for the two services are a megabyte of code for one call
//! each. So the call is made directly: one signed POST, by the SDK's own signer and the client that is there anyway.
//!
//! Source of the requests' form: AWS Secrets Manager API reference, `GetSecretValue`; AWS Systems Manager API reference,
//! `GetParameter` (both the JSON 1.1 protocol).

use crate::config::{AwsSettings, ConfigError, Variables};
use crate::outgoing::Outgoing;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use serde_json::{Value, json};
use std::time::SystemTime;

/// The largest answer with a secret, in bytes. Secrets Manager keeps at most 64 KB.
const LARGEST_SECRET: usize = 256 * 1024;

/// Puts the secrets in place of their ARNs, wherever one of our variables names some.
///
/// # Errors
/// [`ConfigError`] names the variable whose secret could not be had.
pub async fn resolve(variables: &mut Variables, aws: &AwsSettings, client: &Outgoing) -> Result<(), ConfigError> {
    for (name, value) in variables.ours_mut() {
        // A list (several webhook secrets while rotating) may mix ARNs and values. JSON is no list of that kind.
        if !value.contains("arn:aws") || value.trim_start().starts_with(['[', '{']) {
            continue;
        }
        let mut parts = Vec::new();
        for part in value.split(',').map(str::trim) {
            parts.push(match Place::of(part) {
                None => part.to_owned(),
                Some(place) => place.fetch(aws, client).await.map_err(|problem| {
                    let next_step = format!("Check that {part} exists and that the function's role may read it.");
                    ConfigError::new(name, format!("names a secret that could not be read ({problem})"), next_step)
                })?,
            });
        }
        *value = parts.join(",");
    }
    Ok(())
}

/// Whether any of our variables names a secret: only then AWS has to be asked.
#[must_use]
pub fn are_named(variables: &mut Variables) -> bool {
    variables.ours_mut().any(|(_, value)| value.split(',').any(|part| Place::of(part.trim()).is_some()))
}

/// Where a secret is.
#[derive(Debug, PartialEq, Eq)]
enum Place<'a> {
    SecretsManager { arn: &'a str, region: &'a str },
    Parameter { name: String, region: &'a str },
}

impl<'a> Place<'a> {
    /// `arn:aws:secretsmanager:region:account:secret:name` or `arn:aws:ssm:region:account:parameter/name`.
    fn of(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let ("arn", partition, service) = (parts.next()?, parts.next()?, parts.next()?) else { return None };
        let (region, _account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        match service {
            _ if !partition.starts_with("aws") => None,
            "secretsmanager" if resource.starts_with("secret:") => Some(Self::SecretsManager { arn: text, region }),
            "ssm" => {
                let name = resource.strip_prefix("parameter")?;
                // `parameter/a` is the parameter `a`; `parameter/a/b` is `/a/b`.
                let plain = name.strip_prefix('/')?;
                let name = if plain.contains('/') { name } else { plain };
                Some(Self::Parameter { name: name.to_owned(), region })
            }
            _ => None,
        }
    }

    async fn fetch(&self, aws: &AwsSettings, client: &Outgoing) -> Result<String, String> {
        let (service, region, target, ask) = match self {
            Self::SecretsManager { arn, region } => {
                ("secretsmanager", *region, "secretsmanager.GetSecretValue", json!({"SecretId": arn}))
            }
            Self::Parameter { name, region } => {
                ("ssm", *region, "AmazonSSM.GetParameter", json!({"Name": name, "WithDecryption": true}))
            }
        };
        let endpoint = match &aws.endpoint {
            Some(endpoint) => format!("{}/", endpoint.trim_end_matches('/')),
            None => format!("https://{service}.{region}.{}/", domain_of(region)),
        };
        let request = signed(&endpoint, service, region, target, ask.to_string(), aws)?;
        let (status, body) = client.send(request, LARGEST_SECRET).await.map_err(|error| error.to_string())?;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status != 200 {
            // `__type` names the error; the message may repeat what was asked, and is left out.
            return Err(format!("status {status} {}", answer["__type"].as_str().unwrap_or_default()));
        }
        let secret = match self {
            Self::SecretsManager { .. } => answer["SecretString"].as_str(),
            Self::Parameter { .. } => answer["Parameter"]["Value"].as_str(),
        };
        secret.filter(|secret| !secret.is_empty()).map(str::to_owned).ok_or_else(|| "it holds no text".to_owned())
    }
}

fn domain_of(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}

#[expect(clippy::disallowed_methods, reason = "AWS checks signatures by its own clock, which nobody here can move")]
fn signed(
    endpoint: &str,
    service: &str,
    region: &str,
    target: &str,
    body: String,
    aws: &AwsSettings,
) -> Result<http::Request<Vec<u8>>, String> {
    let keys =
        Credentials::new(&aws.access_key_id, &aws.secret_access_key, aws.session_token.clone(), None, "settings");
    let identity = keys.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
    let signable = SignableRequest::new("POST", endpoint, headers.into_iter(), SignableBody::Bytes(body.as_bytes()))
        .map_err(|error| error.to_string())?;
    let (instructions, _signature) = sign(signable, &parameters).map_err(|error| error.to_string())?.into_parts();
    let mut builder = http::Request::post(endpoint);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    let mut request = builder.body(body.into_bytes()).map_err(|error| error.to_string())?;
    instructions.apply_to_request_http1x(&mut request);
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[test]
    fn an_arn_says_where_the_secret_is() {
        let arn = "arn:aws:secretsmanager:eu-west-1:1:secret:stripe-AbCdEf";
        assert_eq!(Place::of(arn), Some(Place::SecretsManager { arn, region: "eu-west-1" }));
        for (arn, name) in
            [("arn:aws:ssm:r:1:parameter/stripe", "stripe"), ("arn:aws-cn:ssm:r:1:parameter/a/b", "/a/b")]
        {
            assert_eq!(Place::of(arn), Some(Place::Parameter { name: name.to_owned(), region: "r" }));
        }
        for other in ["sk_test_1", "", "arn:aws:s3:::bucket", "arn:aws:ssm:r:1:document/x", "arn:aws:secretsmanager:r"]
        {
            assert_eq!(Place::of(other), None, "{other}");
        }
    }

    /// Secrets Manager and SSM on this machine: remembers what was asked.
    async fn server(asked: Arc<Mutex<Vec<String>>>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"}") && stream.read_buf(&mut request).await.unwrap_or_default() > 0 {}
                let text = String::from_utf8_lossy(&request).into_owned();
                let (status, body) = if text.contains("missing") {
                    ("400 Bad Request", r#"{"__type": "ResourceNotFoundException", "message": "hidden"}"#)
                } else if text.contains("GetParameter") {
                    ("200 OK", r#"{"Parameter": {"Value": "from-ssm"}}"#)
                } else {
                    ("200 OK", r#"{"SecretString": "from-secrets-manager"}"#)
                };
                asked.lock().unwrap().push(text);
                let answer =
                    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        url
    }

    fn aws(endpoint: String) -> AwsSettings {
        let given = [
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "AKID"),
            ("AWS_SECRET_ACCESS_KEY", "hidden"),
            ("AWS_SESSION_TOKEN", "token"),
        ];
        let given = given.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        AwsSettings::from_variables(&Variables::new(given.chain([("AWS_ENDPOINT_URL".to_owned(), endpoint)]))).unwrap()
    }

    fn one(name: &str, value: &str) -> Variables {
        Variables::new([(name.to_owned(), value.to_owned())])
    }

    #[tokio::test]
    async fn secrets_take_the_place_of_their_arns() {
        let asked = Arc::default();
        let aws = aws(server(Arc::clone(&asked)).await);
        let client = Outgoing::new().unwrap();
        let list = "arn:aws:secretsmanager:eu-west-1:1:secret:a, whsec_plain ,arn:aws:ssm:eu-west-1:1:parameter/b";
        let mut variables = one("STRIPE_WEBHOOK_SECRET", list);
        assert!(are_named(&mut variables));
        resolve(&mut variables, &aws, &client).await.unwrap();
        assert_eq!(variables.get("STRIPE_WEBHOOK_SECRET"), Some("from-secrets-manager,whsec_plain,from-ssm"));

        let asked = asked.lock().unwrap();
        assert_eq!(asked.len(), 2);
        for request in asked.iter() {
            let signed = request.contains("Credential=AKID/")
                && request.contains("/eu-west-1/")
                && request.contains("SignedHeaders=");
            assert!(
                signed && request.contains("x-amz-security-token: token") && !request.contains("hidden"),
                "{request}"
            );
        }
    }

    #[tokio::test]
    async fn a_secret_that_cannot_be_read_is_named_by_its_variable() {
        let aws = aws(server(Arc::default()).await);
        let mut variables = one("STRIPE_SECRET_KEY", "arn:aws:ssm:eu-west-1:1:parameter/missing");
        let error = resolve(&mut variables, &aws, &Outgoing::new().unwrap()).await.unwrap_err().to_string();
        assert!(
            error.starts_with(
                "STRIPE_SECRET_KEY names a secret that could not be read (status 400 ResourceNotFoundException)"
            ),
            "{error}"
        );
        assert!(!error.contains("hidden"));
    }

    #[tokio::test]
    async fn what_names_no_secret_is_left_alone() {
        let mut variables = one("STRIPE_SECRET_KEY", "sk_test_1");
        assert!(!are_named(&mut variables));
        resolve(&mut variables, &aws("http://127.0.0.1:1".to_owned()), &Outgoing::new().unwrap()).await.unwrap();
        assert_eq!(variables.get("STRIPE_SECRET_KEY"), Some("sk_test_1"));
    }
}
