//! Undoing: what a whole changeset did to each entity, what stands in the way of taking it back, and how a kind
//! of entity is brought back. Field by field: undoing a change of prices leaves alone what somebody wrote into
//! the description since.

mod touched;

use std::collections::{HashMap, HashSet};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::history::Step;
use super::record::object;
use super::{Action, Entity, Recorded, Tx};
use crate::db::Conn;
use crate::error::Error;

pub use touched::{Coming, Touched};

/// What every write sets by itself, and undoing therefore does not.
const BY_ITSELF: [&str; 3] = ["updated_at", "version", "last_login_at"];

/// What a changeset did to one entity, all its changes of it taken together.
#[derive(Debug, Clone)]
pub struct Net {
    /// Its kind.
    pub entity: Entity,
    /// Its id.
    pub id: i64,
    /// What was done on the whole.
    pub action: Action,
    /// The fields before the first change: all of a deleted one, otherwise those that changed.
    pub before: Map<String, Value>,
    /// The same fields after the last one.
    pub after: Map<String, Value>,
    /// The version that came of it.
    pub version: i64,
}

impl Net {
    /// Takes the changes of one entity together, oldest first; nothing if it was made and deleted again.
    pub fn of(entity: Entity, id: i64, steps: &[Step]) -> Option<Self> {
        let (first, last) = (steps.first()?, steps.last()?);
        let action = Self::action(first.action, last.action)?;
        let (mut before, mut after) = (Map::new(), Map::new());
        for step in steps {
            for (field, value) in step.before.iter().flatten() {
                before.entry(field.clone()).or_insert_with(|| value.clone());
            }
            after.extend(step.after.clone().into_iter().flatten());
        }
        Some(Self { entity, id, action, before, after, version: last.version })
    }

    /// What was done on the whole by changes of which these are the first and the last.
    fn action(first: Action, last: Action) -> Option<Action> {
        match (first, last) {
            (Action::Created, Action::Deleted) => None,
            (Action::Created, _) => Some(Action::Created),
            (_, Action::Deleted) => Some(Action::Deleted),
            _ => Some(Action::Updated),
        }
    }
}

/// Why an entity is not brought back as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// Its kind.
    pub entity: Entity,
    /// Its id.
    pub id: i64,
    /// The field, if it is about one.
    pub field: Option<String>,
    /// What is in the way, after the entity's or field's name: "is 30 now".
    pub message: String,
    /// Somebody has changed it since, which can be overwritten; otherwise it is impossible.
    pub since: bool,
}

/// How many entities can be, or were, brought back, and what is in the way of others.
pub type Found = (usize, Vec<Obstacle>);

/// A kind of entity that can be brought back.
pub trait Restorable: Recorded + DeserializeOwned + Clone {
    /// Those of these ids that are there; locked on PostgreSQL if they will be written.
    ///
    /// # Errors
    /// Only the database's.
    fn load(conn: &mut Conn, ids: &[i64], lock: bool) -> diesel::QueryResult<Vec<Self>>;

    /// Puts what is not recorded into a state that was: from what is now, or, when nothing is there, anew.
    fn complete(&mut self, now: Option<&Self>, tx_version: i64);

    /// What makes these states impossible: a name taken meanwhile, a reference to what is gone. What says `since`
    /// is left out of them by force.
    ///
    /// # Errors
    /// Only the database's.
    fn obstacles(conn: &mut Conn, states: &[Self], coming: &Coming) -> Result<Vec<Obstacle>, Error>;

    /// Deletes what a changeset had made.
    ///
    /// # Errors
    /// 409 for what is in use.
    fn remove(tx: &mut Tx<'_>, made: Vec<Self>) -> Result<(), Error>;

    /// Writes states over present ones.
    ///
    /// # Errors
    /// 409 for what is taken or must stay.
    fn overwrite(tx: &mut Tx<'_>, pairs: Vec<(Self, Self)>) -> Result<(), Error>;

    /// Makes what a changeset had deleted again, under its old id.
    ///
    /// # Errors
    /// 409 for what is taken.
    fn put_back(tx: &mut Tx<'_>, states: Vec<Self>) -> Result<(), Error>;
}

/// What has to be done with entities of one kind.
struct Plan<T> {
    remove: Vec<T>,
    overwrite: Vec<(T, T)>,
    put_back: Vec<T>,
    obstacles: Vec<Obstacle>,
}

impl<T: Restorable> Plan<T> {
    /// The same without what something stands in the way of.
    fn unblocked(mut self) -> Self {
        let blocked: HashSet<i64> = self.obstacles.iter().map(|o| o.id).collect();
        self.remove.retain(|e| !blocked.contains(&e.id()));
        self.overwrite.retain(|(now, _)| !blocked.contains(&now.id()));
        self.put_back.retain(|e| !blocked.contains(&e.id()));
        self
    }

    fn count(&self) -> usize {
        self.remove.len() + self.overwrite.len() + self.put_back.len()
    }
}

fn plan<T: Restorable>(
    conn: &mut Conn,
    nets: &[Net],
    coming: &Coming,
    force: bool,
    lock: bool,
) -> Result<Plan<T>, Error> {
    let ids: Vec<i64> = nets.iter().map(|net| net.id).collect();
    let mut present: HashMap<i64, T> = T::load(conn, &ids, lock)?.into_iter().map(|e| (e.id(), e)).collect();
    let mut plan = Plan { remove: Vec::new(), overwrite: Vec::new(), put_back: Vec::new(), obstacles: Vec::new() };
    for net in nets {
        let mut since = |field: Option<&str>, message: String| {
            let field = field.map(str::to_owned);
            plan.obstacles.push(Obstacle { entity: net.entity, id: net.id, field, message, since: true });
        };
        match (net.action, present.remove(&net.id)) {
            // Gone already, or back already.
            (Action::Created, None) | (Action::Deleted, Some(_)) => {}
            (Action::Created, Some(now)) if now.version() == net.version || force => plan.remove.push(now),
            (Action::Created, Some(now)) => {
                since(None, format!("was changed since: its version is {} now, not {}", now.version(), net.version));
            }
            (Action::Updated, None) => since(None, "was deleted since".to_owned()),
            (Action::Updated, Some(now)) => {
                let mut fields = object(&now)?;
                let mut different = false;
                for (field, was) in net.before.iter().filter(|(field, _)| !BY_ITSELF.contains(&field.as_str())) {
                    // What is recorded and yet no field of it (that two-factor sign-in was turned on) stays.
                    let Some(is) = fields.get(field).cloned() else { continue };
                    if is == *was {
                        continue;
                    }
                    if !force && net.after.get(field).is_some_and(|left| *left != is) {
                        since(Some(field), format!("was changed since: it is {is} now"));
                    }
                    different = true;
                    fields.insert(field.clone(), was.clone());
                }
                if different {
                    let mut state: T = read(fields)?;
                    state.complete(Some(&now), now.version() + 1);
                    plan.overwrite.push((now, state));
                }
            }
            (Action::Deleted, None) => {
                let mut state: T = read(net.before.clone())?;
                state.complete(None, net.version + 1);
                plan.put_back.push(state);
            }
        }
    }
    let states: Vec<T> = plan.overwrite.iter().map(|(_, state)| state).chain(&plan.put_back).cloned().collect();
    plan.obstacles.extend(T::obstacles(conn, &states, coming)?.into_iter().filter(|o| !(o.since && force)));
    Ok(plan)
}

/// How many of these can be taken back, and what stands in the way of the others.
///
/// # Errors
/// Only the database's.
pub fn check<T: Restorable>(conn: &mut Conn, nets: &[Net], coming: &Coming, force: bool) -> Result<Found, Error> {
    let plan: Plan<T> = plan(conn, nets, coming, force, false)?.unblocked();
    Ok((plan.count(), plan.obstacles))
}

/// Takes these back but for what something stands in the way of: that is returned.
///
/// # Errors
/// What the kind of entity says.
pub fn take_back<T: Restorable>(tx: &mut Tx<'_>, nets: &[Net], coming: &Coming, force: bool) -> Result<Found, Error> {
    let plan: Plan<T> = plan(tx.conn, nets, coming, force, true)?.unblocked();
    let count = plan.count();
    T::put_back(tx, plan.put_back)?;
    T::overwrite(tx, plan.overwrite)?;
    T::remove(tx, plan.remove)?;
    Ok((count, plan.obstacles))
}

/// Reads an entity from its recorded fields.
///
/// # Errors
/// 500 when they are not those of one.
pub fn read<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, Error> {
    serde_json::from_value(Value::Object(fields))
        .map_err(|e| Error::Internal(format!("a recorded state cannot be read: {e}")))
}
