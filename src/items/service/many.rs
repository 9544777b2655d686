//! Many items in one act, each standing for itself: one that is refused is told and leaves the others alone.

use std::collections::{HashMap, HashSet};

use super::{batch, create_many, remove_all, write};
use crate::categories;
use crate::changes::Tx;
use crate::error::Error;
use crate::fields::{FieldError, FieldErrors};
use crate::items::model::{Act, Item, ItemFields, ItemInput, Visible, may};

/// What came of it.
#[derive(Debug)]
pub struct Outcome<T> {
    /// What was done, in the order in which it was asked for.
    pub done: Vec<T>,
    /// What was not, by its place.
    pub failed: Vec<Failed>,
}

/// One that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Its place among all, from 0.
    pub index: usize,
    /// The item's id, where there is one.
    pub id: Option<i64>,
    /// Why.
    pub errors: Vec<FieldError>,
}

impl Failed {
    fn new(index: usize, id: Option<i64>, field: &str, kind: &'static str, message: String) -> Self {
        Self { index, id, errors: vec![FieldError { field: field.to_owned(), message, kind }] }
    }

    fn forbidden(index: usize, id: Option<i64>, field: &str) -> Self {
        Self::new(index, id, field, "forbidden", format!("You may not set {field}: the server does."))
    }

    /// An error of this one alone; others are the whole act's.
    fn of(index: usize, id: Option<i64>, error: Error) -> Result<Self, Error> {
        match error {
            Error::Invalid(errors) => Ok(Self { index, id, errors: errors.list().to_vec() }),
            Error::Conflict { detail, field } => Ok(Self::new(index, id, field.unwrap_or("id"), "conflict", detail)),
            Error::Forbidden(detail) => Ok(Self::new(index, id, "id", "forbidden", detail)),
            Error::NotFound(detail) => Ok(Self::new(index, id, "id", "not_found", detail)),
            error => Err(error),
        }
    }
}

impl<T> Outcome<T> {
    fn of(mut done: Vec<(usize, T)>, mut failed: Vec<Failed>) -> Self {
        done.sort_by_key(|(index, _)| *index);
        failed.sort_by_key(|failed| failed.index);
        Self { done: done.into_iter().map(|(_, done)| done).collect(), failed }
    }
}

/// Adds items that the caller owns.
///
/// # Errors
/// 401, 403 for who may create none.
pub fn create(tx: &mut Tx<'_>, inputs: Vec<ItemInput>) -> Result<Outcome<Item>, Error> {
    may(tx.caller, Act::Create, None)?;
    let owner = tx.caller.user_id().ok_or_else(|| Error::Internal("an item needs an owner".to_owned()))?;
    let mut categories = HashSet::new();
    for id in inputs.iter().filter_map(ItemInput::category_id).collect::<HashSet<_>>() {
        if categories::store::exists(tx.conn, id)? {
            categories.insert(id);
        }
    }
    let taken = {
        let skus: Vec<&str> = inputs.iter().filter_map(ItemInput::sku).collect();
        batch::ids_by_sku(tx.conn, &skus)?
    };
    let mut first: HashMap<String, usize> = HashMap::new();
    let (mut good, mut failed) = (Vec::new(), Vec::new());
    for (index, mut input) in inputs.into_iter().enumerate() {
        if let Some(field) = input.reserved(tx.caller, None) {
            failed.push(Failed::forbidden(index, None, field));
            continue;
        }
        if let Some(id) = input.category_id().filter(|id| !categories.contains(id)) {
            input.refuse("category_id", "unknown", format!("must be the id of a category; {id} is none"));
        }
        let sku = input.sku().map(str::to_owned);
        if let Some(sku) = &sku {
            if taken.contains_key(sku) {
                input.refuse("sku", "conflict", "An item with this SKU exists already");
            } else if let Some(other) = first.get(sku) {
                input.refuse("sku", "conflict", format!("is that of items[{other}] too"));
            }
        }
        match input.onto(None) {
            Ok(fields) => {
                first.extend(sku.map(|sku| (sku, index)));
                good.push((index, fields));
            }
            Err(error) => failed.push(Failed::of(index, None, error)?),
        }
    }
    let done = add(tx, good, owner, &mut failed)?;
    Ok(Outcome::of(done, failed))
}

/// Adds them all at once; only when somebody took a code at the same moment, one by one.
fn add(
    tx: &mut Tx<'_>,
    good: Vec<(usize, ItemFields)>,
    owner: i64,
    failed: &mut Vec<Failed>,
) -> Result<Vec<(usize, Item)>, Error> {
    if good.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<ItemFields> = good.iter().map(|(_, fields)| fields.clone()).collect();
    match tx.attempt(|tx| create_many(tx, rows, owner)) {
        Ok(items) => return Ok(good.into_iter().map(|(index, _)| index).zip(items).collect()),
        Err(Error::Conflict { .. }) => {}
        Err(error) => return Err(error),
    }
    let mut done = Vec::new();
    for (index, fields) in good {
        match tx.attempt(|tx| create_many(tx, vec![fields], owner)) {
            Ok(items) => done.extend(items.into_iter().map(|item| (index, item))),
            Err(error) => failed.push(Failed::of(index, None, error)?),
        }
    }
    Ok(done)
}

/// Lays the same changes over many items.
///
/// # Errors
/// 401, 403 for who may edit none, 422 for changes that are wrong whatever they are laid over.
pub fn update(tx: &mut Tx<'_>, ids: &[i64], mut changes: ItemInput) -> Result<Outcome<Item>, Error> {
    may(tx.caller, Act::Edit, None)?;
    super::check_category(tx.conn, &mut changes)?;
    if !changes.mistakes().is_empty() {
        return Err(inside(changes.mistakes()));
    }
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for (index, id, found) in find(tx, ids, Act::Edit)? {
        let before = match found {
            Ok(before) => before,
            Err(error) => {
                failed.push(Failed::of(index, Some(id), error)?);
                continue;
            }
        };
        if let Some(field) = changes.reserved(tx.caller, Some(&before)) {
            failed.push(Failed::forbidden(index, Some(id), field));
            continue;
        }
        let fields = changes.clone().onto(Some(&before)).map_err(|error| match error {
            Error::Invalid(errors) => inside(&errors),
            error => error,
        })?;
        let same_sku = fields.sku == before.sku;
        let written = if same_sku {
            write(tx, &before, fields)
        } else {
            // Somebody may have the code, and then the statement fails.
            tx.attempt(|tx| write(tx, &before, fields))
        };
        match written {
            Ok(after) => done.push((index, after)),
            Err(error) => failed.push(Failed::of(index, Some(id), error)?),
        }
    }
    Ok(Outcome::of(done, failed))
}

/// Mistakes in the changes themselves, where the sender wrote them.
fn inside(found: &FieldErrors) -> Error {
    let mut errors = FieldErrors::default();
    for error in found.list() {
        errors.add(&format!("changes.{}", error.field), error.kind, error.message.clone());
    }
    Error::Invalid(errors)
}

/// Removes items; answers their ids.
///
/// # Errors
/// 401, 403 for who may delete none.
pub fn delete(tx: &mut Tx<'_>, ids: &[i64]) -> Result<Outcome<i64>, Error> {
    may(tx.caller, Act::Delete, None)?;
    let (mut done, mut failed, mut items) = (Vec::new(), Vec::new(), Vec::new());
    for (index, id, found) in find(tx, ids, Act::Delete)? {
        match found {
            Ok(item) => {
                done.push((index, id));
                items.push(item);
            }
            Err(error) => failed.push(Failed::of(index, Some(id), error)?),
        }
    }
    remove_all(tx, &items)?;
    Ok(Outcome::of(done, failed))
}

type Found = (usize, i64, Result<Item, Error>);

/// The items of these ids, locked, each once, and each with what the policy says.
fn find(tx: &mut Tx<'_>, ids: &[i64], act: Act) -> Result<Vec<Found>, Error> {
    let visible = Visible::to(tx.caller);
    let items = batch::find_to_change(tx.conn, ids)?;
    let mut items: HashMap<i64, Item> = items.into_iter().map(|item| (item.id, item)).collect();
    let mut seen = HashSet::new();
    let each = ids.iter().enumerate().filter(|(_, id)| seen.insert(**id));
    Ok(each
        .map(|(index, id)| {
            let item = items.remove(id).filter(|item| visible.has(item)).ok_or_else(|| Error::missing("Item", *id));
            (index, *id, item.and_then(|item| may(tx.caller, act, Some(&item)).map(|()| item)))
        })
        .collect())
}
