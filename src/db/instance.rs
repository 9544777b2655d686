//! What is checked of a database before anything else touches it: that a SQLite file is one and whole, that
//! no second server uses it, and the lock under which the schema changes.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;

use super::{Conn, pool};
use crate::config::DatabaseUrl;

/// Below this size a file is read through at start (tens of milliseconds); a larger one only at its head.
const CHECKED_WHOLE: u64 = 8 * 1024 * 1024;

/// Held by the one server that may use a SQLite file; let go when the process ends, however it ends.
#[derive(Debug)]
pub struct Instance {
    _lock: Option<File>,
}

impl Instance {
    /// Takes the database for this server. PostgreSQL serves many.
    ///
    /// # Errors
    /// One clear line when another server has it.
    pub fn claim(url: &DatabaseUrl) -> Result<Self, String> {
        let DatabaseUrl::Sqlite(path) = url else { return Ok(Self { _lock: None }) };
        make_folder(path)?;
        let lock = lock_file(&beside(path, "lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { _lock: Some(lock) }),
            Err(TryLockError::WouldBlock) => Err(format!(
                "another server is running on {}; stop it first, or give this one its own DATABASE_URL",
                path.display()
            )),
            Err(TryLockError::Error(error)) => Err(format!("{} cannot be locked: {error}", path.display())),
        }
    }
}

/// Looks whether the database can be used, and makes the folder of a SQLite file that does not exist yet.
///
/// # Errors
/// One clear line.
pub fn examine(url: &DatabaseUrl) -> Result<(), String> {
    let DatabaseUrl::Sqlite(path) = url else { return Ok(()) };
    make_folder(path)?;
    let shown = path.display();
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("the database {shown} cannot be opened: {error}")),
    };
    let size = file.metadata().map_err(|e| format!("the database {shown} cannot be read: {e}"))?.len();
    let broken = |what: &str| {
        Err(format!("the database {shown} {what}; restore it from a backup, or move it away to start anew"))
    };
    if size == 0 {
        return broken("is an empty file (0 bytes)");
    }
    let mut head = [0_u8; 100];
    if file.read_exact(&mut head).is_err() || !head.starts_with(b"SQLite format 3\0") {
        return broken("is not a SQLite database, or its head is damaged");
    }
    // Offsets 16 and 28 of the file format: page size and number of pages (https://sqlite.org/fileformat.html).
    let number = |at: usize, len: usize| {
        head.get(at..at + len).unwrap_or_default().iter().fold(0_u64, |n, b| n << 8 | u64::from(*b))
    };
    let page = match number(16, 2) {
        1 => 65_536,
        size => size,
    };
    let no_wal = fs::metadata(beside(path, "wal")).map_or(true, |wal| wal.len() == 0);
    if no_wal && number(28, 4).saturating_mul(page) > size {
        return broken("is shorter than its head says");
    }
    if size <= CHECKED_WHOLE {
        let check = || -> Result<String, String> {
            let mut conn = pool::open(url, pool::Access::Write).map_err(|e| e.to_string())?;
            let Conn::Sqlite(conn) = &mut conn else { return Ok("ok".to_owned()) };
            diesel::dsl::sql::<diesel::sql_types::Text>("PRAGMA quick_check(1)")
                .get_result::<String>(conn)
                .map_err(|e| e.to_string())
        };
        match check() {
            Ok(verdict) if verdict == "ok" => {}
            Ok(verdict) => return broken(&format!("is damaged ({})", verdict.lines().collect::<Vec<_>>().join(" "))),
            Err(error) => return broken(&format!("is damaged ({error})")),
        }
    }
    Ok(())
}

/// That this build's SQLite is the one that was measured: design 6, facts 1.
///
/// # Errors
/// One clear line.
pub fn check_sqlite_build(conn: &mut Conn) -> Result<(), String> {
    let Conn::Sqlite(conn) = conn else { return Ok(()) };
    let options: Vec<String> =
        diesel::dsl::sql::<diesel::sql_types::Text>("SELECT compile_options FROM pragma_compile_options")
            .load(conn)
            .map_err(|e| e.to_string())?;
    if options.iter().any(|o| o == "ENABLE_QPSG") {
        Ok(())
    } else {
        Err("this binary's SQLite was built without SQLITE_ENABLE_QPSG; build it in its own folder, where .cargo/config.toml sets it".to_owned())
    }
}

/// Does something while no other process changes the schema.
///
/// # Errors
/// What the work says, or that the lock cannot be had.
pub fn exclusively<T>(
    url: &DatabaseUrl,
    conn: &mut Conn,
    work: impl FnOnce(&mut Conn) -> Result<T, String>,
) -> Result<T, String> {
    match url {
        DatabaseUrl::Sqlite(_) => {
            let _alone = lock_for_migration(url)?;
            work(conn)
        }
        DatabaseUrl::Postgres(_) => {
            // A number of our own; nothing else in the database uses advisory locks of this key.
            conn.batch_execute("SET lock_timeout = '60s'; SELECT pg_advisory_lock(7305466215)")
                .map_err(|e| e.to_string())?;
            let done = work(conn);
            conn.batch_execute("SELECT pg_advisory_unlock(7305466215)").map_err(|e| e.to_string())?;
            done
        }
    }
}

/// The lock under which a SQLite file is made and its schema changed; held until it is dropped. PostgreSQL has
/// its own: see [`exclusively`].
///
/// # Errors
/// One clear line.
pub fn lock_for_migration(url: &DatabaseUrl) -> Result<Option<File>, String> {
    let DatabaseUrl::Sqlite(path) = url else { return Ok(None) };
    make_folder(path)?;
    let lock = lock_file(&beside(path, "migrate-lock"))?;
    lock.lock().map_err(|e| format!("{} cannot be locked: {e}", path.display()))?;
    Ok(Some(lock))
}

fn make_folder(path: &Path) -> Result<(), String> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => {
            fs::create_dir_all(folder).map_err(|e| format!("the folder {} cannot be made: {e}", folder.display()))
        }
        None => Ok(()),
    }
}

/// A file beside the database. Of a link to it, beside what it points to: the lock is the file's, not its name's.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut name = real.into_os_string();
    name.push(format!("-{suffix}"));
    PathBuf::from(name)
}

fn lock_file(path: &Path) -> Result<File, String> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|e| format!("{} cannot be opened: {e}", path.display()))
}
