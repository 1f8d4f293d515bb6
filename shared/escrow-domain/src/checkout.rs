//! What a gateway answers about the page on which a payment is made. The same for an escrow's payment and for a top-up: the webhook may
//! have come first, or the payment may have been given up meanwhile, so every answer is merged into what stands there.

use crate::decide::Page;
use crate::payment::{Payment, PaymentStatus};
use crate::time::Timestamp;

/// What an answer comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Merged {
    /// Nothing new.
    Known,
    /// It is stored.
    Stored,
    /// It is stored, and the page came too late: nobody shall pay it any more.
    TooLate,
}

impl Payment {
    /// The gateway has opened the page.
    pub(crate) fn merge_opened(&mut self, reference: &str, page: &Page<'_>, expires_at: Timestamp) -> Merged {
        if self.reference.is_some() {
            return Merged::Known;
        }
        self.reference = Some(reference.to_owned());
        self.request = None;
        match self.status {
            PaymentStatus::Opening | PaymentStatus::Processing => {
                if self.status == PaymentStatus::Opening {
                    self.status = PaymentStatus::Open;
                }
                self.url = page.url.map(str::to_owned);
                self.client_secret = page.client_secret.map(str::to_owned);
                // Never later than was agreed; and not moved by a second that the gateway rounds away.
                if expires_at.as_seconds() < self.expires_at.as_seconds() {
                    self.expires_at = expires_at;
                }
                Merged::Stored
            }
            PaymentStatus::Closing | PaymentStatus::Closed => Merged::TooLate,
            PaymentStatus::Open | PaymentStatus::Paid | PaymentStatus::Absorbed | PaymentStatus::Refused => {
                Merged::Stored
            }
        }
    }

    /// The gateway refuses to open the page: nobody can pay it.
    pub(crate) fn merge_refused(&mut self, now: Timestamp) -> Merged {
        if self.status != PaymentStatus::Opening {
            return Merged::Known;
        }
        self.status = PaymentStatus::Refused;
        self.request = None;
        self.expires_at = self.expires_at.min(now);
        Merged::Stored
    }

    /// The gateway answered with a 5xx, which it would replay for the key's life: the next request needs another key.
    pub(crate) fn merge_failed(&mut self, failed: u8) -> Merged {
        if self.status != PaymentStatus::Opening || self.attempt != failed {
            return Merged::Known;
        }
        self.attempt = self.attempt.saturating_add(1);
        Merged::Stored
    }

    /// The buyer has paid by a way that takes time.
    pub(crate) fn merge_processing(&mut self) -> Merged {
        if !matches!(self.status, PaymentStatus::Opening | PaymentStatus::Open) {
            return Merged::Known;
        }
        self.status = PaymentStatus::Processing;
        Merged::Stored
    }

    /// The page can no longer be paid.
    pub(crate) fn merge_closed(&mut self, now: Timestamp) -> Merged {
        if !self.is_live() && self.status != PaymentStatus::Closing {
            return Merged::Known;
        }
        // Closed by us, because a milestone of it no longer waits: what else it was to pay keeps its time to be paid.
        if self.status != PaymentStatus::Closing {
            self.expires_at = self.expires_at.min(now);
        }
        self.status = PaymentStatus::Closed;
        self.forget_page();
        Merged::Stored
    }

    /// It is over: what was needed to pay it is needed no more.
    pub(crate) fn forget_page(&mut self) {
        self.url = None;
        self.client_secret = None;
        self.request = None;
    }
}
