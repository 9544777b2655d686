//! The words: a job in the queue, and how it stands.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::changes::{Entity, Recorded};
use crate::db::schema::jobs;
use crate::time::Timestamp;

/// A job as the queue has it, and as the audit log shows it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable, Serialize, Deserialize)]
#[diesel(table_name = jobs)]
pub struct QueuedJob {
    /// Its id.
    pub id: i64,
    /// What kind of work.
    pub kind: String,
    /// For what, as JSON; never a secret.
    pub payload: String,
    /// How often it was begun.
    pub attempts: i32,
    /// When it is due; while somebody works on it, when it is given to another.
    pub run_at: Timestamp,
    /// Who works on it.
    #[serde(skip)]
    pub lease: Option<String>,
    /// Why it failed the last time.
    pub error: Option<String>,
    /// When it was given up.
    pub parked_at: Option<Timestamp>,
    /// When it was put into the queue.
    pub created_at: Timestamp,
}

impl Recorded for QueuedJob {
    const ENTITY: Entity = Entity::Job;
    fn id(&self) -> i64 {
        self.id
    }
    // The worker changes a job without a word, so that there are no versions to tell apart.
    fn version(&self) -> i64 {
        1
    }
}

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is due, and nobody has it yet.
    Queued,
    /// Somebody works on it.
    Running,
    /// It is tried at a later time.
    Waiting,
    /// It was given up.
    Parked,
}

impl State {
    /// All of them.
    pub const ALL: [State; 4] = [State::Queued, State::Running, State::Waiting, State::Parked];

    /// As it stands in an address.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Parked => "parked",
        }
    }

    /// As it stands in an address.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

impl QueuedJob {
    /// How it stands now.
    pub fn state(&self, now: Timestamp) -> State {
        match (self.parked_at, &self.lease) {
            (Some(_), _) => State::Parked,
            (None, Some(_)) if self.run_at > now => State::Running,
            (None, None) if self.run_at > now => State::Waiting,
            // Also one whose lease ran out: who had it was killed.
            (None, _) => State::Queued,
        }
    }

    /// The same, due at once. One that was given up has all its attempts again.
    pub fn again(&self, now: Timestamp) -> Self {
        let attempts = if self.parked_at.is_some() { 0 } else { self.attempts };
        Self { attempts, run_at: now, lease: None, parked_at: None, ..self.clone() }
    }
}
