//! How users are brought back. Who was deleted comes back without a password, and with credentials that no
//! token of before fits.

use super::model::User;
use super::{service, store};
use crate::changes::undo::{Coming, Obstacle, Restorable};
use crate::changes::{Entity, Tx};
use crate::db::Conn;
use crate::error::Error;
use crate::time::Timestamp;

impl Restorable for User {
    fn load(conn: &mut Conn, ids: &[i64], lock: bool) -> diesel::QueryResult<Vec<Self>> {
        // The admins first and in one order, as in every write that may take the last one away.
        if lock {
            store::lock_active_admins(conn)?;
            store::find_all_to_change(conn, ids)
        } else {
            store::find_all(conn, ids)
        }
    }

    fn complete(&mut self, now: Option<&Self>, version: i64) {
        self.username_key = self.username.to_lowercase();
        self.version = version;
        match now {
            Some(now) => {
                let ends = self.role != now.role || self.is_active != now.is_active;
                self.password_hash.clone_from(&now.password_hash);
                self.credentials_version = now.credentials_version + i64::from(ends);
                self.last_login_at = now.last_login_at;
            }
            // Larger than any that was given out.
            None => self.credentials_version = Timestamp::now().0,
        }
    }

    fn obstacles(conn: &mut Conn, states: &[Self], _: &Coming) -> Result<Vec<Obstacle>, Error> {
        let mut found = Vec::new();
        for user in states {
            let mut taken = |field: &str, holder: Option<User>| {
                if let Some(holder) = holder.filter(|holder| holder.id != user.id) {
                    let message = format!("is that of user {} now", holder.id);
                    let field = Some(field.to_owned());
                    found.push(Obstacle { entity: Entity::User, id: user.id, field, message, since: false });
                }
            };
            taken("email", store::find_by_email(conn, &user.email)?);
            taken("username", store::find_by_username(conn, &user.username_key)?);
        }
        Ok(found)
    }

    fn remove(tx: &mut Tx<'_>, made: Vec<Self>) -> Result<(), Error> {
        made.iter().try_for_each(|user| service::remove(tx, user, None))
    }

    fn overwrite(tx: &mut Tx<'_>, pairs: Vec<(Self, Self)>) -> Result<(), Error> {
        pairs.into_iter().try_for_each(|(before, state)| {
            let after = User { updated_at: tx.now, ..state };
            service::write(tx, &before, &after)
        })
    }

    fn put_back(tx: &mut Tx<'_>, states: Vec<Self>) -> Result<(), Error> {
        states.into_iter().try_for_each(|user| service::put_back(tx, &User { updated_at: tx.now, ..user }))
    }
}
