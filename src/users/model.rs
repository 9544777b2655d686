//! The words: a user, and what may be typed for one.

mod input;

use std::str::FromStr;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::caller::Role;
use crate::changes::{Entity, Recorded};
use crate::db::schema::users;
use crate::fields::FieldErrors;
use crate::time::Timestamp;

pub use input::{UserInput, may_set};

/// The fields that somebody may set of themselves: as they are called, and as people call them.
pub const PROFILE: [(&str, &str); 4] =
    [("username", "Username"), ("full_name", "Full name"), ("age", "Age"), ("website", "Website")];
/// The fields that an admin may set, in the order of the form.
pub const FIELDS: [(&str, &str); 7] = [
    ("email", "E-mail"),
    ("username", "Username"),
    ("full_name", "Full name"),
    ("age", "Age"),
    ("website", "Website"),
    ("role", "Role"),
    ("is_active", "Active"),
];

/// A user as the database has it; what is written out is what clients and the audit log see: everything but
/// what proves who they are.
#[derive(Debug, Clone, Queryable, Insertable, Serialize, Deserialize)]
#[diesel(table_name = users)]
pub struct User {
    /// Its id.
    pub id: i64,
    /// Lower-cased.
    pub email: String,
    /// As it was chosen.
    pub username: String,
    /// Lower-cased, for uniqueness.
    #[serde(skip)]
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
    #[serde(skip)]
    pub password_hash: Option<String>,
    /// Grows when password, role or `is_active` change: older tokens and sessions are worth nothing.
    #[serde(skip)]
    pub credentials_version: i64,
    /// Grows with each write.
    #[serde(skip)]
    pub version: i64,
    /// When they were made.
    pub created_at: Timestamp,
    /// When they were last changed.
    pub updated_at: Timestamp,
    /// When they last signed in.
    pub last_login_at: Option<Timestamp>,
}

/// Whether somebody can come in, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// They may.
    Active,
    /// They may once they have chosen a password.
    Invited,
    /// They may not.
    Inactive,
}

impl Status {
    /// All of them.
    pub const ALL: [Status; 3] = [Status::Active, Status::Invited, Status::Inactive];

    /// As it is asked for.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Invited => "invited",
            Self::Inactive => "inactive",
        }
    }
}

impl User {
    /// Whether they can come in.
    pub fn status(&self) -> Status {
        match (self.is_active, &self.password_hash) {
            (false, _) => Status::Inactive,
            (true, None) => Status::Invited,
            (true, Some(_)) => Status::Active,
        }
    }

    /// The role, parsed. What the database holds is one of three; anything else may do the least.
    pub fn role(&self) -> Role {
        Role::from_str(&self.role).unwrap_or(Role::Guest)
    }
}

impl Recorded for User {
    const ENTITY: Entity = Entity::User;
    fn id(&self) -> i64 {
        self.id
    }
    fn version(&self) -> i64 {
        self.version
    }
}

/// A user that can be made.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// What they are.
    pub fields: UserFields,
    /// bcrypt; absent for who is invited and chooses one later.
    pub password_hash: Option<String>,
}

/// What a user is: everything that somebody may set, within its bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserFields {
    /// Lower-cased, valid.
    pub email: String,
    /// Valid.
    pub username: String,
    /// At most 100 characters.
    pub full_name: Option<String>,
    /// 0 to 150 years.
    pub age: Option<i32>,
    /// An http or https URL.
    pub website: Option<String>,
    /// What they may do.
    pub role: Role,
    /// Whether they may come in.
    pub is_active: bool,
}

impl UserFields {
    /// These fields as the next version of a user; what proves who they are is renewed with role and
    /// `is_active`.
    pub fn onto(self, before: &User, now: Timestamp) -> User {
        let ends = self.role != before.role() || self.is_active != before.is_active;
        User {
            username_key: self.username.to_lowercase(),
            email: self.email,
            username: self.username,
            full_name: self.full_name,
            age: self.age,
            website: self.website,
            role: self.role.as_str().to_owned(),
            is_active: self.is_active,
            credentials_version: before.credentials_version + i64::from(ends),
            version: before.version + 1,
            updated_at: now,
            ..before.clone()
        }
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
