//! `X-API-Key`: who comes with one, and how far it lets them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Instant;

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::web::Data;

use super::{BELIEVED, REMEMBERED};
use crate::app::App;
use crate::auth::model::api_key::{KeyText, Scope, Scopes};
use crate::auth::store::api_keys::{self as store, KeyCredentials};
use crate::caller::{Principal, Role};
use crate::db::Effects;
use crate::error::Error;
use crate::time::Timestamp;
use crate::web::caller::no_key;

/// A use is noted at most so often, in seconds: each is a write.
const NOTED_EVERY: i64 = 60;
/// What a key never opens, whatever comes to lie there: passwords, tokens, sessions.
const PEOPLE_ONLY: &str = "/api/v1/auth/";

#[derive(Clone)]
struct Known {
    principal: Principal,
    scope: Scope,
    expires: Timestamp,
    checked: Instant,
}

thread_local! {
    /// By the whole key: only who has it can hit. Apart from tokens, so that neither is taken for the other.
    static KEYS: RefCell<HashMap<String, Known>> = RefCell::new(HashMap::new());
}

/// Who comes with this key.
///
/// # Errors
/// 401 for one that is unknown, expired, revoked, or whose owner may not come in; 403 for what its scopes do not
/// hold.
pub(super) async fn principal(app: &Data<App>, req: &HttpRequest, sent: &str) -> Result<Principal, Error> {
    let known = match remembered(sent) {
        Some(known) => known,
        None => look_up(app, sent).await?,
    };
    if req.path().starts_with(PEOPLE_ONLY) {
        return Err(no_key());
    }
    let reads = matches!(*req.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !reads && known.scope < Scope::Write {
        return Err(Error::Forbidden("This API key may only read: for this it needs the scope write.".to_owned()));
    }
    Ok(known.principal)
}

async fn look_up(app: &Data<App>, sent: &str) -> Result<Known, Error> {
    // A mistyped key, or somebody else's kind of secret, does not come as far as the database.
    let text = KeyText::parse(sent).ok_or_else(super::bad)?;
    let key_hash = text.hash();
    let found = app.look_up(move |conn| Ok(store::credentials(conn, &key_hash)?)).await?;
    let now = Timestamp::now();
    let found = found.filter(|key| key.revoked_at.is_none() && key.expires_at > now && key.is_active);
    let found = found.ok_or_else(super::bad)?;
    if found.last_used_at.is_none_or(|at| at.plus_seconds(NOTED_EVERY) <= now) {
        note(app, found.id, now);
    }
    let known = known(&found);
    KEYS.with_borrow_mut(|keys| {
        if keys.len() >= REMEMBERED {
            keys.clear();
        }
        keys.insert(sent.to_owned(), known.clone());
    });
    Ok(known)
}

/// The key's scopes, and its owner's role as it is now: the smaller counts.
fn known(found: &KeyCredentials) -> Known {
    let owner = Role::from_str(&found.role).unwrap_or(Role::Guest);
    let scope = Scopes::from(found.scopes.clone()).greatest().min(Scope::most_of(owner));
    Known {
        principal: Principal {
            id: found.user_id,
            username: Arc::from(found.username.as_str()),
            role: scope.role(owner),
            api_key_id: Some(found.id),
            // A new password does not end a key; its own row and the owner's role do.
            credentials_version: 0,
            may_write: scope >= Scope::Write,
        },
        scope,
        expires: found.expires_at,
        checked: Instant::now(),
    }
}

/// Asks the database at the next use.
pub(super) fn forget(sent: &str) {
    KEYS.with_borrow_mut(|keys| keys.remove(sent));
}

fn remembered(sent: &str) -> Option<Known> {
    let now = Instant::now();
    KEYS.with_borrow(|keys| {
        let known = keys.get(sent)?;
        let fresh = now.duration_since(known.checked) < BELIEVED && Timestamp::now() < known.expires;
        fresh.then(|| known.clone())
    })
}

/// Notes a use, beside the request and not in its way.
fn note(app: &Data<App>, id: i64, now: Timestamp) {
    let app = app.clone();
    actix_web::rt::spawn(async move {
        let before = now.plus_seconds(-NOTED_EVERY);
        let noted =
            app.db.write(Box::new(move |conn| Ok((store::note_use(conn, id, now, before)?, Effects::default())))).await;
        if let Err(error) = noted {
            log::warn!("the use of API key {id} could not be noted: {error}");
        }
    });
}
