//! All jobs of a kind that stand alike: tried again, or discarded, after a question that says how many they are.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::views::{JobsAskPage, Offer};
use super::{PATH, PLACE, kind_word, state_word};
use crate::app::App;
use crate::changes::Entity;
use crate::error::Error;
use crate::fields::Input;
use crate::queue::list;
use crate::queue::model::State;
use crate::queue::service::{self, Act};
use crate::queue::store::{self, Filter};
use crate::time::Timestamp;
use crate::web::caller::Admin;
use crate::web::form::Form;
use crate::web::list::Params;
use crate::web::page::{self, Frame};
use crate::web::view::thousands;

/// What is offered for all that a list shows: nothing while no kind is chosen.
pub(super) fn offers(counts: &[(String, [i64; 4])], filter: &Filter) -> Option<Offer> {
    let kind = filter.kind.as_ref()?;
    let (_, of_it) = counts.iter().find(|(known, _)| known == kind)?;
    let meant = |state: &State| *state != State::Running && filter.state.is_none_or(|asked| asked == *state);
    let count: i64 = State::ALL.iter().zip(of_it).filter(|(state, _)| meant(state)).map(|(_, count)| count).sum();
    let query = serde_urlencoded::to_string(pairs(filter)).unwrap_or_default();
    (count > 0).then(|| Offer {
        count: thousands(count),
        retry_url: format!("{PATH}/retry?{query}"),
        discard_url: format!("{PATH}/discard?{query}"),
    })
}

fn pairs(filter: &Filter) -> Vec<(&'static str, String)> {
    let kind = filter.kind.iter().map(|kind| ("kind", kind.clone()));
    kind.chain(filter.state.map(|state| ("state", state.as_str().to_owned()))).collect()
}

/// `GET /admin/jobs/retry?kind&state`: the question.
///
/// # Errors
/// 400 without a kind, 403, 422.
pub async fn ask_retry(req: HttpRequest, admin: Admin, app: Data<App>) -> Result<HttpResponse, Error> {
    ask(&req, &admin, &app, Act::Retry).await
}

/// `GET /admin/jobs/discard?kind&state`: the question.
///
/// # Errors
/// 400 without a kind, 403, 422.
pub async fn ask_discard(req: HttpRequest, admin: Admin, app: Data<App>) -> Result<HttpResponse, Error> {
    ask(&req, &admin, &app, Act::Discard).await
}

/// `POST /admin/jobs/retry`: the act.
///
/// # Errors
/// 400 without a kind, 403, 422.
pub async fn retry(req: HttpRequest, admin: Admin, app: Data<App>, form: Form) -> Result<HttpResponse, Error> {
    act(&req, &admin, &app, &form.input, Act::Retry).await
}

/// `POST /admin/jobs/discard`: the act.
///
/// # Errors
/// 400 without a kind, 403, 422.
pub async fn discard(req: HttpRequest, admin: Admin, app: Data<App>, form: Form) -> Result<HttpResponse, Error> {
    act(&req, &admin, &app, &form.input, Act::Discard).await
}

/// Which jobs are meant; all of every kind never are.
fn meant(params: &Params) -> Result<(Filter, String), Error> {
    let filter = list::filter(params)?;
    let kind = filter.kind.clone();
    let kind = kind.ok_or_else(|| Error::Malformed("The address does not say which kind of job.".to_owned()))?;
    Ok((filter, kind))
}

async fn ask(req: &HttpRequest, _: &Admin, app: &App, act: Act) -> Result<HttpResponse, Error> {
    let (filter, kind) = meant(&Params::parse(req.query_string())?)?;
    let (looked, now) = (filter.clone(), Timestamp::now());
    let count = app
        .read(move |conn| {
            let all = store::count(conn, &looked, now)?;
            let running = match looked.state {
                None => store::count(conn, &Filter { state: Some(State::Running), ..looked }, now)?,
                Some(State::Running) => all,
                Some(_) => 0,
            };
            Ok(all - running)
        })
        .await?;
    let counted = Entity::Job.counted(usize::try_from(count).unwrap_or_default());
    let (verb, detail) = match act {
        Act::Retry => ("Try", "They are due at once. Those that were given up have all their attempts again."),
        Act::Discard => (
            "Discard",
            "What they were to do is not done. The audit log keeps them, and they can be brought back from there.",
        ),
    };
    let again = if act == Act::Retry { " again" } else { "" };
    let page = JobsAskPage {
        frame: Frame::of(req, app, PLACE),
        heading: format!("{verb} {counted}{again}?"),
        submit: format!("{verb} {counted}{again}"),
        detail,
        kind: kind_word(&kind),
        state: filter.state.map(state_word),
        action: format!("{PATH}/{}", if act == Act::Retry { "retry" } else { "discard" }),
        back: format!("{PATH}?{}", serde_urlencoded::to_string(pairs(&filter)).unwrap_or_default()),
        fields: pairs(&filter),
        destructive: act == Act::Discard,
        none: count == 0,
    };
    page::show(&page)
}

async fn act(req: &HttpRequest, admin: &Admin, app: &App, input: &Input, act: Act) -> Result<HttpResponse, Error> {
    let sent = ["kind", "state"].map(|name| (name, input.typed(name)));
    let query = serde_urlencoded::to_string(sent).unwrap_or_default();
    let (filter, kind) = meant(&Params::parse(&query)?)?;
    let done = service::act_on_all(app, admin, filter, act).await?;
    let counted = Entity::Job.counted(done);
    let said = match act {
        Act::Retry if done == 1 => format!("{counted} ({}) is tried again", kind_word(&kind)),
        Act::Retry => format!("{counted} ({}) are tried again", kind_word(&kind)),
        Act::Discard => format!("Discarded {counted} ({})", kind_word(&kind)),
    };
    page::flash_ok(req, said);
    Ok(page::see_other(PATH))
}
