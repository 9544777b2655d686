//! How categories are brought back.

use super::model::{Category, name_key};
use super::{service, store};
use crate::changes::undo::{Coming, Obstacle, Restorable};
use crate::changes::{Entity, Tx};
use crate::db::Conn;
use crate::error::Error;

impl Restorable for Category {
    fn load(conn: &mut Conn, ids: &[i64], lock: bool) -> diesel::QueryResult<Vec<Self>> {
        if lock { store::find_all_to_change(conn, ids) } else { store::find_all(conn, ids) }
    }

    fn complete(&mut self, _: Option<&Self>, version: i64) {
        self.name_key = name_key(&self.name);
        self.version = version;
    }

    fn obstacles(conn: &mut Conn, states: &[Self], coming: &Coming) -> Result<Vec<Obstacle>, Error> {
        let mut found = Vec::new();
        for category in states {
            if let Some(holder) = store::find_by_key(conn, &category.name_key)?.filter(|holder| *holder != category.id)
                && !coming.contains(Entity::Category, holder)
            {
                let message = format!("{:?} is the name of category {holder} now", category.name);
                let field = Some("name".to_owned());
                found.push(Obstacle { entity: Entity::Category, id: category.id, field, message, since: false });
            }
        }
        Ok(found)
    }

    fn remove(tx: &mut Tx<'_>, made: Vec<Self>) -> Result<(), Error> {
        made.iter().try_for_each(|category| service::remove(tx, category))
    }

    fn overwrite(tx: &mut Tx<'_>, pairs: Vec<(Self, Self)>) -> Result<(), Error> {
        pairs.into_iter().try_for_each(|(before, state)| {
            service::write(tx, &before, Category { updated_at: tx.now, ..state }).map(drop)
        })
    }

    fn put_back(tx: &mut Tx<'_>, states: Vec<Self>) -> Result<(), Error> {
        states.into_iter().try_for_each(|category| service::put_back(tx, &Category { updated_at: tx.now, ..category }))
    }
}
