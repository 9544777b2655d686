//! Undoing a whole changeset: looked through first, then taken back by the thousand, so that on SQLite nobody waits
//! for the whole of it, and so that never more than a thousand entities are in memory. What it would do, before
//! anybody says yes to it, is in `undo/preview.rs`.

pub mod preview;

use std::sync::Arc;

use super::store;
use crate::app::App;
use crate::audit::model::{Left, Undone};
use crate::caller::Caller;
use crate::categories::model::Category;
use crate::changes::undo::{self, Coming, Found, Net, Obstacle, Restorable, Touched};
use crate::changes::{Action, Entity, Open, Tx};
use crate::db::Conn;
use crate::error::Error;
use crate::fields::FieldErrors;
use crate::items::model::Item;
use crate::posts::model::Post;
use crate::queue::model::QueuedJob;
use crate::uploads::model::Upload;
use crate::users::model::User;
use crate::web::idempotency::Claim;
use crate::web::json::Answer;
use crate::webhooks::model::Webhook;

/// So many entities are brought back in one transaction.
const AT_ONCE: usize = 1_000;
/// So many obstacles are listed; all are counted.
pub const LISTED: usize = 100;

/// What becomes of what stands in the way; without either, nothing is undone then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Choice {
    /// What was changed since is overwritten.
    pub force: bool,
    /// What is still in the way is left as it is, and the rest undone.
    pub partly: bool,
}

/// A changeset that is to be undone.
struct Undo {
    id: i64,
    summary: String,
    touched: Touched,
    coming: Coming,
    choice: Choice,
}

impl Undo {
    fn read(conn: &mut Conn, id: i64, choice: Choice) -> Result<Self, Error> {
        let changeset = store::find(conn, id)?.ok_or_else(|| Error::missing("Changeset", id))?;
        let touched = Touched::read(conn, id, AT_ONCE)?;
        Ok(Self { id, summary: changeset.summary, coming: touched.coming(), touched, choice })
    }

    /// What a user who comes back does not come back with.
    fn passwords(&self) -> impl Iterator<Item = Left> {
        let users =
            self.touched.entities().filter(|(entity, _, action)| *entity == Entity::User && *action == Action::Deleted);
        users.map(|(entity, id, _)| Left {
            entity: entity.as_str(),
            entity_id: id,
            field: Some("password".to_owned()),
            message: "is not recorded; they choose another by the link for a forgotten one".to_owned(),
        })
    }

    /// How much of a part is left to undo, and what is in the way.
    fn check(&self, conn: &mut Conn, part: usize) -> Result<Outcome, Error> {
        let nets = self.touched.part(conn, part)?;
        self.check_nets(conn, &nets, self.choice.force)
    }

    fn check_nets(&self, conn: &mut Conn, nets: &[Net], force: bool) -> Result<Outcome, Error> {
        let mut whole = Outcome::default();
        for (run, way) in runs(nets) {
            whole.add((way.check)(conn, run, &self.coming, force)?.into());
        }
        Ok(whole)
    }

    /// Takes a part of it back.
    fn take_back(&self, tx: &mut Tx<'_>, part: usize) -> Result<Outcome, Error> {
        let nets = self.touched.part(tx.conn, part)?;
        let mut whole = Outcome::default();
        for (run, way) in runs(&nets) {
            whole.add((way.take_back)(tx, run, &self.coming, self.choice.force)?.into());
        }
        Ok(whole)
    }

    /// Whether it must not be done, or go on, as it was asked for.
    fn is_blocked(&self, outcome: &Outcome) -> bool {
        !self.choice.partly && (outcome.impossible > 0 || (outcome.since > 0 && !self.choice.force))
    }

    fn in_the_way(&self, outcome: &Outcome) -> Error {
        let mut errors = FieldErrors::default();
        for obstacle in &outcome.listed {
            let entity = format!("{}[{}]", obstacle.entity.as_str(), obstacle.id);
            let field = obstacle.field.as_ref().map_or_else(|| entity.clone(), |field| format!("{entity}.{field}"));
            errors.add(&field, if obstacle.since { "changed_since" } else { "impossible" }, obstacle.message.clone());
        }
        let way_out = if outcome.impossible == 0 {
            "Undo it with force=true to overwrite that."
        } else {
            "What cannot be as it was has to be cleared away first."
        };
        let count = outcome.since + outcome.impossible;
        let detail = format!("{:?} was not undone: {count} things stand in the way. {way_out}", self.summary);
        Error::InTheWay { detail, errors }
    }
}

/// What was found of all parts so far.
#[derive(Debug, Default)]
struct Outcome {
    /// How many entities can be, or were, brought back.
    count: usize,
    /// Changes of others since.
    since: usize,
    /// What cannot be.
    impossible: usize,
    /// The first of either.
    listed: Vec<Obstacle>,
}

impl Outcome {
    fn add(&mut self, more: Self) {
        self.count += more.count;
        self.since += more.since;
        self.impossible += more.impossible;
        let room = LISTED.saturating_sub(self.listed.len());
        self.listed.extend(more.listed.into_iter().take(room));
    }
}

impl From<Found> for Outcome {
    fn from((count, listed): Found) -> Self {
        let since = listed.iter().filter(|obstacle| obstacle.since).count();
        Self { count, since, impossible: listed.len() - since, listed }
    }
}

/// How a kind of entity is brought back.
struct Way {
    check: fn(&mut Conn, &[Net], &Coming, bool) -> Result<Found, Error>,
    take_back: fn(&mut Tx<'_>, &[Net], &Coming, bool) -> Result<Found, Error>,
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
            Entity::Job => Self::with::<QueuedJob>(),
            // A key that was shown or ended stays so.
            Entity::ApiKey => return None,
        })
    }
}

/// Entities of one kind that are next to each other, and how they are brought back.
fn runs(nets: &[Net]) -> impl Iterator<Item = (&[Net], Way)> {
    nets.chunk_by(|a, b| a.entity == b.entity).filter_map(|run| Some((run, Way::of(run.first()?.entity)?)))
}

/// Undoes a whole changeset in a new one. What was changed since is not overwritten, and what is in the way not left,
/// but by choice; what was left is named.
///
/// A changeset of up to a thousand entities is undone at once or not at all. A larger one is looked through
/// first, and then undone by the thousand, so that on SQLite nobody waits for the whole of it; what somebody
/// changes in that time is left, and named in the answer. When the server ends in the middle, what was undone stays
/// so; asked again, it undoes the rest.
///
/// The claim keeps what `show` makes of it, in the last transaction.
///
/// # Errors
/// 404; 409 with what has changed since, for what is impossible, and when nothing is left to undo.
pub async fn revert(
    app: &App,
    caller: &Caller,
    id: i64,
    choice: Choice,
    claim: &Claim,
    show: fn(&Undone) -> Result<Answer, Error>,
) -> Result<Undone, Error> {
    let begun = move |conn: &mut Conn| {
        let undo = Undo::read(conn, id, choice)?;
        let outcome = undo.check(conn, 0)?;
        Ok((Arc::new(undo), outcome))
    };
    let (undo, mut found) = app.read(begun).await?;
    let parts = undo.touched.parts();
    // A read of its own for each part: none holds a connection, or a snapshot, for long.
    for n in 1..parts {
        let undo = Arc::clone(&undo);
        found.add(app.read(move |conn| undo.check(conn, n)).await?);
    }
    if undo.is_blocked(&found) {
        return Err(undo.in_the_way(&found));
    }
    if found.count == 0 {
        let detail = "There is nothing left to undo: everything is as it was before, or cannot be undone.".to_owned();
        return Err(Error::Conflict { detail, field: None });
    }
    let mut so_far = Undone { changeset_id: None, undone: 0, left: Vec::new() };
    let mut act = Open::default();
    for n in 0..parts {
        let (undo, held) = (Arc::clone(&undo), claim.clone());
        let (mut open, mut done) = (act, so_far);
        let part = move |tx: &mut Tx<'_>| {
            if n == 0 {
                held.begin(tx)?
            } else {
                held.go_on(tx)?
            }
            store::lock(tx.conn, undo.id)?;
            tx.resume(&open);
            tx.undoes(undo.id);
            let outcome = undo.take_back(tx, n)?;
            if parts == 1 && undo.is_blocked(&outcome) {
                return Err(undo.in_the_way(&outcome));
            }
            tx.pause(&mut open, &format!("Undid: {}", undo.summary))?;
            (done.changeset_id, done.undone) = (open.id(), done.undone + outcome.count);
            done.left.extend(outcome.listed.into_iter().map(Left::from));
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
                claim.let_go(app).await;
                return Err(error);
            }
        }
    }
    Ok(so_far)
}
