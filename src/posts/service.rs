//! What can be done with posts, by whichever door.

use super::model::{Act, Post, PostFields, PostInput, Visible, may};
use super::store::{self, Filter};
use crate::caller::Caller;
use crate::changes::{Expected, Tx};
use crate::db::Conn;
use crate::db::effects::counter;
use crate::error::Error;
use crate::fields::Mode;

/// So many posts are given away at a time: each may have 400 kB.
const AT_ONCE: i64 = 50;

/// One post.
///
/// # Errors
/// 404, also for what the caller may not know of.
pub fn get(conn: &mut Conn, caller: &Caller, id: i64) -> Result<Post, Error> {
    visible(store::find(conn, id)?, caller, id)
}

fn visible(found: Option<Post>, caller: &Caller, id: i64) -> Result<Post, Error> {
    found.filter(|post| Visible::to(caller).has(post)).ok_or_else(|| Error::missing("Post", id))
}

/// How many posts a list has: from the counters where nothing narrows it.
///
/// # Errors
/// Only the database's.
pub fn total(conn: &mut Conn, filter: &Filter) -> Result<i64, Error> {
    if filter.contains.is_some() || filter.published.is_some() || filter.author_id.is_some() {
        return Ok(store::count(conn, filter)?);
    }
    Ok(match filter.visible {
        Visible::All => counter(conn, store::TOTAL)?,
        Visible::Published => counter(conn, store::PUBLISHED)?,
        Visible::PublishedOrOf(id) => counter(conn, store::PUBLISHED)? + counter(conn, &store::hidden_of(id))?,
    })
}

/// Adds a post that the caller has written.
///
/// # Errors
/// 401, 403, 422.
pub fn create(tx: &mut Tx<'_>, input: PostInput) -> Result<Post, Error> {
    may(tx.caller, Act::Create, None)?;
    input.check_reserved(tx.caller, None)?;
    let author = tx.caller.user_id().ok_or_else(|| Error::Internal("a post needs an author".to_owned()))?;
    let fields = input.onto(None)?;
    let post = store::insert(tx.conn, &fields, author, tx.now)?;
    tx.created(&post)?;
    count(tx, &post, 1);
    Ok(post)
}

/// Changes a post.
///
/// # Errors
/// 401, 403, 404, 412, 422.
pub fn update(tx: &mut Tx<'_>, id: i64, input: PostInput, mode: Mode, expected: &Expected) -> Result<Post, Error> {
    let before = visible(store::find_to_change(tx.conn, id)?, tx.caller, id)?;
    may(tx.caller, Act::Edit, Some(&before))?;
    input.check_reserved(tx.caller, Some(&before))?;
    expected.check(before.version)?;
    let fields = input.onto((mode == Mode::Patch).then_some(&before))?;
    let after = fields.onto(&before, tx.now);
    write(tx, &before, after)
}

/// Shows a post to everybody, or no longer. One that is so already stays as it is.
///
/// # Errors
/// 401, 403, 404, 412.
pub fn publish(tx: &mut Tx<'_>, id: i64, published: bool, expected: &Expected) -> Result<Post, Error> {
    let before = visible(store::find_to_change(tx.conn, id)?, tx.caller, id)?;
    may(tx.caller, Act::Edit, Some(&before))?;
    expected.check(before.version)?;
    if before.published == published {
        return Ok(before);
    }
    let after = PostFields { published, ..before.clone().into() }.onto(&before, tx.now);
    let post = write(tx, &before, after)?;
    let verb = if published { "Published" } else { "Unpublished" };
    tx.summarise(format!("{verb} post {id}"));
    Ok(post)
}

/// Writes a state over the present one.
///
/// # Errors
/// Only the database's.
pub(super) fn write(tx: &mut Tx<'_>, before: &Post, after: Post) -> Result<Post, Error> {
    if store::update(tx.conn, &after)? == 0 {
        return Err(Error::Internal(format!("post {} changed under its lock", before.id)));
    }
    tx.updated(before, &after)?;
    if (before.published, before.author_id) != (after.published, after.author_id) {
        count(tx, before, -1);
        count(tx, &after, 1);
    }
    Ok(after)
}

/// Removes a post.
///
/// # Errors
/// 401, 403, 404, 412.
pub fn delete(tx: &mut Tx<'_>, id: i64, expected: &Expected) -> Result<(), Error> {
    let before = visible(store::find_to_change(tx.conn, id)?, tx.caller, id)?;
    may(tx.caller, Act::Delete, Some(&before))?;
    expected.check(before.version)?;
    remove(tx, &before)
}

/// Removes a post that is locked for it.
///
/// # Errors
/// Only the database's.
pub(super) fn remove(tx: &mut Tx<'_>, before: &Post) -> Result<(), Error> {
    store::delete(tx.conn, before.id)?;
    count(tx, before, -1);
    tx.deleted(before)
}

/// Makes a post again that was deleted, under its old id.
///
/// # Errors
/// Only the database's.
pub(super) fn put_back(tx: &mut Tx<'_>, post: &Post) -> Result<(), Error> {
    store::restore(tx.conn, post)?;
    count(tx, post, 1);
    tx.created(post)
}

/// Gives all posts of one author to another: before the first is deleted.
///
/// # Errors
/// Only the database's.
pub fn reassign(tx: &mut Tx<'_>, from: i64, to: i64) -> Result<(), Error> {
    loop {
        let posts = store::written_to_change(tx.conn, from, AT_ONCE)?;
        if posts.is_empty() {
            return Ok(());
        }
        for before in posts {
            let after = Post { author_id: to, version: before.version + 1, updated_at: tx.now, ..before.clone() };
            write(tx, &before, after)?;
        }
    }
}

/// Keeps the counters that lists show.
fn count(tx: &mut Tx<'_>, post: &Post, by: i64) {
    tx.count(store::TOTAL.to_owned(), by);
    if post.published {
        tx.count(store::PUBLISHED.to_owned(), by);
    } else {
        tx.count(store::hidden_of(post.author_id), by);
    }
}
