//! What the things are called that changes speak of: also how one learns which of them still exist.

use diesel::prelude::*;

use crate::changes::Entity;
use crate::db::Conn;
use crate::db::schema::{api_keys, categories, items, jobs, posts, uploads, users, webhooks};

/// Those of these ids that exist, and what each is called.
pub fn of(conn: &mut Conn, entity: Entity, ids: &[i64]) -> QueryResult<Vec<(i64, String)>> {
    macro_rules! names {
        ($table:ident, $name:ident) => {
            $table::table.filter($table::id.eq_any(ids)).select(($table::id, $table::$name)).load(conn)
        };
    }
    match entity {
        Entity::User => names!(users, username),
        Entity::Category => names!(categories, name),
        Entity::Item => names!(items, name),
        Entity::Post => names!(posts, title),
        Entity::Upload => names!(uploads, filename),
        Entity::ApiKey => names!(api_keys, name),
        Entity::Webhook => names!(webhooks, url),
        Entity::Job => names!(jobs, kind),
    }
}
