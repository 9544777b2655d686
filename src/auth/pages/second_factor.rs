//! Two-factor sign-in in one's own account: in the order of the routes. Whatever changes it asks for the
//! password again; recovery codes are drawn by the answer that made them and kept nowhere.

use actix_session::Session;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::views::{RecoveryCodesPage, SurePage, TurnOnPage, TwoFactorPage};
use crate::app::App;
use crate::auth::second_factor::{self, CODES, Proof, State};
use crate::auth::service::reauthenticate;
use crate::auth::sessions::go_on;
use crate::error::Error;
use crate::fields::FieldErrors;
use crate::time::Timestamp;
use crate::users;
use crate::users::hashing::Hashing;
use crate::users::model::User;
use crate::web::caller::Member;
use crate::web::form::Form;
use crate::web::page::{self, Frame};
use crate::web::view::{Errors, When};

/// Where it lives.
const PATH: &str = "/admin/account/two-factor";
/// The place of the sidebar that these pages belong to.
const PLACE: &str = "account";

/// `GET /admin/account/two-factor`: how it stands.
///
/// # Errors
/// 404 when one was deleted meanwhile.
pub async fn show(req: HttpRequest, member: Member, app: Data<App>) -> Result<HttpResponse, Error> {
    draw(&req, &member, &app, Refused::default()).await
}

/// `POST /admin/account/two-factor/begin`: makes a secret to scan.
///
/// # Errors
/// 403 for a form that is not ours.
pub async fn begin(req: HttpRequest, member: Member, app: Data<App>, _: Form) -> Result<HttpResponse, Error> {
    let (inside, id) = (app.clone(), member.id());
    back(&req, app.write(&member, move |tx| second_factor::offer(tx, &inside, id)).await)
}

/// `POST /admin/account/two-factor`: the password and the first code turn it on; the recovery codes.
///
/// # Errors
/// 403 for a form that is not ours, 503; mistakes come back with the form.
pub async fn turn_on(
    req: HttpRequest,
    member: Member,
    app: Data<App>,
    hashing: Data<Hashing>,
    session: Session,
    form: Form,
) -> Result<HttpResponse, Error> {
    match try_turn_on(&member, &app, &hashing, &form).await {
        Ok((user, codes)) => {
            // The sessions of before have ended with the credentials that they were begun with; this one goes on.
            go_on(&session, &user)?;
            show_codes(&req, &app, codes, true)
        }
        Err(error) => match refused(error) {
            Ok(refused) => draw(&req, &member, &app, refused).await,
            Err(error) => back(&req, Err(error)),
        },
    }
}

async fn try_turn_on(
    member: &Member,
    app: &Data<App>,
    hashing: &Hashing,
    form: &Form,
) -> Result<(User, Vec<String>), Error> {
    let proof = typed(form)?;
    let user = reauthenticate(app, hashing, member, form.verbatim("password").to_owned()).await?;
    let (inside, id) = (app.clone(), user.id);
    let work = app.write(member, move |tx| second_factor::turn_on(tx, &inside, &user, &proof));
    second_factor::attempt(app, member, id, work).await
}

/// `GET /admin/account/two-factor/codes`: asks for the password before there are new ones.
///
/// # Errors
/// 404 when one was deleted meanwhile.
pub async fn ask_codes(req: HttpRequest, member: Member, app: Data<App>) -> Result<HttpResponse, Error> {
    ask(&req, &member, &app, false, Refused::default()).await
}

/// `POST /admin/account/two-factor/codes`: new recovery codes.
///
/// # Errors
/// 403 for a form that is not ours, 503; mistakes come back with the form.
pub async fn renew_codes(
    req: HttpRequest,
    member: Member,
    app: Data<App>,
    hashing: Data<Hashing>,
    form: Form,
) -> Result<HttpResponse, Error> {
    let made = async {
        let mut errors = FieldErrors::default();
        require_password(&form, &mut errors);
        errors.into_result(|| Some(()))?;
        let user = reauthenticate(&app, &hashing, &member, form.verbatim("password").to_owned()).await?;
        app.write(&member, move |tx| second_factor::renew_codes(tx, &user)).await
    };
    match made.await {
        Ok(codes) => show_codes(&req, &app, codes, false),
        Err(error) => match refused(error) {
            Ok(refused) => ask(&req, &member, &app, false, refused).await,
            Err(error) => back(&req, Err(error)),
        },
    }
}

/// `GET /admin/account/two-factor/off`: asks for the password and a code.
///
/// # Errors
/// 404 when one was deleted meanwhile.
pub async fn ask_off(req: HttpRequest, member: Member, app: Data<App>) -> Result<HttpResponse, Error> {
    ask(&req, &member, &app, true, Refused::default()).await
}

/// `POST /admin/account/two-factor/off`: the password and a code, or a recovery code, turn it off.
///
/// # Errors
/// 403 for a form that is not ours, 503; mistakes come back with the form.
pub async fn turn_off(
    req: HttpRequest,
    member: Member,
    app: Data<App>,
    hashing: Data<Hashing>,
    form: Form,
) -> Result<HttpResponse, Error> {
    let inside = app.clone();
    let done = async {
        let proof = typed(&form)?;
        let user = reauthenticate(&app, &hashing, &member, form.verbatim("password").to_owned()).await?;
        let id = user.id;
        let work = app.write(&member, move |tx| second_factor::turn_off_with(tx, &inside, &user, &proof));
        second_factor::attempt(&app, &member, id, work).await
    };
    match done.await {
        Ok(()) => {
            page::flash_ok(&req, "Two-factor sign-in is off. Your password alone signs you in.");
            Ok(page::see_other(PATH))
        }
        Err(error) => match refused(error) {
            Ok(refused) => ask(&req, &member, &app, true, refused).await,
            Err(error) => back(&req, Err(error)),
        },
    }
}

/// That a password was typed.
fn require_password(form: &Form, errors: &mut FieldErrors) {
    if form.verbatim("password").is_empty() {
        errors.add("password", "required", "is required");
    }
}

/// The code that was typed, beside a password.
fn typed(form: &Form) -> Result<Proof, Error> {
    let mut errors = FieldErrors::default();
    require_password(form, &mut errors);
    let proof = Proof::read(form.verbatim("code"));
    if proof.is_none() {
        errors.add("code", "required", "is required");
    }
    errors.into_result(|| proof)
}

/// Why a form comes back; nothing is wrong when it comes for the first time.
#[derive(Default)]
struct Refused {
    status: StatusCode,
    errors: Errors,
    /// It may be sent again after so many seconds.
    wait: Option<u32>,
}

impl Refused {
    fn show<T: Template>(self, page: impl FnOnce(Errors) -> T) -> Result<HttpResponse, Error> {
        let shown = page::show_as(self.status, &page(self.errors))?;
        Ok(match self.wait {
            Some(seconds) => page::later(shown, seconds),
            None => shown,
        })
    }
}

/// What is said in the form itself; any other failure is passed on.
fn refused(error: Error) -> Result<Refused, Error> {
    match error {
        Error::Invalid(_) => {
            let (status, errors) = page::mistakes(error)?;
            Ok(Refused { status, errors, wait: None })
        }
        Error::TooManyRequests { detail, retry_after } => {
            let mut errors = Errors::default();
            errors.add("", detail);
            Ok(Refused { status: StatusCode::TOO_MANY_REQUESTS, errors, wait: Some(retry_after) })
        }
        other => Err(other),
    }
}

/// Back to how it stands, which is another than what the form was for.
fn back(req: &HttpRequest, done: Result<(), Error>) -> Result<HttpResponse, Error> {
    match done {
        Err(Error::Conflict { detail, .. }) => page::flash_error(req, detail),
        other => other?,
    }
    Ok(page::see_other(PATH))
}

async fn draw(req: &HttpRequest, member: &Member, app: &Data<App>, refused: Refused) -> Result<HttpResponse, Error> {
    let (now, id, inside) = (Timestamp::now(), member.id(), app.clone());
    let state = app
        .look_up(move |conn| {
            let user = users::store::find(conn, id)?.ok_or_else(|| Error::missing("User", id))?;
            second_factor::state(conn, &inside, &user, now)
        })
        .await?;
    let frame = Frame::of(req, app, PLACE);
    let offer = match state {
        State::On { since, codes_left } => {
            let since = When::ago(since, now);
            return page::show_as(refused.status, &TwoFactorPage { frame, since, codes_left, codes_given: CODES });
        }
        State::Offered(offer) => Some(offer),
        State::Off => None,
    };
    refused.show(|errors| TurnOnPage { frame, offer, errors })
}

async fn ask(
    req: &HttpRequest,
    member: &Member,
    app: &Data<App>,
    off: bool,
    refused: Refused,
) -> Result<HttpResponse, Error> {
    let id = member.id();
    if !app.look_up(move |conn| second_factor::is_on(conn, id)).await? {
        return Ok(page::see_other(PATH));
    }
    refused.show(|errors| SurePage { frame: Frame::of(req, app, PLACE), off, errors })
}

fn show_codes(req: &HttpRequest, app: &App, codes: Vec<String>, fresh: bool) -> Result<HttpResponse, Error> {
    let frame = Frame::of(req, app, PLACE);
    let username = frame.user.as_ref().map(|user| user.username.as_str()).unwrap_or_default();
    let text = format!(
        "{}: recovery codes of {username}\nEach is good for one sign-in.\n\n{}\n",
        frame.app_name,
        codes.join("\n")
    );
    let text: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let file_url = format!("data:text/plain;charset=utf-8,{}", text.replace('+', "%20"));
    page::show(&RecoveryCodesPage { frame, codes, file_url, fresh })
}
