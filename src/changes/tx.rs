//! The transaction that a use case is given.

use diesel::Connection as _;

use super::{Change, Open, Recorded, store};
use crate::caller::Caller;
use crate::db::{Conn, Effects};
use crate::error::Error;
use crate::jobs::{self, Job};
use crate::live::Batch;
use crate::time::Timestamp;

/// One act: the connection, who does it, and what has been changed so far.
pub struct Tx<'c> {
    /// The connection, inside its transaction.
    pub conn: &'c mut Conn,
    /// Who does it.
    pub caller: &'c Caller,
    /// When: the same for everything in it.
    pub now: Timestamp,
    summary: Option<String>,
    undoes: Option<i64>,
    changes: Vec<Change>,
    effects: Effects,
    open: Open,
}

impl<'c> Tx<'c> {
    fn new(conn: &'c mut Conn, caller: &'c Caller, now: Timestamp, open: Open) -> Self {
        let (changes, effects) = (Vec::new(), Effects::default());
        Self { conn, caller, now, summary: None, undoes: None, changes, effects, open }
    }

    /// Runs a use case and closes its changeset, inside the transaction that is open on `conn`.
    ///
    /// # Errors
    /// What the use case says, and 401 for a caller whose rights have changed since they were identified; the
    /// transaction must be rolled back then.
    pub fn run<T>(
        conn: &mut Conn,
        caller: &Caller,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, Error>,
    ) -> Result<(T, Effects), Error> {
        let mut tx = Tx::new(conn, caller, Timestamp::now(), Open::default());
        tx.check_caller()?;
        let answer = work(&mut tx)?;
        Ok((answer, tx.close()?))
    }

    /// That the caller still is, and may do as much as, when they were identified.
    ///
    /// # Errors
    /// 401 when not.
    pub fn check_caller(&mut self) -> Result<(), Error> {
        match self.caller.principal() {
            Some(principal) if !store::still(self.conn, principal, self.now)? => {
                Err(Error::Unauthenticated("Your rights have changed meanwhile. Sign in again.".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Notes that something was made.
    ///
    /// # Errors
    /// Never in practice: when it cannot be written as JSON.
    pub fn created<T: Recorded>(&mut self, after: &T) -> Result<(), Error> {
        self.changes.push(Change::created(after)?);
        Ok(())
    }

    /// Notes that something was changed.
    ///
    /// # Errors
    /// As [`Tx::created`].
    pub fn updated<T: Recorded>(&mut self, before: &T, after: &T) -> Result<(), Error> {
        self.changes.push(Change::updated(before, after)?);
        Ok(())
    }

    /// Notes that something was deleted.
    ///
    /// # Errors
    /// As [`Tx::created`].
    pub fn deleted<T: Recorded>(&mut self, before: &T) -> Result<(), Error> {
        self.changes.push(Change::deleted(before)?);
        Ok(())
    }

    /// What this act is called in the audit log; without it, the changes are counted.
    pub fn summarise(&mut self, summary: impl Into<String>) {
        self.summary = Some(summary.into());
    }

    /// Says which changeset this act undoes.
    pub fn undoes(&mut self, changeset: i64) {
        self.undoes = Some(changeset);
    }

    /// Adds to a counter, at the commit.
    pub fn count(&mut self, counter: String, by: i64) {
        self.effects.count(counter, by);
    }

    /// Does something right before the commit; on SQLite, once all of the group's writes are done.
    pub fn at_commit(&mut self, act: impl FnOnce(&mut Conn) -> Result<(), Error> + Send + 'static) {
        self.effects.defer(Box::new(act));
    }

    /// Records work that this act causes: it is done after the commit, at least once.
    ///
    /// # Errors
    /// Only the database's.
    pub fn enqueue<J: Job>(&mut self, job: &J) -> Result<(), Error> {
        jobs::enqueue(self.conn, job, self.now)?;
        self.effects.wake();
        Ok(())
    }

    /// Does a part of the act that may fail alone: in a savepoint, so that nothing of it is left then, neither
    /// in the database nor in the changeset.
    ///
    /// # Errors
    /// What the part says; the act can go on.
    pub fn attempt<T>(&mut self, part: impl FnOnce(&mut Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let (caller, now, open) = (self.caller, self.now, self.open);
        let (answer, changes, effects) = self.conn.transaction(|conn| -> Result<_, Error> {
            let mut tx = Tx::new(conn, caller, now, open);
            let answer = part(&mut tx)?;
            Ok((answer, tx.changes, tx.effects))
        })?;
        self.changes.extend(changes);
        self.effects.absorb(effects);
        Ok(answer)
    }

    /// Tells those who do background work, after the commit, that there is something to do.
    pub fn wake(&mut self) {
        self.effects.wake();
    }

    /// Goes on with an act that an earlier transaction began.
    pub fn resume(&mut self, open: &Open) {
        self.open = *open;
    }

    /// Writes what was changed so far into the act's one changeset, so that a later transaction can go on.
    ///
    /// # Errors
    /// Only the database's.
    pub fn pause(&mut self, open: &mut Open, summary: &str) -> Result<(), Error> {
        self.summary = Some(summary.to_owned());
        self.flush()?;
        *open = self.open;
        Ok(())
    }

    fn close(mut self) -> Result<Effects, Error> {
        self.flush()?;
        Ok(self.effects)
    }

    fn flush(&mut self) -> Result<(), Error> {
        let changes = std::mem::take(&mut self.changes);
        let Some(first) = changes.first() else { return Ok(()) };
        let id = match self.open.id {
            Some(id) => id,
            None => {
                let summary = self.summary.take().unwrap_or_else(|| match changes.len() {
                    1 => format!("{} {} {}", capital(first.action.as_str()), first.entity.as_str(), first.entity_id),
                    count => format!("{} {}", capital(first.action.as_str()), first.entity.counted(count)),
                });
                store::insert_changeset(self.conn, self.caller, self.now, &summary, self.undoes)?
            }
        };
        self.open.id = Some(id);
        store::insert_changes(self.conn, id, self.open.changes, &changes)?;
        let from = self.open.changes + 1;
        self.open.changes += i32::try_from(changes.len()).unwrap_or(i32::MAX);
        self.effects.change(Batch { changeset: id, from, to: self.open.changes });
        if changes.iter().any(|change| change.entity.is_told_of()) && store::is_listened_to(self.conn)? {
            store::insert_fan_out(self.conn, id, from, self.open.changes, self.now)?;
            self.effects.wake();
        }
        Ok(())
    }
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
