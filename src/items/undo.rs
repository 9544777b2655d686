//! How items are brought back.

use std::collections::HashSet;

use super::model::Item;
use super::service::{self, images};
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
        let gone: HashSet<i64> = images::gone(conn, states)?.iter().map(|image| image.id).collect();
        let mut found = Vec::new();
        for item in states {
            let id = item.id;
            let obstacle = |field: &str, message: String, since: bool| {
                let field = Some(field.to_owned());
                Obstacle { entity: Entity::Item, id, field, message, since }
            };
            // It comes without them when that is wanted.
            let without = item.images.iter().filter(|image| gone.contains(&image.id));
            found.extend(without.map(|image| {
                obstacle("images", format!("had {:?}, an upload that was deleted since", image.filename), true)
            }));
            let mut blocked = |field: &str, message: String| found.push(obstacle(field, message, false));
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
        let (before, mut states): (Vec<Self>, Vec<Self>) = pairs.into_iter().unzip();
        images::drop_gone(tx.conn, &mut states)?;
        for (before, state) in before.iter().zip(states) {
            let after = state.as_next(before, tx.now);
            service::write_over(tx, before, after)?;
        }
        Ok(())
    }

    fn put_back(tx: &mut Tx<'_>, mut states: Vec<Self>) -> Result<(), Error> {
        images::drop_gone(tx.conn, &mut states)?;
        service::put_back(tx, states)
    }
}
