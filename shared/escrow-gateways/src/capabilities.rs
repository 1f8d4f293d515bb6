//! What each gateway can do, and within which limits: one table, read by everything that must differ between gateways.
//!
//! Every fact names its source. Where no official source says it, the entry is what is safe to assume: no key, no look-up.

use escrow_domain::currency::{Currencies, Currency};
use escrow_domain::id::GatewayName;
use escrow_domain::payment::{Method, Mode};
use escrow_domain::time::Period;

/// One row of the table.
#[derive(Debug)]
pub struct Capabilities {
    /// Whose row it is.
    pub gateway: GatewayName,
    /// For how long the gateway recognises a repeated request, per call.
    pub keys: Keys,
    /// Whether a payment that the buyer approved must be captured by another call.
    pub capture: Capture,
    /// What a look-up can find out about a refund whose answer was lost. A payment can be looked up at every gateway.
    pub refund_look_up: RefundLookUp,
    /// Whether a part of a capture can be refunded.
    pub partial_refunds: PartialRefunds,
    /// How sellers are paid.
    pub payouts: Payouts,
    /// Whether a look-up finds a payout whose answer was lost, by the gateway's id or by ours.
    pub payout_look_up: bool,
    /// Where the buyer can pay.
    pub modes: &'static [Mode],
    /// How far a posted notice can be trusted.
    pub notices: Notices,
    /// How long money may be held before it must go to somebody; `None`: no limit is documented.
    pub hold: Option<Period>,
    /// How soon after it was opened a page may end at the earliest and at the latest; `None`: not documented, or not ours to set.
    pub page_life: Option<(Period, Period)>,
    /// In which form amounts are sent.
    pub amounts: Amounts,
    /// Which currencies it takes at all.
    pub currencies: CurrencyList,
    /// Which ways to pay it offers, and in which currencies.
    pub methods: &'static [(Method, CurrencyList)],
}

/// The life of idempotency keys. `None`: the call knows no key, so that a repeated request is done again.
#[derive(Debug, Clone, Copy)]
pub struct Keys {
    /// Of the call that opens a page.
    pub checkout: Option<KeyLife>,
    /// Of a capture.
    pub capture: Option<KeyLife>,
    /// Of a refund.
    pub refund: Option<KeyLife>,
    /// Of a transfer or payout to a seller.
    pub payout: Option<KeyLife>,
    /// Of the call that opens a seller's account.
    pub account: Option<KeyLife>,
}

/// How long a key is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLife {
    /// As the gateway promises.
    pub kept: Period,
    /// How long after the first request the same one may be sent again: less, because our clock is not the gateway's and a request may
    /// be long on its way.
    pub safe: Period,
}

/// How a payment that the buyer approved becomes money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capture {
    /// By itself.
    ByItself,
    /// By a second call of ours.
    Called,
}

/// What a look-up finds out about one refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundLookUp {
    /// The refund itself, by the gateway's id or by ours.
    EachRefund,
    /// Only how much of the payment has gone back in all: one refund at a time may be in doubt.
    OnlyTheTotal,
    /// Nothing that could be relied on.
    Nothing,
}

/// Whether a part of a capture can be refunded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartialRefunds {
    /// Yes, several times.
    Yes,
    /// With some payment methods.
    SomeMethods,
    /// Not as far as is documented: the rest is credited to the buyer's wallet.
    No,
}

/// How a seller's money leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payouts {
    /// A transfer to the seller's connected account, which the gateway pays out.
    Transfers,
    /// A payout to the seller's account or address, by batch.
    Batches,
    /// From a bank account of the platform's own, not from the money taken here.
    OwnBankAccount,
    /// Only by a split that is fixed when the buyer pays: too early for an escrow.
    SplitAtPayment,
    /// Not at all.
    No,
}

/// What a posted notice proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notices {
    /// Body and time are signed: a fact.
    SignedWithTime,
    /// The body is signed, its time is not: a fact, but an old one may be posted again.
    Signed,
    /// A secret stands in the body: it proves the sender, not the content. A hint to look the payment up.
    SharedToken,
    /// Nothing: a hint to look the payment up.
    Unsigned,
}

/// In which form amounts are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amounts {
    /// A whole number of the gateway's smallest units, which are not always the currency's.
    Integer,
    /// Decimal text in major units.
    DecimalText,
    /// A decimal JSON number in major units, written from decimal text, never from a binary float.
    DecimalNumber,
}

/// A set of currencies.
#[derive(Debug, Clone, Copy)]
pub enum CurrencyList {
    /// Every currency of ISO 4217 but these.
    AllBut(&'static [&'static str]),
    /// These.
    Only(&'static [&'static str]),
}

impl CurrencyList {
    /// Whether a currency is in it. A platform's own coin never is.
    #[must_use]
    pub fn has(&self, currency: Currency) -> bool {
        let listed = |codes: &[&str]| codes.contains(&currency.code());
        let real = Currencies::default().find(currency.code()) == Some(currency);
        real && match self {
            Self::AllBut(codes) => !listed(codes),
            Self::Only(codes) => listed(codes),
        }
    }
}

impl Capabilities {
    /// The gateway's row.
    #[must_use]
    pub const fn of(gateway: GatewayName) -> &'static Self {
        match gateway {
            GatewayName::Stripe => &STRIPE,
            GatewayName::PayPal => &PAYPAL,
            GatewayName::PayTabs => &PAYTABS,
            GatewayName::Moyasar => &MOYASAR,
            GatewayName::Fatora => &FATORA,
        }
    }

    /// Whether a buyer can pay in this way and this currency; without a way, whether the gateway takes the currency.
    #[must_use]
    pub fn offers(&self, method: Option<Method>, currency: Currency) -> bool {
        let way = |wanted: Method| self.methods.iter().any(|(method, list)| *method == wanted && list.has(currency));
        self.currencies.has(currency) && method.is_none_or(way)
    }
}

const NO_KEYS: Keys = Keys { checkout: None, capture: None, refund: None, payout: None, account: None };
const HOSTED: &[Mode] = &[Mode::Hosted];
const EVERYWHERE: CurrencyList = CurrencyList::AllBut(&[]);
const SAR: CurrencyList = CurrencyList::Only(&["SAR"]);

/// docs.stripe.com/api/idempotent_requests: keys are kept for at least 24 hours, on every POST.
const STRIPE_KEY: Option<KeyLife> = Some(KeyLife { kept: Period::hours(24), safe: Period::hours(20) });

static STRIPE: Capabilities = Capabilities {
    gateway: GatewayName::Stripe,
    keys: Keys {
        checkout: STRIPE_KEY,
        capture: STRIPE_KEY,
        refund: STRIPE_KEY,
        payout: STRIPE_KEY,
        account: STRIPE_KEY,
    },
    capture: Capture::ByItself,
    refund_look_up: RefundLookUp::EachRefund,
    partial_refunds: PartialRefunds::Yes,
    payouts: Payouts::Transfers,
    // docs.stripe.com/api/transfers/list: by `destination`, and there by the id of ours that each carries.
    payout_look_up: true,
    // docs.stripe.com/payments/payment-element: a payment intent's client secret is what the form needs.
    modes: &[Mode::Hosted, Mode::Elements],
    // docs.stripe.com/webhooks: `Stripe-Signature` has the time in what is signed.
    notices: Notices::SignedWithTime,
    // docs.stripe.com/connect/manual-payouts limits how long a *connected account's* balance may wait for its payout (90 days, 2
    // years in the United States, 10 days in Thailand). Holdfast holds on the platform's own balance and transfers when it pays
    // out, for which Stripe documents no limit.
    hold: None,
    // docs.stripe.com/api/checkout/sessions/create, `expires_at`.
    page_life: Some((Period::minutes(30), Period::hours(24))),
    amounts: Amounts::Integer,
    // docs.stripe.com/currencies lists 135 and more for presentment; of those with three digits these two never were among them.
    // What an account may really charge, Stripe says when it is asked.
    currencies: CurrencyList::AllBut(&["IQD", "LYD"]),
    // docs.stripe.com/payments/payment-methods/payment-method-support: wallets come with `card`; no mada, no STC Pay.
    // PayPal only for accounts of some European countries and their currencies.
    methods: &[
        (Method::Card, EVERYWHERE),
        (Method::Visa, EVERYWHERE),
        (Method::Mastercard, EVERYWHERE),
        (Method::ApplePay, EVERYWHERE),
        (Method::GooglePay, EVERYWHERE),
        (
            Method::PayPal,
            CurrencyList::Only(&[
                "AUD", "CAD", "CHF", "CZK", "DKK", "EUR", "GBP", "HKD", "NOK", "NZD", "PLN", "SEK", "SGD", "USD",
            ]),
        ),
    ],
};

static PAYPAL: Capabilities = Capabilities {
    gateway: GatewayName::PayPal,
    // PayPal's OpenAPI files: `PayPal-Request-Id` is kept 6 hours for orders, 45 days for payments, and a payout's batch id 30 days.
    keys: Keys {
        checkout: Some(KeyLife { kept: Period::hours(6), safe: Period::hours(5) }),
        capture: Some(KeyLife { kept: Period::days(45), safe: Period::days(40) }),
        refund: Some(KeyLife { kept: Period::days(45), safe: Period::days(40) }),
        payout: Some(KeyLife { kept: Period::days(30), safe: Period::days(28) }),
        account: None,
    },
    // checkout_orders_v2.json: an approved order is captured within three hours.
    capture: Capture::Called,
    refund_look_up: RefundLookUp::EachRefund,
    partial_refunds: PartialRefunds::Yes,
    payouts: Payouts::Batches,
    // payments_payouts_batch_v1.json: a batch is looked up by PayPal's id only, and the same `sender_batch_id` again is refused.
    payout_look_up: false,
    modes: HOSTED,
    // developer.paypal.com/api/rest/webhooks/rest: the transmission's time is signed with the body's checksum.
    notices: Notices::SignedWithTime,
    hold: None,
    page_life: None,
    amounts: Amounts::DecimalText,
    // PayPal's table of currency codes, as copied by doc.oroinc.com; no Gulf currency is in it.
    currencies: CurrencyList::Only(PAYPAL_CURRENCIES),
    methods: &[
        (Method::PayPal, CurrencyList::Only(PAYPAL_CURRENCIES)),
        (Method::Card, CurrencyList::Only(PAYPAL_CURRENCIES)),
        (Method::Visa, CurrencyList::Only(PAYPAL_CURRENCIES)),
        (Method::Mastercard, CurrencyList::Only(PAYPAL_CURRENCIES)),
        (Method::ApplePay, CurrencyList::Only(PAYPAL_CURRENCIES)),
        (Method::GooglePay, CurrencyList::Only(PAYPAL_CURRENCIES)),
    ],
};

const PAYPAL_CURRENCIES: &[&str] = &[
    "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "ILS", "JPY", "MXN", "MYR", "NOK",
    "NZD", "PHP", "PLN", "SEK", "SGD", "THB", "TWD", "USD",
];

static PAYTABS: Capabilities = Capabilities {
    gateway: GatewayName::PayTabs,
    // None is documented. An identical request within about two minutes gets 409 *Duplicate*, which is no key.
    keys: NO_KEYS,
    capture: Capture::ByItself,
    // `/payment/query` by cart lists each transaction of the cart (php-sdk `TransactionQuery.php`); each refund is a cart of its own.
    refund_look_up: RefundLookUp::EachRefund,
    // php-sdk `PaymentMethod/Methods`: all of ours but SADAD.
    partial_refunds: PartialRefunds::SomeMethods,
    payouts: Payouts::SplitAtPayment,
    payout_look_up: false,
    modes: HOSTED,
    // support.paytabs.com 60000718961: HMAC-SHA256 of the raw body.
    notices: Notices::Signed,
    hold: None,
    page_life: None,
    amounts: Amounts::DecimalNumber,
    currencies: EVERYWHERE,
    // docs.paytabs.com, supported payment methods of the hosted page; Google Pay is not among them.
    methods: &[
        (Method::Card, EVERYWHERE),
        (Method::Visa, EVERYWHERE),
        (Method::Mastercard, EVERYWHERE),
        (Method::Mada, SAR),
        (Method::ApplePay, EVERYWHERE),
        (Method::StcPay, SAR),
        (Method::PayPal, CurrencyList::Only(&["AED", "EGP", "EUR", "GBP", "HKD", "JPY", "USD"])),
    ],
};

static MOYASAR: Capabilities = Capabilities {
    gateway: GatewayName::Moyasar,
    // docs.moyasar.com/api/idempotency: `given_id` is for payments only; the hosted page is an invoice, which knows none.
    keys: NO_KEYS,
    capture: Capture::ByItself,
    // A refund is no object there: the payment's `refunded` grows.
    refund_look_up: RefundLookUp::OnlyTheTotal,
    partial_refunds: PartialRefunds::Yes,
    // docs.moyasar.com/guides/payouts/introduction.
    payouts: Payouts::OwnBankAccount,
    payout_look_up: false,
    modes: HOSTED,
    // docs.moyasar.com/api/other/webhooks/webhook-reference: `secret_token` in the body.
    notices: Notices::SharedToken,
    hold: None,
    page_life: None,
    amounts: Amounts::Integer,
    currencies: EVERYWHERE,
    methods: &[
        (Method::Card, EVERYWHERE),
        (Method::Visa, EVERYWHERE),
        (Method::Mastercard, EVERYWHERE),
        (Method::Mada, SAR),
        (Method::ApplePay, EVERYWHERE),
        (Method::GooglePay, EVERYWHERE),
        (Method::StcPay, SAR),
    ],
};

static FATORA: Capabilities = Capabilities {
    gateway: GatewayName::Fatora,
    keys: NO_KEYS,
    capture: Capture::ByItself,
    // fatora.io/api/verify.php tells the payment's state; whether it shows refunds is not documented.
    refund_look_up: RefundLookUp::Nothing,
    // fatora.io/api/refund.php documents no amount.
    partial_refunds: PartialRefunds::No,
    payouts: Payouts::No,
    payout_look_up: false,
    modes: HOSTED,
    // Neither format nor signature of its webhook is documented.
    notices: Notices::Unsigned,
    hold: None,
    page_life: None,
    amounts: Amounts::DecimalNumber,
    currencies: EVERYWHERE,
    methods: &[(Method::Card, EVERYWHERE), (Method::Visa, EVERYWHERE), (Method::Mastercard, EVERYWHERE)],
};

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        Currencies::default().find(code).unwrap()
    }

    #[test]
    fn every_gateway_has_its_own_row_and_no_key_is_used_to_its_end() {
        for gateway in GatewayName::ALL {
            let row = Capabilities::of(gateway);
            assert_eq!(row.gateway, gateway);
            let keys = [row.keys.checkout, row.keys.capture, row.keys.refund, row.keys.payout, row.keys.account];
            for life in keys.into_iter().flatten() {
                assert!(life.safe < life.kept, "{gateway}");
            }
        }
        assert_eq!(Capabilities::of(GatewayName::Stripe).keys.refund.map(|life| life.safe), Some(Period::hours(20)));
    }

    /// A payout without a key and without a look-up could not be sent twice and not be found either: an answer that is lost would stay in
    /// doubt for ever.
    #[test]
    fn whoever_pays_sellers_knows_a_repeated_payout_or_lets_it_be_looked_up() {
        for gateway in GatewayName::ALL {
            let row = Capabilities::of(gateway);
            let sends = matches!(row.payouts, Payouts::Transfers | Payouts::Batches);
            assert!(!sends || row.keys.payout.is_some() || row.payout_look_up, "{gateway}");
            assert!(row.modes.contains(&Mode::Hosted), "{gateway}");
            assert_eq!(row.modes.contains(&Mode::Elements), gateway == GatewayName::Stripe, "{gateway}");
        }
        assert_eq!(Capabilities::of(GatewayName::Stripe).keys.payout.map(|life| life.safe), Some(Period::hours(20)));
    }

    #[test]
    fn a_method_is_offered_only_where_gateway_and_currency_have_it() {
        let offers = |gateway, method, code| Capabilities::of(gateway).offers(method, currency(code));
        assert!(offers(GatewayName::Stripe, Some(Method::Card), "SAR"));
        assert!(offers(GatewayName::Stripe, None, "SAR"));
        assert!(!offers(GatewayName::Stripe, Some(Method::Mada), "SAR"));
        assert!(!offers(GatewayName::Stripe, Some(Method::PayPal), "SAR"));
        assert!(!offers(GatewayName::Stripe, None, "IQD"));
        assert!(offers(GatewayName::Moyasar, Some(Method::Mada), "SAR"));
        assert!(!offers(GatewayName::Moyasar, Some(Method::Mada), "USD"));
        assert!(!offers(GatewayName::PayTabs, Some(Method::GooglePay), "SAR"));
        assert!(!offers(GatewayName::PayPal, None, "SAR"));
        assert!(!offers(GatewayName::Fatora, Some(Method::StcPay), "SAR"));
    }

    #[test]
    fn no_gateway_takes_a_coin() {
        let coin = Currency::coin("COIN", 0).unwrap();
        for gateway in GatewayName::ALL {
            assert!(!Capabilities::of(gateway).offers(None, coin), "{gateway}");
        }
    }
}
