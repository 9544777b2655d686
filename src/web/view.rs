//! The small pieces that pages are made of: moments, money, heads of columns, steps through a list.

use super::list::{Params, Window};
use crate::time::Timestamp;

/// What is wrong with one field. An empty `field` speaks about the form as a whole.
#[derive(Clone, Debug)]
pub struct FieldError {
    pub field: String,
    pub message: String,
}

impl FieldError {
    /// The field's name for people.
    pub fn label(&self) -> String {
        label(&self.field)
    }
}

/// A field's name for people: `category_id` is "Category", `tax_rate` "Tax rate".
pub fn label(field: &str) -> String {
    match field {
        "sku" => "SKU".into(),
        "email" => "E-mail".into(),
        "url" => "URL".into(),
        "q" => "Search".into(),
        "is_active" => "Active".into(),
        other => capitalised(&other.trim_end_matches("_id").replace('_', " ")),
    }
}

/// All that is wrong with a form.
#[derive(Clone, Debug, Default)]
pub struct Errors(pub Vec<FieldError>);

impl Errors {
    /// The message at this field.
    pub fn of(&self, field: &str) -> Option<String> {
        self.0.iter().find(|e| e.field == field).map(|e| capitalised(&e.message))
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes a mistake.
    pub fn add(&mut self, field: &str, message: String) {
        self.0.push(FieldError { field: field.to_owned(), message });
    }

    pub fn iter(&self) -> std::slice::Iter<'_, FieldError> {
        self.0.iter()
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// A moment: for machines, and for people ("2026-11-21 13:05 UTC", "5 min ago").
#[derive(Clone, Debug, Default)]
pub struct When {
    pub iso: String,
    pub human: String,
}

/// A price as it is read: "1,234.50" and "USD".
#[derive(Clone, Debug, Default)]
pub struct Money {
    pub amount: String,
    pub currency: String,
}

/// An `<option>`.
#[derive(Clone, Debug)]
pub struct Choice {
    pub value: String,
    pub label: String,
    pub selected: bool,
}

/// A column's head. Without `sort_url` it is a plain word.
#[derive(Clone, Debug, Default)]
pub struct ColumnHead {
    pub label: &'static str,
    pub sort_url: Option<String>,
    /// `ascending`, `descending`, or empty when the list is not sorted by it.
    pub aria_sort: &'static str,
}

impl ColumnHead {
    pub fn is_sorted(&self) -> bool {
        !self.aria_sort.is_empty()
    }
}

/// Where in the list this page is, and the ways to the others.
#[derive(Clone, Debug, Default)]
pub struct Pagination {
    /// Numbers as they are read: "1", "20", "53,940".
    pub from: String,
    pub to: String,
    pub total: String,
    pub page: String,
    pub pages: String,
    pub prev_url: Option<String>,
    pub next_url: Option<String>,
    /// The sizes of page on offer; empty where there is no choice.
    pub sizes: Vec<PageSize>,
}

impl Pagination {
    pub fn has_steps(&self) -> bool {
        self.prev_url.is_some() || self.next_url.is_some()
    }
}

/// One size of page on offer.
#[derive(Clone, Debug)]
pub struct PageSize {
    pub label: &'static str,
    pub url: String,
    pub current: bool,
}

/// A filter in force, and the same list without it.
#[derive(Clone, Debug)]
pub struct Chip {
    /// "Category: Ideal", "Price from 500".
    pub label: String,
    pub clear_url: String,
}

impl When {
    /// A moment as one says it now: "5 min ago".
    pub fn ago(at: Timestamp, now: Timestamp) -> Self {
        Self { iso: at.rfc3339(), human: at.ago(now) }
    }

    /// A moment that is to come: "in 5 min".
    pub fn until(at: Timestamp, now: Timestamp) -> Self {
        Self { iso: at.rfc3339(), human: at.until(now) }
    }

    /// A moment by the calendar.
    pub fn on(at: Timestamp) -> Self {
        Self { iso: at.rfc3339(), human: at.human() }
    }
}

/// `53,940`
pub fn thousands(number: i64) -> String {
    crate::decimal::grouped(crate::decimal::Amount(number.saturating_mul(crate::decimal::SCALE)), 0)
}

/// `20 %` for 2,000 ten-thousandths.
pub fn per_cent(ten_thousandths: i64) -> String {
    format!("{} %", crate::decimal::Amount(ten_thousandths.saturating_mul(100)))
}

/// A path with a query string, if there is one.
pub fn url(path: &str, query: &str) -> String {
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// The heads of a list's columns: a click sorts by one, another turns it round.
pub struct Heads<'p> {
    path: &'static str,
    params: &'p Params,
    sort: &'p str,
}

impl<'p> Heads<'p> {
    /// Heads for a list of this query string, sorted by the first column that `sort` names.
    pub fn new(path: &'static str, params: &'p Params, sort: Option<&'p str>) -> Self {
        Self { path, params, sort: sort.and_then(|s| s.split(',').next()).unwrap_or_default() }
    }

    /// A column that can be sorted by.
    pub fn sortable(&self, label: &'static str, column: &str) -> ColumnHead {
        let (aria_sort, next) = if self.sort == column {
            ("ascending", format!("-{column}"))
        } else if self.sort.strip_prefix('-') == Some(column) {
            ("descending", column.to_owned())
        } else {
            ("", column.to_owned())
        };
        ColumnHead { label, sort_url: Some(url(self.path, &self.params.with("sort", &next))), aria_sort }
    }

    /// A column that cannot.
    pub fn plain(&self, label: &'static str) -> ColumnHead {
        ColumnHead { label, ..ColumnHead::default() }
    }
}

impl Pagination {
    /// The steps through a list by pages.
    pub fn of(path: &str, params: &Params, window: &Window, total: i64, shown: usize) -> Self {
        let (skip, size) = window.span();
        let shown = i64::try_from(shown).unwrap_or_default();
        let page = skip / size.max(1) + 1;
        let pages = (total + size - 1) / size.max(1);
        let to_page = |page: i64| url(path, &params.with("page", &page.to_string()));
        let sizes = [("20", 20), ("50", 50), ("100", 100)].map(|(label, each)| PageSize {
            label,
            url: url(path, &params.with("page_size", if each == 20 { "" } else { label })),
            current: each == size,
        });
        Self {
            from: thousands(if shown == 0 { 0 } else { skip + 1 }),
            to: thousands(skip + shown),
            total: thousands(total),
            page: thousands(page),
            pages: thousands(pages.max(1)),
            // Beyond the end, back leads to the last page that there is.
            prev_url: (page > 1).then(|| to_page((page - 1).min(pages.max(1)))),
            next_url: (page < pages).then(|| to_page(page + 1)),
            sizes: sizes.to_vec(),
        }
    }
}
