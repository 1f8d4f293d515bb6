//! How a payment is to be made, as a body says it: at which gateway or from the buyer's wallet, where the buyer pays, in which unit.

use escrow_domain::command::NewPayment;
use escrow_domain::currency::Currency;
use escrow_domain::id::GatewayName;
use escrow_domain::money::Money;
use escrow_domain::payment::{CheckoutRequest, Method, Mode, Source};
use escrow_domain::time::Timestamp;
use escrow_gateways::{Gateway, Gateways};
use escrow_http::config::Config;
use escrow_http::fields::{invalid, word};
use escrow_http::problem::{Answer, Code, Problem};

/// The longest address to send a buyer back to, in bytes.
const LONGEST_URL: usize = 1_000;
/// The longest description that a buyer reads on a page, in characters.
const LONGEST_DESCRIPTION: usize = 120;

/// The fields with which a body says it.
#[derive(Debug, Default)]
pub(crate) struct Wish {
    pub(crate) gateway: Option<String>,
    pub(crate) funding: Option<String>,
    pub(crate) method: Option<String>,
    pub(crate) mode: Option<String>,
    pub(crate) pay_in: Option<String>,
    pub(crate) success_url: Option<String>,
    pub(crate) cancel_url: Option<String>,
}

/// Where the money comes from.
#[derive(Clone, Copy)]
pub(crate) enum Way<'a> {
    /// Through a gateway of this deployment.
    Gateway(&'a dyn Gateway),
    /// Out of the buyer's wallet.
    Wallet,
}

/// What is paid, as far as it was read elsewhere.
pub(crate) struct Bill {
    /// Milestones with the buyer's fees, in the escrow's unit.
    pub(crate) charged: Money,
    /// Which milestones, by index.
    pub(crate) milestones: Vec<u8>,
    /// What the buyer reads.
    pub(crate) description: String,
    /// When the page ends.
    pub(crate) expires_at: Timestamp,
    /// The field that the amount stands in.
    pub(crate) pointer: &'static str,
}

impl Wish {
    /// Where the money comes from.
    ///
    /// # Errors
    /// 400 if neither a gateway nor the wallet is named, or both; 422 if the gateway is not set up here.
    pub(crate) fn way<'a>(&self, gateways: &'a Gateways) -> Answer<Way<'a>> {
        match (self.gateway.as_deref(), self.funding.as_deref()) {
            (Some(name), None) => Ok(Way::Gateway(configured(gateways, gateway_name(name)?)?)),
            (None, Some("wallet")) => self.out_of_wallet(),
            (None, Some(_)) => Err(invalid("/funding", "the only other funding is \"wallet\"")),
            (None, None) => Err(invalid("/gateway", "name the gateway to pay at, such as \"stripe\"")),
            (Some(_), Some(_)) => Err(invalid("/funding", "name a gateway or a funding, not both")),
        }
    }

    /// A wallet knows no page and no other unit: whoever names one means something else.
    fn out_of_wallet<'a>(&self) -> Answer<Way<'a>> {
        let given = [("/method", &self.method), ("/mode", &self.mode), ("/pay_in", &self.pay_in)];
        match given.iter().find(|(_, field)| field.is_some()) {
            Some((pointer, _)) => Err(invalid(pointer, "left out where the wallet pays")),
            None => Ok(Way::Wallet),
        }
    }

    /// The payment of this bill.
    ///
    /// # Errors
    /// The first field that cannot be accepted, each with its own code.
    pub(crate) fn payment(self, way: Way<'_>, bill: Bill, config: &Config) -> Answer<NewPayment> {
        let Bill { charged, milestones, description, expires_at, pointer } = bill;
        let Way::Gateway(gateway) = way else {
            let request = CheckoutRequest { description, success_url: String::new(), cancel_url: String::new() };
            let (source, mode) = (Source::Wallet, Mode::Hosted);
            return Ok(NewPayment { source, method: None, milestones, mode, pay_in: None, request, expires_at });
        };
        let asked = self.at_gateway(charged, config, pointer)?;
        gateway
            .check_amount(asked)
            .map_err(|unsupported| Problem::input(Code::AmountNotSupported, pointer, unsupported.to_string()))?;
        let mode = read_mode(self.mode.as_deref(), gateway)?;
        let method = read_method(self.method.as_deref(), gateway, asked.currency)?;
        let (success_url, cancel_url) = match mode {
            Mode::Hosted => (
                return_url(self.success_url, config.success_url.as_ref(), "/success_url")?,
                return_url(self.cancel_url, config.cancel_url.as_ref(), "/cancel_url")?,
            ),
            // The marketplace's own page sends the buyer on; what is given is checked all the same.
            Mode::Elements => {
                let checked = |url: Option<String>, pointer| url.map(|url| return_url(Some(url), None, pointer));
                let (success, cancel) =
                    (checked(self.success_url, "/success_url"), checked(self.cancel_url, "/cancel_url"));
                (success.transpose()?.unwrap_or_default(), cancel.transpose()?.unwrap_or_default())
            }
        };
        Ok(NewPayment {
            source: Source::Gateway(gateway.name()),
            method,
            milestones,
            mode,
            pay_in: (asked.currency != charged.currency).then_some(asked),
            request: CheckoutRequest { description, success_url, cancel_url },
            expires_at,
        })
    }

    /// What the gateway is asked for: the same, or what coins cost now. The rate is pinned with the payment.
    fn at_gateway(&self, charged: Money, config: &Config, pointer: &'static str) -> Answer<Money> {
        let unit = charged.currency;
        let asked = match config.rate(unit) {
            Some(rate) => rate
                .price_of(charged.amount)
                .map_err(|_| Problem::input(Code::AmountInvalid, pointer, "this costs more than can be handled"))?,
            None if config.is_coin(unit) => {
                let detail =
                    format!("No gateway takes {unit}, and it is not for sale here; it is paid from the wallet.");
                return Err(Problem::input(Code::PayInUnsupported, "/currency", detail));
            }
            None => charged,
        };
        match &self.pay_in {
            Some(named) if named != asked.currency.code() => {
                let detail = format!("{unit} is paid in {}.", asked.currency);
                Err(Problem::input(Code::PayInUnsupported, "/pay_in", detail))
            }
            Some(_) | None => Ok(asked),
        }
    }
}

/// What the buyer reads: the subject, and of several milestones those that are paid.
pub(crate) fn description(kind: &str, id: &str, titles: &[&str]) -> String {
    let whole = if titles.is_empty() { format!("{kind} {id}") } else { format!("{kind} {id}: {}", titles.join(", ")) };
    if whole.chars().count() <= LONGEST_DESCRIPTION {
        return whole;
    }
    let short: String = whole.chars().take(LONGEST_DESCRIPTION.saturating_sub(1)).collect();
    format!("{short}…")
}

/// The gateway of that name.
///
/// # Errors
/// 422 `gateway_not_configured`.
pub(crate) fn configured(gateways: &Gateways, name: GatewayName) -> Answer<&dyn Gateway> {
    gateways.get(name).ok_or_else(|| {
        Problem::input(Code::GatewayNotConfigured, "/gateway", format!("{name} is not set up in this deployment"))
    })
}

/// A gateway's name.
///
/// # Errors
/// 400 `gateway_unknown`.
pub(crate) fn gateway_name(name: &str) -> Answer<GatewayName> {
    name.parse().map_err(|_| {
        let known: Vec<&str> = GatewayName::ALL.iter().map(|name| name.as_str()).collect();
        Problem::input(Code::GatewayUnknown, "/gateway", format!("one of {}", known.join(", ")))
    })
}

fn read_mode(name: Option<&str>, gateway: &dyn Gateway) -> Answer<Mode> {
    let mode: Mode = name.map_or(Ok(Mode::Hosted), |name| word(name, "/mode", "hosted or elements"))?;
    if gateway.capabilities().modes.contains(&mode) {
        Ok(mode)
    } else {
        Err(invalid("/mode", &format!("a way that {} offers: it has no {mode}", gateway.name())))
    }
}

fn read_method(name: Option<&str>, gateway: &dyn Gateway, currency: Currency) -> Answer<Option<Method>> {
    let Some(name) = name else { return Ok(None) };
    let method: Method = word(name, "/method", "a way to pay, such as \"card\"")?;
    if gateway.capabilities().offers(Some(method), currency) {
        Ok(Some(method))
    } else {
        let detail =
            format!("{} does not offer {method} for {currency}; leave it out to let the page choose", gateway.name());
        Err(Problem::input(Code::BodyInvalid, "/method", detail))
    }
}

/// An address that a buyer is sent back to: https, or plain http on this machine only.
fn return_url(given: Option<String>, default: Option<&String>, pointer: &'static str) -> Answer<String> {
    let Some(url) = given.or_else(|| default.cloned()) else {
        return Err(invalid(pointer, "say where the buyer goes afterwards: this deployment has no default"));
    };
    let local = ["http://localhost", "http://127.0.0.1"]
        .iter()
        .any(|start| url.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/', '?'])));
    let remote = url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    let plain = url.len() <= LONGEST_URL && url.bytes().all(|byte| byte.is_ascii_graphic());
    if plain && (local || remote) {
        Ok(url)
    } else {
        Err(invalid(pointer, "an https address of at most 1000 characters"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use escrow_http::config::Variables;

    fn config() -> Config {
        let given = [
            ("HOLDFAST_TABLE", "t"),
            ("HOLDFAST_DEVELOPMENT_KEY", "0707070707070707070707070707070707070707070707070707070707070707"),
            ("HOLDFAST_UNITS", "COIN:0:QAR:10,GEM:2"),
        ];
        Config::from_variables(Variables::new(given.map(|(name, value)| (name.to_owned(), value.to_owned())))).unwrap()
    }

    /// What the gateway is asked for, or the code of the refusal.
    fn asked(amount: &str, code: &str, pay_in: Option<&str>) -> Result<String, &'static str> {
        let config = config();
        let charged = Money::parse(amount, config.currencies.find(code).unwrap()).unwrap();
        let wish = Wish { pay_in: pay_in.map(str::to_owned), ..Wish::default() };
        let asked = wish.at_gateway(charged, &config, "/amount");
        asked.map(|money| format!("{money} {}", money.currency)).map_err(|problem| problem.code().as_str())
    }

    #[test]
    fn coins_are_paid_in_the_currency_that_they_are_sold_in() {
        assert_eq!(asked("500", "COIN", None), Ok("50.00 QAR".to_owned()));
        assert_eq!(asked("1", "COIN", Some("QAR")), Ok("0.10 QAR".to_owned()));
        assert_eq!(asked("500", "COIN", Some("SAR")), Err("pay_in_unsupported"));
        assert_eq!(asked("5.00", "GEM", None), Err("pay_in_unsupported"), "nobody says what it costs");
        assert_eq!(asked("5.00", "SAR", None), Ok("5.00 SAR".to_owned()));
        assert_eq!(asked("5.00", "SAR", Some("SAR")), Ok("5.00 SAR".to_owned()));
        assert_eq!(asked("5.00", "SAR", Some("QAR")), Err("pay_in_unsupported"));
    }

    #[test]
    fn a_wallet_knows_no_page_and_no_other_unit() {
        let gateways = Gateways::default();
        let way = |wish: Wish| match wish.way(&gateways) {
            Ok(Way::Wallet) => "wallet",
            Ok(Way::Gateway(_)) => "gateway",
            Err(problem) => problem.code().as_str(),
        };
        let wallet = || Wish { funding: Some("wallet".into()), ..Wish::default() };
        let some = || Some("x".to_owned());
        assert_eq!(way(wallet()), "wallet");
        for wish in [
            Wish { method: some(), ..wallet() },
            Wish { mode: some(), ..wallet() },
            Wish { pay_in: some(), ..wallet() },
            Wish { gateway: some(), ..wallet() },
            Wish { funding: some(), ..Wish::default() },
            Wish::default(),
        ] {
            assert_eq!(way(wish), "body_invalid");
        }
        assert_eq!(way(Wish { gateway: some(), ..Wish::default() }), "gateway_unknown");
        assert_eq!(way(Wish { gateway: Some("fatora".into()), ..Wish::default() }), "gateway_not_configured");
    }

    #[test]
    fn what_the_buyer_reads_is_short() {
        assert_eq!(description("job", "42", &[]), "job 42");
        assert_eq!(description("contract", "7", &["Design", "Build"]), "contract 7: Design, Build");
        let long = "ش".repeat(100);
        let cut = description("contract", "7", &[&long, &long]);
        assert!(cut.chars().count() == LONGEST_DESCRIPTION && cut.ends_with('…'), "{cut}");
    }
}
