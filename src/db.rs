//! The two databases behind one type. `Conn` is whichever the URL's scheme names; [`Db`] hands connections
//! out: readers, and for writes the single writer of SQLite (`db::writer`, group commit) or PostgreSQL's pool.

pub mod effects;
pub mod instance;
pub mod migrate;
pub mod pool;
pub mod portable;
mod remote;
pub mod schema;
mod snapshot;
pub mod unique;
pub mod writer;

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use crate::config::{Config, DatabaseUrl};
use crate::error::Error;

pub use effects::Effects;
pub use snapshot::{moment, snapshot};

/// A connection to either database. SQLite comes last: it takes any text for a file's name.
#[derive(diesel::MultiConnection)]
pub enum Conn {
    /// PostgreSQL.
    Postgres(diesel::PgConnection),
    /// SQLite.
    Sqlite(SqliteConnection),
}

/// What a write does on the connection it is given: its answer, and what the commit must carry with it.
pub type Work<T> = Box<dyn FnOnce(&mut Conn) -> Result<(T, Effects), Error> + Send>;

/// The database of a running server.
pub struct Db {
    kind: Kind,
    /// Tells the threads' own connections of one `Db` from another's.
    id: u64,
    url: DatabaseUrl,
    /// Who may read aside.
    aside: Arc<Semaphore>,
}

enum Kind {
    Sqlite { readers: pool::Pool, writer: writer::Writer },
    Postgres(remote::Remote),
}

thread_local! {
    /// This thread's own reader for bounded look-ups on SQLite: no pool, no lock, no other thread.
    static OWN_READER: RefCell<Option<(u64, Conn)>> = const { RefCell::new(None) };
}

/// So many long reads at once, each with a connection and a thread of its own.
const ASIDE: usize = 4;
/// How long a long read waits for its turn.
const ASIDE_PATIENCE: Duration = Duration::from_secs(5);
/// How long a request waits for a connection before it is told 503.
const PATIENCE: Duration = Duration::from_millis(700);

impl Db {
    /// Opens the pools and, on SQLite, starts the writer. The schema must be in place.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub fn open(config: &Config) -> Result<Self, Error> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let url = config.database.clone();
        let kind = match &url {
            DatabaseUrl::Sqlite(_) => Kind::Sqlite {
                readers: pool::Pool::new(&url, 4, pool::Access::Read, PATIENCE)?,
                writer: writer::Writer::start(pool::open(&url, pool::Access::Write)?)?,
            },
            DatabaseUrl::Postgres(_) => Kind::Postgres(remote::Remote::new(&url, config.pool_size)?),
        };
        Ok(Self { kind, id: NEXT.fetch_add(1, Ordering::Relaxed), url, aside: Arc::new(Semaphore::new(ASIDE)) })
    }

    /// `sqlite` or `postgresql`.
    pub fn name(&self) -> &'static str {
        match self.kind {
            Kind::Sqlite { .. } => "sqlite",
            Kind::Postgres(_) => "postgresql",
        }
    }

    /// How many threads for blocking work a worker needs so that all connections can be used.
    pub fn blocking_threads(config: &Config) -> usize {
        match config.database {
            DatabaseUrl::Sqlite(_) => 4,
            DatabaseUrl::Postgres(_) => (config.pool_size as usize).div_ceil(config.workers).max(2),
        }
    }

    /// A read that an index bounds (a key, a page by cursor, a counter): on SQLite at once on this thread,
    /// where handing it to another would cost more than the read itself.
    ///
    /// # Errors
    /// What the work says, or 503 when there is no connection.
    pub async fn look_up<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T, Error> + Send + 'static,
    {
        match &self.kind {
            Kind::Sqlite { .. } => self.on_own_reader(work),
            Kind::Postgres(remote) => remote.run(work).await,
        }
    }

    /// A read that may take long (ranked search, filtered counts, exports): never on an actix worker.
    ///
    /// # Errors
    /// What the work says, or 503 when there is no connection.
    pub async fn read<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T, Error> + Send + 'static,
    {
        match &self.kind {
            Kind::Sqlite { readers, .. } => {
                let readers = readers.clone();
                blocking(move || readers.with(work)).await
            }
            Kind::Postgres(remote) => remote.run(work).await,
        }
    }

    /// A write: answered after its commit.
    ///
    /// # Errors
    /// What the work says; 503 when there is no connection or too many wait.
    pub async fn write<T: Send + 'static>(&self, work: Work<T>) -> Result<T, Error> {
        match &self.kind {
            Kind::Sqlite { writer, .. } => writer.submit(work)?.await,
            Kind::Postgres(remote) => remote.run(move |conn| write_now(conn, work)).await,
        }
    }

    /// A read of any length, such as an export: on a connection and a thread of its own, so that it takes
    /// nothing from the others. Answers when it has begun.
    ///
    /// # Errors
    /// 503 when too many are under way, or there is no connection.
    pub async fn aside<F>(&self, work: F) -> Result<(), Error>
    where
        F: FnOnce(&mut Conn) + Send + 'static,
    {
        let permit = timeout(ASIDE_PATIENCE, Arc::clone(&self.aside).acquire_owned())
            .await
            .map_err(|_| Error::Unavailable {
                detail: "Too many exports are under way. Try again shortly.",
                retry_after: 10,
                reason: format!("{ASIDE} long reads at once"),
            })?
            .map_err(Error::database_unavailable)?;
        let url = self.url.clone();
        let (begun, beginning) = oneshot::channel();
        let thread = std::thread::Builder::new().name("aside".to_owned()).spawn(move || {
            let _held = permit;
            match pool::open(&url, pool::Access::Read) {
                Ok(mut conn) => {
                    begun.send(Ok(())).ok();
                    work(&mut conn);
                }
                Err(error) => {
                    begun.send(Err(error)).ok();
                }
            }
        });
        thread.map_err(|e| Error::Internal(format!("no thread for a long read: {e}")))?;
        beginning.await.unwrap_or_else(|_| Err(Error::Internal("a long read did not begin".to_owned())))
    }

    fn on_own_reader<T>(&self, work: impl FnOnce(&mut Conn) -> Result<T, Error>) -> Result<T, Error> {
        OWN_READER.with_borrow_mut(|own| {
            if own.as_ref().is_none_or(|(id, _)| *id != self.id) {
                *own = Some((self.id, pool::open(&self.url, pool::Access::Read)?));
            }
            match own {
                Some((_, conn)) => work(conn),
                None => Err(Error::Internal("this thread has no reader".to_owned())),
            }
        })
    }
}

/// One write in a transaction of its own: PostgreSQL, and the command line on either database.
///
/// # Errors
/// What the work says; everything is rolled back then.
pub fn write_now<T>(conn: &mut Conn, work: Work<T>) -> Result<T, Error> {
    let mut work = Some(work);
    let mut transaction = |conn: &mut Conn| -> Result<T, Error> {
        let work = work.take().ok_or_else(|| Error::Internal("the work was begun twice".to_owned()))?;
        let (answer, effects) = work(conn)?;
        effects.apply(conn)?;
        Ok(answer)
    };
    match conn {
        Conn::Postgres(_) => conn.transaction(transaction),
        // A deferred transaction that turns into a writing one fails at once when another writes; begun as a
        // writing one it waits for its turn.
        Conn::Sqlite(inner) => {
            use diesel::connection::{AnsiTransactionManager, TransactionManager};
            AnsiTransactionManager::begin_transaction_sql(inner, "BEGIN IMMEDIATE")?;
            let result = transaction(conn);
            let Conn::Sqlite(inner) = conn else {
                return Err(Error::Internal("the connection changed its kind".to_owned()));
            };
            match result {
                Ok(answer) => {
                    AnsiTransactionManager::commit_transaction(inner)?;
                    Ok(answer)
                }
                Err(error) => {
                    AnsiTransactionManager::rollback_transaction(inner)?;
                    Err(error)
                }
            }
        }
    }
}

async fn blocking<T, F>(work: F) -> Result<T, Error>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, Error> + Send + 'static,
{
    match actix_web::rt::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => Err(Error::Internal(format!("a read ended without an answer: {panic}"))),
    }
}
