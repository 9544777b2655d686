//! The schema's versions. Both databases have the same migrations under the same names, embedded in the
//! binary and run at start under a lock; the `diesel` tool works on the same folders.

use diesel::backend::Backend;
use diesel::migration::{Migration, MigrationSource as _, MigrationVersion};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{Conn, instance, pool};
use crate::config::DatabaseUrl;

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// One migration and whether the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// `2026-11-21-000000_first_light`
    pub name: String,
    /// Whether it was run.
    pub applied: bool,
}

/// What to do with the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Run what is missing.
    Run,
    /// Undo the last one.
    Revert,
    /// Undo the last one and run it again.
    Redo,
}

/// Brings the schema of the database to where the binary is: what every start does.
///
/// # Errors
/// One clear line: the database cannot be reached or used, has a newer schema, or a migration failed.
pub fn prepare(url: &DatabaseUrl) -> Result<(), String> {
    let mut conn = connect(url)?;
    instance::check_sqlite_build(&mut conn)?;
    if status_of(&mut conn)?.iter().all(|step| step.applied) {
        return Ok(());
    }
    act_on(url, &mut conn, Act::Run).map(|_| ())
}

/// All migrations, oldest first.
///
/// # Errors
/// As [`prepare`].
pub fn status(url: &DatabaseUrl) -> Result<Vec<Step>, String> {
    status_of(&mut connect(url)?)
}

/// Changes the schema and says which migrations were run or undone.
///
/// # Errors
/// As [`prepare`].
pub fn act(url: &DatabaseUrl, act: Act) -> Result<Vec<String>, String> {
    // Taking tables away under a server that uses them would leave it without a leg; running what is missing
    // does not. Of PostgreSQL's servers nothing is known here.
    let _alone = if act == Act::Run { None } else { Some(instance::Instance::claim(url)?) };
    act_on(url, &mut connect(url)?, act)
}

fn connect(url: &DatabaseUrl) -> Result<Conn, String> {
    // Two first starts at once: without the lock, one would see the empty file that the other has just made.
    let _alone = instance::lock_for_migration(url)?;
    instance::examine(url)?;
    pool::open(url, pool::Access::Write).map_err(|error| {
        let reason = match error {
            crate::error::Error::Unavailable { reason, .. } => reason,
            other => other.to_string(),
        };
        let first = reason.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join(" ");
        format!("the database {} cannot be reached: {first}", url.masked())
    })
}

fn status_of(conn: &mut Conn) -> Result<Vec<Step>, String> {
    match conn {
        Conn::Sqlite(conn) => steps(conn, SQLITE),
        Conn::Postgres(conn) => steps(conn, POSTGRES),
    }
}

fn act_on(url: &DatabaseUrl, conn: &mut Conn, act: Act) -> Result<Vec<String>, String> {
    instance::exclusively(url, conn, |conn| match conn {
        Conn::Sqlite(conn) => act_with(conn, || SQLITE, act),
        Conn::Postgres(conn) => act_with(conn, || POSTGRES, act),
    })
}

fn steps<DB: Backend>(conn: &mut impl MigrationHarness<DB>, source: EmbeddedMigrations) -> Result<Vec<Step>, String> {
    let applied = conn.applied_migrations().map_err(|e| format!("the schema's version cannot be read: {e}"))?;
    let mut known: Vec<Box<dyn Migration<DB>>> = source.migrations().map_err(|e| e.to_string())?;
    known.sort_by_key(|m| m.name().version().as_owned());
    let versions: Vec<MigrationVersion<'_>> = known.iter().map(|m| m.name().version()).collect();
    if let Some(newer) = applied.iter().find(|version| !versions.contains(version)) {
        return Err(format!(
            "the database's schema is newer than this binary: it has migration {newer}, which version {} does not know; use a newer binary",
            env!("CARGO_PKG_VERSION")
        ));
    }
    Ok(known
        .iter()
        .map(|m| Step { name: m.name().to_string(), applied: applied.contains(&m.name().version()) })
        .collect())
}

fn act_with<DB: Backend>(
    conn: &mut impl MigrationHarness<DB>,
    source: impl Fn() -> EmbeddedMigrations,
    act: Act,
) -> Result<Vec<String>, String> {
    // Again, under the lock: another process may have been here in between.
    let before = steps(conn, source())?;
    let failed = |e: Box<dyn std::error::Error + Send + Sync>| format!("a migration failed and was rolled back: {e}");
    let last = before.iter().rev().find(|step| step.applied).map(|step| step.name.clone());
    let pending = before.iter().filter(|step| !step.applied).map(|step| step.name.clone());
    let mut done = Vec::new();
    if act != Act::Run {
        let Some(last) = last else { return Ok(done) };
        conn.revert_last_migration(source()).map_err(failed)?;
        done.push(last);
    }
    if act != Act::Revert {
        done.extend(pending);
        conn.run_pending_migrations(source()).map_err(failed)?;
    }
    Ok(done)
}
