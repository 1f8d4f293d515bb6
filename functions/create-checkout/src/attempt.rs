//! The body of a further attempt to pay, or of the payment of the next milestones.

use crate::pay::{Bill, Way, Wish, description};
use escrow_domain::command::NewPayment;
use escrow_domain::escrow::Escrow;
use escrow_domain::lifecycle::Stage;
use escrow_domain::money::Minor;
use escrow_domain::refusal::Refusal;
use escrow_domain::time::Timestamp;
use escrow_http::config::Config;
use escrow_http::fields;
use escrow_http::problem::{Answer, Problem};
use serde::Deserialize;

/// What a caller sends to `POST /v1/escrows/{id}/checkouts`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attempt {
    milestones: Option<Vec<String>>,
    gateway: Option<String>,
    funding: Option<String>,
    method: Option<String>,
    mode: Option<String>,
    pay_in: Option<String>,
    success_url: Option<String>,
    cancel_url: Option<String>,
}

impl Attempt {
    /// How it is paid, and which milestones it names.
    pub(crate) fn split(self) -> (Wish, Option<Vec<String>>) {
        let Self { milestones, gateway, funding, method, mode, pay_in, success_url, cancel_url } = self;
        (Wish { gateway, funding, method, mode, pay_in, success_url, cancel_url }, milestones)
    }
}

/// The payment that is asked for: of the named milestones, or of all that still wait.
///
/// # Errors
/// The first field that cannot be accepted, each with its own code.
pub(crate) fn payment(
    wish: Wish,
    named: Option<&[String]>,
    way: Way<'_>,
    escrow: &Escrow,
    config: &Config,
    now: Timestamp,
) -> Answer<NewPayment> {
    let milestones = match named {
        Some(names) => fields::milestones(names, "/milestones")?,
        None => waiting(escrow),
    };
    let mut charged = Minor::ZERO;
    let mut titles = Vec::new();
    for index in &milestones {
        let unknown = || Problem::from(&Refusal::MilestoneUnknown);
        let milestone = escrow.milestones.get(usize::from(*index)).ok_or_else(unknown)?;
        let one = milestone.charged().map_err(Problem::internal)?;
        charged = charged.plus(one).map_err(Problem::internal)?;
        titles.push(milestone.title.as_str());
    }
    if escrow.milestones.len() == 1 {
        titles.clear();
    }
    let terms = &escrow.terms;
    let bill = Bill {
        charged: charged.of(terms.currency),
        milestones,
        description: description(&terms.subject.kind, &terms.subject.id, &titles),
        expires_at: now.after(terms.policy.checkout_expires_after),
        pointer: "/milestones",
    };
    wish.payment(way, bill, config)
}

/// The milestones that wait for their payment. Where none does, all of them: the rules then say why they cannot be paid.
fn waiting(escrow: &Escrow) -> Vec<u8> {
    let all = || (0_u8..).zip(&escrow.milestones);
    let pending: Vec<u8> =
        all().filter(|(_, milestone)| milestone.stage() == Stage::Pending).map(|(index, _)| index).collect();
    if pending.is_empty() { all().map(|(index, _)| index).collect() } else { pending }
}
