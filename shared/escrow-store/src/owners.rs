//! What belongs to the owner of a wallet beside it: payouts, top-ups, accounts at gateways, the wish to be paid out.

use crate::change::ChangeError;
use crate::error::StoreError;
use crate::index::Shape;
use crate::items::{self, Token};
use crate::keys::{self, Key, KeyKind};
use crate::lists::{ListError, Listed, Loaded, in_order, not_here};
use crate::member::Member;
use crate::schema;
use crate::store::Store;
use crate::write::Written;
use escrow_domain::currency::Currency;
use escrow_domain::id::{GatewayName, UserId};
use escrow_domain::payout::{Payout, PayoutStatus};
use escrow_domain::top_up::TopUp;
use escrow_domain::wallet::Wallet;

/// How often a wallet is looked at anew because it has moved.
const MOST_ROUNDS: u32 = 8;

/// A list of payouts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payouts {
    /// All of one owner's, newest first.
    Of(UserId),
    /// All that wait for an operator in this status, oldest first; none for a status in which none does.
    Waiting(PayoutStatus),
}

impl Store {
    /// A page of payouts, like [`Store::list`].
    ///
    /// # Errors
    /// As for [`Store::list`]. A payout that cannot be read is no error of the whole.
    pub async fn payouts(
        &self,
        payouts: &Payouts,
        limit: u8,
        cursor: Option<&str>,
    ) -> Result<Listed<Loaded<Payout>>, ListError> {
        let (name, whose, sources) = match payouts {
            Payouts::Of(owner) => ("payouts", owner.to_string(), vec![(schema::SELLER, keys::payouts(owner))]),
            Payouts::Waiting(status) => {
                let queue = keys::queue(*status).map(|queue| (schema::DISPUTES, queue.to_owned()));
                ("waiting", status.to_string(), queue.into_iter().collect())
            }
        };
        let shape = Shape { name, whose, kind: "P", sources, ascending: matches!(payouts, Payouts::Waiting(_)) };
        let (keys, next) = self.page(&shape, limit, cursor).await?;
        Ok(Listed { items: self.load_payouts(&keys).await?, next })
    }

    /// The payouts at these keys as they are now, like [`Store::load`].
    ///
    /// # Errors
    /// As for [`Store::load`].
    pub async fn load_payouts(&self, keys: &[Key]) -> Result<Vec<Loaded<Payout>>, StoreError> {
        let found = self.found(keys).await?;
        let read = |key: &Key, item| match key.kind() {
            KeyKind::Payout(id) => items::to_payout(item, id),
            _ => Err(not_here(key)),
        };
        let moments = |payout: &Payout| {
            let effect = payout.effect.map(|effect| effect.due_at);
            [effect, payout.look_up_at, payout.alarm_at, payout.lapses_at()].into_iter().flatten().collect()
        };
        Ok(in_order(keys, found, read, moments))
    }

    /// The wallets at these keys as they are now, like [`Store::load`].
    ///
    /// # Errors
    /// As for [`Store::load`].
    pub async fn load_wallets(&self, keys: &[Key]) -> Result<Vec<Loaded<Wallet>>, StoreError> {
        let found = self.found(keys).await?;
        let read = |key: &Key, item| match key.kind() {
            KeyKind::Wallet => items::to_wallet(item, key),
            _ => Err(not_here(key)),
        };
        Ok(in_order(keys, found, read, |wallet| wallet.due_at().into_iter().collect()))
    }

    /// A page of an owner's top-ups, newest first, like [`Store::list`].
    ///
    /// # Errors
    /// As for [`Store::list`]. A top-up that cannot be read is no error of the whole.
    pub async fn top_ups(
        &self,
        owner: &UserId,
        limit: u8,
        cursor: Option<&str>,
    ) -> Result<Listed<Loaded<TopUp>>, ListError> {
        let sources = vec![(schema::BUYER, keys::top_ups(owner))];
        let shape = Shape { name: "top_ups", whose: owner.to_string(), kind: "T", sources, ascending: false };
        let (keys, next) = self.page(&shape, limit, cursor).await?;
        let found = self.found(&keys).await?;
        let read = |key: &Key, item| match key.kind() {
            KeyKind::TopUp(id) => items::to_top_up(item, id),
            _ => Err(not_here(key)),
        };
        Ok(Listed { items: in_order(&keys, found, read, |_| Vec::new()), next })
    }

    /// Whose an account at a gateway is; `None` if nobody here knows it.
    ///
    /// # Errors
    /// As for [`Store::escrow`].
    pub async fn seller_of(&self, gateway: GatewayName, account: &str) -> Result<Option<UserId>, StoreError> {
        let key = keys::account(gateway, account);
        let item = self.table.get(&key).await?;
        Ok(item.map(|item| items::to_account(item, &key)).transpose()?)
    }

    /// Changes what a wallet's owner wishes of it, or whether it is on hold: anything but its money, which never changes alone. `decide`
    /// gives the whole next wallet, or `None` if there is nothing to change.
    ///
    /// # Errors
    /// [`ChangeError::Undecided`] with the reason that `decide` gave; [`StoreError::Unwritable`] if it changes the money.
    pub async fn change_wallet<Why>(
        &self,
        owner: &UserId,
        currency: Currency,
        mut decide: impl FnMut(&Wallet) -> Result<Option<Wallet>, Why>,
    ) -> Result<Wallet, ChangeError<Why, Wallet>> {
        let mut stands = self.wallet(owner, currency).await?;
        for _round in 0..MOST_ROUNDS {
            let next = match decide(&stands) {
                Ok(Some(next)) => next,
                Ok(None) => return Ok(stands),
                Err(why) => return Err(ChangeError::Undecided { why, escrow: Box::new(stands) }),
            };
            if money(&stands) != money(&next) {
                let why = "a wallet's money never changes alone".to_owned();
                return Err(StoreError::Unwritable(why).into());
            }
            let token = Token::random();
            let write = Member::Wallet { was: stands.version, now: &next }.write(&token)?;
            match self.table.put(&write, &token).await? {
                Written::Applied => return Ok(next),
                Written::Stands(Some(item)) => {
                    stands = items::to_wallet(item, &write.key).map_err(StoreError::from)?;
                }
                Written::Stands(None) => return Err(ChangeError::NotFound),
            }
        }
        Err(StoreError::Contended { attempts: MOST_ROUNDS }.into())
    }
}

/// Everything of a wallet that only moves with an aggregate.
fn money(wallet: &Wallet) -> Wallet {
    Wallet { hold: None, auto_payout: None, version: 0, ..wallet.clone() }
}
