//! All SQL of users: one here, lists in `store/page.rs`.

pub mod page;

use diesel::prelude::*;

use super::model::{NewUser, User};
use crate::caller::Role;
use crate::db::Conn;
use crate::db::schema::users;
use crate::time::Timestamp;

/// What identifying a caller needs of a user.
#[derive(Debug, Clone, Queryable)]
pub struct Credentials {
    /// The user's id.
    pub id: i64,
    /// Their name.
    pub username: String,
    /// Their role.
    pub role: String,
    /// Whether they may come in.
    pub is_active: bool,
    /// What tokens and sessions must carry.
    pub credentials_version: i64,
}

/// One user.
pub fn find(conn: &mut Conn, id: i64) -> QueryResult<Option<User>> {
    users::table.find(id).select(users::all_columns).get_result(conn).optional()
}

/// What identifying a caller needs.
pub fn credentials(conn: &mut Conn, id: i64) -> QueryResult<Option<Credentials>> {
    users::table
        .find(id)
        .select((users::id, users::username, users::role, users::is_active, users::credentials_version))
        .get_result(conn)
        .optional()
}

/// The user of an e-mail address or a name, in any case.
pub fn find_by_login(conn: &mut Conn, login: &str) -> QueryResult<Option<User>> {
    let key = login.trim().to_lowercase();
    if unheard_of(&key) {
        return Ok(None);
    }
    match find_by_email(conn, &key)? {
        Some(user) => Ok(Some(user)),
        None => find_by_username(conn, &key),
    }
}

/// The user of a lower-cased name.
pub fn find_by_username(conn: &mut Conn, key: &str) -> QueryResult<Option<User>> {
    users::table.filter(users::username_key.eq(key)).select(users::all_columns).get_result(conn).optional()
}

/// Nobody is called so, and PostgreSQL takes no NUL in a text.
fn unheard_of(name: &str) -> bool {
    name.contains('\0')
}

/// The user of a lower-cased e-mail address.
pub fn find_by_email(conn: &mut Conn, email: &str) -> QueryResult<Option<User>> {
    if unheard_of(email) {
        return Ok(None);
    }
    users::table.filter(users::email.eq(email)).select(users::all_columns).get_result(conn).optional()
}

/// One user who will be written: locked on PostgreSQL; SQLite has one writer.
pub fn find_to_change(conn: &mut Conn, id: i64) -> QueryResult<Option<User>> {
    let query = users::table.find(id).select(users::all_columns);
    match conn {
        Conn::Postgres(conn) => query.for_update().get_result(conn).optional(),
        Conn::Sqlite(conn) => query.get_result(conn).optional(),
    }
}

/// The users of these ids.
pub fn find_all(conn: &mut Conn, ids: &[i64]) -> QueryResult<Vec<User>> {
    users::table.filter(users::id.eq_any(ids)).order(users::id).select(users::all_columns).load(conn)
}

/// The same, locked on PostgreSQL for changing them.
pub fn find_all_to_change(conn: &mut Conn, ids: &[i64]) -> QueryResult<Vec<User>> {
    let query = users::table.filter(users::id.eq_any(ids)).order(users::id).select(users::all_columns);
    match conn {
        Conn::Postgres(conn) => query.for_update().load(conn),
        Conn::Sqlite(conn) => query.load(conn),
    }
}

/// Adds a user as they are, id and version too.
pub fn restore(conn: &mut Conn, user: &User) -> QueryResult<usize> {
    diesel::insert_into(users::table).values(user).execute(conn)
}

/// Removes a user whom nothing refers to.
pub fn delete(conn: &mut Conn, id: i64) -> QueryResult<usize> {
    diesel::delete(users::table.find(id)).execute(conn)
}

/// All users, oldest first.
pub fn all(conn: &mut Conn) -> QueryResult<Vec<User>> {
    users::table.order(users::id).select(users::all_columns).load(conn)
}

/// Whether there is any user.
pub fn any(conn: &mut Conn) -> QueryResult<bool> {
    let one: Option<i64> = users::table.select(users::id).order(users::id).limit(1).get_result(conn).optional()?;
    Ok(one.is_some())
}

/// The admin who has been here longest.
pub fn first_admin(conn: &mut Conn) -> QueryResult<Option<User>> {
    users::table
        .filter(users::role.eq(Role::Admin.as_str()))
        .filter(users::is_active.eq(true))
        .order(users::id)
        .limit(1)
        .select(users::all_columns)
        .get_result(conn)
        .optional()
}

/// Whether there is an active admin beside this one.
pub fn is_another_admin(conn: &mut Conn, id: i64) -> QueryResult<bool> {
    let other: Option<i64> = users::table
        .filter(users::role.eq(Role::Admin.as_str()))
        .filter(users::is_active.eq(true))
        .filter(users::id.ne(id))
        .select(users::id)
        .limit(1)
        .get_result(conn)
        .optional()?;
    Ok(other.is_some())
}

/// The active admins. On PostgreSQL they stay locked until the commit, so that two who each remove the other
/// do not leave none; SQLite has one writer.
pub fn lock_active_admins(conn: &mut Conn) -> QueryResult<Vec<i64>> {
    let admins = users::table
        .filter(users::role.eq(Role::Admin.as_str()))
        .filter(users::is_active.eq(true))
        .order(users::id)
        .select(users::id);
    match conn {
        Conn::Postgres(conn) => admins.for_update().load(conn),
        Conn::Sqlite(conn) => admins.load(conn),
    }
}

/// Adds a user.
pub fn insert(conn: &mut Conn, new: &NewUser, now: Timestamp) -> QueryResult<User> {
    diesel::insert_into(users::table)
        .values((
            users::email.eq(&new.fields.email),
            users::username.eq(&new.fields.username),
            users::username_key.eq(new.fields.username.to_lowercase()),
            users::full_name.eq(&new.fields.full_name),
            users::age.eq(new.fields.age),
            users::website.eq(&new.fields.website),
            users::role.eq(new.fields.role.as_str()),
            users::is_active.eq(new.fields.is_active),
            users::password_hash.eq(&new.password_hash),
            users::credentials_version.eq(1_i64),
            users::version.eq(1_i64),
            users::created_at.eq(now.0),
            users::updated_at.eq(now.0),
        ))
        .returning(users::all_columns)
        .get_result(conn)
}

/// Writes a user back, as their next version.
pub fn update(conn: &mut Conn, user: &User) -> QueryResult<usize> {
    diesel::update(users::table.find(user.id).filter(users::version.eq(user.version - 1)))
        .set((
            users::email.eq(&user.email),
            users::username.eq(&user.username),
            users::username_key.eq(&user.username_key),
            users::full_name.eq(&user.full_name),
            users::age.eq(user.age),
            users::website.eq(&user.website),
            users::role.eq(&user.role),
            users::is_active.eq(user.is_active),
            users::password_hash.eq(&user.password_hash),
            users::credentials_version.eq(user.credentials_version),
            users::version.eq(user.version),
            users::updated_at.eq(user.updated_at.0),
        ))
        .execute(conn)
}

/// Notes a sign-in; a hash of a lower cost than today's is renewed with it. No edit, so no new version.
pub fn signed_in(conn: &mut Conn, id: i64, now: Timestamp, renewed_hash: Option<&str>) -> QueryResult<()> {
    diesel::update(users::table.find(id)).set(users::last_login_at.eq(now.0)).execute(conn)?;
    if let Some(hash) = renewed_hash {
        renew_hash(conn, id, hash)?;
    }
    Ok(())
}

/// Keeps another hash of the same password.
pub fn renew_hash(conn: &mut Conn, id: i64, hash: &str) -> QueryResult<usize> {
    diesel::update(users::table.find(id)).set(users::password_hash.eq(hash)).execute(conn)
}
