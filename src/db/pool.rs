//! Connections: how one is opened on each database, and pools of them that get over a restart of the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::Conn;
use crate::config::DatabaseUrl;
use crate::error::Error;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads only; on SQLite the connection refuses anything else.
    Read,
    /// Reads and writes.
    Write,
}

/// Opens one connection, set up for its purpose.
///
/// # Errors
/// 503 with the driver's reason for the log.
pub fn open(url: &DatabaseUrl, access: Access) -> Result<Conn, Error> {
    match url {
        DatabaseUrl::Sqlite(path) => open_sqlite(&path.to_string_lossy(), access).map(Conn::Sqlite),
        DatabaseUrl::Postgres(url) => open_postgres(url).map(Conn::Postgres),
    }
}

fn open_sqlite(path: &str, access: Access) -> Result<SqliteConnection, Error> {
    let mut conn = SqliteConnection::establish(path).map_err(Error::database_unavailable)?;
    // `synchronous=FULL` makes an answered write survive a power loss; group commit makes it cheap.
    conn.batch_execute(
        "PRAGMA busy_timeout = 30000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
         PRAGMA foreign_keys = ON; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY; \
         PRAGMA mmap_size = 0; PRAGMA wal_autocheckpoint = 1000; PRAGMA trusted_schema = OFF;",
    )?;
    match access {
        Access::Read => conn.batch_execute("PRAGMA query_only = ON;")?,
        // Fewer checkpoints: each holds the writer up.
        Access::Write => conn.batch_execute("PRAGMA wal_autocheckpoint = 4000;")?,
    }
    Ok(conn)
}

fn open_postgres(url: &str) -> Result<PgConnection, Error> {
    let mut conn = PgConnection::establish(&with_defaults(url)).map_err(Error::database_unavailable)?;
    conn.batch_execute(
        "SET statement_timeout = '30s'; SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '60s'; \
         SET timezone = 'UTC';",
    )?;
    Ok(conn)
}

/// The URL with time limits that it does not have yet: a server that is gone must not hold a thread.
fn with_defaults(url: &str) -> String {
    let Ok(mut parsed) = url::Url::parse(url) else { return url.to_owned() };
    let given: Vec<String> = parsed.query_pairs().map(|(name, _)| name.into_owned()).collect();
    for (name, value) in [
        ("connect_timeout", "2"),
        ("keepalives_idle", "15"),
        ("keepalives_interval", "5"),
        ("keepalives_count", "3"),
        ("tcp_user_timeout", "20000"),
        ("application_name", "stockroom"),
    ] {
        if !given.iter().any(|g| g == name) {
            parsed.query_pairs_mut().append_pair(name, value);
        }
    }
    parsed.to_string()
}

/// A pool of connections of one kind.
#[derive(Clone)]
pub struct Pool {
    inner: r2d2::Pool<Opener>,
    /// When a connection was last found dead, in microseconds since the pool was made. Connections that were
    /// not used since are asked before they are trusted: checking each at every use would halve the reads.
    trouble: Arc<AtomicU64>,
    made: Instant,
}

struct Opener {
    url: DatabaseUrl,
    access: Access,
}

/// A connection in the pool, and what is known of its health.
pub struct Pooled {
    conn: Conn,
    dead: bool,
    good_at: u64,
}

impl r2d2::ManageConnection for Opener {
    type Connection = Pooled;
    type Error = Error;

    fn connect(&self) -> Result<Pooled, Error> {
        Ok(Pooled { conn: open(&self.url, self.access)?, dead: false, good_at: 0 })
    }

    fn is_valid(&self, pooled: &mut Pooled) -> Result<(), Error> {
        pooled.conn.batch_execute("SELECT 1").map_err(Error::from)
    }

    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        use diesel::r2d2::R2D2Connection as _;
        pooled.dead || pooled.conn.is_broken()
    }
}

/// r2d2 reports every failed attempt to connect; the request that fails of it is logged anyway.
#[derive(Debug)]
struct Quiet;

impl r2d2::HandleError<Error> for Quiet {
    fn handle_error(&self, error: Error) {
        log::debug!("a connection could not be opened: {error}");
    }
}

impl Pool {
    /// A pool that opens connections as they are needed.
    ///
    /// # Errors
    /// When not even one can be opened.
    pub fn new(url: &DatabaseUrl, size: u32, access: Access, patience: Duration) -> Result<Self, Error> {
        let inner = r2d2::Pool::builder()
            .max_size(size)
            .min_idle(Some(1))
            .connection_timeout(patience)
            .test_on_check_out(false)
            .idle_timeout(Some(Duration::from_secs(600)))
            .max_lifetime(None)
            .error_handler(Box::new(Quiet))
            .build(Opener { url: url.clone(), access })
            .map_err(Error::database_unavailable)?;
        Ok(Self { inner, trouble: Arc::default(), made: Instant::now() })
    }

    fn clock(&self) -> u64 {
        u64::try_from(self.made.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Does the work on a connection. Blocks.
    ///
    /// # Errors
    /// What the work says; 503 when no connection comes in time.
    pub fn with<T>(&self, work: impl FnOnce(&mut Conn) -> Result<T, Error>) -> Result<T, Error> {
        let mut pooled = self.checked_out()?;
        let result = work(&mut pooled.conn);
        match &result {
            Err(Error::Unavailable { .. }) => {
                pooled.dead = pooled.conn.batch_execute("SELECT 1").is_err();
                if pooled.dead {
                    self.trouble.store(self.clock(), Ordering::Relaxed);
                }
            }
            _ => pooled.good_at = self.trouble.load(Ordering::Relaxed).max(pooled.good_at),
        }
        result
    }

    fn checked_out(&self) -> Result<r2d2::PooledConnection<Opener>, Error> {
        let deadline = Instant::now() + self.inner.connection_timeout();
        loop {
            let patience = deadline.saturating_duration_since(Instant::now());
            let mut pooled = self.inner.get_timeout(patience).map_err(Error::database_unavailable)?;
            let trouble = self.trouble.load(Ordering::Relaxed);
            if pooled.good_at >= trouble {
                return Ok(pooled);
            }
            if pooled.conn.batch_execute("SELECT 1").is_ok() {
                pooled.good_at = trouble;
                return Ok(pooled);
            }
            pooled.dead = true;
        }
    }
}
