//! How webhooks are brought back. One that was deleted is not: its signing secret is gone, and whoever believed its
//! signatures would have to be told a new one.

use super::model::Webhook;
use super::{service, store};
use crate::changes::undo::{Coming, Obstacle, Restorable};
use crate::changes::{Entity, Tx};
use crate::db::Conn;
use crate::error::Error;

impl Restorable for Webhook {
    fn load(conn: &mut Conn, ids: &[i64], lock: bool) -> diesel::QueryResult<Vec<Self>> {
        if lock { store::find_all_to_change(conn, ids) } else { store::find_all(conn, ids) }
    }

    fn complete(&mut self, now: Option<&Self>, version: i64) {
        self.version = version;
        if let Some(now) = now {
            self.secret.clone_from(&now.secret);
            self.previous_secret.clone_from(&now.previous_secret);
            self.previous_until = now.previous_until;
            self.failing_since = now.failing_since.filter(|_| self.is_active == now.is_active);
        }
    }

    fn obstacles(_: &mut Conn, states: &[Self], _: &Coming) -> Result<Vec<Obstacle>, Error> {
        let gone = states.iter().filter(|webhook| webhook.secret.is_empty());
        let message = "was deleted with its signing secret; make a new one";
        Ok(gone
            .map(|webhook| Obstacle {
                entity: Entity::Webhook,
                id: webhook.id,
                field: None,
                message: message.to_owned(),
                since: false,
            })
            .collect())
    }

    fn remove(tx: &mut Tx<'_>, made: Vec<Self>) -> Result<(), Error> {
        made.iter().try_for_each(|webhook| service::remove(tx, webhook))
    }

    fn overwrite(tx: &mut Tx<'_>, pairs: Vec<(Self, Self)>) -> Result<(), Error> {
        pairs.into_iter().try_for_each(|(before, state)| {
            service::write(tx, &before, Webhook { updated_at: tx.now, ..state }).map(drop)
        })
    }

    fn put_back(_: &mut Tx<'_>, states: Vec<Self>) -> Result<(), Error> {
        match states.first() {
            None => Ok(()),
            Some(webhook) => {
                let detail = format!("Webhook {} was deleted with its signing secret. Make a new one.", webhook.id);
                Err(Error::Conflict { detail, field: None })
            }
        }
    }
}
