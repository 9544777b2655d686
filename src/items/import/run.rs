//! A whole import, from its first line to its last: the command line and the API share it.

use std::io::Read;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::{Import, Line, Lines, OnKnown, Report};
use crate::changes::{Entity, Open, Tx};
use crate::error::Error;

/// How often a chunk is tried that others get in the way of.
const ATTEMPTS: u32 = 8;
/// The pause after the first failure; each further one is as much longer.
const PAUSE: Duration = Duration::from_millis(50);

/// Who writes an import's chunks. Blocks.
pub trait Writer {
    /// One act: all of it or nothing.
    ///
    /// # Errors
    /// What the work says.
    fn write<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error>;
}

/// What goes along with an import in its own transactions, such as the `Idempotency-Key` of the request that asked
/// for it.
pub trait Along: Clone + Send + 'static {
    /// In the first transaction, before anything is done.
    ///
    /// # Errors
    /// When it must not begin.
    fn begin(&self, tx: &mut Tx<'_>) -> Result<(), Error>;

    /// In each further one, the last included.
    ///
    /// # Errors
    /// When it must not go on; what was written before stays.
    fn go_on(&self, tx: &mut Tx<'_>) -> Result<(), Error>;

    /// In the last one, with what came of it and the changeset.
    ///
    /// # Errors
    /// Only the database's.
    fn end(&self, tx: &mut Tx<'_>, report: &Report, changeset: Option<i64>) -> Result<(), Error>;
}

/// Nothing does.
impl Along for () {
    fn begin(&self, _: &mut Tx<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn go_on(&self, _: &mut Tx<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn end(&self, _: &mut Tx<'_>, _: &Report, _: Option<i64>) -> Result<(), Error> {
        Ok(())
    }
}

/// What to import, and how.
#[derive(Debug, Clone)]
pub struct Order {
    /// What to do with a code that the catalogue has.
    pub on_known: OnKnown,
    /// Whose the new items are.
    pub owner: i64,
    /// Only say what would be done.
    pub dry_run: bool,
    /// What the changeset calls the file.
    pub name: String,
}

/// Imports, chunk by chunk, as one changeset; `progress` is told after each chunk how many bytes were read.
///
/// # Errors
/// 403; 422 for a file that cannot be read any further; 503 when the database fails; what goes along says. What was
/// written before stays, and is in the changeset.
pub fn run<R: Read>(
    lines: &mut Lines<R>,
    writer: &mut impl Writer,
    order: &Order,
    along: &impl Along,
    mut progress: impl FnMut(u64),
) -> Result<(Report, Option<i64>), Error> {
    let (on_known, owner, dry_run) = (order.on_known, order.owner, order.dry_run);
    let goes = along.clone();
    let import = writer.write(move |tx| {
        goes.begin(tx)?;
        Import::begin(tx.conn, on_known, owner, dry_run)
    })?;
    let import = Arc::new(RwLock::new(import));
    let mut act = Open::default();
    let mut report = Report::default();
    loop {
        let chunk = Arc::new(lines.chunk()?);
        if chunk.is_empty() {
            break;
        }
        let (done, open) = take(writer, &import, &chunk, act, along)?;
        act = open;
        report.add(done);
        progress(lines.position());
    }
    let count = usize::try_from(report.created + report.updated).unwrap_or_default();
    let summary = format!("Import of {}: {}", order.name, Entity::Item.counted(count));
    let goes = along.clone();
    let report = writer.write(move |tx| {
        goes.go_on(tx)?;
        act.summarise(tx.conn, &summary)?;
        goes.end(tx, &report, act.id())?;
        Ok(report)
    })?;
    Ok((report, act.id()))
}

/// One chunk. When somebody took a code or a name at the same moment, or PostgreSQL ended this one of two that
/// waited for each other, it is tried again, and what is taken now is told of its line.
fn take(
    writer: &mut impl Writer,
    import: &Arc<RwLock<Import>>,
    chunk: &Arc<Vec<Line>>,
    act: Open,
    along: &impl Along,
) -> Result<(Report, Open), Error> {
    let mut attempt = 1;
    loop {
        let (shared, lines, mut open, goes) = (Arc::clone(import), Arc::clone(chunk), act, along.clone());
        let done = writer.write(move |tx| {
            goes.go_on(tx)?;
            tx.resume(&open);
            let import = shared.read().unwrap_or_else(PoisonError::into_inner);
            let (report, learnt) = import.take(tx, &lines)?;
            tx.pause(&mut open, "Import")?;
            Ok((report, learnt, open))
        });
        match done {
            Ok((report, learnt, open)) => {
                import.write().unwrap_or_else(PoisonError::into_inner).learn(learnt);
                return Ok((report, open));
            }
            Err(Error::Conflict { .. } | Error::Unavailable { .. }) if attempt < ATTEMPTS => {}
            Err(Error::Conflict { detail, .. }) => return Err(broken_off(detail)),
            Err(Error::Unavailable { reason, .. }) if act.id().is_some() => return Err(broken_off(reason)),
            Err(error) => return Err(error),
        }
        std::thread::sleep(PAUSE * attempt);
        attempt += 1;
    }
}

fn broken_off(reason: String) -> Error {
    Error::Unavailable {
        detail: "The import broke off. What was written before is kept and can be undone; or import the same file \
                 again with the mode upsert.",
        retry_after: 5,
        reason,
    }
}
