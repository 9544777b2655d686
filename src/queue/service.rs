//! What admins can do with jobs. Who did it is in the audit log, and what was discarded can be brought back.

use super::model::{QueuedJob, State};
use super::store::{self, Filter};
use crate::app::App;
use crate::caller::Caller;
use crate::changes::{Entity, Open, Tx};
use crate::db::Conn;
use crate::error::Error;
use crate::time::Timestamp;

/// So many jobs are acted on in one transaction, so that others get in between.
const AT_ONCE: i64 = 1_000;

fn may(caller: &Caller) -> Result<(), Error> {
    if caller.is_admin() { Ok(()) } else { Err(caller.refusal("manage jobs")) }
}

/// What can be done with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Try it again at once.
    Retry,
    /// Take it out of the queue.
    Discard,
}

impl Act {
    fn done(self) -> &'static str {
        match self {
            Self::Retry => "Retried",
            Self::Discard => "Discarded",
        }
    }
}

/// One job.
///
/// # Errors
/// 403, 404.
pub fn get(conn: &mut Conn, caller: &Caller, id: i64) -> Result<QueuedJob, Error> {
    may(caller)?;
    store::find(conn, id)?.ok_or_else(|| Error::missing("Job", id))
}

/// Does it with one job.
///
/// # Errors
/// 403, 404 for one that is done, 409 for one that is being done.
pub fn act(tx: &mut Tx<'_>, id: i64, act: Act) -> Result<QueuedJob, Error> {
    may(tx.caller)?;
    let job = store::find_all(tx.conn, &[id], true)?.pop().ok_or_else(|| Error::missing("Job", id))?;
    if job.state(tx.now) == State::Running {
        let detail = format!("Job {id} is being done right now. Wait until it has been tried.");
        return Err(Error::Conflict { detail, field: None });
    }
    write(tx, &job, act)?;
    tx.summarise(format!("{} job {id} ({})", act.done(), job.kind));
    Ok(job)
}

fn write(tx: &mut Tx<'_>, job: &QueuedJob, act: Act) -> Result<(), Error> {
    match act {
        Act::Retry => {
            let after = job.again(tx.now);
            store::update(tx.conn, &after)?;
            tx.wake();
            tx.updated(job, &after)
        }
        Act::Discard => {
            store::delete(tx.conn, job.id)?;
            tx.deleted(job)
        }
    }
}

/// Does it with all jobs of a filter that are in the queue by now and not being done, in one changeset; how many
/// they were.
///
/// # Errors
/// 403.
pub async fn act_on_all(app: &App, caller: &Caller, filter: Filter, act: Act) -> Result<usize, Error> {
    may(caller)?;
    let asked_at = Timestamp::now();
    let (mut open, mut done, mut after) = (Open::default(), 0, 0);
    loop {
        let filter = filter.clone();
        let part = move |tx: &mut Tx<'_>| {
            let ids = store::ids_after(tx.conn, &filter, tx.now, after, AT_ONCE)?;
            let Some(last) = ids.last().copied() else { return Ok(None) };
            tx.resume(&open);
            let jobs = store::find_all(tx.conn, &ids, true)?;
            let now = tx.now;
            let meant = jobs.iter().filter(|job| job.created_at <= asked_at && job.state(now) != State::Running);
            let mut count = done;
            for job in meant {
                write(tx, job, act)?;
                count += 1;
            }
            let mut open = open;
            tx.pause(&mut open, &format!("{} {}", act.done(), Entity::Job.counted(count)))?;
            Ok(Some((open, count, last)))
        };
        match app.write(caller, part).await? {
            Some(next) => (open, done, after) = next,
            None => return Ok(done),
        }
    }
}
