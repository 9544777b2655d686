//! Import of CSV: every good line is kept, every bad one is told with its line, field and reason. It comes in
//! chunks of a thousand rows, so that others get in between, and is one changeset all the same.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use csv::{ReaderBuilder, StringRecord, Trim};
use serde::Serialize;

use super::model::{Item, ItemFields, ItemInput};
use super::service;
use super::store::batch;
use crate::categories;
use crate::categories::model::{CategoryFields, name_key};
use crate::changes::{Expected, Tx};
use crate::db::Conn;
use crate::error::Error;
use crate::fields::{Input, Mode};

/// Rows in one transaction: at most some 150 ms for others to wait.
pub const CHUNK: usize = 1_000;
/// Columns that a file must have.
const REQUIRED: [&str; 3] = ["name", "price", "category"];
/// Columns that it may have; others are passed over.
const KNOWN: [&str; 8] = ["sku", "name", "description", "price", "currency", "tax_rate", "category", "is_active"];

/// What to do with a code that the catalogue has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnKnown {
    /// The line is bad.
    Refuse,
    /// The item takes the line's values; columns that the file lacks stay as they are.
    Update,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadLine {
    /// The head is line 1.
    pub line: u64,
    /// The column; empty for the line as a whole.
    pub field: String,
    /// Why.
    pub message: String,
}

/// What came of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Items made.
    pub created: u64,
    /// Items changed.
    pub updated: u64,
    /// Lines that were refused.
    pub failed: u64,
    /// Why, line by line.
    pub errors: Vec<BadLine>,
}

impl Report {
    /// Adds what came of the next chunk.
    pub fn add(&mut self, other: Self) {
        self.created += other.created;
        self.updated += other.updated;
        self.failed += other.failed;
        self.errors.extend(other.errors);
    }
}

/// A line, read but not held against the catalogue yet.
#[derive(Debug, Clone)]
pub struct Line {
    number: u64,
    fields: Result<Input, BadLine>,
}

/// Reads a file, line by line.
pub struct Lines<R: Read> {
    reader: csv::Reader<WithoutBom<R>>,
    columns: Vec<String>,
    record: StringRecord,
}

impl<R: Read> Lines<R> {
    /// Reads the head.
    ///
    /// # Errors
    /// 422 for a file that is empty or lacks columns, naming them; before the first row.
    pub fn open(file: R) -> Result<Self, Error> {
        let mut reader = ReaderBuilder::new().flexible(true).trim(Trim::All).from_reader(WithoutBom::new(file));
        let head = reader
            .headers()
            .map_err(|e| Error::field("file", "format", format!("cannot be read as CSV in UTF-8: {e}")))?;
        let columns: Vec<String> = head.iter().map(str::to_lowercase).collect();
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
                    // The reader passes empty lines over, so a record may begin further down.
                    let number = self.record.position().map_or(number, csv::Position::line);
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
        Some(rest) if super::export::is_formula(rest) => rest,
        _ => cell,
    }
}

/// What an import knows of the catalogue while it runs.
#[derive(Debug, Clone)]
pub struct Import {
    on_known: OnKnown,
    owner: i64,
    dry_run: bool,
    /// By their names without regard to case.
    categories: HashMap<String, i64>,
    /// The codes of the lines before, and their lines.
    seen: HashMap<String, u64>,
}

/// Stands for a category that a dry run would make.
const TO_BE_MADE: i64 = -1;

impl Import {
    /// An import whose items belong to this user.
    ///
    /// # Errors
    /// Only the database's.
    pub fn begin(conn: &mut Conn, on_known: OnKnown, owner: i64, dry_run: bool) -> Result<Self, Error> {
        let known = categories::store::all(conn)?;
        let categories = known.into_iter().map(|c| (c.name_key, c.id)).collect();
        Ok(Self { on_known, owner, dry_run, categories, seen: HashMap::new() })
    }

    /// Takes the next lines in.
    ///
    /// # Errors
    /// 403; 409 when somebody else took a code at the same moment: then nothing of this chunk is kept and it
    /// can be repeated with a copy of the import from before.
    pub fn take(&mut self, tx: &mut Tx<'_>, lines: Vec<Line>) -> Result<Report, Error> {
        let mut report = Report::default();
        let skus: Vec<String> = lines
            .iter()
            .filter_map(|l| l.fields.as_ref().ok())
            .map(|i| i.typed("sku").to_owned())
            .filter(|s| !s.is_empty())
            .collect();
        let codes: Vec<&str> = skus.iter().map(String::as_str).collect();
        let known = batch::ids_by_sku(tx.conn, &codes)?;
        let olds = match self.on_known {
            OnKnown::Refuse => Vec::new(),
            OnKnown::Update => batch::find_to_change(tx.conn, &known.values().copied().collect::<Vec<_>>())?,
        };
        let mut new = Vec::new();
        for line in lines {
            let number = line.number;
            match self.line(tx, line, &known, &olds) {
                Ok(Done::New(fields)) => new.push(fields),
                Ok(Done::Old(item, input)) => {
                    if !self.dry_run {
                        service::update(tx, item, *input, Mode::Patch, &Expected::Unsaid)?;
                    }
                    report.updated += 1;
                }
                Err(Refused::Line(mistakes)) => {
                    report.failed += 1;
                    report.errors.extend(mistakes.into_iter().map(|(field, message)| BadLine {
                        line: number,
                        field,
                        message,
                    }));
                }
                Err(Refused::All(error)) => return Err(error),
            }
        }
        report.created += u64::try_from(new.len()).unwrap_or_default();
        if !self.dry_run && !new.is_empty() {
            service::create_many(tx, new, self.owner)?;
        }
        Ok(report)
    }

    fn line(
        &mut self,
        tx: &mut Tx<'_>,
        line: Line,
        known: &HashMap<String, i64>,
        olds: &[Item],
    ) -> Result<Done, Refused> {
        let fields = line.fields.map_err(|bad| Refused::Line(vec![(bad.field, bad.message)]))?;
        let mut input = ItemInput::read(&fields);
        let sku = input.sku().map(str::to_owned);
        let old = sku.as_ref().and_then(|sku| known.get(sku));
        if let Some(sku) = &sku {
            if let Some(first) = self.seen.get(sku) {
                input.refuse("sku", "conflict", format!("is that of line {first} too"));
            } else if old.is_some() && self.on_known == OnKnown::Refuse {
                input.refuse("sku", "conflict", "An item with this SKU exists already");
            }
        }
        let old = old.and_then(|id| olds.iter().find(|item| item.id == *id));
        // The rest of the line is checked first: a bad line makes no category.
        let category = match fields.typed("category") {
            "" => {
                input.refuse("category", "required", "is required");
                TO_BE_MADE
            }
            name => self.categories.get(&name_key(name)).copied().unwrap_or(TO_BE_MADE),
        };
        input.set_category(category);
        let checked = input.clone().onto(old);
        let mut category_input = Vec::new();
        if category == TO_BE_MADE && !fields.typed("category").is_empty() {
            let named = Input::from_text([("name", fields.typed("category"))]);
            if let Err(Error::Invalid(errors)) = categories::model::CategoryInput::read(&named).onto(None) {
                category_input.extend(errors.list().iter().map(|e| ("category".to_owned(), e.message.clone())));
            }
        }
        let fields_of_item = match checked {
            Ok(item) if category_input.is_empty() => item,
            Ok(_) => return Err(Refused::Line(category_input)),
            Err(Error::Invalid(errors)) => {
                let mut mistakes: Vec<(String, String)> =
                    errors.list().iter().map(|e| (e.field.clone(), e.message.clone())).collect();
                mistakes.extend(category_input);
                return Err(Refused::Line(mistakes));
            }
            Err(error) => return Err(Refused::All(error)),
        };
        let category = self.category(tx, fields.typed("category")).map_err(Refused::All)?;
        if let Some(sku) = sku {
            self.seen.insert(sku, line.number);
        }
        Ok(match old {
            Some(item) => {
                input.set_category(category);
                Done::Old(item.id, Box::new(input))
            }
            None => Done::New(ItemFields { category_id: category, ..fields_of_item }),
        })
    }

    /// The category of a name, made when it is missing.
    fn category(&mut self, tx: &mut Tx<'_>, name: &str) -> Result<i64, Error> {
        if let Some(id) = self.categories.get(&name_key(name)) {
            return Ok(*id);
        }
        let id = if self.dry_run {
            TO_BE_MADE
        } else {
            let fields = CategoryFields { name: name.to_owned(), description: None };
            categories::service::create_fields(tx, &fields)?.id
        };
        self.categories.insert(name_key(name), id);
        Ok(id)
    }
}

enum Done {
    New(ItemFields),
    Old(i64, Box<ItemInput>),
}

enum Refused {
    Line(Vec<(String, String)>),
    All(Error),
}

/// The lines of a report that a person can look at at once.
pub fn distinct_lines(errors: &[BadLine]) -> usize {
    errors.iter().map(|e| e.line).collect::<HashSet<_>>().len()
}

/// A file without the mark that spreadsheets put at its start.
struct WithoutBom<R> {
    inner: R,
    started: bool,
    held: Vec<u8>,
}

impl<R: Read> WithoutBom<R> {
    fn new(inner: R) -> Self {
        Self { inner, started: false, held: Vec::new() }
    }
}

impl<R: Read> Read for WithoutBom<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if !self.started {
            self.started = true;
            let mut head = Vec::with_capacity(3);
            self.inner.by_ref().take(3).read_to_end(&mut head)?;
            if head != [0xEF, 0xBB, 0xBF] {
                head.reverse();
                self.held = head;
            }
        }
        if let (Some(first), Some(byte)) = (out.first_mut(), self.held.pop()) {
            *first = byte;
            return Ok(1);
        }
        self.inner.read(out)
    }
}
