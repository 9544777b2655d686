//! Sign in, the first admin, one's own account.

use askama::Template;

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

/// `GET /admin/account`.
#[derive(Template)]
#[template(path = "auth/account.html")]
pub struct AccountPage {
    pub frame: Frame,
    pub username: String,
    pub email: String,
    pub full_name: Option<String>,
    pub role: String,
    pub created: When,
    pub last_login: Option<When>,
    /// "30 minutes".
    pub idle: String,
    /// "12 hours".
    pub longest: String,
}
