//! The wallets of a change: what they become, and what they were when a commit failed on them.

use crate::error::{StoreError, Unreadable};
use crate::keys;
use crate::member::{Member, Stands};
use crate::store::Store;
use escrow_domain::currency::Currency;
use escrow_domain::id::UserId;
use escrow_domain::money::Minor;
use escrow_domain::wallet::{Wallet, WalletLine, WalletMove, WalletRefusal};

/// A wallet that did not allow what was decided: nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the wallet of {owner} in {currency} refused")]
pub struct WalletRefused {
    /// Whose.
    pub owner: UserId,
    /// The unit.
    pub currency: Currency,
    /// What was asked of it, in minor units.
    pub amount: Minor,
    /// Why not.
    #[source]
    pub refusal: WalletRefusal,
}

/// Moves that cannot be made, or could not be looked at.
#[derive(Debug)]
pub(crate) enum Unmoved {
    Refused(WalletRefused),
    Store(StoreError),
}

impl From<StoreError> for Unmoved {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Wallets as they were last seen: loaded once, and brought up to date by commits that failed on them.
#[derive(Debug, Default)]
pub(crate) struct Wallets(Vec<Wallet>);

/// Wallets after some moves, each with the version before, and the lines that tell of them.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    wallets: Vec<(u64, Wallet)>,
    lines: Vec<WalletLine>,
}

impl Moved {
    pub(crate) fn members(&self) -> impl Iterator<Item = Member<'_>> {
        let wallets = self.wallets.iter().map(|(was, now)| Member::Wallet { was: *was, now });
        wallets.chain(self.lines.iter().map(Member::Line))
    }
}

impl Wallets {
    /// The wallets of these moves after all of them, loaded where they have not been seen. A wallet is in a commit once, however many
    /// moves it makes.
    pub(crate) async fn after<'a>(
        &mut self,
        store: &Store,
        moves: impl IntoIterator<Item = &'a WalletMove>,
    ) -> Result<Moved, Unmoved> {
        let mut all = Moved::default();
        for moved in moves {
            let same = |wallet: &Wallet| wallet.owner == moved.owner && wallet.currency == moved.currency;
            let begun = all.wallets.iter().position(|(_, wallet)| same(wallet));
            let (was, before) = match begun {
                Some(place) => all.wallets.swap_remove(place),
                None => {
                    let seen = match self.0.iter().find(|wallet| same(wallet)) {
                        Some(seen) => seen.clone(),
                        None => {
                            let loaded = store.wallet(&moved.owner, moved.currency).await?;
                            self.0.push(loaded.clone());
                            loaded
                        }
                    };
                    (seen.version, seen)
                }
            };
            let (after, line) = before.moved(moved).map_err(|refusal| refused(moved, refusal))?;
            all.wallets.push((was, after));
            all.lines.extend(line);
        }
        Ok(all)
    }

    /// Takes note of what stands at the key of a wallet or line that failed.
    pub(crate) fn note(&mut self, member: Option<&Member<'_>>, stands: Stands) -> Result<(), StoreError> {
        match stands {
            Stands::Wallet(fresh) => {
                self.0.retain(|wallet| wallet.owner != fresh.owner || wallet.currency != fresh.currency);
                self.0.push(fresh);
                Ok(())
            }
            // Its number is taken because its wallet, or its escrow, has moved: their own failure tells.
            Stands::Line(_) | Stands::Part => Ok(()),
            Stands::Unreadable(unreadable) => Err(unreadable.into()),
            Stands::Nothing | Stands::Escrow(_) => {
                let nowhere = keys::Key { pk: String::new(), sk: String::new() };
                let key = member.map_or(nowhere, Member::key);
                Err(Unreadable::Corrupt { key, why: "it was there and is gone, or is something else".to_owned() }
                    .into())
            }
        }
    }

    /// Forgets everything, after a commit.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}

fn refused(moved: &WalletMove, refusal: WalletRefusal) -> Unmoved {
    let WalletMove { owner, currency, amount, .. } = moved.clone();
    match refusal {
        WalletRefusal::Broken => StoreError::Unwritable(format!("the wallet of {owner}: {refusal}")).into(),
        WalletRefusal::Insufficient { .. } | WalletRefusal::OnHold { .. } => {
            Unmoved::Refused(WalletRefused { owner, currency, amount, refusal })
        }
    }
}
