//! Lists: of a party or of a subject, newest first, a page at a time.
//!
//! Filters look at the items of a page, so a page can be shorter than its limit while more follow; some pages are read on until one
//! has something to show.

use escrow_domain::actions::Scopes;
use escrow_domain::escrow::{Escrow, Subject};
use escrow_domain::lifecycle::Role;
use escrow_domain::policy::Kind;
use escrow_http::app::App;
use escrow_http::auth::Caller;
use escrow_http::export::Format;
use escrow_http::page::Page;
use escrow_http::problem::{Answer, Code, Problem};
use escrow_http::reply::Reply;
use escrow_http::request::{Incoming, Query};
use escrow_http::views::{self, EscrowView};
use escrow_store::lists::{List, ListError, Listed, Loaded};

/// Pages that are read for one answer at the most.
const MOST_PAGES: usize = 5;
/// Every status that an escrow can show.
const STATUSES: [&str; 11] = [
    "pending",
    "held",
    "delivered",
    "disputed",
    "released",
    "refunding",
    "refunded",
    "split",
    "cancelled",
    "expired",
    "review",
];

pub(super) async fn escrows(app: &App, incoming: &Incoming, caller: &Caller) -> Answer<Reply> {
    let known = ["role", "status", "kind", "subject_type", "subject_id", "format", "limit", "cursor"];
    let query = incoming.query(&known)?;
    let format = Format::read(&query)?;
    let role = match query.get("role") {
        None | Some("all") => None,
        Some("buyer") => Some(Role::Buyer),
        Some("seller") => Some(Role::Seller),
        Some(_) => return Err(query_invalid("?role", "buyer, seller or all")),
    };
    let status = query.get("status");
    if status.is_some_and(|status| !STATUSES.contains(&status)) {
        return Err(query_invalid("?status", "one of an escrow's states, such as held"));
    }
    let kind: Option<Kind> = query.read("kind", "product, service or project")?;
    let subject = subject(&query)?;
    let list = match (&subject, role) {
        (Some(subject), _) => List::Subject(subject.clone()),
        (None, Some(Role::Seller)) => List::Seller(caller.sub.clone()),
        (None, Some(_)) => List::Buyer(caller.sub.clone()),
        (None, None) => List::Party(caller.sub.clone()),
    };
    let filters = query.sorted_without(&["limit", "cursor", "format"]);
    let page = Page::read(&query, &["escrows", caller.sub.as_str(), &filters])?;
    let sees_all = sees_all(caller.scopes) && subject.is_some();
    let shown = |escrow: &Escrow| {
        let party = escrow.party(&caller.sub);
        (sees_all || party.is_some())
            && role.is_none_or(|role| party == Some(role))
            && status.is_none_or(|status| escrow.status().as_str() == status)
            && kind.is_none_or(|kind| escrow.terms.kind == kind)
    };
    let (escrows, next) = read(app, &list, &page, shown).await?;
    let now = app.clock.now();
    let view = |escrow: &Escrow| EscrowView::new(escrow, &escrow.standing(&caller.sub, caller.scopes), now);
    let data = escrows.iter().map(view).collect::<Answer<Vec<_>>>()?;
    format.reply(&page.listed(data, next.as_deref()), views::ESCROW_COLUMNS)
}

pub(super) async fn payments(app: &App, incoming: &Incoming, caller: &Caller) -> Answer<Reply> {
    let query = incoming.query(&["subject_type", "subject_id", "limit", "cursor"])?;
    let subject = subject(&query)?
        .ok_or_else(|| query_invalid("?subject_type", "name the subject: subject_type and subject_id"))?;
    let page = Page::read(&query, &["payments", caller.sub.as_str(), &query.sorted_without(&["limit", "cursor"])])?;
    let shown = |escrow: &Escrow| sees_all(caller.scopes) || escrow.party(&caller.sub).is_some();
    let (escrows, next) = read(app, &List::Subject(subject), &page, shown).await?;
    // An escrow's attempts to pay stay together, the newest first.
    let numbers = |escrow: &Escrow| (0_u16..).take(escrow.payments.len()).collect::<Vec<_>>().into_iter().rev();
    let data =
        escrows.iter().flat_map(|escrow| numbers(escrow).filter_map(|number| views::payment(escrow, number))).collect();
    Ok(Reply::ok(&page.listed(data, next.as_deref())))
}

/// Open disputes, the one whose default comes first on top: what arbiters and operators work through.
pub(super) async fn disputes(app: &App, incoming: &Incoming, caller: &Caller) -> Answer<Reply> {
    if !caller.scopes.arbiter && !caller.scopes.operator {
        return Err(Problem::forbidden("The queue of disputes is for arbiters and operators."));
    }
    let query = incoming.query(&["limit", "cursor"])?;
    let page = Page::read(&query, &["disputes", caller.sub.as_str()])?;
    // Nobody rules, or looks from above, on a deal of their own.
    let shown = |escrow: &Escrow| escrow.party(&caller.sub).is_none();
    let (escrows, next) = read(app, &List::OpenDisputes, &page, shown).await?;
    let data = escrows.iter().flat_map(views::dispute_listed).collect();
    Ok(Reply::ok(&page.listed(data, next.as_deref())))
}

/// Whoever may see the escrows of a subject without being a party.
const fn sees_all(scopes: Scopes) -> bool {
    scopes.platform || scopes.operator
}

fn subject(query: &Query) -> Answer<Option<Subject>> {
    match (query.get("subject_type"), query.get("subject_id")) {
        (None, None) => Ok(None),
        (Some(kind), Some(id)) if !kind.is_empty() && !id.is_empty() => {
            Ok(Some(Subject { kind: kind.to_owned(), id: id.to_owned() }))
        }
        _ => Err(query_invalid("?subject_type", "subject_type and subject_id go together")),
    }
}

/// Reads on until a page has something to show, and not for ever.
async fn read(
    app: &App,
    list: &List,
    page: &Page,
    shown: impl Fn(&Escrow) -> bool,
) -> Answer<(Vec<Escrow>, Option<String>)> {
    let mut cursor = page.after.clone();
    let mut found = Vec::new();
    for _page in 0..MOST_PAGES {
        let Listed { items, next } = app.store.list(list, page.limit, cursor.as_deref()).await.map_err(problem)?;
        found.extend(items.into_iter().filter_map(readable).filter(&shown));
        cursor = next;
        if !found.is_empty() || cursor.is_none() {
            break;
        }
    }
    Ok((found, cursor))
}

/// An escrow of a list. One that cannot be read is left out, and said in the log: it must not hide the others.
fn readable(loaded: Loaded) -> Option<Escrow> {
    match loaded.escrow {
        Ok(escrow) => Some(*escrow),
        Err(unreadable) => {
            tracing::error!(error = %unreadable, "an escrow of a list cannot be read");
            None
        }
    }
}

fn problem(error: ListError) -> Problem {
    match error {
        ListError::Cursor(_) => Page::cursor_unknown(),
        ListError::Store(store) => store.into(),
    }
}

fn query_invalid(pointer: &'static str, detail: &str) -> Problem {
    Problem::input(Code::QueryInvalid, pointer, detail)
}
