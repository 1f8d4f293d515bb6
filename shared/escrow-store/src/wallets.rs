//! The wallets of a change: what they become, and what they were when a commit failed on them.

use crate::error::{StoreError, Unreadable};
use crate::keys::Key;
use crate::member::{Failed, Member, Stands};
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
pub(crate) struct Wallets {
    known: Vec<Wallet>,
    /// Whether some are what a caller has read, perhaps a while ago. A commit finds out if they have moved; but nobody is refused for
    /// what a wallet was then.
    told: bool,
}

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
        moves: impl IntoIterator<Item = &'a WalletMove> + Clone,
    ) -> Result<Moved, Unmoved> {
        match self.moved_by(store, moves.clone()).await {
            Err(Unmoved::Refused(_)) if self.told => {
                self.forget();
                self.moved_by(store, moves).await
            }
            result => result,
        }
    }

    async fn moved_by<'a>(
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
                    let seen = match self.known.iter().find(|wallet| same(wallet)) {
                        Some(seen) => seen.clone(),
                        None => {
                            let loaded = store.wallet(&moved.owner, moved.currency).await?;
                            self.known.push(loaded.clone());
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

    /// Takes note of what stands where wallets failed; their lines fail with them.
    ///
    /// # Errors
    /// If no wallet has moved: then whatever failed must not be there, and trying again would not help.
    pub(crate) fn note(&mut self, members: &[Member<'_>], failed: Vec<Failed>) -> Result<(), StoreError> {
        let mut moved = false;
        let mut strange = None;
        for Failed { index, stands } in failed {
            match stands {
                Stands::Wallet(fresh) => {
                    self.known.retain(|wallet| wallet.owner != fresh.owner || wallet.currency != fresh.currency);
                    self.known.push(*fresh);
                    moved = true;
                }
                other @ (Stands::Line(_) | Stands::Part) => strange = Some((index, other)),
                other => return Err(strange_at(members.get(index), other)),
            }
        }
        match strange {
            Some((index, stands)) if !moved => Err(strange_at(members.get(index), stands)),
            Some(_) | None => Ok(()),
        }
    }

    /// Forgets everything, after a commit.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}

impl From<Vec<Wallet>> for Wallets {
    fn from(seen: Vec<Wallet>) -> Self {
        Self { told: !seen.is_empty(), known: seen }
    }
}

/// What stands where it must not.
pub(crate) fn strange_at(member: Option<&Member<'_>>, stands: Stands) -> StoreError {
    let nowhere = Key { pk: String::new(), sk: String::new() };
    let key = member.map_or(nowhere, Member::key);
    let why = match stands {
        Stands::Unreadable(unreadable) => return unreadable.into(),
        Stands::Nothing => "it was there and is gone",
        Stands::Line(_) | Stands::Part => "it is there already, and what it belongs to knows nothing of it",
        Stands::Escrow(_) | Stands::Payout(_) | Stands::TopUp(_) | Stands::Seller(_) | Stands::Wallet(_) => {
            "it is something else"
        }
    };
    Unreadable::Corrupt { key, why: why.to_owned() }.into()
}

fn refused(moved: &WalletMove, refusal: WalletRefusal) -> Unmoved {
    let WalletMove { owner, currency, amount, .. } = moved.clone();
    Unmoved::Refused(WalletRefused { owner, currency, amount, refusal })
}

impl WalletRefused {
    /// What its owner can be told; or the error that it is, if the wallet could never bear such a move.
    pub(crate) fn for_its_owner(self) -> Result<Self, StoreError> {
        match self.refusal {
            WalletRefusal::Insufficient { .. } | WalletRefusal::OnHold { .. } => Ok(self),
            WalletRefusal::Broken => {
                Err(StoreError::Unwritable(format!("the wallet of {}: {}", self.owner, self.refusal)))
            }
        }
    }
}
