//! The browser's door of API keys, in the order of the routes. Everybody who is signed in has their own; admins
//! see and end everybody's.

pub mod views;

use actix_session::{Session, SessionExt as _};
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use crate::app::{App, KeyUse};
use crate::auth::api_keys::{self, list};
use crate::auth::model::api_key::{ApiKey, KeyInput, Scope, USUAL_DAYS};
use crate::auth::sessions::random_token;
use crate::auth::store::api_keys::{Order, names_of};
use crate::caller::Role;
use crate::changes::Expected;
use crate::error::Error;
use crate::fields::{Input, Raw};
use crate::time::Timestamp;
use crate::web::caller::Person;
use crate::web::form::Form;
use crate::web::list::Params;
use crate::web::page::{self, Frame};
use crate::web::view::{Choice, Errors, Heads, Pagination, When};
use views::{KeyHeads, KeyListPage, KeyMadePage, KeyNewPage, KeyRevokeAllPage, KeyRevokePage, KeyRow, ScopeChoice};

/// Where the list lies.
const PATH: &str = "/admin/api-keys";
/// The place of the sidebar.
const PLACE: &str = "api-keys";
/// The field, and the session's list, of the marks of forms that can be sent once.
const ONCE: &str = "once";
/// So many forms may be open in a session.
const OPEN_FORMS: usize = 8;
/// How long a new key may be good, in days, and how that is said.
const TERMS: [(i64, &str); 5] =
    [(7, "7 days"), (30, "30 days"), (USUAL_DAYS, "90 days"), (180, "180 days"), (365, "1 year, the longest")];

/// `GET /admin/api-keys`: one's own; for admins everybody's with `whose=all`.
///
/// # Errors
/// 400, 422.
pub async fn list(req: HttpRequest, person: Person, app: Data<App>) -> Result<HttpResponse, Error> {
    let params = Params::parse(req.query_string())?;
    let admin = person.is_admin();
    let all = admin && params.get("whose") == Some("all");
    let query =
        list::Query::parse(&params, PATH, &person, app.key(KeyUse::Cursors), ("-created_at", Order::CreatedAt))?;
    let query = if all { query } else { query.of(person.id()) };
    let (id, now) = (person.id(), Timestamp::now());
    let (listing, owners, any_live) = app
        .read(move |conn| {
            let listing = list::find(conn, &query)?;
            let ids: Vec<i64> = listing.rows.iter().map(|key| key.user_id).collect();
            Ok((listing, names_of(conn, &ids)?, !api_keys::live(conn, id, now)?.is_empty()))
        })
        .await?;
    let owner = |id: i64| owners.iter().find(|(owner, _)| *owner == id).map(|(_, name)| name.clone());
    let rows: Vec<KeyRow> = listing.rows.iter().map(|key| row(key, owner(key.user_id), now)).collect();
    let heads = Heads::new(PATH, &params, Some(params.get("sort").unwrap_or("-created_at")));
    let page = KeyListPage {
        frame: Frame::of(&req, &app, PLACE),
        admin,
        all,
        any_live,
        heads: KeyHeads {
            name: heads.sortable("Name", "name"),
            key: heads.plain("Key"),
            scope: heads.plain("Access"),
            owner: heads.plain("Owner"),
            created: heads.sortable("Created", "created_at"),
            expires: heads.sortable("Expires", "expires_at"),
            used: heads.plain("Last used"),
            state: heads.plain("State"),
        },
        pages: Pagination::of(PATH, &params, &listing.window, listing.total.unwrap_or_default(), rows.len()),
        rows,
    };
    page::show(&page)
}

fn row(key: &ApiKey, owner: Option<String>, now: Timestamp) -> KeyRow {
    let state = match (key.revoked_at, &owner) {
        (Some(_), _) => "Revoked",
        (None, _) if key.expires_at <= now => "Expired",
        (None, None) => "Owner removed",
        (None, Some(_)) => "Live",
    };
    KeyRow {
        id: key.id,
        name: key.name.clone(),
        prefix: key.prefix.clone(),
        may: may(key.scopes.greatest()),
        owner: owner.unwrap_or_else(|| format!("user {}, removed", key.user_id)),
        created: When::ago(key.created_at, now),
        expires: When::on(key.expires_at),
        used: key.last_used_at.map(|at| When::ago(at, now)),
        live: state == "Live",
        state,
    }
}

/// What a key may do, for people.
fn may(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "Read",
        Scope::Write => "Read and write",
        Scope::Admin => "Everything",
    }
}

/// `GET /admin/api-keys/new`.
///
/// # Errors
/// Only the page's own.
pub async fn blank(req: HttpRequest, person: Person, app: Data<App>) -> Result<HttpResponse, Error> {
    draw(&req, &person, &app, &Input::from_text([]), StatusCode::OK, Errors::default())
}

/// `POST /admin/api-keys/new`: the answer shows the key, this once.
///
/// A form makes one key: the answer is a page that must not be lost, so it is no redirect, and who loads it again
/// sends the form again.
///
/// # Errors
/// 403 for a scope beyond one's role; mistakes come back with the form.
pub async fn create(req: HttpRequest, person: Person, app: Data<App>, form: Form) -> Result<HttpResponse, Error> {
    if !redeem(&req.get_session(), form.verbatim(ONCE)) {
        page::flash_error(&req, "This form was sent already: the key was made, and is shown only once.");
        return Ok(page::see_other(PATH));
    }
    let input = KeyInput::read(&as_sent(&form.input));
    match app.write(&person, move |tx| api_keys::create(tx, input)).await {
        Ok(made) => {
            let host = req.connection_info().host().to_owned();
            let base = app.config.base_url.clone().unwrap_or_else(|| format!("http://{host}"));
            page::show(&KeyMadePage {
                frame: Frame::of(&req, &app, PLACE),
                name: made.key.name.clone(),
                key: made.text.expose().to_owned(),
                may: may(made.key.scopes.greatest()),
                expires: When::on(made.key.expires_at),
                example: format!("curl -H \"X-API-Key: $STOCKROOM_KEY\" {}/api/v1/items", base.trim_end_matches('/')),
            })
        }
        Err(error) => {
            let (status, errors) = page::mistakes(error)?;
            draw(&req, &person, &app, &form.input, status, errors)
        }
    }
}

/// A mark for a form that can be sent once, kept in the session.
fn issue(session: &Session) -> Result<String, Error> {
    let mark = random_token();
    let mut marks: Vec<String> = session.get(ONCE).ok().flatten().unwrap_or_default();
    marks.push(mark.clone());
    let extra = marks.len().saturating_sub(OPEN_FORMS);
    marks.drain(..extra);
    session.insert(ONCE, marks).map_err(|e| Error::Internal(format!("a form's mark cannot be kept: {e}")))?;
    Ok(mark)
}

/// Whether the form of this mark is sent for the first time.
fn redeem(session: &Session, mark: &str) -> bool {
    let mut marks: Vec<String> = session.get(ONCE).ok().flatten().unwrap_or_default();
    let open = marks.len();
    marks.retain(|kept| kept != mark);
    let first = marks.len() < open;
    first && session.insert(ONCE, marks).is_ok()
}

/// The form chooses one scope and a number of days; a key has the scopes up to it, and a moment.
fn as_sent(typed: &Input) -> Input {
    let mut input = typed.clone();
    let chosen = typed.typed("scopes");
    let scopes: Vec<Raw> = match chosen.parse::<Scope>() {
        Ok(most) => Scope::ALL.iter().filter(|s| **s <= most).map(|s| Raw::Text(s.as_str().to_owned())).collect(),
        Err(()) if chosen.is_empty() => Vec::new(),
        Err(()) => vec![Raw::Text(chosen.to_owned())],
    };
    input.set("scopes", Raw::List(scopes));
    let days = typed.typed("expires_at");
    if let Ok(days) = days.parse::<i64>() {
        let at = Timestamp::now().plus_seconds(days.saturating_mul(86_400));
        input.set("expires_at", Raw::Text(at.rfc3339()));
    }
    input
}

fn draw(
    req: &HttpRequest,
    person: &Person,
    app: &App,
    input: &Input,
    status: StatusCode,
    errors: Errors,
) -> Result<HttpResponse, Error> {
    let role = person.principal().map_or(Role::Guest, |p| p.role);
    let says = |scope: Scope| match scope {
        Scope::Read => "Lists and looks up what you may see.",
        Scope::Write => "Also creates and edits, as far as you may.",
        Scope::Admin => "Acts as the admin that you are: users, categories, deleting.",
    };
    let chosen = input.typed("scopes").parse().unwrap_or(Scope::Read);
    let term = Some(input.typed("expires_at")).filter(|days| !days.is_empty());
    let usual = USUAL_DAYS.to_string();
    let page = KeyNewPage {
        frame: Frame::of(req, app, PLACE),
        once: issue(&req.get_session())?,
        name: input.typed("name").to_owned(),
        scopes: Scope::ALL
            .into_iter()
            .filter(|scope| *scope <= Scope::most_of(role))
            .map(|scope| ScopeChoice {
                value: scope.as_str(),
                label: may(scope),
                says: says(scope),
                chosen: scope == chosen,
            })
            .collect(),
        terms: TERMS
            .iter()
            .map(|(days, label)| Choice {
                value: days.to_string(),
                label: (*label).to_owned(),
                selected: days.to_string() == term.unwrap_or(&usual),
            })
            .collect(),
        errors,
    };
    page::show_as(status, &page)
}

/// `GET /admin/api-keys/{id}/delete`: the question.
///
/// # Errors
/// 404.
pub async fn ask_delete(
    req: HttpRequest,
    person: Person,
    app: Data<App>,
    id: Path<i64>,
) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let own = person.id();
    let (key, owners) = app
        .look_up(move |conn| {
            let key = api_keys::get(conn, &person, id)?;
            let owners = names_of(conn, &[key.user_id])?;
            Ok((key, owners))
        })
        .await?;
    let foreign = key.user_id != own;
    let row = row(&key, owners.into_iter().next().map(|(_, name)| name), Timestamp::now());
    page::show(&KeyRevokePage { frame: Frame::of(&req, &app, PLACE), row, foreign })
}

/// `POST /admin/api-keys/{id}/delete`: the act.
///
/// # Errors
/// 404.
pub async fn delete(
    req: HttpRequest,
    person: Person,
    app: Data<App>,
    id: Path<i64>,
    _: Form,
) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let key = app.write(&person, move |tx| api_keys::revoke(tx, id, &Expected::Unsaid)).await?;
    page::flash_ok(&req, format!("Revoked {}", key.name));
    Ok(page::see_other(if key.user_id == person.id() { PATH } else { "/admin/api-keys?whose=all" }))
}

/// `GET /admin/api-keys/revoke-all`: the question.
///
/// # Errors
/// Only the database's.
pub async fn ask_revoke_all(req: HttpRequest, person: Person, app: Data<App>) -> Result<HttpResponse, Error> {
    let id = person.id();
    let now = Timestamp::now();
    let live = app.look_up(move |conn| api_keys::live(conn, id, now)).await?;
    page::show(&KeyRevokeAllPage {
        frame: Frame::of(&req, &app, PLACE),
        rows: live.iter().map(|key| row(key, Some(String::new()), now)).collect(),
    })
}

/// `POST /admin/api-keys/revoke-all`: the act.
///
/// # Errors
/// Only the database's.
pub async fn revoke_all(req: HttpRequest, person: Person, app: Data<App>, _: Form) -> Result<HttpResponse, Error> {
    let id = person.id();
    let count = app.write(&person, move |tx| api_keys::revoke_all(tx, id)).await?;
    page::flash_ok(
        &req,
        match count {
            1 => "Revoked 1 API key".to_owned(),
            many => format!("Revoked {many} API keys"),
        },
    );
    Ok(page::see_other(PATH))
}
