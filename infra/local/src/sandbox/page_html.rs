//! How the payment page looks.

use escrow_domain::time::Timestamp;

use super::amounts;
use super::book::Line;
use super::checkout::Stage;
use super::page::Payable;

/// One page in its frame.
const FRAME: &str = r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{{title}}</title>
<style>
:root { color-scheme: light dark; --ink: #16212b; --soft: #5a6b79; --line: #dfe5ea; --paper: #fff; --ground: #f3f6f8;
  --brand: #0f6e63; --brand-ink: #fff; --warn-ground: #fff4df; --warn-ink: #7a4b00; --bad-ground: #fdeaea; --bad-ink: #9b1c1c;
  --good-ground: #e3f5ee; --good-ink: #0b5a45; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eef2; --soft: #9fb0bd; --line: #2f3c46; --paper: #1a242c;
  --ground: #10171c; --brand: #35b39f; --brand-ink: #05211d; --warn-ground: #3a2c10; --warn-ink: #ffd68a;
  --bad-ground: #3d1c1c; --bad-ink: #ffb4b4; --good-ground: #12352b; --good-ink: #8fe3c6; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
.ribbon { background: var(--warn-ground); color: var(--warn-ink); text-align: center; font-size: 13px; padding: 7px 16px; }
main { max-width: 920px; margin: 40px auto; padding: 0 20px; display: grid; grid-template-columns: 1fr 1fr; gap: 24px;
  align-items: start; }
@media (max-width: 740px) { main { grid-template-columns: 1fr; margin-top: 20px; } }
main.one { grid-template-columns: minmax(0, 520px); justify-content: center; }
.card { background: var(--paper); border: 1px solid var(--line); border-radius: 14px; padding: 26px; }
.back { color: var(--soft); font-size: 14px; text-decoration: none; }
.back:hover { text-decoration: underline; }
h1 { font-size: 15px; font-weight: 600; color: var(--soft); margin: 18px 0 2px; }
.amount { font-size: 36px; font-weight: 700; letter-spacing: -.5px; margin: 0 0 20px; font-variant-numeric: tabular-nums; }
.lines { list-style: none; margin: 0; padding: 0; border-top: 1px solid var(--line); }
.lines li { display: flex; justify-content: space-between; gap: 16px; padding: 12px 0; border-bottom: 1px solid var(--line); }
.lines small, dl { color: var(--soft); font-size: 13px; }
.lines span { overflow-wrap: anywhere; }
.lines b { font-weight: 500; white-space: nowrap; font-variant-numeric: tabular-nums; }
dl { display: grid; grid-template-columns: auto 1fr; gap: 4px 14px; margin: 18px 0 0; }
dd { margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 0 0 4px; }
p { margin: 0 0 16px; color: var(--soft); font-size: 14px; }
.note { border-radius: 10px; padding: 11px 14px; font-size: 14px; margin: 0 0 16px; color: var(--warn-ink);
  background: var(--warn-ground); }
.note.bad { color: var(--bad-ink); background: var(--bad-ground); }
.note.good { color: var(--good-ink); background: var(--good-ground); }
button { width: 100%; font: inherit; font-weight: 600; border-radius: 10px; padding: 12px 14px; cursor: pointer;
  border: 1px solid var(--line); background: transparent; color: var(--ink); }
button.pay { background: var(--brand); border-color: var(--brand); color: var(--brand-ink); font-size: 17px; padding: 14px; }
button:hover { filter: brightness(1.07); }
button:focus-visible, input:focus-visible, a:focus-visible, summary:focus-visible { outline: 3px solid var(--brand);
  outline-offset: 2px; }
.others { display: grid; grid-template-columns: repeat(3, 1fr); gap: 10px; margin-top: 10px; }
.others.two { grid-template-columns: repeat(2, 1fr); }
.others button { font-weight: 500; font-size: 14px; padding: 10px 6px; }
details { margin-top: 20px; border-top: 1px solid var(--line); padding-top: 14px; }
summary { cursor: pointer; font-size: 14px; font-weight: 600; color: var(--soft); }
.switch { display: grid; grid-template-columns: 1fr auto; gap: 2px 12px; align-items: center; margin-top: 14px; font-size: 14px; }
.switch small { color: var(--soft); grid-column: 1; }
.switch input[type=number] { width: 92px; font: inherit; padding: 6px 8px; border: 1px solid var(--line); border-radius: 8px;
  background: transparent; color: var(--ink); grid-row: 1 / span 2; grid-column: 2; }
.switch input[type=checkbox] { width: 20px; height: 20px; accent-color: var(--brand); grid-row: 1 / span 2; grid-column: 2; }
</style>
</head>
<body>
<div class="ribbon">Sandbox on this machine. No money moves, and no card is asked for.</div>
{{body}}
</body>
</html>
"##;

/// The switches below the buttons.
const SWITCHES: &str = r#"<details>
<summary>How the webhooks travel</summary>
<div class="switch"><label for="duplicates">Duplicates</label><input id="duplicates" name="duplicates" type="number" min="0" max="100" value="0"><small>so many more copies of every event</small></div>
<div class="switch"><label for="delay_ms">Delay, ms</label><input id="delay_ms" name="delay_ms" type="number" min="0" max="60000" value="0"><small>before the first one is sent</small></div>
<div class="switch"><label for="shuffle">Shuffle</label><input id="shuffle" name="shuffle" type="checkbox"><small>in another order than it happened</small></div>
{{late}}</details>"#;
const LATE: &str = r#"<div class="switch"><label for="late">Late</label><input id="late" name="late" type="checkbox" checked><small>pay although it is over, as can happen at gateways</small></div>
"#;

/// `{{name}}` filled in. What is filled in stands as it is: text must be escaped before.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, tail) = after.split_once("}}").unwrap_or((after, ""));
        filled.push_str(before);
        filled.push_str(values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value));
        rest = tail;
    }
    filled.push_str(rest);
    filled
}

/// Text that stands in the page as itself, whatever the shop has written into it.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// How far a session has come, for a sentence.
pub(super) const fn stage_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Open => "open",
        Stage::Processing => "being processed",
        Stage::Paid => "paid",
        Stage::Failed => "closed, and its payment has failed",
        Stage::Expired => "expired",
        Stage::Canceled => "cancelled",
    }
}

/// A page that says one thing.
pub(super) fn notice(heading: &str, text: &str) -> String {
    let (heading, text) = (escaped(heading), escaped(text));
    let body = format!("<main class=\"one\"><section class=\"card\"><h2>{heading}</h2><p>{text}</p></section></main>");
    framed("Stripe sandbox", &body)
}

/// What the page says about a payment, whatever kind it is of.
struct Sheet<'p> {
    id: &'p str,
    amount: String,
    lines: String,
    back: Option<&'p str>,
    facts: Vec<(&'static str, String)>,
}

impl<'p> Sheet<'p> {
    fn of(payable: &'p Payable) -> Self {
        match payable {
            Payable::Session(session) => {
                let reference = session.client_reference_id.iter().map(|text| ("Reference", escaped(text)));
                Sheet {
                    id: &session.id,
                    amount: amounts::shown(session.amount, &session.currency),
                    lines: session.lines.iter().map(|item| line(item, &session.currency)).collect(),
                    back: session.cancel_url.as_deref(),
                    facts: reference.chain([("Open until", minute(session.expires_at))]).collect(),
                }
            }
            Payable::Intent(intent) => {
                let amount = amounts::shown(intent.amount, &intent.currency);
                let words = intent.data.description.as_deref().unwrap_or("A payment on the shop's own page");
                Sheet {
                    id: &intent.id,
                    lines: format!("<li><span>{}</span><b>{amount}</b></li>", escaped(words)),
                    amount,
                    back: None,
                    facts: vec![("Payment intent", escaped(&intent.id))],
                }
            }
        }
    }
}

/// The page of a payment; `declined` says that the last card was.
pub(super) fn payment(payable: &Payable, stage: Stage, declined: bool, now: Timestamp) -> String {
    let sheet = Sheet::of(payable);
    let body = format!("<main>{}{}</main>", summary(&sheet), desk(&sheet, stage, declined, now));
    framed(&format!("Pay {}", sheet.amount), &body)
}

/// One page: its title, and what stands in it, which is markup.
pub(super) fn framed(title: &str, body: &str) -> String {
    fill(FRAME, &[("title", title), ("body", body)])
}

fn summary(sheet: &Sheet<'_>) -> String {
    let back = sheet.back.map_or_else(String::new, |url| {
        format!("<a class=\"back\" href=\"{}\" rel=\"noreferrer\">&larr; Back to the shop</a>", escaped(url))
    });
    let facts: String = sheet.facts.iter().map(|(name, text)| format!("<dt>{name}</dt><dd>{text}</dd>")).collect();
    format!(
        "<section class=\"card\">{back}<h1>To pay</h1><div class=\"amount\">{}</div><ul class=\"lines\">{}</ul>\
         <dl>{facts}</dl></section>",
        sheet.amount, sheet.lines
    )
}

/// `2026-11-21 02:30 UTC`
pub(super) fn minute(seconds: i64) -> String {
    let text = Timestamp::from_seconds(seconds).to_string();
    text.get(..16).map_or(text.clone(), |minute| format!("{} UTC", minute.replace('T', " ")))
}

fn line(line: &Line, currency: &str) -> String {
    let many = if line.quantity > 1 { format!("<small> &times; {}</small>", line.quantity) } else { String::new() };
    let details =
        line.details.as_ref().map_or_else(String::new, |text| format!("<br><small>{}</small>", escaped(text)));
    let total = amounts::shown(line.unit_amount.saturating_mul(line.quantity), currency);
    format!("<li><span>{}{many}{details}</span><b>{total}</b></li>", escaped(&line.name))
}

fn desk(sheet: &Sheet<'_>, stage: Stage, declined: bool, now: Timestamp) -> String {
    let amount = sheet.amount.as_str();
    let (heading, note, buttons) = match stage {
        Stage::Open => {
            let note = if declined {
                "<div class=\"note bad\">The card was declined. The buyer may try again.</div>"
            } else {
                ""
            };
            let buttons = format!(
                "{}<div class=\"others\">{}{}{}</div>",
                pay_button(amount),
                button("declined", "Decline"),
                button("pending", "Pending"),
                button("expired", "Expire")
            );
            ("Play the buyer", note.to_owned(), buttons)
        }
        Stage::Processing => {
            let note = "<div class=\"note\">The payment is being processed. It is still to come, or to fail.</div>";
            let buttons = format!(
                "<div class=\"others two\">{}{}</div>",
                button("paid", "It arrives"),
                button("declined", "It fails")
            );
            ("Play the bank", note.to_owned(), buttons)
        }
        Stage::Paid => {
            ("Paid", "<div class=\"note good\">This checkout has been paid.</div>".to_owned(), String::new())
        }
        Stage::Failed | Stage::Expired | Stage::Canceled => {
            let note = format!("<div class=\"note bad\">This checkout is {}.</div>", stage_word(stage));
            ("Too late", note, pay_button(amount))
        }
    };
    let switches = match stage {
        Stage::Paid => String::new(),
        Stage::Open | Stage::Processing => fill(SWITCHES, &[("late", "")]),
        // Here the button does nothing without it, so it stands ticked where it can be seen.
        Stage::Failed | Stage::Expired | Stage::Canceled => {
            fill(SWITCHES, &[("late", LATE)]).replace("<details>", "<details open>")
        }
    };
    let time = minute(now.as_seconds());
    format!(
        "<section class=\"card\"><h2>{heading}</h2><p>Choose what happens; the webhooks follow. It is {time}.</p>{note}\
         <form method=\"post\" action=\"/sandbox/stripe/pay/{}\" autocomplete=\"off\">{buttons}{switches}</form></section>",
        escaped(sheet.id)
    )
}

fn pay_button(amount: &str) -> String {
    format!("<button class=\"pay\" name=\"outcome\" value=\"paid\">Pay {amount}</button>")
}

fn button(outcome: &str, text: &str) -> String {
    format!("<button name=\"outcome\" value=\"{outcome}\">{text}</button>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_shop_wrote_is_text_and_never_markup() {
        assert_eq!(escaped("<b>\"x\" & 'y'</b>"), "&lt;b&gt;&quot;x&quot; &amp; &#39;y&#39;&lt;/b&gt;");
        assert_eq!(fill("a{{x}}b{{y}}c{{z}}", &[("x", "{{y}}"), ("y", "2")]), "a{{y}}b2c");
    }
}
