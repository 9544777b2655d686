//! Undoing a changeset: the question, which says what would be taken back and what has changed since, and the act.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::views::{LeftView, SampleView, UndoPage, UndonePage};
use super::{PATH, PLACE};
use crate::app::App;
use crate::audit::model::{Left, Undone};
use crate::audit::names;
use crate::audit::service::undo::LISTED;
use crate::audit::service::undo::preview::{Preview, Sampled, preview};
use crate::audit::service::{self, Choice};
use crate::changes::{Action, Entity};
use crate::error::Error;
use crate::web::caller::Admin;
use crate::web::form::Form;
use crate::web::idempotency::Claim;
use crate::web::json::Answer;
use crate::web::page::{self, Frame};
use crate::web::view::{Errors, thousands};

/// `GET /admin/audit/{id}/revert`: the question.
///
/// # Errors
/// 403, 404.
pub async fn ask(req: HttpRequest, _: Admin, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    draw(&req, &app, id.into_inner(), StatusCode::OK, Errors::default()).await
}

/// `POST /admin/audit/{id}/revert`: the act. `since` says what becomes of what was changed since: `leave` or
/// `overwrite`; without it nothing is undone when there is any, and the question says what.
///
/// # Errors
/// 400 for another choice, 403, 404.
pub async fn act(
    req: HttpRequest,
    admin: Admin,
    app: Data<App>,
    id: Path<i64>,
    form: Form,
) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let choice = match form.verbatim("since") {
        "" => Choice { force: false, partly: false },
        "leave" => Choice { force: false, partly: true },
        "overwrite" => Choice { force: true, partly: true },
        _ => return Err(Error::Malformed("The form does not say what becomes of what was changed since.".to_owned())),
    };
    let show = |undone: &Undone| Answer::one(StatusCode::OK, "Changeset undone", undone);
    match service::revert(&app, &admin, id, choice, &Claim::none(), show).await {
        Ok(Undone { changeset_id: Some(made), undone, left }) if left.is_empty() => {
            page::flash_ok(&req, format!("Undid {}", of_things(undone)));
            Ok(page::see_other(&format!("{PATH}/{made}")))
        }
        Ok(Undone { changeset_id: Some(made), undone, left }) => {
            let page = UndonePage {
                frame: Frame::of(&req, &app, PLACE),
                id,
                made,
                undone: of_things(undone),
                left: left.iter().map(left_view).collect(),
                all_named: left.len() < LISTED,
            };
            page::show(&page)
        }
        // Somebody was faster: the question says that nothing is left.
        Ok(Undone { changeset_id: None, .. }) => Ok(page::see_other(&format!("{PATH}/{id}/revert"))),
        Err(Error::InTheWay { .. }) => {
            let mut errors = Errors::default();
            errors.add("", "Nothing was undone yet. Choose what becomes of what was changed since.".to_owned());
            draw(&req, &app, id, StatusCode::CONFLICT, errors).await
        }
        Err(Error::Conflict { detail, .. }) => {
            let mut errors = Errors::default();
            errors.add("", detail);
            draw(&req, &app, id, StatusCode::CONFLICT, errors).await
        }
        Err(error) => Err(error),
    }
}

fn of_things(count: usize) -> String {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    if count == 1 { "1 change".to_owned() } else { format!("{} changes", thousands(count)) }
}

async fn draw(
    req: &HttpRequest,
    app: &App,
    id: i64,
    status: StatusCode,
    errors: Errors,
) -> Result<HttpResponse, Error> {
    let (changeset, found) = preview(app, id).await?;
    let Preview { count, forced, since, since_count, impossible, impossible_count, sample, fixed, unseen } = found;
    let number = |count: usize| thousands(i64::try_from(count).unwrap_or(i64::MAX));
    let more = count.saturating_sub(sample.len());
    let mixed = sample.windows(2).any(|pair| matches!(pair, [a, b] if a.entity != b.entity));
    let page = UndoPage {
        frame: Frame::of(req, app, PLACE),
        id,
        summary: changeset.changeset.summary,
        undone_by: changeset.undone_by_id,
        count,
        counted: of_things(count),
        forced: (forced > 0).then(|| of_things(count + forced)),
        sample: sample.into_iter().map(|named| sample_view(named, mixed)).collect(),
        more: (more > 0).then(|| number(more)),
        since: since.iter().map(left_view).collect(),
        since_counted: number(since_count),
        impossible: impossible.iter().map(left_view).collect(),
        impossible_counted: number(impossible_count),
        fixed,
        unseen: (unseen > 0).then(|| number(unseen)),
        errors,
    };
    page::show_as(status, &page)
}

fn sample_view(sampled: Sampled, mixed: bool) -> SampleView {
    let Sampled { entity, id, action, name } = sampled;
    SampleView {
        name: if name.is_empty() { format!("{} {id}", entity.label()) } else { name },
        kind: if mixed { entity.label() } else { String::new() },
        becomes: match action {
            Action::Created => "is deleted",
            Action::Updated => "is as it was",
            Action::Deleted => "comes back",
        },
    }
}

fn left_view(left: &Left) -> LeftView {
    let entity = Entity::parse(left.entity);
    let what = entity.map_or_else(|| left.entity.to_owned(), Entity::label);
    LeftView {
        what: format!("{what} {}", left.entity_id),
        url: entity.and_then(|entity| names::page_of(entity, left.entity_id)),
        field: left.field.as_deref().map(crate::web::view::label),
        message: left.message.clone(),
    }
}
