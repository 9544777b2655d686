//! One job: for what, how often it was tried and why it failed; trying it again, and discarding it.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value};

use super::views::{JobDiscardPage, JobShowPage, PayloadField};
use super::{PATH, PLACE, kind_word, state_class, state_word};
use crate::app::App;
use crate::error::Error;
use crate::queue::model::{QueuedJob, State};
use crate::queue::service::{self, Act};
use crate::time::Timestamp;
use crate::users;
use crate::web::caller::Admin;
use crate::web::difference::plain;
use crate::web::form::Form;
use crate::web::page::{self, Frame};
use crate::web::view::{When, label};

/// So much of a value is shown, in characters.
const SHOWN: usize = 2_000;

/// `GET /admin/jobs/{id}`.
///
/// # Errors
/// 403, 404 for one that is done.
pub async fn show(req: HttpRequest, admin: Admin, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let (job, user) = app
        .look_up(move |conn| {
            let job = service::get(conn, &admin, id)?;
            let user = match fields(&job).get("user_id").and_then(Value::as_i64) {
                Some(user) => users::store::find(conn, user)?.map(|user| (user.id, user.username)),
                None => None,
            };
            Ok((job, user))
        })
        .await?;
    let now = Timestamp::now();
    let state = job.state(now);
    let page = JobShowPage {
        frame: Frame::of(&req, &app, PLACE),
        id,
        kind: kind_word(&job.kind),
        kind_name: job.kind.clone(),
        state: state_word(state),
        class: state_class(state),
        running: state == State::Running,
        parked: state == State::Parked,
        attempts: job.attempts.to_string(),
        payload: payload(&job, user.as_ref()),
        error: job.error,
        created: When::ago(job.created_at, now),
        next: (state == State::Waiting).then(|| When::until(job.run_at, now)),
        parked_at: job.parked_at.map(|at| When::ago(at, now)),
    };
    page::show(&page)
}

fn fields(job: &QueuedJob) -> Map<String, Value> {
    serde_json::from_str(&job.payload).unwrap_or_default()
}

fn payload(job: &QueuedJob, user: Option<&(i64, String)>) -> Vec<PayloadField> {
    let field = |(name, value): (String, Value)| {
        let (mut text, mut url) = (plain(&value), None);
        match (name.as_str(), user, value.as_i64()) {
            ("user_id", Some((id, username)), _) => {
                text.clone_from(username);
                url = Some(format!("/admin/users/{id}"));
            }
            ("at", _, Some(micros)) => text = Timestamp(micros).human(),
            _ => {}
        }
        PayloadField { label: label(&name), value: text.chars().take(SHOWN).collect(), url }
    };
    fields(job).into_iter().filter(|(_, value)| !value.is_null()).map(field).collect()
}

/// `POST /admin/jobs/{id}/retry`: at once.
///
/// # Errors
/// 403, 404.
pub async fn retry(
    req: HttpRequest,
    admin: Admin,
    app: Data<App>,
    id: Path<i64>,
    _: Form,
) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    match app.write(&admin, move |tx| service::act(tx, id, Act::Retry)).await {
        Ok(job) => {
            page::flash_ok(&req, format!("Job {id} ({}) is tried again", kind_word(&job.kind)));
            Ok(page::see_other(PATH))
        }
        other => refused(&req, id, other),
    }
}

/// `GET /admin/jobs/{id}/discard`: the question.
///
/// # Errors
/// 403, 404.
pub async fn ask_discard(req: HttpRequest, admin: Admin, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let job = app.look_up(move |conn| service::get(conn, &admin, id)).await?;
    let frame = Frame::of(&req, &app, PLACE);
    let running = job.state(Timestamp::now()) == State::Running;
    page::show(&JobDiscardPage { frame, id, kind: kind_word(&job.kind), running })
}

/// `POST /admin/jobs/{id}/discard`: the act.
///
/// # Errors
/// 403, 404.
pub async fn discard(
    req: HttpRequest,
    admin: Admin,
    app: Data<App>,
    id: Path<i64>,
    _: Form,
) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    match app.write(&admin, move |tx| service::act(tx, id, Act::Discard)).await {
        Ok(job) => {
            page::flash_ok(&req, format!("Discarded job {id} ({})", kind_word(&job.kind)));
            Ok(page::see_other(PATH))
        }
        other => refused(&req, id, other),
    }
}

/// What stands against it is said where the job is; one that is done needs nothing more.
fn refused(req: &HttpRequest, id: i64, outcome: Result<QueuedJob, Error>) -> Result<HttpResponse, Error> {
    match outcome {
        Err(Error::Conflict { detail, .. }) => {
            page::flash_error(req, detail);
            Ok(page::see_other(&format!("{PATH}/{id}")))
        }
        Err(Error::NotFound(_)) => {
            page::flash_error(req, format!("Job {id} is no longer in the queue: it is done, or was discarded."));
            Ok(page::see_other(PATH))
        }
        Err(error) => Err(error),
        Ok(_) => Ok(page::see_other(PATH)),
    }
}
