//! The list of jobs: what may be asked, and how it is found.

use std::collections::BTreeMap;

use super::model::{QueuedJob, State};
use super::store::{self, Filter};
use crate::db::Conn;
use crate::error::Error;
use crate::time::Timestamp;
use crate::web::list::Params;
use crate::web::steps::{Steps, Ways};

/// What somebody asked for.
#[derive(Debug, Clone)]
pub struct Query {
    /// Which jobs.
    pub filter: Filter,
    steps: Steps,
}

/// A page of jobs, and how many there are of each kind.
#[derive(Debug, Clone)]
pub struct Page {
    /// Newest first.
    pub rows: Vec<QueuedJob>,
    /// The ways to its neighbours.
    pub ways: Ways,
    /// Of each kind, how many stand how: in the order of [`State::ALL`].
    pub counts: Vec<(String, [i64; 4])>,
}

/// Reads `state` and `kind`.
///
/// # Errors
/// 422 for a state that there is not.
pub fn filter(params: &Params) -> Result<Filter, Error> {
    let state = match params.get("state").map(State::parse) {
        Some(None) => return Err(Error::field("state", "unknown", "must be queued, running, waiting or parked")),
        state => state.flatten(),
    };
    Ok(Filter { state, kind: params.get("kind").map(str::to_owned) })
}

impl Query {
    /// Reads `state`, `kind`, and `older`, `newer`, `page_size`.
    ///
    /// # Errors
    /// 400 for a place that cannot be read, 422 for a state that there is not.
    pub fn parse(params: &Params) -> Result<Self, Error> {
        let steps = Steps::parse(params)?;
        Ok(Self { filter: filter(params)?, steps })
    }
}

/// Finds a page; `path` and `params` are for the links on it.
///
/// # Errors
/// Only the database's.
pub fn find(conn: &mut Conn, query: &Query, now: Timestamp, path: &str, params: &Params) -> Result<Page, Error> {
    let mut steps = query.steps;
    let mut rows = store::list(conn, &query.filter, now, &steps.span())?;
    if steps.is_short(&rows) {
        steps = steps.newest();
        rows = store::list(conn, &query.filter, now, &steps.span())?;
    }
    let (rows, ways) = steps.page(path, params, rows, |job| job.id);
    let mut counts: BTreeMap<String, [i64; 4]> = BTreeMap::new();
    for (n, state) in State::ALL.into_iter().enumerate() {
        for (kind, count) in store::counts(conn, state, now)? {
            if let Some(place) = counts.entry(kind).or_default().get_mut(n) {
                *place = count;
            }
        }
    }
    Ok(Page { rows, ways, counts: counts.into_iter().collect() })
}
