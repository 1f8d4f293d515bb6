//! An escrow as one caller sees it.

use super::chargeback::{ChargebackView, chargebacks};
use super::dispute::{DisputeView, dispute};
use super::payment::AttemptView;
use super::rehearsal::{TimerView, timers};
use super::{amount, milestone_name, time, time_or_null, whole};
use crate::problem::Answer;
use escrow_domain::actions::Standing;
use escrow_domain::escrow::Escrow;
use escrow_domain::milestone::{Ask, AskFor, Milestone};
use escrow_domain::policy::Policy;
use escrow_domain::time::{Period, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;

/// An escrow.
#[derive(Debug, Clone, Serialize)]
pub struct EscrowView {
    id: String,
    status: &'static str,
    kind: &'static str,
    subject: SubjectView,
    buyer: String,
    seller: String,
    currency: String,
    amount: String,
    fee: FeeView,
    charged: String,
    held: String,
    disputed: String,
    released: String,
    refunding: String,
    refunded: String,
    milestones: Vec<MilestoneView>,
    payments: Vec<AttemptView>,
    dispute: Option<DisputeView>,
    disputes: Vec<DisputeView>,
    chargebacks: Vec<ChargebackView>,
    frozen: Vec<FreezeView>,
    next: Vec<TimerView>,
    policy: PolicyView,
    metadata: BTreeMap<String, String>,
    version: u64,
    created_at: String,
    updated_at: String,
    actions: Vec<ActionView>,
}

/// The fields of an escrow, as CSV has them: one line an escrow, without the lists inside it.
pub const ESCROW_COLUMNS: &[&str] = &[
    "id",
    "status",
    "kind",
    "subject.type",
    "subject.id",
    "buyer",
    "seller",
    "currency",
    "amount",
    "fee.payer",
    "fee.amount",
    "charged",
    "held",
    "disputed",
    "released",
    "refunding",
    "refunded",
    "version",
    "created_at",
    "updated_at",
];

#[derive(Debug, Clone, Serialize)]
pub(super) struct SubjectView {
    r#type: String,
    id: String,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct FeeView {
    pub(super) payer: &'static str,
    pub(super) amount: String,
}

#[derive(Debug, Clone, Serialize)]
struct MilestoneView {
    id: String,
    title: String,
    amount: String,
    fee: String,
    status: &'static str,
    held: String,
    disputed: String,
    released: String,
    refunding: String,
    refunded: String,
    delivered_at: Option<String>,
    deliver_by: Option<String>,
    auto_release_at: Option<String>,
    dispute_until: Option<String>,
    asked: Option<AskView>,
}

/// What one side has asked the other for.
#[derive(Debug, Clone, Serialize)]
struct AskView {
    by: &'static str,
    r#for: &'static str,
    until: Option<String>,
    at: String,
}

#[derive(Debug, Clone, Serialize)]
struct FreezeView {
    cause: &'static str,
    reason: String,
    since: String,
}

#[derive(Debug, Clone, Serialize)]
struct PolicyView {
    auto_release_after: String,
    deliver_within: String,
    dispute_window: String,
    cancel_window: String,
    checkout_expires_after: String,
    dispute_rule_within: String,
    dispute_default: &'static str,
}

/// A command of the lifecycle, and whether this caller may give it now.
#[derive(Debug, Clone, Serialize)]
pub struct ActionView {
    name: &'static str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_at: Option<String>,
}

impl EscrowView {
    /// The escrow, as whoever has this standing sees it now.
    ///
    /// # Errors
    /// 500 if its money cannot be summed: corrupt data.
    pub fn new(escrow: &Escrow, standing: &Standing, now: Timestamp) -> Answer<Self> {
        let terms = &escrow.terms;
        let currency = terms.currency;
        let totals = whole(escrow.totals())?;
        let disputes: Vec<DisputeView> =
            (0_u16..).zip(&escrow.disputes).map(|(number, one)| dispute(escrow, number, one)).collect();
        // The one that waits; where none does, the newest.
        let open = escrow.disputes.iter().position(escrow_domain::dispute::Dispute::is_open);
        let shown = open.or_else(|| disputes.len().checked_sub(1));
        Ok(Self {
            id: escrow.id.to_string(),
            status: escrow.status().as_str(),
            kind: terms.kind.as_str(),
            subject: subject(escrow),
            buyer: terms.buyer.to_string(),
            seller: terms.seller.to_string(),
            currency: currency.to_string(),
            amount: amount(totals.amount, currency),
            fee: FeeView { payer: terms.fee_payer.as_str(), amount: amount(totals.fee, currency) },
            charged: amount(totals.charged, currency),
            held: amount(totals.held, currency),
            disputed: amount(totals.disputed, currency),
            released: amount(totals.released, currency),
            refunding: amount(totals.refunding, currency),
            refunded: amount(totals.refunded, currency),
            milestones: (0_u8..)
                .zip(&escrow.milestones)
                .map(|(index, one)| milestone(escrow, index, one))
                .collect::<Answer<_>>()?,
            payments: (0_u16..)
                .zip(&escrow.payments)
                .map(|(number, one)| AttemptView::new(escrow, number, one))
                .collect(),
            dispute: shown.and_then(|number| disputes.get(number)).cloned(),
            disputes,
            chargebacks: chargebacks(escrow, standing),
            frozen: frozen(escrow),
            next: timers(escrow),
            policy: policy(&terms.policy),
            metadata: terms.metadata.clone(),
            version: escrow.version,
            created_at: time(terms.created_at),
            updated_at: time(escrow.updated_at),
            actions: actions(escrow, standing, now),
        })
    }
}

/// What whoever has this standing may do now, and if not, why, and when that changes.
#[must_use]
pub fn actions(escrow: &Escrow, standing: &Standing, now: Timestamp) -> Vec<ActionView> {
    let view = |action: escrow_domain::actions::Action| ActionView {
        name: action.transition.as_str(),
        allowed: action.refusal.is_none(),
        code: action.refusal.as_ref().map(|refusal| refusal.code()),
        allowed_at: action.refusal.as_ref().and_then(|refusal| refusal.allowed_at()).map(time),
        reason: action.refusal.map(|refusal| refusal.to_string()),
    };
    escrow.actions(standing, now).into_iter().map(view).collect()
}

pub(super) fn subject(escrow: &Escrow) -> SubjectView {
    SubjectView { r#type: escrow.terms.subject.kind.clone(), id: escrow.terms.subject.id.clone() }
}

fn milestone(escrow: &Escrow, index: u8, milestone: &Milestone) -> Answer<MilestoneView> {
    let currency = escrow.terms.currency;
    Ok(MilestoneView {
        id: milestone_name(index),
        title: milestone.title.clone(),
        amount: amount(milestone.amount, currency),
        fee: amount(whole(milestone.fee.total())?, currency),
        status: milestone.stage().as_str(),
        held: amount(milestone.money.held, currency),
        disputed: amount(milestone.money.disputed, currency),
        released: amount(milestone.money.released, currency),
        refunding: amount(milestone.money.refunding, currency),
        refunded: amount(milestone.money.refunded, currency),
        delivered_at: time_or_null(milestone.delivered_at),
        deliver_by: time_or_null(milestone.deliver_by),
        auto_release_at: time_or_null(milestone.auto_release_at),
        dispute_until: time_or_null(milestone.dispute_until(escrow.terms.policy.dispute_window)),
        asked: milestone.asked.as_ref().map(ask),
    })
}

fn ask(ask: &Ask) -> AskView {
    let (what, until) = match ask.what {
        AskFor::Cancel => ("cancel", None),
        AskFor::Extend(until) => ("extend", Some(until)),
    };
    AskView { by: ask.by.as_str(), r#for: what, until: time_or_null(until), at: time(ask.at) }
}

/// Freezes and reviews: both stop money and clocks.
fn frozen(escrow: &Escrow) -> Vec<FreezeView> {
    let freezes = escrow.freezes.iter().map(|freeze| FreezeView {
        cause: freeze.cause.as_str(),
        reason: freeze.reason.clone(),
        since: time(freeze.since),
    });
    let reviews = escrow.reviews.iter().map(|review| FreezeView {
        cause: review.cause.as_str(),
        reason: review.note.clone(),
        since: time(review.since),
    });
    freezes.chain(reviews).collect()
}

fn policy(policy: &Policy) -> PolicyView {
    PolicyView {
        auto_release_after: policy.auto_release_after.to_string(),
        deliver_within: policy.deliver_within.to_string(),
        dispute_window: policy.dispute_window.to_string(),
        cancel_window: policy.cancel_window.to_string(),
        checkout_expires_after: in_hours(policy.checkout_expires_after),
        dispute_rule_within: policy.dispute_rule_within.to_string(),
        dispute_default: policy.dispute_default.as_str(),
    }
}

/// A checkout lives for hours, so a day of it is written `PT24H`.
fn in_hours(period: Period) -> String {
    if period == Period::days(1) { "PT24H".to_owned() } else { period.to_string() }
}
