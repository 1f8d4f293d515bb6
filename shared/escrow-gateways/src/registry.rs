//! Which gateways this deployment has, made from its settings.

use crate::gateway::Gateway;
use crate::http_client::{HttpClient, TlsUnusable};
use crate::stripe::Stripe;
use escrow_domain::id::GatewayName;
use std::sync::Arc;

/// The gateways that are configured.
#[derive(Clone, Default)]
pub struct Gateways {
    all: Vec<Arc<dyn Gateway>>,
}

/// A setting cannot be used. Its value is never shown: it may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum SettingsInvalid {
    /// The value has not the form that it must have.
    #[error("{name}: {problem}")]
    Value {
        /// The setting's name.
        name: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// No client can be made.
    #[error(transparent)]
    Tls(#[from] TlsUnusable),
}

impl Gateways {
    /// Every gateway for which there is a key. Secrets must be the secrets themselves by now, not their ARNs.
    ///
    /// Stripe: `STRIPE_SECRET_KEY`; `STRIPE_API_BASE`, by default Stripe's own; `STRIPE_WEBHOOK_SECRET`, several
    /// separated by commas while they are rotated, and absent where no webhooks are read.
    ///
    /// # Errors
    /// [`SettingsInvalid`] names the setting.
    pub fn from_settings(setting: &dyn Fn(&str) -> Option<String>) -> Result<Self, SettingsInvalid> {
        let http = HttpClient::new()?;
        let mut all: Vec<Arc<dyn Gateway>> = Vec::new();
        if let Some(stripe) = Stripe::from_settings(setting, http)? {
            all.push(Arc::new(stripe));
        }
        Ok(Self { all })
    }

    /// The gateway of that name; `None` if it is not configured.
    #[must_use]
    pub fn get(&self, name: GatewayName) -> Option<&dyn Gateway> {
        self.all.iter().find(|gateway| gateway.name() == name).map(AsRef::as_ref)
    }

    /// The names of those that are configured.
    pub fn names(&self) -> impl Iterator<Item = GatewayName> {
        self.all.iter().map(|gateway| gateway.name())
    }
}

impl std::fmt::Debug for Gateways {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}
