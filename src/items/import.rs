//! Import of CSV: every good line is kept, every bad one is told with its line, field and reason. It comes in
//! chunks of a thousand rows, so that others get in between, and is one changeset all the same.

mod lines;

use serde::Serialize;
use std::collections::{HashMap, HashSet};

use super::model::{Item, ItemFields, ItemInput};
use super::service;
use super::store::batch;
use crate::categories;
use crate::categories::model::{CategoryFields, name_key};
use crate::changes::{Expected, Tx};
use crate::db::Conn;
use crate::error::Error;
use crate::fields::{Input, Mode};

pub use lines::{Line, Lines};

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
