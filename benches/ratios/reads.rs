//! Reads: one item, a list with its exact total, and a page far down by cursor.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use super::load::{Load, Request};
use super::report::{Report, Target};
use super::server::Running;
use super::turns::{self, subject};

/// Clients at once.
pub const CLIENTS: usize = 32;
/// The page that must not cost more than the first.
const FAR_PAGE: u64 = 4_500;

/// Measures all of them against the ceiling.
pub fn measure(
    ceiling: &Running,
    server: &Running,
    items: u64,
    time: Duration,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (admin, member) = (server.sign_in("keeper")?, server.sign_in("member")?);
    let page = FAR_PAGE.min(items / 20);
    let cursor = walk(server, &admin, (page - 1) * 20)?;
    let load = |request| Load { request, clients: CLIENTS };
    let bare = load(Request::get_any("", items, ""));
    let point = load(Request::get_any("/api/v1/items", items, &admin));
    let list = load(Request::get("/api/v1/items?page=1", &admin));
    let of_member = load(Request::get("/api/v1/items?page=1", &member));
    let first = load(Request::get("/api/v1/items?sort=price&limit=20", &admin));
    let far = load(Request::get(&format!("/api/v1/items?sort=price&limit=20&cursor={cursor}"), &admin));
    let [bare, point, list, of_member, first, far] = turns::take(
        time,
        [
            subject(&bare, ceiling),
            subject(&point, server),
            subject(&list, server),
            subject(&of_member, server),
            subject(&first, server),
            subject(&far, server),
        ],
    )?;
    let to = |sample: &super::load::Sample| Some(sample.ratio_to(&bare));
    report.load("ceiling: bare handler", &bare, None, Target::None);
    report.load(&format!("GET item, {items} items"), &point, to(&point), Target::AtLeast(0.6));
    report.ratio("  its CPU to the ceiling's", point.cpu_micros() / bare.cpu_micros(), Target::AtMost(2.5));
    report.load("GET list of 20 with total, admin", &list, to(&list), Target::AtLeast(0.35));
    report.load("GET list of 20 with total, user", &of_member, to(&of_member), Target::AtLeast(0.35));
    report.load("GET page 1 by price", &first, to(&first), Target::None);
    report.load(&format!("GET page {page} by cursor"), &far, to(&far), Target::None);
    let least = if items > 100_000 { 0.8 } else { 0.9 };
    report.ratio(&format!("  page {page} to page 1"), far.ratio_to(&first), Target::AtLeast(least));
    Ok(())
}

/// Walks by cursor past so many items; where the next page begins.
fn walk(server: &Running, token: &str, items: u64) -> anyhow::Result<String> {
    let mut cursor = String::new();
    let mut behind = 0;
    while behind < items {
        let limit = (items - behind).min(100);
        let after = if cursor.is_empty() { String::new() } else { format!("&cursor={cursor}") };
        let page = server.ask("GET", &format!("/api/v1/items?sort=price&limit={limit}{after}"), token, None)?;
        let next = page.get("next_cursor").and_then(Value::as_str).context("the list ends too soon")?;
        next.clone_into(&mut cursor);
        behind += limit;
    }
    Ok(cursor)
}
