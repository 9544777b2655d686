//! ETags: the version of a thing, or a hash of a list. `If-None-Match` is answered by `web::front`;
//! `If-Match` becomes what the writer [`Expected`] (RFC 9110, 13).

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap};

use super::list::Listing;
use crate::app::App;
use crate::changes::{Expected, Recorded};
use crate::error::Error;

/// `"3"`
pub fn of_version(version: i64) -> String {
    format!("\"{version}\"")
}

/// `"3-9f86d081884c7d65"`: of a thing with that version, shown with other things or without some of its fields.
pub fn of_shown(version: i64, body: &[u8]) -> String {
    format!("\"{version}-{:016x}\"", hash(body))
}

/// Weak: it says that the list is the same, not that every byte is.
pub fn of_body(body: &[u8]) -> String {
    format!("W/\"{:016x}\"", hash(body))
}

fn hash(body: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(body);
    hasher.finish()
}

/// Weak, of a list whose rows have ids and versions: hashing these is ten times as fast as the body.
pub fn of_rows<T: Recorded>(listing: &Listing<T>) -> String {
    let mut hasher = DefaultHasher::new();
    for row in &listing.rows {
        hasher.write_i64(row.id());
        hasher.write_i64(row.version());
    }
    hasher.write_i64(listing.total.unwrap_or(-1));
    hasher.write_u8(u8::from(listing.has_more));
    listing.window.hash(&mut hasher);
    format!("W/\"{:016x}\"", hasher.finish())
}

/// Whether the client has this already (weak comparison).
pub fn is_known(if_none_match: &str, etag: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    if_none_match.trim() == "*" || if_none_match.split(',').any(|known| bare(known) == bare(etag))
}

/// What `If-Match` says. Whether it holds is for the writer to see, once the caller may know of the thing and change
/// it.
///
/// # Errors
/// 400 when it cannot be read.
pub fn expected(req: &HttpRequest, app: &App) -> Result<Expected, Error> {
    let Some(text) = if_match(req.headers())? else {
        return Ok(if app.config.require_if_match { Expected::Required } else { Expected::Unsaid });
    };
    if text.trim() == "*" {
        return Ok(Expected::Any);
    }
    // Strong comparison: a weak tag matches nothing. What is no number was never a tag of ours.
    let version = |tag: &str| {
        let text = tag.trim().strip_prefix('"')?.strip_suffix('"')?;
        // Of a cut or expanded one, the version stands before the hash.
        let text = text.split_once('-').map_or(text, |(version, _)| version);
        text.parse::<i64>().ok().filter(|version| version.to_string() == text)
    };
    Ok(Expected::Versions(text.split(',').filter_map(version).collect()))
}

fn if_match(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let mut texts = Vec::new();
    for value in headers.get_all(header::IF_MATCH) {
        texts.push(value.to_str().map_err(|_| Error::Malformed("If-Match cannot be read.".to_owned()))?.to_owned());
    }
    Ok(if texts.is_empty() { None } else { Some(texts.join(",")) })
}
