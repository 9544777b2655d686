//! What every list shares: its query string, its window (page, skip or cursor) and its envelope.

use serde::Serialize;

use super::steps;
use crate::error::Error;
use crate::fields::FieldErrors;
use crate::time::Timestamp;

/// A query string, read strictly.
#[derive(Debug, Clone, Default)]
pub struct Params {
    pairs: Vec<(String, String)>,
}

impl Params {
    /// Reads a query string.
    ///
    /// # Errors
    /// 400 when it is malformed or says something twice.
    pub fn parse(query: &str) -> Result<Self, Error> {
        check_escapes(query)?;
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query)
            .map_err(|_| Error::Malformed("The query string cannot be read.".to_owned()))?;
        for (n, (name, value)) in pairs.iter().enumerate() {
            if pairs.iter().take(n).any(|(other, _)| other == name) {
                return Err(Error::Malformed(format!("{name} is given twice.")));
            }
            if value.contains('\0') {
                return Err(Error::Malformed(format!("{name} must not have NUL characters.")));
            }
        }
        Ok(Self { pairs })
    }

    /// All that was said, in its order.
    pub fn into_pairs(self) -> Vec<(String, String)> {
        self.pairs
    }

    /// A parameter that is there and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A whole number that narrows the list: an id.
    pub fn integer(&self, name: &str, errors: &mut FieldErrors) -> Option<i64> {
        let text = self.get(name)?;
        let number = text.parse().ok();
        if number.is_none() {
            errors.add(name, "type", "must be a whole number");
        }
        number
    }

    /// True or false.
    pub fn boolean(&self, name: &str, errors: &mut FieldErrors) -> Option<bool> {
        match self.get(name)? {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => {
                errors.add(name, "type", "must be true or false");
                None
            }
        }
    }

    /// A point in time, in microseconds.
    pub fn time(&self, name: &str, errors: &mut FieldErrors) -> Option<i64> {
        let text = self.get(name)?;
        let time = Timestamp::parse(text);
        if time.is_none() {
            errors.add(name, "format", "must be a time as in RFC 3339, such as 2026-11-21T13:05:00Z");
        }
        time.map(|time| time.0)
    }

    /// A day as a date field sends it: its beginning in UTC.
    pub fn day(&self, name: &str, errors: &mut FieldErrors) -> Option<Timestamp> {
        let text = self.get(name)?;
        let day = Timestamp::parse(&format!("{text}T00:00:00Z"));
        if day.is_none() {
            errors.add(name, "format", "must be a day such as 2026-11-21");
        }
        day
    }

    /// What makes this list another list: everything but its window, in one order. Cursors are bound to it.
    pub fn context(&self, path: &str) -> String {
        const WINDOW: [&str; 8] = ["cursor", "limit", "page", "page_size", "skip", "include_total", "fields", "expand"];
        let mut rest: Vec<&(String, String)> =
            self.pairs.iter().filter(|(name, value)| !value.is_empty() && !WINDOW.contains(&name.as_str())).collect();
        rest.sort();
        format!("{path}?{}", serde_urlencoded::to_string(&rest).unwrap_or_default())
    }

    /// The query string with a parameter put in, changed or (with an empty value) left out; the page starts
    /// anew. For links in pages.
    pub fn with(&self, name: &str, value: &str) -> String {
        let place = |n: &str| n == "page" || steps::PARAMS.contains(&n);
        let kept = self.pairs.iter().filter(|(n, v)| n != name && !place(n) && !v.is_empty());
        let mut pairs: Vec<(&str, &str)> = kept.map(|(n, v)| (n.as_str(), v.as_str())).collect();
        if !value.is_empty() {
            pairs.push((name, value));
        }
        serde_urlencoded::to_string(pairs).unwrap_or_default()
    }
}

/// `serde_urlencoded` takes a broken escape for text and bytes that are not UTF-8 for question marks; a client
/// that sends one has made a mistake.
fn check_escapes(query: &str) -> Result<(), Error> {
    let wrong = || Error::Malformed("There is a percent escape that is broken or not UTF-8.".to_owned());
    let mut decoded = Vec::with_capacity(query.len());
    let mut bytes = query.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16));
        match (digit(), digit()) {
            (Some(high), Some(low)) => decoded.push(u8::try_from(high * 16 + low).unwrap_or_default()),
            _ => return Err(wrong()),
        }
    }
    std::str::from_utf8(&decoded).map(drop).map_err(|_| wrong())
}

/// Which part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Window {
    /// `page` (from 1) and `page_size`.
    Page {
        /// From 1.
        page: i64,
        /// 1 to 100.
        size: i64,
    },
    /// `skip` and `limit`.
    Skip {
        /// Rows left out.
        skip: i64,
        /// 1 to 100.
        limit: i64,
    },
    /// `cursor` and `limit`; without a cursor, the beginning.
    Cursor {
        /// The `next_cursor` of the page before.
        cursor: Option<String>,
        /// 1 to 100.
        limit: i64,
        /// Whether to count.
        total: bool,
    },
}

impl Window {
    /// Reads the window. The default is page 1 of 20.
    ///
    /// # Errors
    /// 400 for two styles at once or something that is no number.
    pub fn parse(params: &Params, errors: &mut FieldErrors) -> Result<Self, Error> {
        let mut number = |name: &str, default: i64, min: i64, max: i64| -> Result<i64, Error> {
            let Some(text) = params.get(name) else { return Ok(default) };
            let digits = text.strip_prefix('-').unwrap_or(text);
            if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return Err(Error::Malformed(format!("{name} must be a whole number.")));
            }
            match text.parse() {
                Ok(n) if (min..=max).contains(&n) => Ok(n),
                _ => {
                    errors.add(name, "range", format!("must be from {min} to {max}"));
                    Ok(default)
                }
            }
        };
        let has = |name: &str| params.get(name).is_some();
        let by_page = has("page") || has("page_size");
        let (by_skip, by_cursor) = (has("skip"), has("cursor"));
        let styles = [by_page, by_skip, by_cursor].into_iter().filter(|s| *s).count();
        if styles > 1 || by_page && has("limit") {
            return Err(Error::Malformed(
                "Use one of page with page_size, skip with limit, or cursor with limit.".to_owned(),
            ));
        }
        const FAR: i64 = 1_000_000_000;
        if by_skip {
            Ok(Self::Skip { skip: number("skip", 0, 0, FAR)?, limit: number("limit", 20, 1, 100)? })
        } else if by_cursor || has("limit") {
            let total = params.get("include_total").is_some_and(|v| matches!(v, "true" | "1"));
            Ok(Self::Cursor {
                cursor: params.get("cursor").map(str::to_owned),
                limit: number("limit", 20, 1, 100)?,
                total,
            })
        } else {
            Ok(Self::Page { page: number("page", 1, 1, FAR)?, size: number("page_size", 20, 1, 100)? })
        }
    }

    /// Rows to leave out and rows to give.
    pub fn span(&self) -> (i64, i64) {
        match self {
            Self::Page { page, size } => ((page - 1).saturating_mul(*size), *size),
            Self::Skip { skip, limit } => (*skip, *limit),
            Self::Cursor { limit, .. } => (0, *limit),
        }
    }

    /// Whether the answer says how many there are.
    pub fn counts(&self) -> bool {
        !matches!(self, Self::Cursor { total: false, .. })
    }
}

/// A part of a list, as it was found.
#[derive(Debug, Clone)]
pub struct Listing<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// How many there are in all, if that was asked.
    pub total: Option<i64>,
    /// Whether there are more behind these.
    pub has_more: bool,
    /// Where to go on.
    pub next_cursor: Option<String>,
    /// The part that was asked for.
    pub window: Window,
}

impl<T> Listing<T> {
    /// The same part of a list, each row shown in another way.
    pub fn map<'l, U>(&'l self, show: impl FnMut(&'l T) -> U) -> Listing<U> {
        Listing {
            rows: self.rows.iter().map(show).collect(),
            total: self.total,
            has_more: self.has_more,
            next_cursor: self.next_cursor.clone(),
            window: self.window.clone(),
        }
    }

    /// A listing of rows that were asked for with one more than the window has, which tells that there are
    /// more.
    pub fn cut(mut rows: Vec<T>, total: Option<i64>, window: Window, cursor_after: impl FnOnce(&T) -> String) -> Self {
        let limit = usize::try_from(window.span().1).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = if has_more { rows.last().map(cursor_after) } else { None };
        Self { rows, total, has_more, next_cursor, window }
    }
}

/// The envelope of many: contract 4.1.
#[derive(Debug, Serialize)]
pub struct Many<'m, T> {
    success: bool,
    message: &'m str,
    data: &'m [T],
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_size: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skip: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<i64>,
    has_more: bool,
    next_cursor: Option<&'m str>,
}

impl<'m, T> Many<'m, T> {
    /// A listing in its envelope.
    pub fn of(message: &'m str, listing: &'m Listing<T>) -> Self {
        let (page, page_size, skip, limit) = match listing.window {
            Window::Page { page, size } => (Some(page), Some(size), None, None),
            Window::Skip { skip, limit } => (None, None, Some(skip), Some(limit)),
            Window::Cursor { limit, .. } => (None, None, None, Some(limit)),
        };
        Self {
            success: true,
            message,
            data: &listing.rows,
            total: listing.total,
            page,
            page_size,
            skip,
            limit,
            has_more: listing.has_more,
            next_cursor: listing.next_cursor.as_deref(),
        }
    }
}
