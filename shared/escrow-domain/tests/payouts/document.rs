//! The payouts' part of `docs/LIFECYCLE.md`.

use escrow_domain::payout::rows::{PayoutRow, rows};
use escrow_domain::payout::{GIVEN_UP_AFTER, IN_DOUBT_FOR, LAPSES_AFTER, PENDING_FOR, PayoutStatus, PayoutTransition};
use std::fmt::Write as _;

/// What each transition is, in a sentence.
const fn meaning(transition: PayoutTransition) -> &'static str {
    match transition {
        PayoutTransition::Ask => {
            "The amount is reserved in the wallet, in the same commit; above the limit it waits for approval."
        }
        PayoutTransition::Approve => "An operator lets it go: never the one who asked, never its owner.",
        PayoutTransition::Reject => "An operator does not; the money is available again.",
        PayoutTransition::Lapse => "Nobody approved it in time; the money is available again.",
        PayoutTransition::Send => "A worker claims it and sends it. The only one that is no journal entry.",
        PayoutTransition::Pay => "The gateway says that the money has left.",
        PayoutTransition::Fail => "The gateway says that it has not, and why; the money is available again.",
        PayoutTransition::GiveUp => "The gateway has refused it for now, for too long; the money is available again.",
        PayoutTransition::Doubt => "Whether it was made could not be found out; an operator decides.",
        PayoutTransition::Resolve => "An operator decides one in doubt: made, not made, or try again.",
        PayoutTransition::MarkPaid => "An operator has made it by hand, and notes what proves it.",
        PayoutTransition::MarkFailed => "By hand it could not be made, or came back; the money is available again.",
        PayoutTransition::Return => "All or part of it came back from the gateway; that much is available again.",
    }
}

const fn status_meaning(status: PayoutStatus) -> &'static str {
    match status {
        PayoutStatus::Approval => "above the limit: waits for another operator",
        PayoutStatus::Ready => "may be sent; nothing of it is under way",
        PayoutStatus::Sending => "is, or may be, on its way",
        PayoutStatus::Owed => "to be made by hand: owed to its owner",
        PayoutStatus::Review => "nobody can find out whether it was made",
        PayoutStatus::Paid => "the money has left, all of it or what did not come back",
        PayoutStatus::Returned => "the money had left, and all of it came back",
        PayoutStatus::Failed => "the money did not leave",
        PayoutStatus::Rejected => "it was not approved",
    }
}

fn list(statuses: &[PayoutStatus]) -> String {
    statuses.iter().map(|status| status.as_str()).collect::<Vec<_>>().join(", ")
}

fn from(row: &PayoutRow) -> String {
    if row.from.is_empty() { "nothing".to_owned() } else { list(row.from) }
}

/// Where the money of a payout in this status is.
const fn money(status: PayoutStatus) -> &'static str {
    match status {
        PayoutStatus::Approval
        | PayoutStatus::Ready
        | PayoutStatus::Sending
        | PayoutStatus::Owed
        | PayoutStatus::Review => "pending",
        PayoutStatus::Paid => "withdrawn",
        PayoutStatus::Returned | PayoutStatus::Failed | PayoutStatus::Rejected => "available",
    }
}

pub(crate) fn render(text: &mut String) {
    writeln!(
        text,
        "\n# Payouts\n\nMoney that leaves a wallet for its owner's bank: by a gateway, or by hand. Its owner acts as the seller.\n"
    )
    .unwrap();
    writeln!(text, "| Status | Means | In the wallet |\n|---|---|---|").unwrap();
    for status in PayoutStatus::ALL {
        writeln!(text, "| {status} | {} | {} |", status_meaning(*status), money(*status)).unwrap();
    }
    writeln!(text, "\n## Diagram of a payout\n\n```mermaid\nstateDiagram-v2").unwrap();
    for transition in PayoutTransition::ALL {
        let mut arrows: Vec<(String, &str)> = Vec::new();
        for row in rows(*transition) {
            for to in row.to {
                let begin = "[*]".to_owned();
                let froms = row.from.iter().map(|from| from.as_str().to_owned());
                let froms: Vec<String> = if row.from.is_empty() { vec![begin] } else { froms.collect() };
                for from in froms.into_iter().filter(|from| goes(*transition, from, *to)) {
                    if !arrows.contains(&(from.clone(), to.as_str())) {
                        arrows.push((from, to.as_str()));
                    }
                }
            }
        }
        for (from, to) in arrows {
            writeln!(text, "    {from} --> {to} : {transition}").unwrap();
        }
    }
    for status in [PayoutStatus::Returned, PayoutStatus::Failed, PayoutStatus::Rejected] {
        writeln!(text, "    {status} --> [*]").unwrap();
    }
    writeln!(text, "```\n\n## Transitions of a payout\n").unwrap();
    writeln!(text, "| Transition | Actor | From | To | What it is |\n|---|---|---|---|---|").unwrap();
    for transition in PayoutTransition::ALL {
        for (number, row) in rows(*transition).iter().enumerate() {
            let (name, what) = match number {
                0 => (format!("`{transition}`"), meaning(*transition)),
                _ => (String::new(), ""),
            };
            writeln!(text, "| {name} | {} | {} | {} | {what} |", row.actor, from(row), list(row.to)).unwrap();
        }
    }
    writeln!(text, "\n## Limits of a payout\n\n| What | Value |\n|---|---|").unwrap();
    for (what, value) in [
        ("One that nobody approves lapses after", LAPSES_AFTER),
        ("One that the gateway refuses for now is given up after", GIVEN_UP_AFTER),
        ("One that nobody can find out about is put before an operator after", IN_DOUBT_FOR),
        ("One that the gateway calls pending is put before an operator after", PENDING_FOR),
    ] {
        writeln!(text, "| {what} | {value} |").unwrap();
    }
    writeln!(
        text,
        "\nWhile the wallet is on hold nothing is sent that was not sent before. What waits for an operator sounds an alarm daily."
    )
    .unwrap();
}

/// Of a row that leads from several to several: which leads where.
fn goes(transition: PayoutTransition, from: &str, to: PayoutStatus) -> bool {
    let paid = PayoutStatus::Paid.as_str();
    match transition {
        PayoutTransition::MarkFailed => (from == paid) == (to == PayoutStatus::Returned),
        PayoutTransition::Return => to == PayoutStatus::Returned,
        PayoutTransition::Ask
        | PayoutTransition::Approve
        | PayoutTransition::Reject
        | PayoutTransition::Lapse
        | PayoutTransition::Send
        | PayoutTransition::Pay
        | PayoutTransition::Fail
        | PayoutTransition::GiveUp
        | PayoutTransition::Doubt
        | PayoutTransition::Resolve
        | PayoutTransition::MarkPaid => true,
    }
}
