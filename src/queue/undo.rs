//! How jobs are brought back that were discarded: as they were, also with their failures. That one was tried again is
//! not taken back.

use std::collections::HashSet;

use super::model::QueuedJob;
use super::store;
use crate::changes::undo::{Coming, Obstacle, Restorable};
use crate::changes::{Entity, Tx};
use crate::db::Conn;
use crate::error::Error;

impl Restorable for QueuedJob {
    fn load(conn: &mut Conn, ids: &[i64], lock: bool) -> diesel::QueryResult<Vec<Self>> {
        store::find_all(conn, ids, lock)
    }

    fn complete(&mut self, _: Option<&Self>, _: i64) {
        self.lease = None;
    }

    fn obstacles(conn: &mut Conn, states: &[Self], _: &Coming) -> Result<Vec<Obstacle>, Error> {
        let ids: Vec<i64> = states.iter().map(|job| job.id).collect();
        let there: HashSet<i64> = store::find_all(conn, &ids, false)?.iter().map(|job| job.id).collect();
        let obstacle = |job: &Self| Obstacle {
            entity: Entity::Job,
            id: job.id,
            field: None,
            message: "was tried again, which cannot be taken back".to_owned(),
            since: false,
        };
        Ok(states.iter().filter(|job| there.contains(&job.id)).map(obstacle).collect())
    }

    fn remove(tx: &mut Tx<'_>, made: Vec<Self>) -> Result<(), Error> {
        made.iter().try_for_each(|job| {
            store::delete(tx.conn, job.id)?;
            tx.deleted(job)
        })
    }

    fn overwrite(_: &mut Tx<'_>, _: Vec<(Self, Self)>) -> Result<(), Error> {
        Ok(())
    }

    fn put_back(tx: &mut Tx<'_>, states: Vec<Self>) -> Result<(), Error> {
        for job in states {
            store::restore(tx.conn, &job)?;
            tx.created(&job)?;
            tx.wake();
        }
        Ok(())
    }
}
