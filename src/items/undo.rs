//! How items are brought back.

use std::collections::HashSet;

use super::model::{Item, ItemFields};
use super::service;
use super::store::{self, batch};
use crate::categories;
use crate::changes::undo::{Coming, Obstacle, Restorable};
use crate::changes::{Entity, Recorded, Tx};
use crate::db::Conn;
use crate::error::Error;

impl Restorable for Item {
    fn load(conn: &mut Conn, ids: &[i64], lock: bool) -> diesel::QueryResult<Vec<Self>> {
        if lock { batch::find_to_change(conn, ids) } else { batch::find_all(conn, ids) }
    }

    fn complete(&mut self, _: Option<&Self>, version: i64) {
        self.version = version;
    }

    fn obstacles(conn: &mut Conn, states: &[Self], coming: &Coming) -> Result<Vec<Obstacle>, Error> {
        let skus: Vec<&str> = states.iter().filter_map(|item| item.sku.as_deref()).collect();
        let holders = batch::ids_by_sku(conn, &skus)?;
        let ids = |of: fn(&Item) -> i64| states.iter().map(of).collect::<HashSet<_>>().into_iter().collect::<Vec<_>>();
        let categories: HashSet<i64> =
            categories::store::find_all(conn, &ids(|item| item.category_id))?.iter().map(Recorded::id).collect();
        let owners: HashSet<i64> = store::owners_of(conn, &ids(|item| item.owner_id))?.into_iter().collect();
        let mut found = Vec::new();
        for item in states {
            let mut blocked = |field: &str, message: String| {
                let field = Some(field.to_owned());
                found.push(Obstacle { entity: Entity::Item, id: item.id, field, message, since: false });
            };
            if let Some(holder) = item.sku.as_ref().and_then(|sku| holders.get(sku)).filter(|id| **id != item.id)
                && !coming.contains(Entity::Item, *holder)
            {
                blocked("sku", format!("is that of item {holder} now"));
            }
            if !categories.contains(&item.category_id) && !coming.contains(Entity::Category, item.category_id) {
                blocked("category_id", format!("was {}, which is no category any more", item.category_id));
            }
            if !owners.contains(&item.owner_id) && !coming.contains(Entity::User, item.owner_id) {
                blocked("owner_id", format!("was {}, who is no user any more", item.owner_id));
            }
        }
        Ok(found)
    }

    fn remove(tx: &mut Tx<'_>, made: Vec<Self>) -> Result<(), Error> {
        service::remove_all(tx, &made)
    }

    fn overwrite(tx: &mut Tx<'_>, pairs: Vec<(Self, Self)>) -> Result<(), Error> {
        for (before, state) in pairs {
            let owner = state.owner_id;
            service::write_as(tx, &before, ItemFields::from(state), owner)?;
        }
        Ok(())
    }

    fn put_back(tx: &mut Tx<'_>, states: Vec<Self>) -> Result<(), Error> {
        service::put_back(tx, states)
    }
}
