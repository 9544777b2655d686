//! What every command that touches the data shares: one connection, writes as the operator.

use crate::caller::Caller;
use crate::changes::Tx;
use crate::config::Config;
use crate::db::{Conn, migrate, pool, write_now};
use crate::error::Error;
use crate::users::model::User;
use crate::users::store;

/// A command's connection and its name in the audit log.
pub struct Session {
    /// The connection.
    pub conn: Conn,
    /// The operator.
    pub caller: Caller,
}

impl Session {
    /// Opens the database, its schema brought up to date.
    ///
    /// # Errors
    /// One clear line.
    pub fn open(config: &Config) -> Result<Self, String> {
        migrate::prepare(&config.database)?;
        let conn = pool::open(&config.database, pool::Access::Write).map_err(|e| e.to_string())?;
        Ok(Self { conn, caller: Caller::operator(crate::web::request_id::made()) })
    }

    /// One act: all of it or nothing.
    ///
    /// # Errors
    /// What the work says.
    pub fn write<T: 'static>(
        &mut self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let caller = self.caller.clone();
        write_now(&mut self.conn, Box::new(move |conn| Tx::run(conn, &caller, work)))
    }

    /// The user of an e-mail address, a name or an id.
    ///
    /// # Errors
    /// One clear line.
    pub fn user(&mut self, named: &str) -> Result<User, String> {
        let by_id = match named.parse() {
            Ok(id) => store::find(&mut self.conn, id).map_err(|e| e.to_string())?,
            Err(_) => None,
        };
        match by_id {
            Some(user) => Ok(user),
            None => store::find_by_login(&mut self.conn, named)
                .map_err(|e| e.to_string())?
                .ok_or_else(|| format!("there is no user with the e-mail address, name or id {named:?}")),
        }
    }
}
