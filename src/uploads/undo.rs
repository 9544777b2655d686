//! How uploads are brought back: who owned them is; a deleted file is not.

use std::collections::HashSet;

use super::model::Upload;
use super::{service, store};
use crate::changes::undo::{Coming, Obstacle, Restorable};
use crate::changes::{Entity, Tx};
use crate::db::Conn;
use crate::error::Error;

impl Restorable for Upload {
    fn load(conn: &mut Conn, ids: &[i64], lock: bool) -> diesel::QueryResult<Vec<Self>> {
        store::find_all(conn, ids, lock)
    }

    fn complete(&mut self, now: Option<&Self>, version: i64) {
        self.version = version;
        if let Some(now) = now {
            self.key.clone_from(&now.key);
            self.thumbnail.clone_from(&now.thumbnail);
        }
    }

    fn obstacles(conn: &mut Conn, states: &[Self], coming: &Coming) -> Result<Vec<Obstacle>, Error> {
        let owner_ids: Vec<i64> = states.iter().map(|upload| upload.owner_id).collect();
        let owners: HashSet<i64> = store::owners_of(conn, &owner_ids)?.into_iter().collect();
        let mut found = Vec::new();
        for upload in states {
            let mut blocked = |field: Option<&str>, message: String| {
                let field = field.map(str::to_owned);
                found.push(Obstacle { entity: Entity::Upload, id: upload.id, field, message, since: false });
            };
            if upload.key.is_empty() {
                blocked(None, "was deleted with its file: send that again".to_owned());
            } else if !owners.contains(&upload.owner_id) && !coming.contains(Entity::User, upload.owner_id) {
                blocked(Some("owner_id"), format!("was {}, who is no user any more", upload.owner_id));
            }
        }
        Ok(found)
    }

    fn remove(tx: &mut Tx<'_>, made: Vec<Self>) -> Result<(), Error> {
        made.iter().try_for_each(|upload| service::remove(tx, upload))
    }

    fn overwrite(tx: &mut Tx<'_>, pairs: Vec<(Self, Self)>) -> Result<(), Error> {
        pairs.into_iter().try_for_each(|(before, state)| service::give(tx, &before, state.owner_id))
    }

    fn put_back(_: &mut Tx<'_>, states: Vec<Self>) -> Result<(), Error> {
        match states.first() {
            // `obstacles` has named them all.
            Some(upload) => Err(Error::Internal(format!("the file of upload {} is gone", upload.id))),
            None => Ok(()),
        }
    }
}
