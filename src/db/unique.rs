//! Unique violations as field errors. PostgreSQL names the constraint, SQLite only the column.

use diesel::result::{DatabaseErrorKind, Error as DbError};

use crate::error::Error;

/// One unique index: its name, its column as SQLite says it, the input field, and what to tell.
pub type Rule = (&'static str, &'static str, &'static str, &'static str);

/// The 409 of the rule that was broken; any other error as it is.
pub fn or_else(error: DbError, rules: &[Rule]) -> Error {
    if let DbError::DatabaseError(DatabaseErrorKind::UniqueViolation, info) = &error {
        let broken = rules.iter().find(|(index, column, _, _)| {
            info.constraint_name().is_some_and(|name| name == *index) || info.message().ends_with(column)
        });
        if let Some((_, _, field, detail)) = broken {
            return Error::Conflict { detail: (*detail).to_owned(), field: Some(field) };
        }
    }
    error.into()
}
