//! What can be done with users.

use super::model::{NewUser, User};
use super::store;
use crate::caller::Role;
use crate::changes::Tx;
use crate::db::unique;
use crate::error::Error;

/// Adds a user. Whether the caller may is for the door to say: the command line and the first run may.
///
/// # Errors
/// 409 for an e-mail address or a name that is taken.
pub fn create(tx: &mut Tx<'_>, new: &NewUser) -> Result<User, Error> {
    let user = store::insert(tx.conn, new, tx.now).map_err(taken)?;
    tx.created(&user.shown())?;
    tx.summarise(format!("Created user {}", user.username));
    Ok(user)
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

/// Gives a user another password; everything that the old one opened is closed.
///
/// # Errors
/// 404 for a user that does not exist.
pub fn set_password(tx: &mut Tx<'_>, id: i64, hash: &str) -> Result<User, Error> {
    change(tx, id, "Changed the password of", |user| user.password_hash = Some(hash.to_owned()))
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
    let before = store::find(tx.conn, id)?.ok_or_else(|| Error::missing("User", id))?;
    let mut after = before.clone();
    edit(&mut after);
    after.credentials_version += 1;
    after.version += 1;
    after.updated_at = tx.now;
    if store::update(tx.conn, &after).map_err(taken)? == 0 {
        return Err(Error::Conflict {
            detail: "Somebody else changed this user just now. Try again.".to_owned(),
            field: None,
        });
    }
    tx.updated(&before.shown(), &after.shown())?;
    tx.summarise(format!("{verb} {}", after.username));
    Ok(after)
}

fn taken(error: diesel::result::Error) -> Error {
    unique::or_else(
        error,
        &[
            ("users_email_unique", "users.email", "email", "A user with this e-mail address exists already"),
            ("users_username_key_unique", "users.username_key", "username", "A user with this name exists already"),
        ],
    )
}
