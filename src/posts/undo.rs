//! How posts are brought back.

use std::collections::HashSet;

use super::model::{Post, title_key};
use super::{service, store};
use crate::changes::undo::{Coming, Obstacle, Restorable};
use crate::changes::{Entity, Tx};
use crate::db::Conn;
use crate::error::Error;

impl Restorable for Post {
    fn load(conn: &mut Conn, ids: &[i64], lock: bool) -> diesel::QueryResult<Vec<Self>> {
        store::find_all(conn, ids, lock)
    }

    fn complete(&mut self, _: Option<&Self>, version: i64) {
        self.title_key = title_key(&self.title);
        self.version = version;
    }

    fn obstacles(conn: &mut Conn, states: &[Self], coming: &Coming) -> Result<Vec<Obstacle>, Error> {
        let ids: Vec<i64> = states.iter().map(|post| post.author_id).collect();
        let authors: HashSet<i64> = store::authors_of(conn, &ids)?.into_iter().collect();
        let gone = |post: &&Self| !authors.contains(&post.author_id) && !coming.contains(Entity::User, post.author_id);
        let obstacle = |post: &Self| {
            let message = format!("was {}, who is no user any more", post.author_id);
            let field = Some("author_id".to_owned());
            Obstacle { entity: Entity::Post, id: post.id, field, message, since: false }
        };
        Ok(states.iter().filter(gone).map(obstacle).collect())
    }

    fn remove(tx: &mut Tx<'_>, made: Vec<Self>) -> Result<(), Error> {
        made.iter().try_for_each(|post| service::remove(tx, post))
    }

    fn overwrite(tx: &mut Tx<'_>, pairs: Vec<(Self, Self)>) -> Result<(), Error> {
        pairs
            .into_iter()
            .try_for_each(|(before, state)| service::write(tx, &before, Self { updated_at: tx.now, ..state }).map(drop))
    }

    fn put_back(tx: &mut Tx<'_>, states: Vec<Self>) -> Result<(), Error> {
        states.into_iter().try_for_each(|post| service::put_back(tx, &Self { updated_at: tx.now, ..post }))
    }
}
