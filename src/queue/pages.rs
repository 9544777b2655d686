//! The browser's door of the queue: the list here, one job in `pages/one.rs`, all of a kind in `pages/many.rs`.

pub mod many;
pub mod one;
pub mod views;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::list::{self, Page, Query};
use super::model::{QueuedJob, State};
use crate::app::App;
use crate::error::Error;
use crate::time::Timestamp;
use crate::web::caller::Admin;
use crate::web::list::Params;
use crate::web::page::{self, Frame};
use crate::web::steps::Ways;
use crate::web::view::{Choice, Errors, When, thousands, url};
use views::{JobListPage, JobRow, KindRow, StateTab};

/// Where the list lies.
pub const PATH: &str = "/admin/jobs";
/// The place of the sidebar.
pub const PLACE: &str = "jobs";

/// `GET /admin/jobs`.
///
/// # Errors
/// 400 for a query string that cannot be read, 403.
pub async fn list(req: HttpRequest, _: Admin, app: Data<App>) -> Result<HttpResponse, Error> {
    let params = Params::parse(req.query_string())?;
    let (query, errors, status) = match Query::parse(&params) {
        Ok(query) => (query, Errors::default(), StatusCode::OK),
        Err(error) => {
            let (status, errors) = page::mistakes(error)?;
            // The counts are told all the same.
            (Query::parse(&Params::default())?, errors, status)
        }
    };
    let (now, asked, filter) = (Timestamp::now(), params.clone(), query.filter.clone());
    let Page { rows, ways, counts } = app.read(move |conn| list::find(conn, &query, now, PATH, &asked)).await?;
    let wrong = !errors.is_empty();
    let counted = |kind: &String| filter.kind.as_ref().is_none_or(|chosen| chosen == kind);
    let of_kind = || counts.iter().filter(|(kind, _)| counted(kind));
    let count = |state: usize| of_kind().filter_map(|(_, of_it)| of_it.get(state)).sum::<i64>();
    let tab = |n: usize, state: State| StateTab {
        label: state_word(state),
        count: thousands(count(n)),
        url: url(PATH, &params.with("state", state.as_str())),
        current: filter.state == Some(state),
    };
    let shown: i64 = rows.len().try_into().unwrap_or_default();
    let page = JobListPage {
        frame: Frame::of(&req, &app, PLACE),
        errors,
        tabs: State::ALL.into_iter().enumerate().map(|(n, state)| tab(n, state)).collect(),
        all_url: url(PATH, &params.with("state", "")),
        all: filter.state.is_none(),
        state: filter.state.map(State::as_str).unwrap_or_default(),
        chosen: filter.kind.clone(),
        kinds: counts
            .iter()
            .map(|(kind, _)| Choice {
                value: kind.clone(),
                label: kind_word(kind),
                selected: filter.kind.as_deref() == Some(kind),
            })
            .collect(),
        bulk: many::offers(&counts, &filter),
        summary: counts.iter().map(|(kind, of_it)| summary(kind, of_it)).collect(),
        empty: counts.is_empty(),
        rows: if wrong { Vec::new() } else { rows.iter().map(|job| row(job, now)).collect() },
        ways: if wrong { Ways::default() } else { ways },
        announce: match shown {
            0 => "No job".to_owned(),
            1 => "1 job".to_owned(),
            many => format!("{many} jobs on this page"),
        },
    };
    page::show_as(status, &page)
}

fn summary(kind: &str, counts: &[i64; 4]) -> KindRow {
    KindRow { kind: kind_word(kind), url: url(PATH, &format!("kind={kind}")), counts: counts.map(thousands) }
}

fn row(job: &QueuedJob, now: Timestamp) -> JobRow {
    let state = job.state(now);
    JobRow {
        id: job.id,
        kind: kind_word(&job.kind),
        state: state_word(state),
        class: state_class(state),
        attempts: job.attempts.to_string(),
        when: when(job, state, now),
        error: job.error.clone().unwrap_or_default(),
    }
}

/// A kind of work, as it is read: "Mail: password changed".
pub fn kind_word(kind: &str) -> String {
    let words = kind.replace('.', ": ").replace('_', " ");
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// How a job stands, as it is read.
pub fn state_word(state: State) -> &'static str {
    match state {
        State::Queued => "Queued",
        State::Running => "Running",
        State::Waiting => "Waiting",
        State::Parked => "Given up",
    }
}

/// The badge's class.
pub fn state_class(state: State) -> &'static str {
    match state {
        State::Queued => "",
        State::Running => "on",
        State::Waiting => "warn",
        State::Parked => "bad",
    }
}

/// What its time says: when it is tried next, or since when it stands so.
fn when(job: &QueuedJob, state: State, now: Timestamp) -> (&'static str, When) {
    match state {
        State::Parked => ("since", When::ago(job.parked_at.unwrap_or(now), now)),
        State::Waiting => ("next", When::until(job.run_at, now)),
        State::Queued | State::Running => ("queued", When::ago(job.created_at, now)),
    }
}
