//! The one writer of SQLite, with group commit. Everything that wants to write hands a closure to this
//! thread; it runs as many as are waiting inside one `BEGIN IMMEDIATE … COMMIT`, each in a savepoint, and
//! answers them after the commit, so one sync to disk serves a whole group and nobody ever meets "database
//! is locked". A closure that fails or panics is rolled back alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use diesel::connection::{AnsiTransactionManager, TransactionManager};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sqlite::{Sqlite, SqliteConnection};
use tokio::sync::oneshot;

use super::{Conn, Effects, Work};
use crate::error::Error;

/// How many writes may wait; one more is told 503.
const QUEUE: usize = 4_096;
/// How many writes one commit may carry.
const GROUP: usize = 256;

/// A write in the queue, its type forgotten.
trait Job: Send {
    /// Does the work; the answer waits inside for the commit.
    fn run(&mut self, conn: &mut Conn) -> Result<Effects, Error>;
    /// Sends the answer: the work's own, or why the whole group failed.
    fn answer(self: Box<Self>, group: Result<(), Error>);
}

struct Waiting<T> {
    work: Option<Work<T>>,
    result: Option<Result<T, Error>>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<T: Send> Job for Waiting<T> {
    fn run(&mut self, conn: &mut Conn) -> Result<Effects, Error> {
        let Some(work) = self.work.take() else { return Ok(Effects::default()) };
        let done = catch_unwind(AssertUnwindSafe(|| work(conn)))
            .unwrap_or_else(|_| Err(Error::Internal("a write panicked".to_owned())));
        match done {
            Ok((answer, effects)) => {
                self.result = Some(Ok(answer));
                Ok(effects)
            }
            Err(error) => {
                self.result = Some(Err(error.clone()));
                Err(error)
            }
        }
    }

    fn answer(self: Box<Self>, group: Result<(), Error>) {
        let result = match (group, self.result) {
            // Its own failure is a better answer than the group's.
            (_, Some(Err(own))) => Err(own),
            (Err(error), _) => Err(error),
            (Ok(()), Some(ok)) => ok,
            (Ok(()), None) => Err(Error::Internal("a write was not done".to_owned())),
        };
        // Nobody listens when the client has gone; the write is done all the same.
        drop(self.reply.send(result));
    }
}

/// A statement without parameters that stays prepared, which `batch_execute` and `sql_query` do not.
#[derive(Debug, Clone, Copy, QueryId)]
struct Savepoint;
#[derive(Debug, Clone, Copy, QueryId)]
struct Release;

impl QueryFragment<Sqlite> for Savepoint {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        pass.push_sql("SAVEPOINT one_write");
        Ok(())
    }
}

impl QueryFragment<Sqlite> for Release {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        pass.push_sql("RELEASE one_write");
        Ok(())
    }
}

impl RunQueryDsl<SqliteConnection> for Savepoint {}
impl RunQueryDsl<SqliteConnection> for Release {}

/// The handle to the writer's queue. The thread ends, after what is queued, when the last handle is gone.
pub struct Writer {
    queue: SyncSender<Box<dyn Job>>,
}

impl Writer {
    /// Starts the thread on this connection.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(conn: Conn) -> Result<Self, Error> {
        let (queue, jobs) = sync_channel(QUEUE);
        std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || write_groups(conn, &jobs))
            .map_err(|e| Error::Internal(format!("the writer cannot start: {e}")))?;
        Ok(Self { queue })
    }

    /// Queues a write; the future is its answer, after the commit.
    ///
    /// # Errors
    /// 503 when the queue is full.
    pub fn submit<T: Send + 'static>(
        &self,
        work: Work<T>,
    ) -> Result<impl Future<Output = Result<T, Error>> + use<T>, Error> {
        let (reply, answer) = oneshot::channel();
        match self.queue.try_send(Box::new(Waiting { work: Some(work), result: None, reply })) {
            Ok(()) => {
                Ok(async { answer.await.unwrap_or_else(|_| Err(Error::Internal("the writer has ended".to_owned()))) })
            }
            Err(TrySendError::Full(_)) => Err(Error::Unavailable {
                detail: "Too many writes are waiting. Try again shortly.",
                retry_after: 1,
                reason: format!("{QUEUE} writes are queued"),
            }),
            Err(TrySendError::Disconnected(_)) => Err(Error::Internal("the writer has ended".to_owned())),
        }
    }
}

fn write_groups(mut conn: Conn, jobs: &Receiver<Box<dyn Job>>) {
    while let Ok(first) = jobs.recv() {
        let mut group = Vec::with_capacity(16);
        let outcome = write_group(&mut conn, first, jobs, &mut group);
        if let Err(error) = &outcome {
            log::error!("a group of {} writes failed: {error}", group.len());
        }
        for job in group {
            job.answer(outcome.clone());
        }
    }
    if let Conn::Sqlite(inner) = &mut conn {
        use diesel::connection::SimpleConnection as _;
        if let Err(error) = inner.batch_execute("PRAGMA optimize") {
            log::debug!("PRAGMA optimize: {error}");
        }
    }
}

/// One transaction. Whatever happens, every job that was taken is in `group` afterwards and no transaction
/// is open.
fn write_group(
    conn: &mut Conn,
    first: Box<dyn Job>,
    jobs: &Receiver<Box<dyn Job>>,
    group: &mut Vec<Box<dyn Job>>,
) -> Result<(), Error> {
    if let Err(error) = AnsiTransactionManager::begin_transaction_sql(sqlite(conn)?, "BEGIN IMMEDIATE") {
        group.push(first);
        return Err(unwritable(error));
    }
    let mut effects = Effects::default();
    let mut next = Some(first);
    while let Some(mut job) = next.take() {
        let outcome = run_one(conn, job.as_mut(), &mut effects);
        group.push(job);
        if let Err(error) = outcome {
            abandon(conn);
            return Err(error);
        }
        // No waiting for more: while this group syncs, the next one gathers.
        if group.len() < GROUP {
            next = jobs.try_recv().ok();
        }
    }
    let committed = effects
        .apply(conn)
        .and_then(|()| AnsiTransactionManager::commit_transaction(sqlite(conn)?).map_err(unwritable));
    if committed.is_err() {
        abandon(conn);
    }
    committed
}

/// One job in its savepoint.
///
/// # Errors
/// Only when the whole transaction is lost: the job's own failure stays in the job.
fn run_one(conn: &mut Conn, job: &mut dyn Job, effects: &mut Effects) -> Result<(), Error> {
    Savepoint.execute(sqlite(conn)?).map_err(unwritable)?;
    match job.run(conn) {
        Ok(its) => {
            Release.execute(sqlite(conn)?).map_err(unwritable)?;
            effects.absorb(its);
            Ok(())
        }
        Err(_) => {
            use diesel::connection::SimpleConnection as _;
            // A full disk or an I/O error rolls everything back by itself; then there is no savepoint
            // any more, and the group has failed.
            sqlite(conn)?.batch_execute("ROLLBACK TO one_write; RELEASE one_write").map_err(unwritable)
        }
    }
}

/// Ends the transaction if SQLite has not done so itself.
fn abandon(conn: &mut Conn) {
    if let Ok(inner) = sqlite(conn) {
        if let Err(error) = AnsiTransactionManager::rollback_transaction(inner) {
            log::debug!("rollback: {error}");
        }
        // After an automatic rollback Diesel still counts the transaction as open.
        *AnsiTransactionManager::transaction_manager_status_mut(inner) = Default::default();
    }
}

fn sqlite(conn: &mut Conn) -> Result<&mut SqliteConnection, Error> {
    match conn {
        Conn::Sqlite(inner) => Ok(inner),
        Conn::Postgres(_) => Err(Error::Internal("the writer is SQLite's".to_owned())),
    }
}

fn unwritable(error: diesel::result::Error) -> Error {
    Error::Unavailable {
        detail: "Nothing can be saved right now. Try again shortly.",
        retry_after: 2,
        reason: error.to_string(),
    }
}
