//! A seller, as somebody who is paid: accounts at gateways, whether they can be paid there, and if not, what is missing.

use crate::decide::Outcome;
use crate::id::{GatewayName, UserId};
use crate::payout::{BankState, PayoutRefusal, Rail};
use crate::policy::words;
use crate::refusal::Broken;
use crate::time::Timestamp;

/// A seller's accounts. No money stands here: it is in the wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seller {
    /// Who.
    pub owner: UserId,
    /// At most one for each gateway.
    pub accounts: Vec<SellerAccount>,
    /// When it was first asked for.
    pub created_at: Timestamp,
    /// When something last changed.
    pub updated_at: Timestamp,
    /// Counts the commits; 0 is a seller that was never stored.
    pub version: u64,
}

/// An account of a seller at a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SellerAccount {
    /// Which gateway.
    pub gateway: GatewayName,
    /// The gateway's id of it (Stripe: `acct_…`); `None` until the gateway's answer is stored.
    pub account: Option<String>,
    /// How often another key was needed to open it (a gateway replays a stored failure for the key's life).
    pub attempt: u8,
    /// How far it is.
    pub state: AccountState,
    /// What the gateway still wants to know of the seller, in its words (Stripe: `requirements.currently_due`); at most 50.
    pub currently_due: Vec<String>,
    /// Why the gateway has disabled it, in its word (Stripe: `requirements.disabled_reason`).
    pub disabled_reason: Option<String>,
    /// How the newest of the gateway's own payouts to the seller's bank stands.
    pub bank: Option<BankState>,
    /// When the gateway told of this state, by its own clock. The newest counts.
    pub told_at: Option<Timestamp>,
}

/// How far an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccountState {
    /// The gateway has been asked for it, and its answer is not stored yet.
    Opening,
    /// The seller has to give what the gateway asks.
    Onboarding,
    /// The seller has given it; the gateway checks.
    Checking,
    /// Can be paid.
    Ready,
    /// The gateway has disabled it.
    Disabled,
    /// The seller has disconnected it.
    Disconnected,
}

words!(AccountState {
    Opening = "opening",
    Onboarding = "onboarding",
    Checking = "checking",
    Ready = "ready",
    Disabled = "disabled",
    Disconnected = "disconnected",
});

/// What a gateway tells of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountTold {
    /// Which gateway.
    pub gateway: GatewayName,
    /// The gateway's id of the account.
    pub account: String,
    /// Whether transfers to it are possible (Stripe: `capabilities.transfers` is `active`).
    pub transfers: bool,
    /// Whether it is paid out to a bank (Stripe: `payouts_enabled`).
    pub payouts: bool,
    /// Whether the seller has given everything that was asked (Stripe: `details_submitted`).
    pub submitted: bool,
    /// Whether the seller took away the platform's access (Stripe: `account.application.deauthorized`).
    pub disconnected: bool,
    /// What the gateway still wants to know.
    pub currently_due: Vec<String>,
    /// Why it is disabled.
    pub disabled_reason: Option<String>,
    /// When it was so, by the gateway's clock.
    pub told_at: Timestamp,
}

/// No more of a gateway's wishes are kept; the gateway's own page shows them all.
const MOST_DUE: usize = 50;

impl Seller {
    /// A seller before the first account.
    #[must_use]
    pub const fn new(owner: UserId, now: Timestamp) -> Self {
        Self { owner, accounts: Vec::new(), created_at: now, updated_at: now, version: 0 }
    }

    /// The account at a gateway.
    #[must_use]
    pub fn account(&self, gateway: GatewayName) -> Option<&SellerAccount> {
        self.accounts.iter().find(|account| account.gateway == gateway)
    }

    /// By which way this seller is paid at that gateway.
    ///
    /// # Errors
    /// [`PayoutRefusal::NotReady`] says in words what the seller must do next.
    pub fn destination(&self, gateway: GatewayName) -> Result<Rail, PayoutRefusal> {
        let Some(account) = self.account(gateway) else { return Err(not_ready(NO_ACCOUNT)) };
        match (account.missing(), &account.account) {
            (None, Some(id)) => Ok(Rail::Gateway { gateway, account: id.clone() }),
            (Some(reason), _) => Err(PayoutRefusal::NotReady { reason }),
            (None, None) => Err(not_ready(NO_ACCOUNT)),
        }
    }

    /// The seller wants an account at a gateway: it is to be opened there, unless it was. One that was disconnected is replaced.
    ///
    /// # Errors
    /// [`Broken`] if there are no more keys.
    pub fn begin(&self, gateway: GatewayName, now: Timestamp) -> Result<Outcome<Self>, Broken> {
        match self.account(gateway) {
            Some(account) if account.state != AccountState::Disconnected => Ok(Outcome::AlreadyDone),
            Some(account) => {
                let attempt = account.attempt.checked_add(1).ok_or(Broken("keys without end"))?;
                self.with(SellerAccount { attempt, ..SellerAccount::opening(gateway) }, now)
            }
            None => self.with(SellerAccount::opening(gateway), now),
        }
    }

    /// The gateway has opened the account.
    ///
    /// # Errors
    /// [`Broken`] if nobody asked for it.
    pub fn opened(&self, gateway: GatewayName, id: &str, now: Timestamp) -> Result<Outcome<Self>, Broken> {
        let account = self.account(gateway).ok_or(Broken("an account that nobody asked for"))?;
        if account.account.is_some() {
            return Ok(Outcome::AlreadyDone);
        }
        let (id, state) = (Some(id.to_owned()), AccountState::Onboarding);
        self.with(SellerAccount { account: id, state, ..account.clone() }, now)
    }

    /// The gateway answered the opening with a 5xx, which it would repeat for the key's life: the next request needs another key.
    ///
    /// # Errors
    /// [`Broken`] if nobody asked for it, or there are no more keys.
    pub fn next_attempt(&self, gateway: GatewayName, failed: u8, now: Timestamp) -> Result<Outcome<Self>, Broken> {
        let account = self.account(gateway).ok_or(Broken("an account that nobody asked for"))?;
        if account.account.is_some() || account.attempt != failed {
            return Ok(Outcome::AlreadyDone);
        }
        let attempt = account.attempt.checked_add(1).ok_or(Broken("keys without end"))?;
        self.with(SellerAccount { attempt, ..account.clone() }, now)
    }

    /// A gateway tells of the account. The newest counts; what is told of an account that was replaced changes nothing.
    ///
    /// # Errors
    /// [`Broken`] if the version has no end.
    pub fn told(&self, told: &AccountTold, now: Timestamp) -> Result<Outcome<Self>, Broken> {
        let known = self.account(told.gateway).filter(|known| known.account.as_deref() == Some(told.account.as_str()));
        let Some(known) = known else { return Ok(Outcome::AlreadyDone) };
        let next = SellerAccount {
            state: told.state(),
            currently_due: told.currently_due.iter().take(MOST_DUE).cloned().collect(),
            disabled_reason: told.disabled_reason.clone(),
            told_at: Some(told.told_at),
            ..known.clone()
        };
        // Gateways tell the time in whole seconds, and tell of an account several times in one. Then the further state counts: a
        // seller who is wrongly taken as ready is refused by the gateway, one who is wrongly taken as not ready waits for nothing.
        if next == *known || (known.told_at, known.state.rank()) > (next.told_at, next.state.rank()) {
            return Ok(Outcome::AlreadyDone);
        }
        self.with(next, now)
    }

    /// A gateway tells how its own payout to the seller's bank stands. The newest counts.
    ///
    /// # Errors
    /// [`Broken`] if the version has no end.
    pub fn bank_told(
        &self,
        gateway: GatewayName,
        account: &str,
        told: &BankState,
        now: Timestamp,
    ) -> Result<Outcome<Self>, Broken> {
        let known = self.account(gateway).filter(|known| known.account.as_deref() == Some(account));
        let Some(known) = known else { return Ok(Outcome::AlreadyDone) };
        if known.bank.as_ref().is_some_and(|bank| !told.is_newer_than(bank)) {
            return Ok(Outcome::AlreadyDone);
        }
        self.with(SellerAccount { bank: Some(told.clone()), ..known.clone() }, now)
    }

    fn with(&self, account: SellerAccount, now: Timestamp) -> Result<Outcome<Self>, Broken> {
        let mut next = self.clone();
        match next.accounts.iter_mut().find(|known| known.gateway == account.gateway) {
            Some(known) => *known = account,
            None => next.accounts.push(account),
        }
        next.updated_at = now;
        next.version = self.version.checked_add(1).ok_or(Broken("a version without end"))?;
        Ok(Outcome::Changed(Box::new(next)))
    }
}

impl SellerAccount {
    const fn opening(gateway: GatewayName) -> Self {
        Self {
            gateway,
            account: None,
            attempt: 0,
            state: AccountState::Opening,
            currently_due: Vec::new(),
            disabled_reason: None,
            bank: None,
            told_at: None,
        }
    }

    /// The key under which the gateway knows the request that opens it.
    #[must_use]
    pub fn key(&self, owner: &UserId) -> String {
        // No owner's name has a `#`, so that no two requests share a key.
        if self.attempt == 0 { format!("seller-{owner}") } else { format!("seller-{owner}#{}", self.attempt) }
    }

    /// What keeps the seller from being paid here, in words that they are shown; `None` if nothing does.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        let gateway = self.gateway;
        Some(match self.state {
            AccountState::Ready => return None,
            AccountState::Opening => NO_ACCOUNT.to_owned(),
            AccountState::Onboarding if self.currently_due.is_empty() => {
                format!("{gateway} still needs to know who they are: open the onboarding link")
            }
            AccountState::Onboarding => {
                let due = self.currently_due.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
                let more = if self.currently_due.len() > 5 { " and more" } else { "" };
                format!("{gateway} still asks for {due}{more}: open the onboarding link")
            }
            AccountState::Checking => {
                format!("{gateway} checks what they have given; there is nothing to do but wait")
            }
            AccountState::Disabled => {
                let why = self.disabled_reason.as_deref().unwrap_or("no reason given");
                format!("{gateway} has disabled the account ({why}): ask the marketplace's support")
            }
            AccountState::Disconnected => {
                format!("they have disconnected their account at {gateway}: start the onboarding again")
            }
        })
    }
}

impl AccountState {
    /// Which of two states that were told in one second counts.
    const fn rank(self) -> u8 {
        match self {
            Self::Opening => 0,
            Self::Onboarding => 1,
            Self::Checking => 2,
            Self::Disabled => 3,
            Self::Ready => 4,
            Self::Disconnected => 5,
        }
    }
}

impl AccountTold {
    /// What it says of the account.
    #[must_use]
    pub fn state(&self) -> AccountState {
        // Stripe's values of `requirements.disabled_reason` that no answer of the seller's ends (API reference, *The Account object*).
        let closed =
            |reason: &str| reason.starts_with("rejected.") || reason == "platform_paused" || reason == "listed";
        if self.disconnected {
            AccountState::Disconnected
        } else if self.transfers && self.payouts {
            AccountState::Ready
        } else if self.disabled_reason.as_deref().is_some_and(closed) {
            AccountState::Disabled
        } else if !self.submitted || !self.currently_due.is_empty() {
            AccountState::Onboarding
        } else {
            AccountState::Checking
        }
    }
}

/// What somebody without an account reads.
const NO_ACCOUNT: &str = "they have no account there yet: start the onboarding";

fn not_ready(reason: &str) -> PayoutRefusal {
    PayoutRefusal::NotReady { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRIPE: GatewayName = GatewayName::Stripe;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_seconds(second)
    }

    fn told(second: i64, transfers: bool, due: &[&str]) -> AccountTold {
        AccountTold {
            gateway: STRIPE,
            account: "acct_1".to_owned(),
            transfers,
            payouts: transfers,
            submitted: true,
            disconnected: false,
            currently_due: due.iter().map(|due| (*due).to_owned()).collect(),
            disabled_reason: None,
            told_at: at(second),
        }
    }

    fn next(seller: &Seller, outcome: Result<Outcome<Seller>, Broken>) -> Seller {
        match outcome.unwrap() {
            Outcome::Changed(next) => {
                assert_eq!(next.version, seller.version + 1);
                *next
            }
            Outcome::AlreadyDone => seller.clone(),
        }
    }

    fn connected() -> Seller {
        let seller = Seller::new("usr_seller".parse().unwrap(), at(0));
        let seller = next(&seller, seller.begin(STRIPE, at(1)));
        next(&seller, seller.opened(STRIPE, "acct_1", at(2)))
    }

    fn why(seller: &Seller) -> String {
        seller.destination(STRIPE).map_or_else(|refusal| refusal.to_string(), |rail| format!("{rail:?}"))
    }

    #[test]
    fn a_seller_who_cannot_be_paid_reads_what_to_do_next() {
        let stranger = Seller::new("usr_seller".parse().unwrap(), at(0));
        let seller = connected();
        let tell = |told: AccountTold| why(&next(&seller, seller.told(&told, at(9))));
        let cases = [
            why(&stranger),
            why(&next(&stranger, stranger.begin(STRIPE, at(1)))),
            why(&seller),
            tell(told(5, false, &["external_account", "individual.dob.day"])),
            tell(told(5, false, &[])),
            tell(AccountTold { disabled_reason: Some("rejected.fraud".to_owned()), ..told(5, false, &[]) }),
            tell(AccountTold { payouts: false, ..told(5, true, &["external_account"]) }),
            tell(AccountTold { disconnected: true, ..told(5, true, &[]) }),
            tell(told(5, true, &[])),
        ];
        insta::assert_snapshot!(cases.join("\n"), @r#"
        the seller cannot be paid yet: they have no account there yet: start the onboarding
        the seller cannot be paid yet: they have no account there yet: start the onboarding
        the seller cannot be paid yet: stripe still needs to know who they are: open the onboarding link
        the seller cannot be paid yet: stripe still asks for external_account, individual.dob.day: open the onboarding link
        the seller cannot be paid yet: stripe checks what they have given; there is nothing to do but wait
        the seller cannot be paid yet: stripe has disabled the account (rejected.fraud): ask the marketplace's support
        the seller cannot be paid yet: stripe still asks for external_account: open the onboarding link
        the seller cannot be paid yet: they have disconnected their account at stripe: start the onboarding again
        Gateway { gateway: Stripe, account: "acct_1" }
        "#);
    }

    #[test]
    fn what_a_gateway_tells_of_an_account_counts_in_the_order_in_which_it_was_so() {
        let news = [told(5, false, &["a"]), told(6, true, &[]), told(6, false, &["b"]), told(4, true, &[])];
        let mut orders = vec![];
        for first in 0..4 {
            for second in (0..4).filter(|second| *second != first) {
                for third in (0..4).filter(|third| *third != first && *third != second) {
                    orders.push([first, second, third, 6 - first - second - third]);
                }
            }
        }
        assert_eq!(orders.len(), 24);
        for order in orders {
            let mut seller = connected();
            for index in order {
                seller = next(&seller, seller.told(&news[index], at(9)));
                // The same again changes nothing.
                assert_eq!(seller.told(&news[index], at(10)), Ok(Outcome::AlreadyDone));
            }
            assert_eq!(seller.accounts[0].state, AccountState::Ready, "{order:?}");
            assert_eq!(seller.accounts[0].told_at, Some(at(6)), "{order:?}");
        }
    }

    #[test]
    fn a_disconnected_account_is_replaced_and_news_of_the_old_one_is_not_its_own() {
        let seller = connected();
        assert_eq!(seller.begin(STRIPE, at(3)), Ok(Outcome::AlreadyDone));
        let gone = AccountTold { disconnected: true, ..told(5, true, &[]) };
        let seller = next(&seller, seller.told(&gone, at(5)));
        let seller = next(&seller, seller.begin(STRIPE, at(6)));
        let owner = seller.owner.clone();
        assert_eq!(seller.account(STRIPE).unwrap().key(&owner), "seller-usr_seller#1");
        let seller = next(&seller, seller.next_attempt(STRIPE, 1, at(7)));
        assert_eq!(seller.next_attempt(STRIPE, 1, at(7)), Ok(Outcome::AlreadyDone));
        let seller = next(&seller, seller.opened(STRIPE, "acct_2", at(8)));
        assert_eq!(seller.told(&told(9, true, &[]), at(9)), Ok(Outcome::AlreadyDone), "that is the old account");
        let ready = AccountTold { account: "acct_2".to_owned(), ..told(9, true, &[]) };
        let seller = next(&seller, seller.told(&ready, at(9)));
        let rail = Rail::Gateway { gateway: STRIPE, account: "acct_2".to_owned() };
        assert_eq!(seller.destination(STRIPE), Ok(rail));
    }
}
