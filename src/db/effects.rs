//! What a write leaves to be done at its commit. On SQLite the writer does it once for the whole group: the
//! full-text index then costs a tenth (FTS5 writes its memory out at every savepoint), and a counter is
//! written once and not for each of 256 inserts.

use std::collections::BTreeMap;

use diesel::prelude::*;

use super::Conn;
use super::portable::Portable;
use super::schema::counters;
use crate::error::Error;
use crate::live::Batch;

/// One act at the commit.
pub type Deferred = Box<dyn FnOnce(&mut Conn) -> Result<(), Error> + Send>;

/// How many rows a counter is spread over on PostgreSQL, so that writers seldom wait for each other.
const SHARDS: i32 = 16;

/// What the commit carries beside the rows that were written already.
#[derive(Default)]
pub struct Effects {
    /// Sorted, so that two transactions lock counters in the same order.
    counts: BTreeMap<String, i64>,
    deferred: Vec<Deferred>,
    wakes: bool,
    changed: Option<Batch>,
}

impl Effects {
    /// Adds to a counter.
    pub fn count(&mut self, counter: String, by: i64) {
        *self.counts.entry(counter).or_default() += by;
    }

    /// Does something right before the commit.
    pub fn defer(&mut self, act: Deferred) {
        self.deferred.push(act);
    }

    /// Notes that jobs or webhooks wait for the commit.
    pub fn wake(&mut self) {
        self.wakes = true;
    }

    /// Whether jobs or webhooks wait for the commit.
    pub fn wakes(&self) -> bool {
        self.wakes
    }

    /// Notes which changes the commit makes known.
    pub fn change(&mut self, batch: Batch) {
        self.changed = Some(batch);
    }

    /// Which changes the commit makes known.
    pub fn changed(&self) -> Option<Batch> {
        self.changed
    }

    /// Takes another write's effects in.
    pub fn absorb(&mut self, other: Self) {
        for (counter, by) in other.counts {
            self.count(counter, by);
        }
        self.deferred.extend(other.deferred);
        self.wakes |= other.wakes;
    }

    /// Does it all, inside the transaction.
    ///
    /// # Errors
    /// When the database refuses; the transaction must not be committed then.
    pub fn apply(self, conn: &mut Conn) -> Result<(), Error> {
        for act in self.deferred {
            act(conn)?;
        }
        let shard = match conn {
            Conn::Postgres(_) => rand::random_range(0..SHARDS),
            Conn::Sqlite(_) => 0,
        };
        for (name, by) in self.counts.into_iter().filter(|(_, by)| *by != 0) {
            let statement = diesel::insert_into(counters::table).values((
                counters::name.eq(name),
                counters::shard.eq(shard),
                counters::value.eq(by),
            ));
            Portable::add_to_counter(statement).execute(conn)?;
        }
        Ok(())
    }
}

/// The value of a counter.
///
/// # Errors
/// When the database refuses.
pub fn counter(conn: &mut Conn, name: &str) -> QueryResult<i64> {
    let query = counters::table.filter(counters::name.eq(name)).select(counters::value);
    // On the connection itself: every list asks, and `MultiConnection` builds the SQL anew each time.
    let shards: Vec<i64> = match conn {
        Conn::Sqlite(conn) => query.load(conn)?,
        Conn::Postgres(conn) => query.load(conn)?,
    };
    Ok(shards.into_iter().sum())
}
