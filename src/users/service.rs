//! What can be done with users.

use serde_json::{Map, Value};

use super::mails::{Invitation, PasswordChanged, Welcome};
use super::model::{NewUser, User, UserInput, may_set};
use super::store;
use super::store::page::{Filter, Order};
use crate::caller::{Caller, Role};
use crate::changes::{Entity, Expected, Tx, history};
use crate::db::{Conn, unique};
use crate::error::Error;
use crate::items;
use crate::posts;
use crate::time::Timestamp;
use crate::uploads;
use crate::web::sorted::Span;

/// Adds a user; one without a password is invited by mail. Whether the caller may is for the door to say: the
/// command line and the first run may.
///
/// # Errors
/// 409 for an e-mail address or a name that is taken.
pub fn create(tx: &mut Tx<'_>, new: &NewUser) -> Result<User, Error> {
    check_free(tx.conn, None, &new.fields.email, &new.fields.username)?;
    let user = store::insert(tx.conn, new, tx.now).map_err(taken)?;
    tx.created(&user)?;
    if user.password_hash.is_some() {
        tx.summarise(format!("Created user {}", user.username));
    } else {
        tx.enqueue(&Invitation { user_id: user.id, invited_by: tx.caller.name().to_owned() })?;
        tx.summarise(format!("Invited user {}", user.username));
    }
    Ok(user)
}

/// Adds a user who asked for it, and welcomes them by mail.
///
/// # Errors
/// As [`create`].
pub fn register(tx: &mut Tx<'_>, new: &NewUser) -> Result<User, Error> {
    let user = create(tx, new)?;
    tx.enqueue(&Welcome { user_id: user.id })?;
    tx.summarise(format!("Registered {}", user.username));
    Ok(user)
}

/// Sends the invitation once more.
///
/// # Errors
/// 403, 404; 409 for who has a password already or is not active.
pub fn invite_again(tx: &mut Tx<'_>, id: i64) -> Result<User, Error> {
    if !tx.caller.is_admin() {
        return Err(tx.caller.refusal("invite users"));
    }
    let user = store::find_to_change(tx.conn, id)?.ok_or_else(|| Error::missing("User", id))?;
    if user.password_hash.is_some() || !user.is_active {
        let detail = format!("{} cannot be invited: they have a password already, or are not active.", user.username);
        return Err(Error::Conflict { detail, field: None });
    }
    tx.enqueue(&Invitation { user_id: id, invited_by: tx.caller.name().to_owned() })?;
    Ok(user)
}

/// One user.
///
/// # Errors
/// 404, also for whom the caller may not know of.
pub fn get(conn: &mut Conn, caller: &Caller, id: i64) -> Result<User, Error> {
    visible(store::find(conn, id)?, caller, id)
}

/// A user, and their fields as they were at a version that somebody has seen.
///
/// # Errors
/// 404 for a user that does not exist.
pub fn with_version(conn: &mut Conn, id: i64, version: i64) -> Result<(User, Map<String, Value>), Error> {
    let user = store::find(conn, id)?.ok_or_else(|| Error::missing("User", id))?;
    let before = history::at_version(conn, &user, version)?;
    Ok((user, before))
}

/// Who changed a user last, and when.
///
/// # Errors
/// Only the database's.
pub fn last_change(conn: &mut Conn, id: i64) -> Result<Option<(String, Timestamp)>, Error> {
    let last = history::of(conn, Entity::User, id, 0, 1)?.into_iter().next();
    Ok(last.map(|entry| (entry.actor, entry.at)))
}

/// Whether nobody else is an active admin: whom nothing may take that away from.
///
/// # Errors
/// Only the database's.
pub fn is_last_admin(conn: &mut Conn, user: &User) -> Result<bool, Error> {
    Ok(user.role() == Role::Admin && user.is_active && !store::is_another_admin(conn, user.id)?)
}

/// Who may take over what a user owns: active users of these words, or without any the caller.
///
/// # Errors
/// Only the database's.
pub fn heirs(conn: &mut Conn, caller: &Caller, id: i64, words: &str, limit: i64) -> Result<Vec<User>, Error> {
    if words.is_empty() {
        let own = caller.user_id().filter(|own| *own != id);
        return Ok(own.map(|own| store::find(conn, own)).transpose()?.flatten().into_iter().collect());
    }
    let filter = Filter { contains: Some(words.to_lowercase()), is_active: Some(true), ..Filter::default() };
    let span = Span { order: Order::Username, descending: false, after: None, skip: 0, limit: limit + 1 };
    let mut found = store::page::list(conn, &filter, &span)?;
    found.retain(|user| user.id != id);
    found.truncate(usize::try_from(limit).unwrap_or_default());
    Ok(found)
}

/// Who is no admin knows of nobody but themselves.
fn visible(found: Option<User>, caller: &Caller, id: i64) -> Result<User, Error> {
    let known = caller.is_admin() || caller.user_id() == Some(id);
    found.filter(|_| known).ok_or_else(|| Error::missing("User", id))
}

/// Changes a user: an admin everything, others themselves.
///
/// # Errors
/// 403, 404, 409 for what is taken or for the last active admin, 412, 422.
pub fn update(tx: &mut Tx<'_>, id: i64, input: UserInput, expected: &Expected) -> Result<User, Error> {
    if input.says_access() {
        // The admins first and in one order: two who change each other would wait for each other.
        store::lock_active_admins(tx.conn)?;
    }
    let before = visible(store::find_to_change(tx.conn, id)?, tx.caller, id)?;
    // Again, and under the lock: whoever held it before may have demoted the caller.
    tx.check_caller()?;
    may_set(tx.caller, &input, Some(&before))?;
    expected.check(before.version)?;
    let after = input.onto(Some(&before))?.onto(&before, tx.now);
    write(tx, &before, &after)?;
    Ok(after)
}

/// What a user owns: it keeps them from being removed until somebody takes it over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owned {
    items: i64,
    posts: i64,
    uploads: i64,
}

impl Owned {
    /// "12 items and 1 post", or nothing for nothing.
    pub fn in_words(&self) -> Option<String> {
        let counts = [(self.items, Entity::Item), (self.posts, Entity::Post), (self.uploads, Entity::Upload)];
        let there = counts.into_iter().filter(|(count, _)| *count > 0);
        let parts: Vec<String> =
            there.map(|(count, entity)| entity.counted(usize::try_from(count).unwrap_or(usize::MAX))).collect();
        match parts.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            [first @ .., last] => Some(format!("{} and {last}", first.join(", "))),
        }
    }
}

/// How much a user owns.
///
/// # Errors
/// Only the database's.
pub fn owned(conn: &mut Conn, id: i64) -> Result<Owned, Error> {
    Ok(Owned {
        items: items::store::count_of(conn, id)?,
        posts: posts::store::count_of(conn, id)?,
        uploads: uploads::store::count_of(conn, id)?,
    })
}

/// Removes a user. What they own goes to another user, or keeps them from being removed.
///
/// # Errors
/// 403, 404, 409 for who owns anything or is the last active admin, 412, 422 for nobody to give them to.
pub fn delete(tx: &mut Tx<'_>, id: i64, expected: &Expected, reassign_to: Option<i64>) -> Result<(), Error> {
    if !tx.caller.is_admin() {
        return Err(tx.caller.refusal("delete users"));
    }
    // As in an update: the admins first and in one order.
    store::lock_active_admins(tx.conn)?;
    let before = store::find_to_change(tx.conn, id)?.ok_or_else(|| Error::missing("User", id))?;
    expected.check(before.version)?;
    remove(tx, &before, reassign_to)?;
    tx.summarise(format!("Deleted user {}", before.username));
    Ok(())
}

/// Removes a user who is locked for it, and gives what they own to another.
///
/// # Errors
/// 409 for who owns anything or is the last active admin, 422 for nobody to give them to.
pub(super) fn remove(tx: &mut Tx<'_>, before: &User, reassign_to: Option<i64>) -> Result<(), Error> {
    let id = before.id;
    keep_an_admin(tx, id, false)?;
    match reassign_to {
        Some(to) => {
            if to == id || store::find_to_change(tx.conn, to)?.is_none() {
                return Err(Error::field("reassign_to", "unknown", "must be the id of another user"));
            }
            items::service::reassign(tx, id, to)?;
            posts::service::reassign(tx, id, to)?;
            uploads::service::reassign(tx, id, to)?;
        }
        None => {
            let owned = owned(tx.conn, id)?;
            if let Some(words) = owned.in_words() {
                let detail = format!("{} still owns {words}. Give them to somebody with reassign_to.", before.username);
                return Err(Error::Conflict { detail, field: None });
            }
        }
    }
    store::delete(tx.conn, id)?;
    tx.deleted(before)
}

/// Writes a state over the present one.
///
/// # Errors
/// 409 for what is taken, and for the last active admin.
pub(super) fn write(tx: &mut Tx<'_>, before: &User, after: &User) -> Result<(), Error> {
    let may_go = before.role() != Role::Admin || !before.is_active;
    keep_an_admin(tx, before.id, may_go || after.role() == Role::Admin && after.is_active)?;
    save(tx, before, after)
}

/// Makes a user again who was deleted, under their old id.
///
/// # Errors
/// 409 for what is taken.
pub(super) fn put_back(tx: &mut Tx<'_>, user: &User) -> Result<(), Error> {
    store::restore(tx.conn, user).map_err(taken)?;
    tx.created(user)
}

/// The very first admin.
///
/// # Errors
/// 404 when there is a user already: the door is closed then.
pub fn create_first_admin(tx: &mut Tx<'_>, new: &NewUser) -> Result<User, Error> {
    if store::any(tx.conn)? {
        return Err(Error::NotFound("There is nothing here.".to_owned()));
    }
    create(tx, new)
}

/// Gives a user another password; everything that the old one opened is closed, and they are told by mail. The
/// first one of who was invited is nobody's news.
///
/// # Errors
/// 404 for a user that does not exist.
pub fn set_password(tx: &mut Tx<'_>, id: i64, hash: &str) -> Result<User, Error> {
    let mut first = false;
    let set = |user: &mut User| first = user.password_hash.replace(hash.to_owned()).is_none();
    let user = change(tx, id, "Changed the password of", set)?;
    if first {
        tx.summarise(format!("{} chose a first password", user.username));
    } else {
        let by = (tx.caller.user_id() != Some(id)).then(|| tx.caller.name().to_owned());
        let address = tx.caller.address.map(|address| address.to_string());
        tx.enqueue(&PasswordChanged { user_id: id, at: tx.now.0, by, address })?;
    }
    Ok(user)
}

/// Gives a user another role.
///
/// # Errors
/// 404 for a user that does not exist; 409 for the last active admin.
pub fn set_role(tx: &mut Tx<'_>, id: i64, role: Role) -> Result<User, Error> {
    keep_an_admin(tx, id, role == Role::Admin)?;
    change(tx, id, &format!("Gave the role {role} to"), |user| user.role = role.as_str().to_owned())
}

/// Lets a user in, or no longer.
///
/// # Errors
/// 404 for a user that does not exist; 409 for the last active admin.
pub fn set_active(tx: &mut Tx<'_>, id: i64, active: bool) -> Result<User, Error> {
    keep_an_admin(tx, id, active)?;
    let verb = if active { "Activated" } else { "Deactivated" };
    change(tx, id, verb, |user| user.is_active = active)
}

/// Ends everything that a user is signed in with: sessions, access tokens, refresh tokens. Their password stays.
///
/// # Errors
/// 404 for a user that does not exist.
pub fn end_sessions(tx: &mut Tx<'_>, id: i64) -> Result<User, Error> {
    change(tx, id, "Ended the sessions of", |_| {})
}

fn keep_an_admin(tx: &mut Tx<'_>, id: i64, stays: bool) -> Result<(), Error> {
    if !stays && store::lock_active_admins(tx.conn)? == [id] {
        return Err(Error::Conflict {
            detail: "This is the last active admin. Make another one first.".to_owned(),
            field: None,
        });
    }
    Ok(())
}

fn change(tx: &mut Tx<'_>, id: i64, verb: &str, edit: impl FnOnce(&mut User)) -> Result<User, Error> {
    let before = store::find_to_change(tx.conn, id)?.ok_or_else(|| Error::missing("User", id))?;
    let mut after = before.clone();
    edit(&mut after);
    after.credentials_version += 1;
    after.version += 1;
    after.updated_at = tx.now;
    save(tx, &before, &after)?;
    tx.summarise(format!("{verb} {}", after.username));
    Ok(after)
}

fn save(tx: &mut Tx<'_>, before: &User, after: &User) -> Result<(), Error> {
    check_free(tx.conn, Some(before.id), &after.email, &after.username)?;
    if store::update(tx.conn, after).map_err(taken)? == 0 {
        return Err(Error::Internal(format!("user {} changed under their lock", before.id)));
    }
    tx.updated(before, after)
}

/// Where both are taken, both databases say so of the address: each would meet another index first. Of two at
/// once one still meets the index.
fn check_free(conn: &mut Conn, own: Option<i64>, email: &str, username: &str) -> Result<(), Error> {
    let others = |found: Option<User>| found.is_some_and(|user| Some(user.id) != own);
    let refused = |field, detail: &str| Err(Error::Conflict { detail: detail.to_owned(), field: Some(field) });
    if others(store::find_by_email(conn, email)?) {
        return refused("email", EMAIL_TAKEN);
    }
    if others(store::find_by_username(conn, &username.to_lowercase())?) {
        return refused("username", USERNAME_TAKEN);
    }
    Ok(())
}

const EMAIL_TAKEN: &str = "A user with this e-mail address exists already";
const USERNAME_TAKEN: &str = "A user with this name exists already";

fn taken(error: diesel::result::Error) -> Error {
    unique::or_else(
        error,
        &[
            ("users_email_unique", "users.email", "email", EMAIL_TAKEN),
            ("users_username_key_unique", "users.username_key", "username", USERNAME_TAKEN),
        ],
    )
}
