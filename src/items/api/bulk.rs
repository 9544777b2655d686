//! Many items in one request, each standing for itself: what is wrong with one is told at its place and leaves
//! the others alone, unless the client wants all or nothing (`?atomic=true`).

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::app::App;
use crate::changes::Tx;
use crate::error::Error;
use crate::fields::{FieldError, FieldErrors, Input, Raw};
use crate::items::model::ItemInput;
use crate::items::service::many::{self, Failed, Outcome};
use crate::web::caller::Member;
use crate::web::idempotency::Once;
use crate::web::json::{self, Answer, Json, Tree};
use crate::web::list::Params;

/// So many in one request.
const MOST: usize = 100;

/// `POST /api/v1/items/bulk`: an array of items; 201 when all were made, 207 when some were.
///
/// # Errors
/// 400 for anything but an array of objects and for more than 100, 401, 403, 415; 422 when none was made, with
/// `atomic` also when one was refused.
pub async fn create(
    req: HttpRequest,
    caller: Member,
    app: Data<App>,
    once: Once,
    body: Json,
) -> Result<HttpResponse, Error> {
    let atomic = atomic(&req)?;
    let Tree::Array(elements) = body.0 else { return Err(json::misplaced("an array of items")) };
    check_count(elements.len(), "items")?;
    let inputs: Result<Vec<Input>, Error> = elements
        .into_iter()
        .enumerate()
        .map(|(n, element)| {
            let wrong = || Error::Malformed(format!("Malformed JSON: items[{n}] must be an object."));
            element.into_input().ok_or_else(wrong)
        })
        .collect();
    let inputs: Vec<ItemInput> = inputs?.iter().map(ItemInput::read).collect();
    let act = Act { verb: "created", status: StatusCode::CREATED, atomic };
    let work = move |tx: &mut Tx<'_>| act.settle(many::create(tx, inputs)?);
    once.write(&app, &caller, work, move |outcome| act.answer(outcome)).await
}

/// `PATCH /api/v1/items/bulk`: lays `changes` over the items of `ids`; 200 when all were changed, 207 when some
/// were. `If-Match` does not apply: there are as many versions as items.
///
/// # Errors
/// 400 for more than 100 ids, 401, 403, 415; 422 for changes that are wrong, when none was changed, with `atomic`
/// also when one was refused.
pub async fn update(req: HttpRequest, caller: Member, app: Data<App>, body: Json) -> Result<HttpResponse, Error> {
    let atomic = atomic(&req)?;
    let mut members = members(body)?;
    let mut errors = FieldErrors::default();
    let ids = ids(&mut members, &mut errors)?;
    let changes = match take(&mut members, "changes") {
        Some(Tree::Object(fields)) if fields.is_empty() => {
            errors.add("changes", "required", "must name at least one field");
            None
        }
        Some(tree @ Tree::Object(_)) => tree.into_input(),
        Some(_) => {
            errors.add("changes", "type", "must be an object");
            None
        }
        None => {
            errors.add("changes", "required", "is required");
            None
        }
    };
    let changes = errors.into_result(|| changes)?;
    let changes = ItemInput::read(&changes);
    let act = Act { verb: "updated", status: StatusCode::OK, atomic };
    let outcome = app.write(&caller, move |tx| act.settle(many::update(tx, &ids, changes)?)).await?;
    Ok(act.answer(&outcome)?.into())
}

/// `DELETE /api/v1/items/bulk`: removes the items of `ids`, whose ids it answers; 200 when all were removed, 207
/// when some were.
///
/// # Errors
/// 400 for more than 100 ids, 401, 403, 415; 422 when none was removed, with `atomic` also when one was refused.
pub async fn delete(req: HttpRequest, caller: Member, app: Data<App>, body: Json) -> Result<HttpResponse, Error> {
    let atomic = atomic(&req)?;
    let mut members = members(body)?;
    let mut errors = FieldErrors::default();
    let ids = ids(&mut members, &mut errors)?;
    let ids = errors.into_result(|| Some(ids))?;
    let act = Act { verb: "deleted", status: StatusCode::OK, atomic };
    let outcome = app.write(&caller, move |tx| act.settle(many::delete(tx, &ids)?)).await?;
    Ok(act.answer(&outcome)?.into())
}

fn atomic(req: &HttpRequest) -> Result<bool, Error> {
    let params = Params::parse(req.query_string())?;
    let mut errors = FieldErrors::default();
    let atomic = params.boolean("atomic", &mut errors).unwrap_or(false);
    errors.into_result(|| Some(atomic))
}

fn check_count(count: usize, field: &str) -> Result<(), Error> {
    match count {
        0 => Err(Error::field(field, "length", format!("must have 1 to {MOST} entries"))),
        count if count > MOST => {
            Err(Error::Malformed(format!("At most {MOST} {field} can be sent at once, not {count}.")))
        }
        _ => Ok(()),
    }
}

type Members = Vec<(String, Tree)>;

fn members(body: Json) -> Result<Members, Error> {
    match body.0 {
        Tree::Object(members) => Ok(members),
        _ => Err(json::misplaced("an object with ids")),
    }
}

fn take(members: &mut Members, name: &str) -> Option<Tree> {
    let at = members.iter().position(|(member, _)| member == name)?;
    Some(members.swap_remove(at).1)
}

fn ids(members: &mut Members, errors: &mut FieldErrors) -> Result<Vec<i64>, Error> {
    let elements = match take(members, "ids") {
        Some(Tree::Array(elements)) => elements,
        Some(_) => {
            errors.add("ids", "type", "must be an array of ids");
            return Ok(Vec::new());
        }
        None => {
            errors.add("ids", "required", "is required");
            return Ok(Vec::new());
        }
    };
    check_count(elements.len(), "ids")?;
    let mut ids = Vec::with_capacity(elements.len());
    for (n, element) in elements.into_iter().enumerate() {
        match element {
            Tree::Leaf(Raw::Number(text)) if text.parse::<i64>().is_ok() => ids.extend(text.parse::<i64>()),
            _ => errors.add(&format!("ids[{n}]"), "type", "must be an id, a whole number"),
        }
    }
    Ok(ids)
}

/// What is done to many, and how it is answered.
#[derive(Debug, Clone, Copy)]
struct Act {
    /// `created`, `updated`, `deleted`: the member that counts, too.
    verb: &'static str,
    /// When nothing failed.
    status: StatusCode,
    atomic: bool,
}

/// The answer: what was done, and what was not.
#[derive(Serialize)]
struct Done<'o, T> {
    /// Whether all of it was done.
    success: bool,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<usize>,
    failed: usize,
    data: &'o [T],
    errors: Vec<At<'o>>,
}

/// One that failed.
#[derive(Serialize)]
struct At<'o> {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    errors: &'o [FieldError],
}

impl<'o> At<'o> {
    fn of(failed: &'o Failed) -> Self {
        Self { index: failed.index, id: failed.id, errors: &failed.errors }
    }
}

/// The same in a problem, whose errors name a field each (contract 4.2): here that of the first mistake.
#[derive(Serialize)]
struct First<'o> {
    field: String,
    message: &'o str,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    at: At<'o>,
}

impl Act {
    /// An outcome that may be committed.
    ///
    /// # Errors
    /// 422 for one that may not: nothing is done then.
    fn settle<T>(self, outcome: Outcome<T>) -> Result<Outcome<T>, Error> {
        if outcome.failed.is_empty() || !self.atomic && !outcome.done.is_empty() {
            return Ok(outcome);
        }
        let list = if self.status == StatusCode::CREATED { "items" } else { "ids" };
        let first = |failed: &Failed| -> Option<Value> {
            let error = failed.errors.first()?;
            // Of an id it is the id itself that is wrong.
            let inner = if error.field == "id" { String::new() } else { format!(".{}", error.field) };
            let field = format!("{list}[{}]{inner}", failed.index);
            serde_json::to_value(First { field, message: &error.message, kind: error.kind, at: At::of(failed) }).ok()
        };
        let errors: Vec<Value> = outcome.failed.iter().filter_map(first).collect();
        let count = outcome.failed.len();
        let detail = match (outcome.done.len(), count) {
            (0, 1) => format!("Nothing was {}: the only one was refused.", self.verb),
            (0, _) => format!("Nothing was {}: all {count} were refused.", self.verb),
            (done, _) => format!("Nothing was {}: {count} of {} were refused.", self.verb, done + count),
        };
        let mut members = Map::new();
        members.insert(self.verb.to_owned(), 0.into());
        members.insert("failed".to_owned(), count.into());
        members.insert("data".to_owned(), Value::Array(Vec::new()));
        members.insert("errors".to_owned(), errors.into());
        Err(Error::NothingDone { detail, members })
    }

    fn answer<T: Serialize>(self, outcome: &Outcome<T>) -> Result<Answer, Error> {
        let (done, failed) = (outcome.done.len(), outcome.failed.len());
        let items = if done == 1 { "item" } else { "items" };
        let but = if failed == 0 { String::new() } else { format!(", {failed} refused") };
        let counted = |verb: &str| (self.verb == verb).then_some(done);
        let status = if failed == 0 { self.status } else { StatusCode::MULTI_STATUS };
        let answer = Done {
            success: failed == 0,
            message: format!("{done} {items} {}{but}", self.verb),
            created: counted("created"),
            updated: counted("updated"),
            deleted: counted("deleted"),
            failed,
            data: &outcome.done,
            errors: outcome.failed.iter().map(At::of).collect(),
        };
        Answer::of(status, &answer)
    }
}
