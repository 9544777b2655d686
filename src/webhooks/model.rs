//! The words: a webhook, a delivery, and what may be typed for one.

mod input;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::changes::{Action, Entity, Recorded};
use crate::time::Timestamp;

pub use input::WebhookInput;

/// A webhook as the database has it; what is written out is what admins and the audit log see: everything but the
/// signing secrets.
#[derive(Debug, Clone, Queryable, Serialize, Deserialize)]
pub struct Webhook {
    /// Its id.
    pub id: i64,
    /// Where it is told.
    pub url: String,
    /// Of what.
    #[diesel(deserialize_as = String)]
    pub events: Events,
    /// What it is for: at most 500 characters.
    pub description: Option<String>,
    /// Whether it is told.
    pub is_active: bool,
    /// Encrypted: `signature::Secret`.
    #[serde(skip)]
    pub secret: String,
    /// The one before, encrypted.
    #[serde(skip)]
    pub previous_secret: Option<String>,
    /// How long the one before signs too.
    #[serde(skip)]
    pub previous_until: Option<Timestamp>,
    /// Since when every attempt has failed.
    #[serde(skip)]
    pub failing_since: Option<Timestamp>,
    /// Why the product has deactivated it.
    pub disabled_reason: Option<String>,
    /// Grows with each write.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Recorded for Webhook {
    const ENTITY: Entity = Entity::Webhook;
    fn id(&self) -> i64 {
        self.id
    }
    fn version(&self) -> i64 {
        self.version
    }
}

/// What a webhook is: everything that an admin may set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookFields {
    /// Where it is told; whether that may be is for [`super::guard`] to see.
    pub url: String,
    /// Of what.
    pub events: Events,
    /// At most 500 characters.
    pub description: Option<String>,
    /// Whether it is told.
    pub is_active: bool,
}

/// A webhook and its signing secret: in the answer that made it, and never again.
#[derive(Debug, Serialize)]
pub struct WithSecret {
    /// The webhook.
    #[serde(flatten)]
    pub webhook: Webhook,
    /// `whsec_…`
    pub secret: String,
}

/// The kinds of things whose changes are told.
pub const TOLD: [&str; 4] = ["item", "category", "user", "post"];
/// Everything.
pub const ALL: &str = "*";
/// What `POST /webhooks/{id}/test` sends.
pub const TEST: &str = "webhook.test";

/// The name of an event: `item.created`.
pub fn event_name(entity: Entity, action: Action) -> String {
    format!("{}.{action}", entity.as_str())
}

/// Which events a webhook is told of: names such as `item.created`, or `*` alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Events(pub Vec<String>);

impl Events {
    /// Whether this event is among them.
    pub fn has(&self, event: &str) -> bool {
        event == TEST || self.0.iter().any(|name| name == event || name == ALL)
    }

    /// As they are stored.
    pub fn stored(&self) -> String {
        self.0.join(" ")
    }
}

impl From<String> for Events {
    fn from(stored: String) -> Self {
        Self(stored.split_whitespace().map(str::to_owned).collect())
    }
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is tried, or tried again.
    Waiting,
    /// It was answered with 2xx.
    Done,
    /// It is given up.
    Failed,
}

impl State {
    /// All of them.
    pub const ALL: [State; 3] = [State::Waiting, State::Done, State::Failed];

    /// As it is stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// One event for one webhook, as the database has it.
#[derive(Debug, Clone, Queryable)]
pub struct Delivery {
    /// Its id.
    pub id: i64,
    /// For which webhook.
    pub webhook_id: i64,
    /// The event's id, the same at each attempt and in each replay: the header `webhook-id`.
    pub event_id: String,
    /// The event: `item.created`.
    pub event: String,
    /// What is sent, as JSON.
    pub payload: String,
    /// `waiting`, `done` or `failed`.
    pub state: String,
    /// How often it was tried.
    pub attempts: i32,
    /// When it is tried next.
    pub next_at: Option<Timestamp>,
    /// Who works on it.
    pub lease: Option<String>,
    /// The status code of the last answer.
    pub status: Option<i32>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// How long the last attempt took, in milliseconds.
    pub duration_ms: Option<i32>,
    /// The beginning of the last answer's body.
    pub response: Option<String>,
    /// When it was last tried.
    pub last_attempt_at: Option<Timestamp>,
    /// When it was noted.
    pub created_at: Timestamp,
}

/// A delivery as the API shows it.
#[derive(Debug, Serialize)]
pub struct Shown {
    id: i64,
    webhook_id: i64,
    event_id: String,
    event: String,
    state: String,
    attempts: i32,
    /// When it is tried next, while it waits.
    next_attempt_at: Option<Timestamp>,
    last_attempt_at: Option<Timestamp>,
    status: Option<i32>,
    error: Option<String>,
    duration_ms: Option<i32>,
    response: Option<String>,
    payload: Option<Box<RawValue>>,
    created_at: Timestamp,
}

impl From<Delivery> for Shown {
    fn from(of: Delivery) -> Self {
        Self {
            id: of.id,
            webhook_id: of.webhook_id,
            event_id: of.event_id,
            event: of.event,
            state: of.state,
            attempts: of.attempts,
            next_attempt_at: of.next_at.filter(|_| of.lease.is_none()),
            last_attempt_at: of.last_attempt_at,
            status: of.status,
            error: of.error,
            duration_ms: of.duration_ms,
            response: of.response,
            payload: RawValue::from_string(of.payload).ok(),
            created_at: of.created_at,
        }
    }
}
