//! Import of CSV: every good line is kept, every bad one is told with its line, field and reason. It comes in
//! chunks of a thousand rows, so that others get in between, and is one changeset all the same.

mod lines;
mod run;

use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};

use super::model::{Act, Item, ItemFields, ItemInput, may};
use super::service;
use super::store::batch;
use crate::categories;
use crate::categories::model::{CategoryFields, name_key};
use crate::changes::{Expected, Tx};
use crate::db::Conn;
use crate::error::Error;
use crate::fields::{Input, Mode};

pub use lines::{Line, Lines};
pub use run::{Along, Order, Writer, run};

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

/// So many mistakes are told; all bad lines are counted.
const MOST_TOLD: usize = 1_000;

/// What came of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Items made.
    pub created: u64,
    /// Items changed.
    pub updated: u64,
    /// Lines that were refused.
    pub failed: u64,
    /// Why, line by line: the first thousand mistakes.
    pub errors: Vec<BadLine>,
}

impl Report {
    /// Adds what came of the next chunk.
    pub fn add(&mut self, other: Self) {
        self.created += other.created;
        self.updated += other.updated;
        self.failed += other.failed;
        let room = MOST_TOLD.saturating_sub(self.errors.len());
        self.errors.extend(other.errors.into_iter().take(room));
    }
}

/// What an import knows of the catalogue while it runs.
#[derive(Debug)]
pub struct Import {
    on_known: OnKnown,
    owner: i64,
    dry_run: bool,
    known: Learnt,
    /// Makes the short forms of codes; nobody outside can foretell them.
    hasher: RandomState,
}

/// What an import has come to know: of a chunk, once that is committed.
#[derive(Debug, Default)]
pub struct Learnt {
    /// By their names without regard to case.
    categories: HashMap<String, i64>,
    /// The codes of the lines before, in 64 bits each so that millions take little room, and their lines.
    seen: HashMap<u64, u32>,
}

/// Stands for a category that a dry run would make.
const TO_BE_MADE: i64 = -1;

impl Import {
    /// An import whose items belong to this user.
    ///
    /// # Errors
    /// Only the database's.
    pub fn begin(conn: &mut Conn, on_known: OnKnown, owner: i64, dry_run: bool) -> Result<Self, Error> {
        let all = categories::store::all(conn)?;
        let categories = all.into_iter().map(|c| (c.name_key, c.id)).collect();
        let known = Learnt { categories, seen: HashMap::new() };
        Ok(Self { on_known, owner, dry_run, known, hasher: RandomState::new() })
    }

    /// Keeps what a chunk has taught, once that is committed.
    pub fn learn(&mut self, learnt: Learnt) {
        self.known.categories.extend(learnt.categories);
        self.known.seen.extend(learnt.seen);
    }

    /// Takes the next lines in.
    ///
    /// # Errors
    /// 403; 409 when somebody else took a code at the same moment: then nothing of this chunk is kept and it
    /// can be repeated.
    pub fn take(&self, tx: &mut Tx<'_>, lines: &[Line]) -> Result<(Report, Learnt), Error> {
        let mut learnt = Learnt::default();
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
            match self.line(tx, &mut learnt, line, &known, &olds) {
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
        Ok((report, learnt))
    }

    fn line(
        &self,
        tx: &mut Tx<'_>,
        learnt: &mut Learnt,
        line: &Line,
        known: &HashMap<String, i64>,
        olds: &[Item],
    ) -> Result<Done, Refused> {
        let fields = line.fields.as_ref().map_err(|bad| {
            let BadLine { field, message, .. } = bad.clone();
            Refused::Line(vec![(field, message)])
        })?;
        let mut input = ItemInput::read(fields);
        let sku = input.sku().map(str::to_owned);
        let short = sku.as_ref().map(|sku| self.hasher.hash_one(sku));
        let old = sku.as_ref().and_then(|sku| known.get(sku));
        let first = short.and_then(|short| self.known.seen.get(&short).or_else(|| learnt.seen.get(&short)));
        if let Some(first) = first {
            input.refuse("sku", "conflict", format!("is that of line {first} too"));
        } else if old.is_some() && self.on_known == OnKnown::Refuse {
            input.refuse("sku", "conflict", "An item with this SKU exists already");
        }
        let old = old.and_then(|id| olds.iter().find(|item| item.id == *id));
        if old.is_some_and(|item| may(tx.caller, Act::Edit, Some(item)).is_err()) {
            let message = "is that of an item that you may not edit".to_owned();
            return Err(Refused::Line(vec![("sku".to_owned(), message)]));
        }
        // The operator's files may come from anywhere, with columns that mean something else.
        if tx.caller.user_id().is_none() {
            input.forget_reserved();
        } else if let Some(field) = input.reserved(tx.caller, old) {
            input.refuse(field, "forbidden", "may not be set: the server does that");
        }
        // The rest of the line is checked first: a bad line makes no category.
        let category = match fields.typed("category") {
            "" => {
                input.refuse("category", "required", "is required");
                TO_BE_MADE
            }
            name => match self.category(tx.conn, learnt, name).map_err(Refused::All)? {
                Some(id) => id,
                None if tx.caller.is_admin() => TO_BE_MADE,
                None => {
                    let message = "names no category, and only an admin's import makes new ones";
                    input.refuse("category", "unknown", message);
                    TO_BE_MADE
                }
            },
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
        let category = match category {
            TO_BE_MADE => self.make_category(tx, learnt, fields.typed("category")).map_err(Refused::All)?,
            id => id,
        };
        if let Some(short) = short {
            learnt.seen.insert(short, u32::try_from(line.number).unwrap_or(u32::MAX));
        }
        Ok(match old {
            Some(item) => {
                input.set_category(category);
                Done::Old(item.id, Box::new(input))
            }
            None => Done::New(ItemFields { category_id: category, ..fields_of_item }),
        })
    }

    /// The category of a name, if there is one: also one that somebody made since the import began.
    fn category(&self, conn: &mut Conn, learnt: &mut Learnt, name: &str) -> Result<Option<i64>, Error> {
        let key = name_key(name);
        if let Some(id) = self.known.categories.get(&key).or_else(|| learnt.categories.get(&key)) {
            return Ok(Some(*id));
        }
        let found = categories::store::find_by_key(conn, &key)?;
        learnt.categories.extend(found.map(|id| (key, id)));
        Ok(found)
    }

    fn make_category(&self, tx: &mut Tx<'_>, learnt: &mut Learnt, name: &str) -> Result<i64, Error> {
        if let Some(id) = learnt.categories.get(&name_key(name)) {
            return Ok(*id);
        }
        let id = if self.dry_run {
            TO_BE_MADE
        } else {
            let fields = CategoryFields { name: name.to_owned(), description: None };
            categories::service::create_fields(tx, &fields)?.id
        };
        learnt.categories.insert(name_key(name), id);
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
