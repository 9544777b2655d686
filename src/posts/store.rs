//! All SQL of posts.

use diesel::dsl::IntoBoxed;
use diesel::prelude::*;

use super::model::{Post, PostFields, Visible, title_key};
use crate::db::portable::contains as pattern;
use crate::db::schema::{posts, users};
use crate::db::{Conn, MultiBackend};
use crate::time::Timestamp;
use crate::web::sorted::Span;

/// The counter of all posts.
pub const TOTAL: &str = "posts";
/// The counter of published posts.
pub const PUBLISHED: &str = "posts:published";

/// The counter of somebody's unpublished posts.
pub fn hidden_of(author_id: i64) -> String {
    format!("posts:hidden:author:{author_id}")
}

/// Which posts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Which the caller may know of.
    pub visible: Visible,
    /// Part of the title; lower-cased.
    pub contains: Option<String>,
    /// Published or not.
    pub published: Option<bool>,
    /// By this author.
    pub author_id: Option<i64>,
}

/// By what a list can be ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By id.
    Id,
    /// By title, without regard to case.
    Title,
    /// By age.
    CreatedAt,
}

/// One post.
pub fn find(conn: &mut Conn, id: i64) -> QueryResult<Option<Post>> {
    posts::table.find(id).select(posts::all_columns).get_result(conn).optional()
}

/// One post that will be written: locked on PostgreSQL; SQLite has one writer.
pub fn find_to_change(conn: &mut Conn, id: i64) -> QueryResult<Option<Post>> {
    let query = posts::table.find(id).select(posts::all_columns);
    match conn {
        Conn::Postgres(conn) => query.for_update().get_result(conn).optional(),
        Conn::Sqlite(conn) => query.get_result(conn).optional(),
    }
}

/// The posts of these ids that exist; locked on PostgreSQL if they will be written.
pub fn find_all(conn: &mut Conn, ids: &[i64], lock: bool) -> QueryResult<Vec<Post>> {
    let query = posts::table.filter(posts::id.eq_any(ids)).order(posts::id).select(posts::all_columns);
    match conn {
        Conn::Postgres(conn) if lock => query.for_update().load(conn),
        conn => query.load(conn),
    }
}

/// Some of the posts that somebody wrote, for changing them: locked on PostgreSQL.
pub fn written_to_change(conn: &mut Conn, author_id: i64, limit: i64) -> QueryResult<Vec<Post>> {
    let query =
        posts::table.filter(posts::author_id.eq(author_id)).order(posts::id).limit(limit).select(posts::all_columns);
    match conn {
        Conn::Postgres(conn) => query.for_update().load(conn),
        Conn::Sqlite(conn) => query.load(conn),
    }
}

/// How many posts somebody wrote.
pub fn count_of(conn: &mut Conn, author_id: i64) -> QueryResult<i64> {
    posts::table.filter(posts::author_id.eq(author_id)).count().get_result(conn)
}

/// Which of these ids are users'.
pub fn authors_of(conn: &mut Conn, ids: &[i64]) -> QueryResult<Vec<i64>> {
    users::table.filter(users::id.eq_any(ids)).select(users::id).load(conn)
}

/// Adds a post.
pub fn insert(conn: &mut Conn, fields: &PostFields, author_id: i64, now: Timestamp) -> QueryResult<Post> {
    diesel::insert_into(posts::table)
        .values((
            posts::title.eq(&fields.title),
            posts::title_key.eq(title_key(&fields.title)),
            posts::content.eq(&fields.content),
            posts::published.eq(fields.published),
            posts::published_at.eq(fields.published.then_some(now.0)),
            posts::author_id.eq(author_id),
            posts::version.eq(1_i64),
            posts::created_at.eq(now.0),
            posts::updated_at.eq(now.0),
        ))
        .returning(posts::all_columns)
        .get_result(conn)
}

/// Adds a post as it is, id and version too.
pub fn restore(conn: &mut Conn, post: &Post) -> QueryResult<usize> {
    diesel::insert_into(posts::table).values(post).execute(conn)
}

/// Writes a post back, as its next version; 0 rows when somebody was faster.
pub fn update(conn: &mut Conn, post: &Post) -> QueryResult<usize> {
    diesel::update(posts::table.find(post.id).filter(posts::version.eq(post.version - 1)))
        .set((
            posts::title.eq(&post.title),
            posts::title_key.eq(&post.title_key),
            posts::content.eq(&post.content),
            posts::published.eq(post.published),
            posts::published_at.eq(post.published_at.map(|at| at.0)),
            posts::author_id.eq(post.author_id),
            posts::version.eq(post.version),
            posts::updated_at.eq(post.updated_at.0),
        ))
        .execute(conn)
}

/// Removes a post.
pub fn delete(conn: &mut Conn, id: i64) -> QueryResult<usize> {
    diesel::delete(posts::table.find(id)).execute(conn)
}

type Boxed<'q> = IntoBoxed<'q, posts::table, MultiBackend>;

fn filtered<'q>(mut query: Boxed<'q>, filter: &Filter) -> Boxed<'q> {
    query = match filter.visible {
        Visible::All => query,
        Visible::PublishedOrOf(author) => query.filter(posts::published.eq(true).or(posts::author_id.eq(author))),
        Visible::Published => query.filter(posts::published.eq(true)),
    };
    if let Some(text) = &filter.contains {
        query = query.filter(posts::title_key.like(pattern(text)).escape('\\'));
    }
    if let Some(published) = filter.published {
        query = query.filter(posts::published.eq(published));
    }
    if let Some(author) = filter.author_id {
        query = query.filter(posts::author_id.eq(author));
    }
    query
}

/// A page of posts.
pub fn list(conn: &mut Conn, filter: &Filter, page: &Span<Order>) -> QueryResult<Vec<Post>> {
    let mut query = filtered(posts::table.into_boxed(), filter);
    if let Some((key, id)) = page.after.clone() {
        let number = key.parse::<i64>().unwrap_or_default();
        query = match (page.order, page.descending) {
            (Order::Title, false) => {
                query.filter(posts::title_key.gt(key.clone()).or(posts::title_key.eq(key).and(posts::id.gt(id))))
            }
            (Order::Title, true) => {
                query.filter(posts::title_key.lt(key.clone()).or(posts::title_key.eq(key).and(posts::id.lt(id))))
            }
            (Order::CreatedAt, false) => {
                query.filter(posts::created_at.gt(number).or(posts::created_at.eq(number).and(posts::id.gt(id))))
            }
            (Order::CreatedAt, true) => {
                query.filter(posts::created_at.lt(number).or(posts::created_at.eq(number).and(posts::id.lt(id))))
            }
            (Order::Id, false) => query.filter(posts::id.gt(id)),
            (Order::Id, true) => query.filter(posts::id.lt(id)),
        };
    }
    query = match (page.order, page.descending) {
        (Order::Title, false) => query.order((posts::title_key.asc(), posts::id.asc())),
        (Order::Title, true) => query.order((posts::title_key.desc(), posts::id.desc())),
        (Order::CreatedAt, false) => query.order((posts::created_at.asc(), posts::id.asc())),
        (Order::CreatedAt, true) => query.order((posts::created_at.desc(), posts::id.desc())),
        (Order::Id, false) => query.order(posts::id.asc()),
        (Order::Id, true) => query.order(posts::id.desc()),
    };
    query.limit(page.limit).offset(page.skip).load(conn)
}

/// How many posts a filter leaves.
pub fn count(conn: &mut Conn, filter: &Filter) -> QueryResult<i64> {
    filtered(posts::table.into_boxed(), filter).count().get_result(conn)
}
