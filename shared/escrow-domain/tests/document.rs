//! `docs/LIFECYCLE.md` is made from the tables that the code obeys. `UPDATE_DOCS=1` writes it; otherwise a stale file fails.

use escrow_domain::dispute::{MOST_EVIDENCE_A_SIDE, MOST_PROPOSALS};
use escrow_domain::lifecycle::{Role, Row, Stage, To, Transition, rows};
use escrow_domain::policy::{self, Kind, Policy};
use escrow_domain::work::{LEASE, QUIET};
use std::fmt::Write as _;
use std::path::Path;

const COMMAND: &str = "UPDATE_DOCS=1 cargo test -p escrow-domain --test main document";

/// What each transition is, in a sentence.
const fn meaning(transition: Transition) -> &'static str {
    match transition {
        Transition::Create => {
            "The deal is agreed, with its policy and fees pinned; the first payment is opened with it."
        }
        Transition::AddPayment => "Another attempt to pay, or the payment of the next milestone.",
        Transition::Fund => "The money arrived in exactly the amount asked for; a product counts as delivered.",
        Transition::Expire => {
            "Nobody paid any part of it before the last page ended; pages that are still open are closed at the gateway."
        }
        Transition::Cancel => "Given up before it was paid; pages that are still open are closed at the gateway.",
        Transition::ClosePayment => "The gateway says that a page can no longer be paid.",
        Transition::AbsorbPayment => "Money that fits nothing (late, a second time) is taken in and sent back.",
        Transition::Deliver => "The work is there; from now on silence is acceptance.",
        Transition::RequestChanges => "The work is wanted again; the clock towards release stops.",
        Transition::Release => "All or part of what is held becomes the seller's.",
        Transition::AutoRelease => "What is still held after the time to inspect becomes the seller's.",
        Transition::Refund => "All or part of what is held goes back to the buyer.",
        Transition::Withdraw => "The buyer thinks again within the cancellation window.",
        Transition::AskCancel => "One side asks the other to give up what is held.",
        Transition::AgreeCancel => "The other side agrees to give up what is held.",
        Transition::MissDelivery => "Nothing was delivered in time; the money goes back.",
        Transition::Dispute => "All or part of what is held is locked until somebody decides.",
        Transition::AddEvidence => "A side brings evidence to a dispute; it is kept for ever.",
        Transition::WithdrawDispute => "The buyer takes the dispute back; its clock goes on with what was left of it.",
        Transition::Propose => "A side offers a split of what is locked; the latest offer counts.",
        Transition::Accept => "The other side accepts the offer that counts, by its name.",
        Transition::Rule => "An arbiter divides what is locked, once the time for evidence is over.",
        Transition::DefaultDispute => "Nobody ruled in time: the pinned default decides.",
        Transition::ConfirmRefund => "The gateway says that the buyer has the money.",
        Transition::FailRefund => "The gateway could not refund, or says so after all; an operator decides.",
        Transition::AbsorbRefund => {
            "The gateway gave money back that nobody here asked for; what is no longer here is reviewed."
        }
        Transition::LookUp => "Whether a refund was made could not be found out; an operator decides.",
        Transition::Resolve => "An operator decides a review: done, or try again.",
        Transition::Abandon => {
            "A milestone that waits while others were paid is given up: so long after the creation, or after the last attempt to pay it."
        }
        Transition::Freeze => "Nothing leaves and no clock runs: a card's holder disputes, or an operator says so.",
        Transition::Unfreeze => "It goes on; the length of the stop is added to every deadline.",
        Transition::AskExtend => "The side that a later deadline helps asks the other for it.",
        Transition::Extend => {
            "The side that a later deadline hurts moves it, or agrees with the moment that the other has asked for."
        }
        Transition::OperatorRelease => "An operator gives what is disputed, else what is held, to the seller.",
        Transition::OperatorRefund => "An operator gives what is disputed, else what is held, back to the buyer.",
        Transition::Remind => "Release, refund or default is near: both sides are reminded, once for each deadline.",
        Transition::Chargeback => "The gateway took, or gave back, money that a card's holder disputes.",
        Transition::LoseChargeback => {
            "The card's holder keeps the money: what is still held bears it first, then the seller, then the buyer."
        }
        Transition::CreditWallet => "A credit that was put off, because the wallet was in demand, lands.",
    }
}

const fn stage_meaning(stage: Stage) -> &'static str {
    match stage {
        Stage::Pending => "waits for its payment",
        Stage::Held => "paid, and not delivered yet",
        Stage::Delivered => "delivered, and not accepted yet",
        Stage::Disputed => "a part is locked by a dispute; the rest goes on",
        Stage::Refunding => "nothing is left but refunds on their way",
        Stage::Released => "all of it went to the seller",
        Stage::Refunded => "all of it went back to the buyer",
        Stage::Split => "some went to the seller, the rest back to the buyer",
        Stage::Cancelled => "given up before it was paid",
        Stage::Expired => "nobody paid in time",
    }
}

fn from(row: &Row) -> String {
    if row.from.is_empty() {
        "nothing".to_owned()
    } else if row.from.len() == Stage::ALL.len() {
        "any".to_owned()
    } else if Stage::ALL.iter().all(|stage| stage.is_final() != row.from.contains(stage)) {
        "any that is not final".to_owned()
    } else {
        row.from.iter().map(|stage| stage.as_str()).collect::<Vec<_>>().join(", ")
    }
}

fn to(row: &Row) -> String {
    match row.to {
        To::Becomes(stage) => stage.to_string(),
        To::Settles => "released, refunding".to_owned(),
        To::Returns => "where it was".to_owned(),
        To::Stays => "the same".to_owned(),
    }
}

/// The arrows of a diagram, by people and the clock; what facts of gateways do beside them stands in the table.
fn arrows() -> Vec<(String, String, Vec<&'static str>)> {
    let mut arrows: Vec<(String, String, Vec<&'static str>)> = Vec::new();
    let mut add = |from: &str, to: &str, what: &'static str| match arrows
        .iter_mut()
        .find(|(one, two, _)| one == from && two == to)
    {
        Some((_, _, whats)) if whats.contains(&what) => {}
        Some((_, _, whats)) => whats.push(what),
        None => arrows.push((from.to_owned(), to.to_owned(), vec![what])),
    };
    for transition in Transition::ALL {
        for row in rows(*transition) {
            let what = transition.as_str();
            if let (To::Becomes(to), true) = (row.to, row.from.is_empty()) {
                add("[*]", to.as_str(), what);
            }
            for from in row.from.iter().filter(|_| row.from.len() < Stage::ALL.len()) {
                match row.to {
                    To::Becomes(to) => add(from.as_str(), to.as_str(), what),
                    To::Settles => {
                        add(from.as_str(), Stage::Released.as_str(), what);
                        add(from.as_str(), Stage::Refunding.as_str(), what);
                    }
                    To::Returns => add(from.as_str(), Stage::Delivered.as_str(), what),
                    To::Stays => {}
                }
            }
        }
    }
    add(Stage::Refunding.as_str(), Stage::Refunded.as_str(), Transition::ConfirmRefund.as_str());
    add(Stage::Refunding.as_str(), Stage::Split.as_str(), Transition::ConfirmRefund.as_str());
    add(Stage::Refunding.as_str(), Stage::Held.as_str(), Transition::FailRefund.as_str());
    for stage in Stage::ALL.iter().filter(|stage| stage.is_final()) {
        add(stage.as_str(), "[*]", "");
    }
    arrows
}

fn render() -> String {
    let mut text = String::new();
    writeln!(text, "# Lifecycle\n").unwrap();
    writeln!(text, "Made from the tables that the code obeys; do not edit it. To make it again:\n\n    {COMMAND}\n")
        .unwrap();
    writeln!(
        text,
        "An escrow has one or more milestones; each is in one of these stages, which follow from where its money is.\n\
         An escrow's status is that of its least advanced milestone that is not final, or `review` while an operator must decide.\n"
    )
    .unwrap();
    writeln!(text, "| Stage | Means | Final |\n|---|---|---|").unwrap();
    for stage in Stage::ALL {
        let last = if stage.is_final() { "yes" } else { "" };
        writeln!(text, "| {stage} | {} | {last} |", stage_meaning(*stage)).unwrap();
    }
    writeln!(text, "\n## Diagram\n\n```mermaid\nstateDiagram-v2").unwrap();
    for (from, to, whats) in arrows() {
        let label = whats.join(", ");
        let label = if label.is_empty() { label } else { format!(" : {label}") };
        writeln!(text, "    {from} --> {to}{label}").unwrap();
    }
    writeln!(text, "```\n\n## Transitions\n\nOne row for each actor. What is not in the table is refused.\n").unwrap();
    writeln!(text, "| Transition | Actor | From | To | What it is |\n|---|---|---|---|---|").unwrap();
    for transition in Transition::ALL {
        for (number, row) in rows(*transition).iter().enumerate() {
            let (name, what) =
                if number == 0 { (format!("`{transition}`"), meaning(*transition)) } else { (String::new(), "") };
            writeln!(text, "| {name} | {} | {} | {} | {what} |", row.actor, from(row), to(row)).unwrap();
        }
    }
    policies(&mut text);
    exits(&mut text);
    crate::payouts::document::render(&mut text);
    text
}

fn policies(text: &mut String) {
    writeln!(
        text,
        "\n## Policy\n\nPinned when the escrow is created; these are the defaults. Windows are half-open: at the deadline itself they are over.\n"
    )
    .unwrap();
    let heads: Vec<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    writeln!(text, "| Period | {} |\n|---|{}", heads.join(" | "), "---|".repeat(heads.len())).unwrap();
    type Field = (&'static str, fn(&Policy) -> String);
    let fields: [Field; 7] = [
        ("auto_release_after", |policy| policy.auto_release_after.to_string()),
        ("deliver_within", |policy| policy.deliver_within.to_string()),
        ("dispute_window", |policy| policy.dispute_window.to_string()),
        ("cancel_window", |policy| policy.cancel_window.to_string()),
        ("checkout_expires_after", |policy| policy.checkout_expires_after.to_string()),
        ("dispute_rule_within", |policy| policy.dispute_rule_within.to_string()),
        ("dispute_default", |policy| policy.dispute_default.to_string()),
    ];
    for (name, show) in fields {
        let values: Vec<_> = Kind::ALL.iter().map(|kind| show(&Policy::defaults(*kind))).collect();
        writeln!(text, "| `{name}` | {} |", values.join(" | ")).unwrap();
    }
    writeln!(text, "\n## Limits\n\n| What | Value |\n|---|---|").unwrap();
    for (what, value) in [
        ("Longest period of a policy", policy::LONGEST_PERIOD.to_string()),
        ("A checkout lives at least", policy::SHORTEST_CHECKOUT.to_string()),
        ("A checkout lives at most", policy::LONGEST_CHECKOUT.to_string()),
        ("A payment that the gateway is processing postpones expiry at most", policy::LONGEST_PROCESSING.to_string()),
        ("A milestone that waits while others were paid is given up after", policy::ABANDONED_AFTER.to_string()),
        ("Rounds of changes", policy::MOST_ROUNDS.to_string()),
        ("Longest time for a revision", policy::REVISION_TIME.to_string()),
        ("Disputes of one milestone", policy::MOST_DISPUTES.to_string()),
        ("Evidence is brought for, before a ruling", policy::EVIDENCE_WINDOW.to_string()),
        ("Pieces of evidence of each side, for a dispute", MOST_EVIDENCE_A_SIDE.to_string()),
        ("Offers in a dispute", MOST_PROPOSALS.to_string()),
        ("A withdrawn dispute gives back at least", policy::LEAST_AFTER_DISPUTE.to_string()),
        ("All extensions of one milestone together", policy::LONGEST_EXTENSION.to_string()),
        ("Both sides are reminded this long before a deadline", policy::REMINDED_BEFORE.to_string()),
        ("but not of one that was nearer than this when it was set", policy::REMINDED_FROM.to_string()),
        ("A refund without an answer is put before an operator after", policy::REFUND_REVIEW_AFTER.to_string()),
        ("A worker's claim on a gateway call lasts", LEASE.to_string()),
        ("A gateway's \"no such refund\" is believed this long after the last claim", QUIET.to_string()),
    ] {
        writeln!(text, "| {what} | {value} |").unwrap();
    }
}

fn exits(text: &mut String) {
    writeln!(text, "\n## Deadlines\n\nEvery stage that is not final has an exit that needs nobody.\n").unwrap();
    writeln!(text, "| Stage | By itself |\n|---|---|").unwrap();
    for stage in Stage::ALL.iter().filter(|stage| !stage.is_final()) {
        let timed = Transition::ALL.iter().filter(|transition| {
            rows(**transition).iter().any(|row| row.actor == Role::Clock && row.from.contains(stage))
        });
        let timed: Vec<_> = timed.map(|transition| format!("`{transition}`")).collect();
        writeln!(text, "| {stage} | {} |", timed.join(", ")).unwrap();
    }
    writeln!(
        text,
        "\nA freeze or a review stops every deadline, lets nothing leave, and sounds an alarm daily; its end adds its length to every deadline.\n\
         Apart from that a deadline only moves with `request_changes`, `withdraw_dispute` and `extend`.\n\n\
         What one side has asked the other for lapses when the stage changes, and an ask for more time also when the deadline has moved; \
         an offer lapses when another is made, or another sum is locked than it divides."
    )
    .unwrap();
}

#[test]
#[expect(clippy::disallowed_methods, reason = "whether a test writes the file is said by whoever runs it")]
fn the_document_of_the_lifecycle_is_what_the_code_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/LIFECYCLE.md");
    let text = render();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == text, "docs/LIFECYCLE.md is stale; make it again: {COMMAND}");
}
