//! The log, newest first, by who, what, door, day and words.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::views::{LogFilters, LogListPage, LogRow};
use super::{PATH, PLACE};
use crate::app::App;
use crate::audit::log::{self, LogPage, LogQuery};
use crate::audit::model::Counted;
use crate::audit::store::names;
use crate::caller::Door;
use crate::changes::Entity;
use crate::error::Error;
use crate::time::Timestamp;
use crate::web::caller::Admin;
use crate::web::history::door;
use crate::web::list::Params;
use crate::web::page::{self, Frame};
use crate::web::view::{Chip, Choice, Errors, When, thousands, url};

/// The actions, as they are stored and as they are read.
const ACTIONS: [(&str, &str); 3] = [("created", "Created"), ("updated", "Updated"), ("deleted", "Deleted")];

/// `GET /admin/audit`.
///
/// # Errors
/// 400 for a query string that cannot be read, 403.
pub async fn list(req: HttpRequest, _: Admin, app: Data<App>) -> Result<HttpResponse, Error> {
    let params = Params::parse(req.query_string())?;
    let (query, errors, status) = match LogQuery::parse(&params) {
        Ok(query) => (Some(query), Errors::default(), StatusCode::OK),
        Err(error) => {
            let (status, errors) = page::mistakes(error)?;
            (None, errors, status)
        }
    };
    let asked = params.clone();
    let (found, keys) = match query {
        None => (LogPage::default(), HashMap::new()),
        Some(query) => {
            app.read(move |conn| {
                let found = log::find(conn, &query, PATH, &asked)?;
                let ids: Vec<i64> = found.rows.iter().filter_map(|row| row.changeset.api_key_id).collect();
                let keys = names::of(conn, Entity::ApiKey, &ids)?.into_iter().collect();
                Ok((found, keys))
            })
            .await?
        }
    };
    let now = Timestamp::now();
    let chips = chips(&params);
    let page = LogListPage {
        frame: Frame::of(&req, &app, PLACE),
        filters: filters(&params),
        errors,
        announce: match (found.rows.len(), found.ways.any()) {
            (0, _) => "Nothing found".to_owned(),
            (1, false) => "1 entry".to_owned(),
            (count, false) => format!("{count} entries"),
            (count, true) => format!("{count} entries on this page"),
        },
        rows: found.rows.iter().map(|row| row_of(row, &found.about, &keys, now)).collect(),
        ways: found.ways,
        looked_to: found.looked_to.map(When::on),
        meant: found.meant.iter().map(|name| (name.clone(), url(PATH, &params.with("who", name)))).collect(),
        chips,
    };
    page::show_as(status, &page)
}

fn row_of(row: &Counted, about: &HashMap<i64, String>, keys: &HashMap<i64, String>, now: Timestamp) -> LogRow {
    let changeset = &row.changeset;
    let about = about.get(&changeset.id).filter(|name| !changeset.summary.contains(name.as_str()));
    LogRow {
        id: changeset.id,
        at: When::ago(changeset.at, now),
        who: changeset.actor.clone(),
        door: door(&changeset.door, changeset.api_key_id.and_then(|id| keys.get(&id)).map(String::as_str)),
        summary: changeset.summary.clone(),
        about: about.cloned().unwrap_or_default(),
        changes: thousands(row.change_count),
        undone_by: row.undone_by_id,
        undoes: changeset.undoes_id,
    }
}

fn filters(params: &Params) -> LogFilters {
    let typed = |name: &str| params.get(name).unwrap_or_default().to_owned();
    let choice = |value: &str, label: String, name: &str| Choice {
        value: value.to_owned(),
        label,
        selected: params.get(name) == Some(value),
    };
    LogFilters {
        q: typed("q"),
        who: typed("who"),
        entities: Entity::ALL.map(|entity| choice(entity.as_str(), entity.label(), "entity")).to_vec(),
        entity_id: typed("entity_id"),
        actions: ACTIONS.map(|(value, label)| choice(value, label.to_owned(), "did")).to_vec(),
        doors: Door::ALL.map(|from| choice(from.as_str(), door(from.as_str(), None), "door")).to_vec(),
        from: typed("from"),
        to: typed("to"),
        page_size: typed("page_size"),
    }
}

fn chips(params: &Params) -> Vec<Chip> {
    let label = |name: &str, value: &str| match name {
        "q" => format!("“{value}”"),
        "who" => format!("By {value}"),
        "entity" => Entity::parse(value).map_or_else(|| value.to_owned(), Entity::label),
        "entity_id" => format!("Id {value}"),
        "did" => ACTIONS.iter().find(|(action, _)| *action == value).map_or(value, |(_, label)| label).to_owned(),
        "door" => door(value, None),
        "from" => format!("From {value}"),
        _ => format!("To {value}"),
    };
    ["q", "who", "entity", "entity_id", "did", "door", "from", "to"]
        .into_iter()
        .filter_map(|name| {
            let value = params.get(name)?;
            Some(Chip { label: label(name, value), clear_url: url(PATH, &params.with(name, "")) })
        })
        .collect()
}
