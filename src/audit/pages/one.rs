//! One changeset: who did what, and each thing that it changed, field by field.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value};

use super::views::{ChangeView, ChangesetPage};
use super::{PATH, PLACE};
use crate::app::App;
use crate::audit::model::{Change, Counted};
use crate::audit::names::{self, Names};
use crate::audit::service;
use crate::audit::store;
use crate::changes::Entity;
use crate::decimal::Amount;
use crate::error::Error;
use crate::web::caller::Admin;
use crate::web::difference::{FieldChange, plain, side};
use crate::web::history::door;
use crate::web::list::{Params, Window};
use crate::web::page::{self, Frame, initials};
use crate::web::view::{Pagination, When, label, per_cent, thousands};

/// So many changes are on a page,
const ON_A_PAGE: i64 = 50;
/// and up to so many are laid open at once.
const OPEN: i64 = 10;
/// A change of up to so many characters is told on the line of its thing.
const ON_A_LINE: usize = 60;
/// What every write sets by itself, and what is told beside the fields.
const NOISE: [&str; 4] = ["id", "version", "created_at", "updated_at"];

/// `GET /admin/audit/{id}`, with a page of its changes.
///
/// # Errors
/// 400, 403, 404.
pub async fn show(req: HttpRequest, _: Admin, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let params = Params::parse(req.query_string())?;
    let number = params.get("page").map_or(Some(1), |text| text.parse().ok()).filter(|page| *page >= 1);
    let number: i64 = number.ok_or_else(|| Error::Malformed("page must be a whole number from 1 on.".to_owned()))?;
    let skip = (number - 1).saturating_mul(ON_A_PAGE);
    let (counted, changes, names, key) = app
        .read(move |conn| {
            let (counted, changes) = service::get(conn, id, skip, ON_A_PAGE)?;
            let changes: Vec<Read> = changes.iter().filter_map(Read::of).collect();
            let actor = counted.changeset.actor_id.map(|id| (Entity::User, id));
            let names = Names::load(conn, changes.iter().flat_map(Read::mentions).chain(actor))?;
            let keys: Vec<i64> = counted.changeset.api_key_id.into_iter().collect();
            let key = store::names::of(conn, Entity::ApiKey, &keys)?.pop().map(|(_, name)| name);
            Ok((counted, changes, names, key))
        })
        .await?;
    let Counted { changeset, change_count, undone_by_id } = counted;
    let window = Window::Page { page: number, size: ON_A_PAGE };
    let mut pages = Pagination::of(&format!("{PATH}/{id}"), &params, &window, change_count, changes.len());
    pages.sizes.clear();
    let open = change_count <= OPEN;
    let page = ChangesetPage {
        frame: Frame::of(&req, &app, PLACE),
        id,
        at: When::on(changeset.at),
        initials: initials(&changeset.actor),
        who: changeset.actor,
        door: door(&changeset.door, key.as_deref()),
        is_user: changeset.actor_id.is_some_and(|actor| names.of(Entity::User, actor).is_some()),
        actor_id: changeset.actor_id,
        summary: changeset.summary,
        request_id: changeset.request_id,
        address: changeset.address,
        undoes: changeset.undoes_id,
        undone_by: undone_by_id,
        count: thousands(change_count),
        only: change_count == 1,
        changes: changes.iter().map(|change| change.view(&names, open)).collect(),
        pages,
    };
    page::show(&page)
}

/// A change, read back.
struct Read {
    entity: Entity,
    id: i64,
    action: String,
    before: Map<String, Value>,
    after: Map<String, Value>,
}

impl Read {
    fn of(change: &Change) -> Option<Self> {
        Some(Self {
            entity: Entity::parse(&change.entity)?,
            id: change.entity_id,
            action: change.action.clone(),
            before: side(change.before.as_deref().map(serde_json::value::RawValue::get)),
            after: side(change.after.as_deref().map(serde_json::value::RawValue::get)),
        })
    }

    /// The thing itself, and those that its fields name.
    fn mentions(&self) -> Vec<(Entity, i64)> {
        let fields = self.before.iter().chain(&self.after);
        let named = fields.filter_map(|(field, value)| Some((names::referred(field)?, value.as_i64()?)));
        named.chain([(self.entity, self.id)]).collect()
    }

    fn view(&self, names: &Names, open: bool) -> ChangeView {
        let there = names.of(self.entity, self.id);
        let recorded = names::recorded(&self.after).or_else(|| names::recorded(&self.before));
        let fields = self.fields(names);
        ChangeView {
            action: self.action.clone(),
            class: match self.action.as_str() {
                "created" => "on",
                "deleted" => "bad",
                _ => "",
            },
            kind: self.entity.label(),
            kind_name: self.entity.as_str(),
            id: self.id,
            url: there.and_then(|_| names::page_of(self.entity, self.id)),
            name: recorded.or_else(|| there.map(str::to_owned)).unwrap_or_default(),
            gone: there.is_none() && self.action != "deleted",
            changed: in_short(&fields),
            fields,
            open,
        }
    }

    fn fields(&self, names: &Names) -> Vec<FieldChange> {
        let mut order: Vec<&String> = self.before.keys().collect();
        order.extend(self.after.keys().filter(|field| !self.before.contains_key(*field)));
        let said = |side: &Map<String, Value>, field: &str| match side.get(field) {
            None | Some(Value::Null) => None,
            Some(value) => Some(readable(field, value, names)),
        };
        order
            .into_iter()
            .filter(|field| !NOISE.contains(&field.as_str()))
            .filter_map(|field| FieldChange::of(label(field), said(&self.before, field), said(&self.after, field)))
            .collect()
    }
}

/// What changed, on a line.
fn in_short(fields: &[FieldChange]) -> String {
    let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "empty".to_owned());
    let whole = |field: &FieldChange| format!("{} {} → {}", field.label, side(&field.before), side(&field.after));
    let all = fields.iter().map(whole).collect::<Vec<_>>().join(", ");
    if all.chars().count() <= ON_A_LINE && !all.contains('\n') {
        return all;
    }
    fields.iter().map(|field| field.label.as_str()).collect::<Vec<_>>().join(", ")
}

fn readable(field: &str, value: &Value, names: &Names) -> String {
    match (names::referred(field), value.as_i64()) {
        (Some(entity), Some(id)) => match names.of(entity, id) {
            Some(name) => name.to_owned(),
            None => format!("{} {id}, deleted since", entity.label().to_lowercase()),
        },
        _ if field == "tax_rate" => {
            Amount::parse(&value.to_string()).map_or_else(|_| value.to_string(), |rate| per_cent(rate.0))
        }
        _ => plain(value),
    }
}
