//! What undoing a changeset would do, before anybody says yes to it.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Choice, LISTED, Net, Outcome, Undo, Way};
use crate::app::App;
use crate::audit::model::{Counted, Left};
use crate::audit::names::{self, Names};
use crate::audit::service;
use crate::changes::{Action, Entity};
use crate::db::Conn;
use crate::error::Error;

/// So many of the things that it touches are named.
const SAMPLED: usize = 10;
/// So many parts of a thousand things are looked through; those of a larger changeset are when it is undone.
const LOOKED_THROUGH: usize = 50;

/// What undoing a changeset would do.
#[derive(Debug, Default)]
pub struct Preview {
    /// How many things would be as they were, without touching what was changed since.
    pub count: usize,
    /// How many more if that is overwritten.
    pub forced: usize,
    /// What was changed since: the first hundred,
    pub since: Vec<Left>,
    /// and how much it is.
    pub since_count: usize,
    /// What cannot be as it was, likewise,
    pub impossible: Vec<Left>,
    /// and how much it is.
    pub impossible_count: usize,
    /// Some of what would be as it was.
    pub sample: Vec<Sampled>,
    /// Whether something is not undone at all: API keys that were made or ended.
    pub fixed: bool,
    /// How many things were not looked through.
    pub unseen: usize,
}

/// A thing that would be as it was.
#[derive(Debug, Clone)]
pub struct Sampled {
    /// Its kind.
    pub entity: Entity,
    /// Its id.
    pub id: i64,
    /// What was done to it.
    pub action: Action,
    /// What it is, or was, called; empty when that is not known.
    pub name: String,
}

/// A changeset, what undoing it would do, and what is in the way.
///
/// # Errors
/// 404.
pub async fn preview(app: &App, id: i64) -> Result<(Counted, Preview), Error> {
    let begun = move |conn: &mut Conn| {
        let (changeset, _) = service::get(conn, id, 0, 0)?;
        Ok((changeset, Arc::new(Undo::read(conn, id, Choice::default())?)))
    };
    let (changeset, undo) = app.read(begun).await?;
    let mut whole =
        Preview { fixed: undo.touched.entities().any(|(entity, ..)| Way::of(entity).is_none()), ..Preview::default() };
    let all = undo.touched.entities().count();
    let mut seen = 0;
    for n in 0..undo.touched.parts().min(LOOKED_THROUGH) {
        let (undo, wanted) = (Arc::clone(&undo), SAMPLED.saturating_sub(whole.sample.len()));
        let (part, of_it) = app.read(move |conn| undo.preview_part(conn, n, wanted)).await?;
        whole.add(part);
        seen += of_it;
    }
    whole.unseen = all.saturating_sub(seen);
    Ok((changeset, whole))
}

impl Undo {
    /// What undoing a part would do, and how many things are in it.
    fn preview_part(&self, conn: &mut Conn, part: usize, wanted: usize) -> Result<(Preview, usize), Error> {
        let nets = self.touched.part(conn, part)?;
        let Outcome { count, since, impossible, listed } = self.check_nets(conn, &nets, false)?;
        let forced = if since > 0 { self.check_nets(conn, &nets, true)?.count } else { count };
        let blocked: HashSet<(Entity, i64)> = listed.iter().map(|obstacle| (obstacle.entity, obstacle.id)).collect();
        let free = nets.iter().filter(|net| Way::of(net.entity).is_some() && !blocked.contains(&(net.entity, net.id)));
        // Of more obstacles than are listed it is not known which things they stand before.
        let wanted = if since + impossible > listed.len() { 0 } else { wanted };
        let sampled: Vec<&Net> = free.take(wanted).collect();
        let names = Names::load(conn, sampled.iter().map(|net| (net.entity, net.id)))?;
        let sample = |net: &&Net| {
            let recorded = names::recorded(&net.before).or_else(|| names::recorded(&net.after));
            let name = names.of(net.entity, net.id).map(str::to_owned).or(recorded).unwrap_or_default();
            Sampled { entity: net.entity, id: net.id, action: net.action, name }
        };
        let left = |found: &mut dyn Iterator<Item = &super::Obstacle>| found.cloned().map(Left::from).collect();
        let preview = Preview {
            count,
            forced: forced.saturating_sub(count),
            since: left(&mut listed.iter().filter(|obstacle| obstacle.since)),
            since_count: since,
            impossible: left(&mut listed.iter().filter(|obstacle| !obstacle.since)),
            impossible_count: impossible,
            sample: sampled.iter().map(sample).collect(),
            fixed: false,
            unseen: 0,
        };
        Ok((preview, nets.len()))
    }
}

impl Preview {
    fn add(&mut self, more: Self) {
        self.count += more.count;
        self.forced += more.forced;
        self.since_count += more.since_count;
        self.impossible_count += more.impossible_count;
        let list = |all: &mut Vec<Left>, more: Vec<Left>| {
            let room = LISTED.saturating_sub(all.len());
            all.extend(more.into_iter().take(room));
        };
        list(&mut self.since, more.since);
        list(&mut self.impossible, more.impossible);
        self.sample.extend(more.sample);
    }
}
