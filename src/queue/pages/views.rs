//! The pages of the queue.

use askama::Template;

use crate::web::page::Frame;
use crate::web::steps::Ways;
use crate::web::view::{Choice, Errors, When};

/// `GET /admin/jobs`.
#[derive(Template)]
#[template(path = "queue/list.html")]
pub struct JobListPage {
    pub frame: Frame,
    pub errors: Errors,
    pub tabs: Vec<StateTab>,
    pub all_url: String,
    /// Whether jobs are shown however they stand.
    pub all: bool,
    /// The chosen state as it stands in the address; empty for all.
    pub state: &'static str,
    /// The chosen kind.
    pub chosen: Option<String>,
    pub kinds: Vec<Choice>,
    /// What can be done with all that is shown.
    pub bulk: Option<Offer>,
    pub summary: Vec<KindRow>,
    /// There is no job at all.
    pub empty: bool,
    pub rows: Vec<JobRow>,
    pub ways: Ways,
    pub announce: String,
}

/// A way to the jobs that stand alike.
#[derive(Clone, Debug)]
pub struct StateTab {
    pub label: &'static str,
    pub count: String,
    pub url: String,
    pub current: bool,
}

/// What can be done with all jobs that are shown.
#[derive(Clone, Debug)]
pub struct Offer {
    /// "1,204".
    pub count: String,
    pub retry_url: String,
    pub discard_url: String,
}

/// How many jobs of a kind stand how.
#[derive(Clone, Debug)]
pub struct KindRow {
    pub kind: String,
    pub url: String,
    /// Queued, running, waiting, given up.
    pub counts: [String; 4],
}

/// One job of the list.
#[derive(Clone, Debug)]
pub struct JobRow {
    pub id: i64,
    /// "Mail: welcome".
    pub kind: String,
    pub state: &'static str,
    /// The badge's class.
    pub class: &'static str,
    pub attempts: String,
    /// What its time says, and the time.
    pub when: (&'static str, When),
    pub error: String,
}

/// `GET /admin/jobs/{id}`.
#[derive(Template)]
#[template(path = "queue/show.html")]
pub struct JobShowPage {
    pub frame: Frame,
    pub id: i64,
    pub kind: String,
    /// `mail.welcome`
    pub kind_name: String,
    pub state: &'static str,
    pub class: &'static str,
    pub running: bool,
    pub parked: bool,
    pub attempts: String,
    pub payload: Vec<PayloadField>,
    pub error: Option<String>,
    pub created: When,
    pub next: Option<When>,
    pub parked_at: Option<When>,
}

/// One thing that a job says of its work.
#[derive(Clone, Debug)]
pub struct PayloadField {
    pub label: String,
    pub value: String,
    pub url: Option<String>,
}

/// `GET /admin/jobs/{id}/discard`.
#[derive(Template)]
#[template(path = "queue/discard.html")]
pub struct JobDiscardPage {
    pub frame: Frame,
    pub id: i64,
    pub kind: String,
    pub running: bool,
}

/// `GET /admin/jobs/retry` and `/discard`.
#[derive(Template)]
#[template(path = "queue/ask.html")]
pub struct JobsAskPage {
    pub frame: Frame,
    /// "Discard 12 jobs?"
    pub heading: String,
    pub submit: String,
    pub detail: &'static str,
    pub kind: String,
    pub state: Option<&'static str>,
    pub action: String,
    pub back: String,
    /// What is posted with it.
    pub fields: Vec<(&'static str, String)>,
    pub destructive: bool,
    /// There is none any more.
    pub none: bool,
}
