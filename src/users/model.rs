//! The words: a user, and what may be typed for one.

use std::str::FromStr;

use diesel::prelude::*;
use serde::Serialize;
use validator::{Validate, ValidateEmail as _};

use crate::caller::Role;
use crate::changes::{Entity, Recorded};
use crate::error::Error;
use crate::fields::{FieldErrors, Input};
use crate::time::Timestamp;

/// Names that nobody may take, since people would believe them.
const RESERVED: [&str; 3] = ["admin", "root", "system"];

/// A user as the database has it.
#[derive(Debug, Clone, Queryable)]
pub struct User {
    /// Its id.
    pub id: i64,
    /// Lower-cased.
    pub email: String,
    /// As it was chosen.
    pub username: String,
    /// Lower-cased, for uniqueness.
    pub username_key: String,
    /// At most 100 characters.
    pub full_name: Option<String>,
    /// 0 to 150 years.
    pub age: Option<i32>,
    /// An http or https URL.
    pub website: Option<String>,
    /// `admin`, `user` or `guest`.
    pub role: String,
    /// Whether they may come in.
    pub is_active: bool,
    /// bcrypt; absent until they chose one.
    pub password_hash: Option<String>,
    /// Grows when password, role or `is_active` change: older tokens and sessions are worth nothing.
    pub credentials_version: i64,
    /// Grows with each write.
    pub version: i64,
    /// When they were made.
    pub created_at: Timestamp,
    /// When they were last changed.
    pub updated_at: Timestamp,
    /// When they last signed in.
    pub last_login_at: Option<Timestamp>,
}

impl User {
    /// The role, parsed. What the database holds is one of three; anything else may do the least.
    pub fn role(&self) -> Role {
        Role::from_str(&self.role).unwrap_or(Role::Guest)
    }

    /// What clients and the audit log see: everything but what proves who they are.
    pub fn shown(&self) -> ShownUser<'_> {
        ShownUser {
            id: self.id,
            email: &self.email,
            username: &self.username,
            full_name: self.full_name.as_deref(),
            age: self.age,
            website: self.website.as_deref(),
            role: &self.role,
            is_active: self.is_active,
            created_at: self.created_at,
            updated_at: self.updated_at,
            last_login_at: self.last_login_at,
            version: self.version,
        }
    }
}

/// A user as they are shown.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ShownUser<'u> {
    id: i64,
    email: &'u str,
    username: &'u str,
    full_name: Option<&'u str>,
    age: Option<i32>,
    website: Option<&'u str>,
    role: &'u str,
    is_active: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
    last_login_at: Option<Timestamp>,
    #[serde(skip)]
    version: i64,
}

impl Recorded for ShownUser<'_> {
    const ENTITY: Entity = Entity::User;
    fn id(&self) -> i64 {
        self.id
    }
    fn version(&self) -> i64 {
        self.version
    }
}

/// The bounds of what is typed, for `validator`.
#[derive(Debug, Validate)]
struct Bounds<'t> {
    #[validate(length(max = 254))]
    email: Option<&'t str>,
    #[validate(length(min = 3, max = 50))]
    username: Option<&'t str>,
}

/// A user that can be made.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Lower-cased, valid.
    pub email: String,
    /// Valid.
    pub username: String,
    /// What they may do.
    pub role: Role,
    /// bcrypt.
    pub password_hash: String,
}

/// What is needed of somebody to make them a user, but for the hash of the password.
#[derive(Debug, Clone)]
pub struct Registration {
    /// Lower-cased, valid.
    pub email: String,
    /// Valid.
    pub username: String,
    /// Within its rules, not hashed yet.
    pub password: Password,
}

impl Registration {
    /// Reads `email`, `username` and `password`.
    ///
    /// # Errors
    /// 422 with every mistake.
    pub fn parse(input: &Input) -> Result<Self, Error> {
        let mut errors = FieldErrors::default();
        let required = |field: &str, value: Option<String>, errors: &mut FieldErrors| {
            if value.is_none() {
                errors.add(field, "required", "is required");
            }
            value
        };
        let email = input.text("email", false, &mut errors).value().map(|e| e.to_lowercase());
        let email = required("email", email, &mut errors);
        let username = input.text("username", false, &mut errors).value();
        let username = required("username", username, &mut errors);
        let password = input.verbatim("password", &mut errors).value();
        let password = required("password", password, &mut errors);
        if let Err(found) = (Bounds { email: email.as_deref(), username: username.as_deref() }).validate() {
            errors.take(&found);
        }
        if email.as_ref().is_some_and(|e| !e.validate_email()) {
            errors.add("email", "format", "must be an e-mail address");
        }
        if let Some(name) = &username {
            check_username(name, &mut errors);
        }
        let password = password.and_then(|text| Password::parse(&text, "password", &mut errors));
        errors.into_result(|| Some(Self { email: email?, username: username?, password: password? }))
    }
}

fn check_username(name: &str, errors: &mut FieldErrors) {
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        errors.add("username", "format", "may have only letters A to Z, digits and underscores");
    } else if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
        errors.add("username", "reserved", "is reserved; choose another");
    }
}

/// A password within its rules: 8 to 128 characters, an upper-case letter, a digit, no NUL. Neither trimmed
/// nor case-folded.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// Checks the rules.
    pub fn parse(text: &str, field: &str, errors: &mut FieldErrors) -> Option<Self> {
        let length = text.chars().count();
        if !(8..=128).contains(&length) {
            errors.add(field, "length", "must have 8 to 128 characters");
        } else if text.contains('\0') {
            errors.add(field, "format", "must not have NUL characters");
        } else if !text.chars().any(char::is_uppercase) || !text.chars().any(|c| c.is_ascii_digit()) {
            errors.add(field, "format", "must have at least one upper-case letter and one digit");
        } else {
            return Some(Self(text.to_owned()));
        }
        None
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}
