//! What a changeset touched, in the order in which it is taken back: which entities, and where in the changeset their
//! changes are. Not what these say: that is read part by part, so that undoing a million changes takes 24 bytes
//! for each and not all of their fields.

use std::cmp::Reverse;
use std::ops::Range;

use diesel::prelude::*;

use super::Net;
use crate::changes::{Action, Entity, history};
use crate::db::Conn;
use crate::db::schema::changes;

/// Changes read at once.
const PAGE: i64 = 10_000;

/// One change.
#[derive(Debug, Clone, Copy)]
struct Touch {
    id: i64,
    /// Its place in the changeset.
    seq: i32,
    /// That of the first change of the same entity.
    first: i32,
    entity: Entity,
    /// What was done by this change; once all of them are known, what was done to the entity on the whole.
    action: Action,
}

/// The entities that a changeset touched, but for those that it made and deleted again.
#[derive(Debug, Default)]
pub struct Touched {
    changeset: i64,
    /// Those of one entity are next to each other.
    touches: Vec<Touch>,
    parts: Vec<Range<usize>>,
}

/// Entities that are brought back in the same act, so that others may refer to them.
#[derive(Debug, Default)]
pub struct Coming(Vec<(Entity, i64)>);

impl Coming {
    /// Whether this one is.
    pub fn contains(&self, entity: Entity, id: i64) -> bool {
        self.0.binary_search(&(entity, id)).is_ok()
    }
}

impl Touched {
    /// Reads what a changeset touched, to be taken back in parts of so many entities: the reverse of how it was done,
    /// so that what refers to another goes before it and comes after it.
    ///
    /// # Errors
    /// Only the database's.
    pub fn read(conn: &mut Conn, changeset: i64, in_parts_of: usize) -> QueryResult<Self> {
        let mut touches = load(conn, changeset)?;
        touches.sort_unstable_by_key(|touch| (touch.entity, touch.id, touch.seq));
        let mut kept = 0;
        for at in bounds(&touches, |a, b| (a.entity, a.id) == (b.entity, b.id)) {
            let Some(of_one) = touches.get_mut(at.clone()) else { continue };
            let (Some(first), Some(last)) = (of_one.first().copied(), of_one.last().copied()) else { continue };
            let Some(action) = Net::action(first.action, last.action) else { continue };
            for touch in of_one {
                (touch.first, touch.action) = (first.seq, action);
            }
            touches.copy_within(at.clone(), kept);
            kept += at.len();
        }
        touches.truncate(kept);
        touches.sort_unstable_by_key(|touch| (Reverse(touch.first), touch.seq));
        let mut parts: Vec<Range<usize>> = Vec::new();
        for (n, at) in bounds(&touches, |a, b| a.first == b.first).enumerate() {
            match parts.last_mut() {
                Some(part) if !n.is_multiple_of(in_parts_of) => part.end = at.end,
                _ => parts.push(at),
            }
        }
        Ok(Self { changeset, touches, parts })
    }

    /// How many parts there are.
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// What was done on the whole to each entity of a part; nothing behind the last one.
    ///
    /// # Errors
    /// Only the database's.
    pub fn part(&self, conn: &mut Conn, n: usize) -> QueryResult<Vec<Net>> {
        let touches = self.parts.get(n).and_then(|part| self.touches.get(part.clone())).unwrap_or_default();
        let seqs: Vec<i32> = touches.iter().map(|touch| touch.seq).collect();
        let mut steps = history::steps(conn, self.changeset, &seqs)?;
        let net = |of_one: &[Touch]| {
            let all: Vec<_> = of_one.iter().filter_map(|touch| steps.remove(&touch.seq)).collect();
            of_one.first().and_then(|touch| Net::of(touch.entity, touch.id, &all))
        };
        Ok(touches.chunk_by(|a, b| a.first == b.first).filter_map(net).collect())
    }

    /// Each entity, and what was done to it on the whole.
    pub fn entities(&self) -> impl Iterator<Item = (Entity, i64, Action)> {
        let firsts = self.touches.iter().filter(|touch| touch.seq == touch.first);
        firsts.map(|touch| (touch.entity, touch.id, touch.action))
    }

    /// Those that will be there, or be as they were, when all is taken back.
    pub fn coming(&self) -> Coming {
        let there = self.entities().filter(|(_, _, action)| *action != Action::Created);
        let mut coming: Vec<(Entity, i64)> = there.map(|(entity, id, _)| (entity, id)).collect();
        coming.sort_unstable();
        Coming(coming)
    }
}

/// Where the runs of those that belong together are.
fn bounds(touches: &[Touch], together: fn(&Touch, &Touch) -> bool) -> impl Iterator<Item = Range<usize>> + use<> {
    let mut start = 0;
    let lengths: Vec<u32> =
        touches.chunk_by(together).map(|run| u32::try_from(run.len()).unwrap_or(u32::MAX)).collect();
    lengths.into_iter().map(move |length| {
        let from = start;
        start += length as usize;
        from..start
    })
}

/// Every change, in their order.
fn load(conn: &mut Conn, changeset: i64) -> QueryResult<Vec<Touch>> {
    let of_it = changes::table.filter(changes::changeset_id.eq(changeset));
    let count: i64 = of_it.count().get_result(conn)?;
    let mut touches = Vec::with_capacity(usize::try_from(count).unwrap_or_default());
    let mut after = i32::MIN;
    loop {
        let rows: Vec<(i32, String, i64, String)> = of_it
            .filter(changes::seq.gt(after))
            .order(changes::seq)
            .limit(PAGE)
            .select((changes::seq, changes::entity, changes::entity_id, changes::action))
            .load(conn)?;
        let Some((last, ..)) = rows.last() else { return Ok(touches) };
        after = *last;
        touches.extend(rows.into_iter().filter_map(|(seq, entity, id, action)| {
            let (entity, action) = (Entity::parse(&entity)?, Action::parse(&action)?);
            Some(Touch { id, seq, first: seq, entity, action })
        }));
    }
}
