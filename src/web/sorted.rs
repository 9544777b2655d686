//! Lists that are sorted by one column, the id breaking ties: what may be asked of them, and where they go on.

use serde_json::Value;

use super::cursor;
use super::list::{Listing, Params, Window};
use crate::error::Error;
use crate::fields::FieldErrors;

/// Which rows of a list, in which order.
#[derive(Debug, Clone)]
pub struct Span<O> {
    /// The order.
    pub order: O,
    /// Largest first.
    pub descending: bool,
    /// After this row: its key and id.
    pub after: Option<(String, i64)>,
    /// Rows to leave out at the start.
    pub skip: i64,
    /// Rows to give at most: one more than was asked for, which tells whether there are more.
    pub limit: i64,
}

/// A part of such a list that somebody asked for.
#[derive(Debug, Clone)]
pub struct Sorted<O> {
    /// Which part.
    pub window: Window,
    /// Its rows.
    pub span: Span<O>,
    context: String,
    key: [u8; 32],
}

impl<O: Copy> Sorted<O> {
    /// Reads `sort` (one of the columns, with `-` for largest first) and the window. `errors` are the mistakes
    /// that were found in the filters, to be told together with these.
    ///
    /// # Errors
    /// 400 for a bad window or cursor, 422 with every other mistake.
    pub fn parse(
        params: &Params,
        path: &str,
        key: [u8; 32],
        columns: &[(&str, O)],
        default: (&str, O),
        mut errors: FieldErrors,
    ) -> Result<Self, Error> {
        let window = Window::parse(params, &mut errors)?;
        let sort = params.get("sort").unwrap_or(default.0);
        let (descending, column) = sort.strip_prefix('-').map_or((false, sort), |column| (true, column));
        let order = columns.iter().find(|(name, _)| *name == column).map(|(_, order)| *order);
        if order.is_none() {
            let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
            let known = format!("must be one of {}, with - for largest first", names.join(", "));
            errors.add("sort", "unknown", known);
        }
        if !errors.is_empty() {
            return Err(Error::Invalid(errors));
        }
        let context = params.context(path);
        let after = match &window {
            Window::Cursor { cursor: Some(text), .. } => Some(cursor::place(&cursor::open(&key, &context, text)?)?),
            _ => None,
        };
        let (skip, limit) = window.span();
        let span = Span { order: order.unwrap_or(default.1), descending, after, skip, limit: limit + 1 };
        Ok(Self { window, span, context, key })
    }

    /// The rows that were found, as the part that was asked for; `place` says the key and the id of a row in
    /// this order.
    pub fn listing<T>(&self, rows: Vec<T>, total: Option<i64>, place: impl FnOnce(&T) -> (String, i64)) -> Listing<T> {
        Listing::cut(rows, total, self.window.clone(), |last| {
            let (key, id) = place(last);
            cursor::seal(&self.key, &self.context, &[Value::from(key), Value::from(id)])
        })
    }
}
