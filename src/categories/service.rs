//! What can be done with categories, by whichever door.

use diesel::result::{DatabaseErrorKind, Error as DbError};

use super::model::{Category, CategoryFields, CategoryInput, Counted, name_key};
use super::store;
use crate::caller::Caller;
use crate::changes::{Expected, Tx};
use crate::db::effects::counter;
use crate::db::{Conn, unique};
use crate::error::Error;
use crate::fields::Mode;
use crate::web::sorted::Span;

fn may_change(caller: &Caller) -> Result<(), Error> {
    if caller.is_admin() { Ok(()) } else { Err(caller.refusal("change categories")) }
}

/// One category with its count.
///
/// # Errors
/// 404.
pub fn get(conn: &mut Conn, caller: &Caller, id: i64) -> Result<Counted, Error> {
    let category = store::find(conn, id)?.ok_or_else(|| Error::missing("Category", id))?;
    counted(conn, caller, category)
}

/// A category with the count of the items that the caller may know of.
///
/// # Errors
/// Only the database's.
pub fn counted(conn: &mut Conn, caller: &Caller, category: Category) -> Result<Counted, Error> {
    let name = if caller.is_admin() { store::items_in(category.id) } else { store::active_items_in(category.id) };
    let item_count = counter(conn, &name)?;
    Ok(Counted { category, item_count })
}

/// A page of categories with their counts.
///
/// # Errors
/// Only the database's.
pub fn list(
    conn: &mut Conn,
    caller: &Caller,
    contains: Option<&str>,
    span: &Span<store::Order>,
) -> Result<Vec<Counted>, Error> {
    let rows = store::list(conn, contains, span)?;
    let ids: Vec<i64> = rows.iter().map(|c| c.id).collect();
    let counts = store::item_counts(conn, &ids, !caller.is_admin())?;
    let with_count = |category: Category| {
        let item_count = counts.get(&category.id).copied().unwrap_or_default();
        Counted { category, item_count }
    };
    Ok(rows.into_iter().map(with_count).collect())
}

/// How many categories a list has.
///
/// # Errors
/// Only the database's.
pub fn total(conn: &mut Conn, contains: Option<&str>) -> Result<i64, Error> {
    Ok(match contains {
        Some(text) => store::count(conn, text)?,
        None => counter(conn, store::TOTAL)?,
    })
}

/// Adds a category.
///
/// # Errors
/// 403, 409 for a name that is taken, 422.
pub fn create(tx: &mut Tx<'_>, input: CategoryInput) -> Result<Category, Error> {
    may_change(tx.caller)?;
    let fields = input.onto(None)?;
    create_fields(tx, &fields)
}

/// Adds a category that an import names and the catalogue lacks.
///
/// # Errors
/// As [`create`].
pub fn create_fields(tx: &mut Tx<'_>, fields: &CategoryFields) -> Result<Category, Error> {
    may_change(tx.caller)?;
    let category = store::insert(tx.conn, fields, tx.now).map_err(taken)?;
    tx.created(&category)?;
    tx.count(store::TOTAL.to_owned(), 1);
    Ok(category)
}

/// Changes a category.
///
/// # Errors
/// 403, 404, 409 for a name that is taken, 412, 422.
pub fn update(
    tx: &mut Tx<'_>,
    id: i64,
    input: CategoryInput,
    mode: Mode,
    expected: &Expected,
) -> Result<Category, Error> {
    may_change(tx.caller)?;
    let before = store::find_to_change(tx.conn, id)?.ok_or_else(|| Error::missing("Category", id))?;
    expected.check(before.version)?;
    let fields = input.onto((mode == Mode::Patch).then_some(&before))?;
    let after = Category {
        id,
        name_key: name_key(&fields.name),
        name: fields.name,
        description: fields.description,
        version: before.version + 1,
        created_at: before.created_at,
        updated_at: tx.now,
    };
    write(tx, &before, after)
}

/// Writes a state over the present one.
///
/// # Errors
/// 409 for a name that is taken.
pub(super) fn write(tx: &mut Tx<'_>, before: &Category, after: Category) -> Result<Category, Error> {
    if store::update(tx.conn, &after).map_err(taken)? == 0 {
        return Err(Error::Internal(format!("category {} changed under its lock", before.id)));
    }
    tx.updated(before, &after)?;
    Ok(after)
}

/// Makes a category again that was deleted, under its old id.
///
/// # Errors
/// 409 for a name that is taken.
pub(super) fn put_back(tx: &mut Tx<'_>, category: &Category) -> Result<(), Error> {
    store::restore(tx.conn, category).map_err(taken)?;
    tx.created(category)?;
    tx.count(store::TOTAL.to_owned(), 1);
    Ok(())
}

/// Removes a category that holds no item.
///
/// # Errors
/// 403, 404, 409 while it is in use, 412.
pub fn delete(tx: &mut Tx<'_>, id: i64, expected: &Expected) -> Result<(), Error> {
    may_change(tx.caller)?;
    let before = store::find_to_change(tx.conn, id)?.ok_or_else(|| Error::missing("Category", id))?;
    expected.check(before.version)?;
    remove(tx, &before)
}

/// Removes a category that is locked for it.
///
/// # Errors
/// 409 while it is in use.
pub(super) fn remove(tx: &mut Tx<'_>, before: &Category) -> Result<(), Error> {
    match store::delete(tx.conn, before.id) {
        Err(DbError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _)) => {
            return Err(Error::Conflict {
                detail: format!("Category {:?} still holds items. Move or delete them first.", before.name),
                field: None,
            });
        }
        other => other?,
    };
    tx.deleted(before)?;
    tx.count(store::TOTAL.to_owned(), -1);
    Ok(())
}

fn taken(error: DbError) -> Error {
    unique::or_else(
        error,
        &[("categories_name_key_unique", "categories.name_key", "name", "A category with this name exists already")],
    )
}
