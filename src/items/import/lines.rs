//! A CSV file, line by line: its head, and each line as fields that were typed.

use std::collections::VecDeque;
use std::io::Read;

use csv::{ReaderBuilder, StringRecord};

use super::BadLine;
use crate::error::Error;
use crate::fields::Input;
use crate::items::export;

/// Rows in one transaction: at most some 150 ms for others to wait.
pub const CHUNK: usize = 1_000;
/// Columns that a file must have.
const REQUIRED: [&str; 3] = ["name", "price", "category"];
/// Columns that it may have, and those that only the server sets; others are passed over.
const KNOWN: [&str; 13] = [
    "sku",
    "name",
    "description",
    "price",
    "currency",
    "tax_rate",
    "category",
    "is_active",
    "id",
    "owner_id",
    "version",
    "created_at",
    "updated_at",
];

/// A line, read but not held against the catalogue yet.
#[derive(Debug, Clone)]
pub struct Line {
    pub(super) number: u64,
    pub(super) fields: Result<Input, BadLine>,
}

/// Reads a file, line by line.
pub struct Lines<R: Read> {
    reader: csv::Reader<Plain<R>>,
    columns: Vec<String>,
    record: StringRecord,
}

impl<R: Read> Lines<R> {
    /// Reads the head.
    ///
    /// # Errors
    /// 422 for a file that is empty or lacks columns, naming them; before the first row.
    pub fn open(file: R) -> Result<Self, Error> {
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(Plain::new(file));
        let head = reader
            .headers()
            .map_err(|e| Error::field("file", "format", format!("cannot be read as CSV in UTF-8: {e}")))?;
        let columns: Vec<String> = head.iter().map(|name| name.trim().to_lowercase()).collect();
        if columns.iter().all(String::is_empty) {
            return Err(Error::field("file", "empty", "is empty: its first line must name the columns"));
        }
        let missing: Vec<&str> = REQUIRED.into_iter().filter(|name| !columns.iter().any(|c| c == name)).collect();
        if !missing.is_empty() {
            let found = columns.join(", ");
            return Err(Error::field(
                "file",
                "columns",
                format!("lacks the columns {} (it has {found})", missing.join(", ")),
            ));
        }
        if let Some(twice) = columns
            .iter()
            .enumerate()
            .find(|(n, c)| KNOWN.contains(&c.as_str()) && columns.iter().take(*n).any(|o| o == *c))
        {
            return Err(Error::field("file", "columns", format!("has the column {} twice", twice.1)));
        }
        Ok(Self { reader, columns, record: StringRecord::new() })
    }

    /// Bytes read so far.
    pub fn position(&self) -> u64 {
        self.reader.position().byte()
    }

    /// The next lines, at most a chunk of them; none at the end.
    ///
    /// # Errors
    /// When the file cannot be read any further.
    pub fn chunk(&mut self) -> Result<Vec<Line>, Error> {
        let mut lines = Vec::new();
        while lines.len() < CHUNK {
            let number = self.reader.position().line();
            match self.reader.read_record(&mut self.record) {
                Ok(false) => break,
                Ok(true) => {
                    // The reader passes empty lines over before a record, so its line is found from its end.
                    let inside = self.record.iter().map(|cell| cell.matches('\n').count() as u64).sum::<u64>();
                    let number = self.reader.position().line().saturating_sub(1 + inside);
                    lines.push(self.line(number));
                }
                Err(error) if error.is_io_error() => {
                    return Err(Error::field("file", "format", format!("cannot be read any further: {error}")));
                }
                Err(error) => {
                    let number = error.position().map_or(number, csv::Position::line);
                    let reason = match error.kind() {
                        csv::ErrorKind::Utf8 { .. } => "is not UTF-8".to_owned(),
                        _ => error.to_string(),
                    };
                    let bad = BadLine { line: number, field: String::new(), message: reason };
                    lines.push(Line { number, fields: Err(bad) });
                }
            }
        }
        Ok(lines)
    }

    fn line(&self, number: u64) -> Line {
        let (have, want) = (self.record.len(), self.columns.len());
        if have != want {
            let message = format!("has {have} fields, the head {want}");
            return Line { number, fields: Err(BadLine { line: number, field: String::new(), message }) };
        }
        let pairs = self.columns.iter().map(String::as_str).zip(self.record.iter());
        let known = pairs.filter(|(name, _)| KNOWN.contains(name));
        Line { number, fields: Ok(Input::from_text(known.map(|(name, value)| (name, unquoted(value))))) }
    }
}

/// A cell as it was before an export made it safe to open in a spreadsheet: see `items::export`.
fn unquoted(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if export::is_formula(rest) => rest,
        _ => cell,
    }
}

/// A file as a reader of lines wants it: without the mark that spreadsheets put at its start, with LF for CRLF
/// (the reader of CSV counts lines by LF, and one too late), and with the last line ended.
struct Plain<R> {
    inner: R,
    /// Read, and not handed on yet.
    held: VecDeque<u8>,
    started: bool,
    /// A CR that waits for what follows it.
    pending: bool,
    last: u8,
    ended: bool,
}

impl<R: Read> Plain<R> {
    fn new(inner: R) -> Self {
        Self { inner, held: VecDeque::new(), started: false, pending: false, last: b'\n', ended: false }
    }

    fn fill(&mut self) -> std::io::Result<()> {
        let mut chunk = [0; 64 * 1024];
        let mut count = self.inner.read(&mut chunk)?;
        if !self.started {
            self.started = true;
            // The mark may come in pieces.
            while (1..3).contains(&count) {
                match self.inner.read(chunk.get_mut(count..).unwrap_or_default())? {
                    0 => break,
                    more => count += more,
                }
            }
            if chunk.starts_with(&[0xEF, 0xBB, 0xBF]) && count >= 3 {
                chunk.copy_within(3..count, 0);
                count -= 3;
            }
            // An empty file, or nothing but the mark so far: the next call goes on.
            if count == 0 {
                return Ok(());
            }
        }
        if count == 0 {
            self.end();
            return Ok(());
        }
        for byte in chunk.iter().take(count) {
            self.push(*byte);
        }
        Ok(())
    }

    fn push(&mut self, byte: u8) {
        if self.pending && byte != b'\n' {
            self.held.push_back(b'\r');
        }
        self.pending = byte == b'\r';
        if !self.pending {
            self.held.push_back(byte);
        }
        self.last = byte;
    }

    fn end(&mut self) {
        self.ended = true;
        if self.pending {
            self.held.push_back(b'\r');
        }
        if self.last != b'\n' {
            self.held.push_back(b'\n');
        }
    }
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        while self.held.is_empty() && !self.ended {
            self.fill()?;
        }
        self.held.read(out)
    }
}
