//! What the functions are told by their environment, as `infra/template.yaml` tells it to the Lambdas.

use std::collections::BTreeMap;

use escrow_http::config::Variables;

use crate::faults::{Faults, GatewayProxy};
use crate::folder::Folder;

/// Where the sandbox's API is, under the system's own address.
const SANDBOX_API: &str = "/sandbox/stripe";
/// The folder's file with the secret that the sandbox signs with.
const SECRET_FILE: &str = "sandbox.secret";
/// The name of the table.
pub(crate) const TABLE: &str = "holdfast";

/// Settings by name, as a user gave them.
pub type Given = BTreeMap<String, String>;

/// Which Stripe is used.
pub(crate) enum Stripe {
    /// The real one, or whatever answers at the address given: the user's settings are used as they are.
    Real,
    /// The sandbox, which signs with this secret.
    Sandbox(String),
}

/// The sandbox is used unless the user named a key or an address.
///
/// # Errors
/// When the secret of the sandbox cannot be kept.
pub(crate) fn which_stripe(given: &Given, folder: &Folder) -> std::io::Result<Stripe> {
    let is_given = |name: &str| given.get(name).is_some_and(|value| !value.trim().is_empty());
    if is_given("STRIPE_SECRET_KEY") || is_given("STRIPE_API_BASE") {
        return Ok(Stripe::Real);
    }
    let first = given.get("STRIPE_WEBHOOK_SECRET").and_then(|secrets| secrets.split(',').next()).map(str::trim);
    if let Some(secret) = first.filter(|secret| !secret.is_empty()) {
        return Ok(Stripe::Sandbox(secret.to_owned()));
    }
    // A secret that everybody knows would teach nobody to configure one; the folder keeps it, since webhooks outlive a restart.
    if let Some(kept) = folder.read(SECRET_FILE)?.and_then(|kept| String::from_utf8(kept).ok()) {
        return Ok(Stripe::Sandbox(kept));
    }
    let mut bytes = [0; 24];
    rand::fill(&mut bytes);
    let secret = format!("whsec_{}", hex::encode(bytes));
    folder.save(SECRET_FILE, secret.as_bytes())?;
    Ok(Stripe::Sandbox(secret))
}

/// Where the sandbox posts its webhooks: here, or to a deployment elsewhere on this machine that uses the sandbox as its Stripe
/// (`HOLDFAST_SANDBOX_WEBHOOK_URL`, plain HTTP).
pub(crate) fn webhooks_go_to(given: &Given, url: &str) -> String {
    given.get("HOLDFAST_SANDBOX_WEBHOOK_URL").cloned().unwrap_or_else(|| format!("{url}/v1/webhooks/stripe"))
}

/// Everything the functions' configuration is read from.
///
/// # Errors
/// When the proxy that injects faults cannot listen.
pub(crate) async fn variables(
    given: &Given,
    stripe: &Stripe,
    url: &str,
    queue_url: &str,
    token_key: &[u8],
    faults: &Faults,
) -> std::io::Result<Variables> {
    let mut all = given.clone();
    all.insert("HOLDFAST_TABLE".to_owned(), TABLE.to_owned());
    all.insert("HOLDFAST_QUEUE_URL".to_owned(), queue_url.to_owned());
    all.insert("HOLDFAST_DEVELOPMENT_KEY".to_owned(), hex::encode(token_key));
    for page in ["HOLDFAST_SUCCESS_URL", "HOLDFAST_CANCEL_URL"] {
        all.entry(page.to_owned()).or_insert_with(|| format!("{url}/"));
    }
    match stripe {
        Stripe::Sandbox(secret) => {
            let base = GatewayProxy::around(&format!("{url}{SANDBOX_API}"), faults).await?;
            all.insert("STRIPE_API_BASE".to_owned(), base);
            all.insert("STRIPE_SECRET_KEY".to_owned(), "sk_test_sandbox".to_owned());
            all.entry("STRIPE_WEBHOOK_SECRET".to_owned()).or_insert_with(|| secret.clone());
        }
        Stripe::Real => {
            if let (true, Some(base)) = (faults.any(), all.get("STRIPE_API_BASE").cloned()) {
                all.insert("STRIPE_API_BASE".to_owned(), GatewayProxy::around(&base, faults).await?);
            }
        }
    }
    Ok(Variables::new(all))
}
