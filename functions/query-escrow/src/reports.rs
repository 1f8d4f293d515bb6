//! `GET /v1/reports/figures`: what the reconciler has counted of each day.

use escrow_domain::time::{Period, Timestamp};
use escrow_http::app::App;
use escrow_http::auth::Caller;
use escrow_http::problem::{Answer, Code, Problem};
use escrow_http::reply::Reply;
use escrow_http::request::Incoming;
use escrow_store::sheets::Day;
use serde_json::{Value, json};
use std::str::FromStr;

/// So many days at once.
const MOST_DAYS: usize = 92;
/// So many, if nobody says from when on: the last of them is yesterday.
const USUAL: Period = Period::days(30);

/// A day as it is asked for: `2026-03-01`.
struct Date(Day);

impl FromStr for Date {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.len() != "2026-03-01".len() {
            return Err(());
        }
        let begins: Timestamp = format!("{text}T00:00:00Z").parse().map_err(|_| ())?;
        Ok(Self(Day::of(begins)))
    }
}

pub(super) async fn figures(app: &App, incoming: &Incoming, caller: &Caller) -> Answer<Reply> {
    if !caller.scopes.operator && !caller.scopes.platform {
        return Err(Problem::forbidden("The figures are for operators, and for the marketplace's own server."));
    }
    let query = incoming.query(&["from", "to"])?;
    let day = |name| Ok::<_, Problem>(query.read::<Date>(name, "a day such as 2026-03-01")?.map(|date| date.0));
    let to = day("to")?.unwrap_or_else(|| Day::of(app.clock.now().before(Period::days(1))));
    let from = day("from")?.unwrap_or_else(|| Day::of(to.begins().before(USUAL)).next());
    let last = std::iter::successors(Some(from), |day| Some(day.next())).take(MOST_DAYS).last();
    if from > to || last.is_none_or(|last| last < to) {
        let detail = format!("from one day to the same or a later one, at most {MOST_DAYS} days");
        return Err(Problem::input(Code::QueryInvalid, "?from", detail));
    }
    let stored = app.store.figures(from, to).await?;
    let read = |(_, text): &(Day, String)| serde_json::from_str::<Value>(text).map_err(Problem::internal);
    let data = stored.iter().map(read).collect::<Answer<Vec<Value>>>()?;
    Ok(Reply::ok(&json!({ "data": data })))
}
