//! What can be asked of the audit log, and undoing.

use std::sync::Arc;

use super::model::{Change, Changeset, Counted, Left, Undone};
use super::store;
use crate::app::App;
use crate::caller::Caller;
use crate::categories::model::Category;
use crate::changes::history::{self, Entry};
use crate::changes::undo::{self, Coming, Net, Obstacle, Restorable};
use crate::changes::{Action, Entity, Expected, Open, Tx};
use crate::db::Conn;
use crate::error::Error;
use crate::fields::FieldErrors;
use crate::items;
use crate::items::model::Item;
use crate::posts::model::Post;
use crate::uploads::model::Upload;
use crate::users::model::User;
use crate::web::idempotency::Claim;
use crate::web::json::Answer;
use crate::webhooks::model::Webhook;

/// So many entities are brought back in one transaction, so that on SQLite others get in between.
const AT_ONCE: usize = 1_000;
/// So many obstacles are listed; all are counted.
const LISTED: usize = 100;

/// An item and a part of its history, newest first.
///
/// # Errors
/// 404 for an item that the caller may not know of, 403 for one that they may see but not change.
pub fn item_history(
    conn: &mut Conn,
    caller: &Caller,
    id: i64,
    skip: i64,
    limit: i64,
) -> Result<(Item, Vec<Entry>), Error> {
    let item = items::service::get(conn, caller, id)?;
    items::model::may(caller, items::model::Act::Edit, Some(&item))?;
    let entries = history::of(conn, Entity::Item, id, skip, limit)?;
    Ok((item, entries))
}

/// Writes a new version of an item that equals an earlier one, but for its owner.
///
/// # Errors
/// 401, 403, 404, 409, 412, 422 for a version that there never was.
pub fn revert_item(tx: &mut Tx<'_>, id: i64, version: i64, expected: &Expected) -> Result<Item, Error> {
    items::service::revert(tx, id, version, expected)
}

/// Changesets with how much they changed and what undid them: two statements however many there are.
///
/// # Errors
/// Only the database's.
pub fn counted(conn: &mut Conn, rows: Vec<Changeset>) -> Result<Vec<Counted>, Error> {
    let ids: Vec<i64> = rows.iter().map(|changeset| changeset.id).collect();
    let counts = store::change_counts(conn, &ids)?;
    let undone = store::undone_by(conn, &ids)?;
    let with = |changeset: Changeset| Counted {
        change_count: counts.get(&changeset.id).copied().unwrap_or_default(),
        undone_by_id: undone.get(&changeset.id).copied(),
        changeset,
    };
    Ok(rows.into_iter().map(with).collect())
}

/// One changeset and a part of its changes.
///
/// # Errors
/// 404.
pub fn get(conn: &mut Conn, id: i64, skip: i64, limit: i64) -> Result<(Counted, Vec<Change>), Error> {
    let found = store::find(conn, id)?.ok_or_else(|| Error::missing("Changeset", id))?;
    let changeset = counted(conn, vec![found])?.into_iter().next().ok_or_else(|| Error::missing("Changeset", id))?;
    let changes = store::changes(conn, id, skip, limit)?.into_iter().map(Change::from).collect();
    Ok((changeset, changes))
}

/// What a changeset did on the whole, in the order in which it is taken back.
struct Undo {
    id: i64,
    summary: String,
    nets: Vec<Net>,
    coming: Coming,
    force: bool,
}

impl Undo {
    fn read(conn: &mut Conn, id: i64, force: bool) -> Result<Self, Error> {
        let changeset = store::find(conn, id)?.ok_or_else(|| Error::missing("Changeset", id))?;
        let touched = history::touched(conn, id)?;
        let mut nets = Vec::new();
        for part in undo::order(&touched).chunks(AT_ONCE) {
            let seqs: Vec<i32> = part.iter().flat_map(|(_, _, seqs)| seqs.iter().copied()).collect();
            let mut steps = history::steps(conn, id, &seqs)?;
            for (entity, entity_id, seqs) in part {
                let of_it: Vec<_> = seqs.iter().filter_map(|seq| steps.remove(seq)).collect();
                nets.extend(Net::of(*entity, *entity_id, &of_it));
            }
        }
        let deleted = nets.iter().filter(|net| net.action != Action::Created);
        let coming = deleted.map(|net| (net.entity, net.id)).collect();
        Ok(Self { id, summary: changeset.summary, nets, coming, force })
    }

    /// What a user who comes back does not come back with.
    fn passwords(&self) -> impl Iterator<Item = Left> {
        let users = self.nets.iter().filter(|net| net.entity == Entity::User && net.action == Action::Deleted);
        users.map(|net| Left {
            entity: net.entity.as_str(),
            entity_id: net.id,
            field: Some("password".to_owned()),
            message: "is not recorded; they choose another by the link for a forgotten one".to_owned(),
        })
    }

    /// Whether anything is left to undo, and what is in the way.
    fn check(&self, conn: &mut Conn) -> Result<Outcome, Error> {
        let mut whole = (0, Vec::new());
        for part in self.nets.chunks(AT_ONCE) {
            for (run, way) in runs(part) {
                add(&mut whole, (way.check)(conn, run, &self.coming, self.force)?);
            }
        }
        Ok(whole)
    }

    /// Takes a part of it back.
    fn take_back(&self, tx: &mut Tx<'_>, part: &[Net]) -> Result<Outcome, Error> {
        let mut whole = (0, Vec::new());
        for (run, way) in runs(part) {
            add(&mut whole, (way.take_back)(tx, run, &self.coming, self.force)?);
        }
        Ok(whole)
    }
}

/// How many entities can be, or were, brought back, and what is in the way of others.
type Outcome = (usize, Vec<Obstacle>);

fn add(whole: &mut Outcome, (count, obstacles): Outcome) {
    whole.0 += count;
    whole.1.extend(obstacles);
}

/// How a kind of entity is brought back.
struct Way {
    check: fn(&mut Conn, &[Net], &Coming, bool) -> Result<Outcome, Error>,
    take_back: fn(&mut Tx<'_>, &[Net], &Coming, bool) -> Result<Outcome, Error>,
}

impl Way {
    fn with<T: Restorable>() -> Self {
        Self { check: undo::check::<T>, take_back: undo::take_back::<T> }
    }

    fn of(entity: Entity) -> Option<Self> {
        Some(match entity {
            Entity::Item => Self::with::<Item>(),
            Entity::Category => Self::with::<Category>(),
            Entity::User => Self::with::<User>(),
            Entity::Webhook => Self::with::<Webhook>(),
            Entity::Post => Self::with::<Post>(),
            Entity::Upload => Self::with::<Upload>(),
            // A key that was shown or ended stays so.
            Entity::ApiKey => return None,
        })
    }
}

/// Entities of one kind that are next to each other, and how they are brought back.
fn runs(nets: &[Net]) -> impl Iterator<Item = (&[Net], Way)> {
    nets.chunk_by(|a, b| a.entity == b.entity).filter_map(|run| Some((run, Way::of(run.first()?.entity)?)))
}

/// Undoes a whole changeset in a new one. What was changed since is not overwritten but with `force`; what was
/// deleted since, or cannot be as it was, is left and named.
///
/// A changeset of up to a thousand entities is undone at once or not at all. A larger one is looked through
/// first, and then undone by the thousand, so that on SQLite nobody waits for the whole of it; what somebody
/// changes in that time is left, and named in the answer.
///
/// The claim keeps what `show` makes of it, in the last transaction.
///
/// # Errors
/// 404; 409 with what has changed since, for what is impossible, and when nothing is left to undo.
pub async fn revert(
    app: &App,
    caller: &Caller,
    id: i64,
    force: bool,
    claim: &Claim,
    show: fn(&Undone) -> Result<Answer, Error>,
) -> Result<Undone, Error> {
    let (undo, count, obstacles) = app
        .read(move |conn| {
            let undo = Undo::read(conn, id, force)?;
            let (count, obstacles) = undo.check(conn)?;
            Ok((undo, count, obstacles))
        })
        .await?;
    let hard = |obstacle: &Obstacle| !obstacle.since || !force;
    if obstacles.iter().any(hard) {
        return Err(in_the_way(&undo, &obstacles));
    }
    if count == 0 {
        let detail = "There is nothing left to undo: everything is as it was before, or cannot be undone.".to_owned();
        return Err(Error::Conflict { detail, field: None });
    }
    let undo = Arc::new(undo);
    let mut so_far = Undone { changeset_id: None, undone: 0, left: Vec::new() };
    let mut act = Open::default();
    let parts = undo.nets.len().div_ceil(AT_ONCE);
    for n in 0..parts {
        let (undo, held) = (Arc::clone(&undo), claim.clone());
        let (mut open, mut done) = (act, so_far);
        let part = move |tx: &mut Tx<'_>| {
            if n == 0 {
                held.begin(tx)?;
            }
            tx.resume(&open);
            tx.undoes(undo.id);
            let part = undo.nets.get(n * AT_ONCE..undo.nets.len().min((n + 1) * AT_ONCE)).unwrap_or_default();
            let (count, obstacles) = undo.take_back(tx, part)?;
            if parts == 1 && obstacles.iter().any(|o| !o.since || !undo.force) {
                return Err(in_the_way(&undo, &obstacles));
            }
            tx.pause(&mut open, &format!("Undid: {}", undo.summary))?;
            (done.changeset_id, done.undone) = (open.id(), done.undone + count);
            done.left.extend(obstacles.into_iter().map(Left::from));
            done.left.truncate(LISTED);
            if n + 1 == parts {
                done.left.extend(undo.passwords());
                held.keep(tx, &show(&done)?)?;
            }
            Ok((open, done))
        };
        match app.write(caller, part).await {
            Ok(next) => (act, so_far) = next,
            Err(error) => {
                if n > 0 {
                    claim.let_go(app).await;
                }
                return Err(error);
            }
        }
    }
    Ok(so_far)
}

fn in_the_way(undo: &Undo, obstacles: &[Obstacle]) -> Error {
    let mut errors = FieldErrors::default();
    for obstacle in obstacles.iter().take(LISTED) {
        let entity = format!("{}[{}]", obstacle.entity.as_str(), obstacle.id);
        let field = obstacle.field.as_ref().map_or_else(|| entity.clone(), |field| format!("{entity}.{field}"));
        errors.add(&field, if obstacle.since { "changed_since" } else { "impossible" }, obstacle.message.clone());
    }
    let forced = obstacles.iter().all(|obstacle| obstacle.since);
    let way_out = if forced {
        "Undo it with force=true to overwrite that."
    } else {
        "What cannot be as it was has to be cleared away first."
    };
    let count = obstacles.len();
    let detail = format!("{:?} was not undone: {count} things stand in the way. {way_out}", undo.summary);
    Error::InTheWay { detail, errors }
}
