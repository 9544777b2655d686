//! Sign in, the first admin, one's own account.

use askama::Template;

use crate::auth::second_factor::Offer;
use crate::web::page::Frame;
use crate::web::view::{Errors, When};

/// `GET /admin/login`, and again after a refusal with what was typed.
#[derive(Template)]
#[template(path = "auth/login.html")]
pub struct LoginPage {
    pub frame: Frame,
    pub username: String,
    /// Where to go afterwards.
    pub next: String,
    pub error: Option<String>,
}

/// `GET /admin/login/code`, and again after a wrong one.
#[derive(Template)]
#[template(path = "auth/code.html")]
pub struct CodePage {
    pub frame: Frame,
    /// Whether a recovery code was typed.
    pub recovering: bool,
    pub error: Option<String>,
}

/// `GET /admin/setup?token=`: the first admin.
#[derive(Template)]
#[template(path = "auth/setup.html")]
pub struct SetupPage {
    pub frame: Frame,
    pub token: String,
    pub email: String,
    pub username: String,
    pub errors: Errors,
}

/// `GET /admin/account`, and again after a form of it was refused.
#[derive(Template)]
#[template(path = "auth/account.html")]
pub struct AccountPage {
    pub frame: Frame,
    pub username: String,
    pub email: String,
    pub role: String,
    pub created: When,
    pub last_login: Option<When>,
    pub profile: Profile,
    /// What is wrong with the form of the password; passwords are never shown again.
    pub password: Errors,
    pub sessions: Vec<SessionRow>,
    pub two_factor: bool,
    /// "30 minutes".
    pub idle: String,
    /// "12 hours".
    pub longest: String,
}

/// `GET /admin/forgotten`, and again when the mail is on its way.
#[derive(Template)]
#[template(path = "auth/forgotten.html")]
pub struct ForgottenPage {
    pub frame: Frame,
    pub email: String,
    /// The mail is on its way, if there is such an account.
    pub sent: bool,
    pub errors: Errors,
}

/// `GET /admin/reset?token=` and `/admin/invitation?token=`: choose a password.
#[derive(Template)]
#[template(path = "auth/choose.html")]
pub struct ChoosePage {
    pub frame: Frame,
    pub heading: &'static str,
    pub lead: String,
    pub action: &'static str,
    pub submit: &'static str,
    pub token: String,
    /// For the browser's password store.
    pub username: String,
    pub errors: Errors,
}

/// A link that is not good any more, and the way out.
#[derive(Template)]
#[template(path = "auth/over.html")]
pub struct OverPage {
    pub frame: Frame,
    pub invited: bool,
}

impl AccountPage {
    /// Whether there is another session than this one.
    pub fn has_others(&self) -> bool {
        self.sessions.iter().any(|session| !session.own)
    }
}

/// What somebody may set of themselves, as it was typed.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    pub username: String,
    pub full_name: String,
    pub age: String,
    pub website: String,
    /// The version that is being changed.
    pub version: String,
    pub errors: Errors,
}

/// One session.
#[derive(Clone, Debug)]
pub struct SessionRow {
    pub id: String,
    /// "Firefox on Linux".
    pub device: String,
    /// As the browser named itself.
    pub agent: String,
    pub address: String,
    pub begun: When,
    pub used: When,
    /// Whether this page was asked for in it.
    pub own: bool,
}

/// `GET /admin/account/two-factor` while it is off: what it is, or what to scan.
#[derive(Template)]
#[template(path = "auth/two_factor_on.html")]
pub struct TurnOnPage {
    pub frame: Frame,
    pub offer: Option<Offer>,
    pub errors: Errors,
}

/// `GET /admin/account/two-factor` while it is on.
#[derive(Template)]
#[template(path = "auth/two_factor.html")]
pub struct TwoFactorPage {
    pub frame: Frame,
    pub since: When,
    pub codes_left: i64,
    pub codes_given: usize,
}

/// The recovery codes, this once.
#[derive(Template)]
#[template(path = "auth/recovery_codes.html")]
pub struct RecoveryCodesPage {
    pub frame: Frame,
    pub codes: Vec<String>,
    /// The same as a file.
    pub file_url: String,
    /// Whether two-factor sign-in has just been turned on.
    pub fresh: bool,
}

/// `GET /admin/account/two-factor/codes` and `…/off`: the password, and for `off` a code too.
#[derive(Template)]
#[template(path = "auth/two_factor_sure.html")]
pub struct SurePage {
    pub frame: Frame,
    pub off: bool,
    pub errors: Errors,
}
