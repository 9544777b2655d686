//! All SQL that writes changesets.

use diesel::dsl::exists;
use diesel::prelude::*;

use super::Change;
use crate::caller::{Caller, Principal, Role};
use crate::db::Conn;
use crate::db::schema::{api_keys, changes, changesets, fan_outs, users, webhooks};
use crate::time::Timestamp;

/// Begins a changeset; its id.
pub fn insert_changeset(
    conn: &mut Conn,
    caller: &Caller,
    now: Timestamp,
    summary: &str,
    undoes: Option<i64>,
) -> QueryResult<i64> {
    let statement = diesel::insert_into(changesets::table)
        .values((
            changesets::at.eq(now.0),
            changesets::actor_id.eq(caller.user_id()),
            changesets::actor.eq(caller.name()),
            changesets::door.eq(caller.door.as_str()),
            changesets::summary.eq(summary),
            changesets::request_id.eq(&*caller.request_id),
            changesets::address.eq(caller.address.map(|a| a.to_string())),
            changesets::undoes_id.eq(undoes),
            changesets::api_key_id.eq(caller.api_key_id()),
        ))
        .returning(changesets::id);
    // On the connection itself: every write comes through here, and `MultiConnection` builds the SQL anew
    // each time.
    match conn {
        Conn::Sqlite(conn) => statement.get_result(conn),
        Conn::Postgres(conn) => statement.get_result(conn),
    }
}

/// Whether anybody wants to be told of changes. On the connection itself: every write asks.
pub fn is_listened_to(conn: &mut Conn) -> QueryResult<bool> {
    let query = diesel::select(exists(webhooks::table.filter(webhooks::is_active)));
    match conn {
        Conn::Sqlite(conn) => query.get_result(conn),
        Conn::Postgres(conn) => query.get_result(conn),
    }
}

/// Notes that webhooks are to be told of these changes: one row however many they are.
pub fn insert_fan_out(conn: &mut Conn, changeset: i64, from_seq: i32, to_seq: i32, now: Timestamp) -> QueryResult<()> {
    diesel::insert_into(fan_outs::table)
        .values((
            fan_outs::changeset_id.eq(changeset),
            fan_outs::from_seq.eq(from_seq),
            fan_outs::to_seq.eq(to_seq),
            fan_outs::at.eq(now.0),
        ))
        .execute(conn)
        .map(drop)
}

/// Whether somebody is still who they were when they were identified, and may still do as much. Every write
/// asks in its own transaction: identification is believed for half a second, and in that time somebody who was
/// just demoted could promote themselves again.
pub fn still(conn: &mut Conn, principal: &Principal, now: Timestamp) -> QueryResult<bool> {
    let user = users::table.find(principal.id).select((users::role, users::is_active, users::credentials_version));
    // On the connection itself: see `insert_changeset`.
    let found: Option<(String, bool, i64)> = match conn {
        Conn::Sqlite(conn) => user.get_result(conn).optional()?,
        Conn::Postgres(conn) => user.get_result(conn).optional()?,
    };
    let Some((role, true, version)) = found else { return Ok(false) };
    let Some(key) = principal.api_key_id else { return Ok(version == principal.credentials_version) };
    let role: Role = role.parse().unwrap_or(Role::Guest);
    let live: Option<i64> = api_keys::table
        .find(key)
        .filter(api_keys::revoked_at.is_null())
        .filter(api_keys::expires_at.gt(now.0))
        .select(api_keys::id)
        .get_result(conn)
        .optional()?;
    Ok(role.includes(principal.role) && live.is_some())
}

/// Adds changes to a changeset that has so many already.
pub fn insert_changes(conn: &mut Conn, changeset_id: i64, already: i32, list: &[Change]) -> QueryResult<()> {
    let row = |(seq, change): (i32, &Change)| {
        (
            changes::changeset_id.eq(changeset_id),
            changes::seq.eq(seq),
            changes::entity.eq(change.entity.as_str()),
            changes::entity_id.eq(change.entity_id),
            changes::action.eq(change.action.as_str()),
            changes::version.eq(change.version),
            changes::before.eq(change.before.clone()),
            changes::after.eq(change.after.clone()),
        )
    };
    let rows = (already.saturating_add(1)..).zip(list);
    match conn {
        Conn::Sqlite(conn) => {
            for entry in rows {
                diesel::insert_into(changes::table).values(row(entry)).execute(conn)?;
            }
        }
        Conn::Postgres(conn) => {
            // Eight values a row, and a statement takes 65,535.
            let all: Vec<_> = rows.map(row).collect();
            for part in all.chunks(5_000) {
                diesel::insert_into(changes::table).values(part.to_vec()).execute(conn)?;
            }
        }
    }
    Ok(())
}
