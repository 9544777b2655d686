//! Refresh tokens: 256 random bits, good for one use. Each use gives the next one of its family; one that is
//! used twice was copied by somebody, so its whole family ends (RFC 9700, 4.14).

use sha2::{Digest as _, Sha256};

use super::sessions::random_token;
use super::store::refresh as store;
use crate::app::App;
use crate::caller::Caller;
use crate::changes::Tx;
use crate::error::Error;
use crate::time::Timestamp;
use crate::users;
use crate::users::model::User;

/// A refresh token begins so, which tells it from every other kind.
const PREFIX: &str = "srr_";

fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// The first token of a new family.
///
/// # Errors
/// Only the database's.
pub fn begin(tx: &mut Tx<'_>, app: &App, user: &User) -> Result<String, Error> {
    add(tx, app, &random_token(), user.id, user.credentials_version)
}

fn add(tx: &mut Tx<'_>, app: &App, family: &str, user_id: i64, version: i64) -> Result<String, Error> {
    let token = format!("{PREFIX}{}", random_token());
    let expires = tx.now.plus_seconds(i64::from(app.config.refresh_token_days) * 86_400);
    store::insert(tx.conn, family, user_id, &hash(&token), version, tx.now, expires)?;
    Ok(token)
}

/// What came of a use.
enum Use {
    Next(Box<User>, String),
    Refused,
}

/// Uses a token: its user, and the next token of the family.
///
/// # Errors
/// 401 for one that is unknown, used, ended or expired, or whose user may not come in any longer.
pub async fn rotate(app: &actix_web::web::Data<App>, caller: &Caller, token: String) -> Result<(User, String), Error> {
    let (app_inside, began) = (app.clone(), Timestamp::now());
    let used = app
        .write(caller, move |tx| {
            let Some(kept) = store::find_to_use(tx.conn, &hash(&token))? else { return Ok(Use::Refused) };
            if kept.revoked_at.is_some() || kept.expires_at <= tx.now {
                return Ok(Use::Refused);
            }
            // Used by another request while this one was on its way: a client that asks twice at once is no thief.
            if kept.used_at.is_some_and(|used| used >= began) {
                return Ok(Use::Refused);
            }
            // Refused, and yet something is written: the end of the family must be kept.
            if kept.used_at.is_some() {
                store::revoke_family(tx.conn, &kept.family, tx.now)?;
                return Ok(Use::Refused);
            }
            let user = users::store::find(tx.conn, kept.user_id)?
                .filter(|user| user.is_active && user.credentials_version == kept.credentials_version);
            let Some(user) = user else {
                store::revoke_family(tx.conn, &kept.family, tx.now)?;
                return Ok(Use::Refused);
            };
            store::mark_used(tx.conn, kept.id, tx.now)?;
            let next = add(tx, &app_inside, &kept.family, user.id, user.credentials_version)?;
            Ok(Use::Next(Box::new(user), next))
        })
        .await?;
    match used {
        Use::Next(user, token) => Ok((*user, token)),
        Use::Refused => {
            Err(Error::Unauthenticated("The refresh token is not valid (any more). Sign in again.".to_owned()))
        }
    }
}

/// Ends the family of a token. One that is unknown has none.
///
/// # Errors
/// Only the database's.
pub async fn end(app: &App, caller: &Caller, token: String) -> Result<(), Error> {
    app.write(caller, move |tx| {
        if let Some(kept) = store::find_to_use(tx.conn, &hash(&token))? {
            store::revoke_family(tx.conn, &kept.family, tx.now)?;
        }
        Ok(())
    })
    .await
}
