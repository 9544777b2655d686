//! Export of items: as CSV that an import takes back unchanged and that is safe to open in a spreadsheet, or
//! as JSON lines. Row by row, so that a million need no more memory than one page.

use std::collections::HashMap;
use std::io::Write;

use super::model::Item;
use super::store::page::{self, By, Filter, Key};
use crate::categories;
use crate::db::Conn;
use crate::decimal::Amount;
use crate::error::Error;

/// What the lines look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// With a head; the columns that an import takes.
    Csv,
    /// An object a line, as the API shows it.
    Jsonl,
}

/// Rows read at once.
const CHUNK: i64 = 1_000;
const HEAD: [&str; 8] = ["sku", "name", "description", "price", "currency", "tax_rate", "category", "is_active"];

/// Writes all items of a filter in an order that [`page::complete`] made; says after each chunk how many there
/// are so far.
///
/// # Errors
/// The database's, or when nothing more can be written.
pub fn write(
    conn: &mut Conn,
    filter: &Filter,
    order: &[By],
    format: Format,
    out: &mut impl Write,
    mut progress: impl FnMut(u64),
) -> Result<u64, Error> {
    let broken = |e: std::io::Error| Error::Internal(format!("the export cannot be written: {e}"));
    let names: HashMap<i64, String> = categories::store::all(conn)?.into_iter().map(|c| (c.id, c.name)).collect();
    let mut after: Option<Vec<Key>> = None;
    let mut count = 0;
    head(format, out)?;
    loop {
        let rows = page::list(conn, filter, order, after.as_deref(), 0, CHUNK)?;
        let bytes = match format {
            Format::Csv => lines(rows.iter().map(|item| cells(item, &names)))?,
            Format::Jsonl => {
                let mut bytes = Vec::new();
                for item in &rows {
                    serde_json::to_writer(&mut bytes, item).map_err(|e| Error::Internal(e.to_string()))?;
                    bytes.push(b'\n');
                }
                bytes
            }
        };
        out.write_all(&bytes).map_err(broken)?;
        count += u64::try_from(rows.len()).unwrap_or_default();
        progress(count);
        match rows.last() {
            Some(last) => after = Some(order.iter().map(|by| by.column.key(last)).collect()),
            None => break,
        }
    }
    out.flush().map_err(broken)?;
    Ok(count)
}

/// Writes what comes before the first item: of no items, all there is.
///
/// # Errors
/// When nothing more can be written.
pub fn head(format: Format, out: &mut impl Write) -> Result<(), Error> {
    if format == Format::Csv {
        let line = lines([HEAD.map(str::to_owned)])?;
        out.write_all(&line)
            .and_then(|()| out.flush())
            .map_err(|e| Error::Internal(format!("the export cannot be written: {e}")))?;
    }
    Ok(())
}

fn cells(item: &Item, names: &HashMap<i64, String>) -> [String; 8] {
    let text = |t: &Option<String>| safe(t.as_deref().unwrap_or_default());
    [
        text(&item.sku),
        safe(&item.name),
        text(&item.description),
        Amount(item.price).to_string(),
        item.currency.clone(),
        Amount(item.tax_rate).to_string(),
        safe(names.get(&item.category_id).map_or("", String::as_str)),
        item.is_active.to_string(),
    ]
}

fn lines(rows: impl IntoIterator<Item = [String; 8]>) -> Result<Vec<u8>, Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for cells in rows {
        writer.write_record(cells).map_err(|e| Error::Internal(e.to_string()))?;
    }
    writer.into_inner().map_err(|e| Error::Internal(e.to_string()))
}

/// Whether a spreadsheet would run a cell with this text, or it begins like one that was made safe
/// (<https://owasp.org/www-community/attacks/CSV_Injection>).
pub fn is_formula(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\''])
}

/// A text that no spreadsheet runs: marked with an apostrophe, which an import takes off again.
fn safe(text: &str) -> String {
    if is_formula(text) { format!("'{text}") } else { text.to_owned() }
}
