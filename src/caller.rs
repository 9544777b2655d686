//! Who asks, in what role and by which door. Every use case is given one; nothing else decides what it may do.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// What somebody may do, from most to least: contract 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    Admin,
    /// Creates, and edits their own.
    User,
    /// Reads.
    Guest,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 3] = [Role::Admin, Role::User, Role::Guest];

    /// Whether whoever has this role may do what this other one may.
    pub fn includes(self, other: Self) -> bool {
        let rank = |role: Self| Self::ALL.iter().position(|each| *each == role);
        rank(self) <= rank(other)
    }

    /// As it is stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::User => "user",
            Self::Guest => "guest",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| "must be admin, user or guest".to_owned())
    }
}

/// By which door a write came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The JSON API.
    Api,
    /// The admin site.
    Admin,
    /// The command line.
    Cli,
    /// Background work.
    Job,
}

impl Door {
    /// All doors.
    pub const ALL: [Door; 4] = [Door::Api, Door::Admin, Door::Cli, Door::Job];

    /// As it is stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Admin => "admin",
            Self::Cli => "cli",
            Self::Job => "job",
        }
    }
}

/// A user that was proven to be who they say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The user's id.
    pub id: i64,
    /// The name they are known by.
    pub username: Arc<str>,
    /// What they may do; with an API key at most what its scopes allow.
    pub role: Role,
    /// The API key that they came with, if it was one.
    pub api_key_id: Option<i64>,
    /// Their `credentials_version` when they were identified: a write asks whether it still is.
    pub credentials_version: i64,
    /// Whether they may change anything: an API key may be good for reading only.
    pub may_write: bool,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Nobody known.
    Anonymous,
    /// A signed-in user.
    User(Principal),
    /// The operator at the command line, or the product itself.
    System,
}

/// Who asks, by which door, from where, under which request id.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who it is.
    pub who: Who,
    /// By which door.
    pub door: Door,
    /// The id under which the log and the changeset know this request.
    pub request_id: Arc<str>,
    /// Where the request comes from: see `web::client_address`.
    pub address: Option<IpAddr>,
}

impl Caller {
    /// The operator at the command line.
    pub fn operator(request_id: impl Into<Arc<str>>) -> Self {
        Self { who: Who::System, door: Door::Cli, request_id: request_id.into(), address: None }
    }

    /// The product itself, at its background work.
    pub fn at_work(request_id: impl Into<Arc<str>>) -> Self {
        Self { who: Who::System, door: Door::Job, request_id: request_id.into(), address: None }
    }

    /// The signed-in user, if it is one.
    pub fn principal(&self) -> Option<&Principal> {
        match &self.who {
            Who::User(principal) => Some(principal),
            Who::Anonymous | Who::System => None,
        }
    }

    /// The signed-in user's id.
    pub fn user_id(&self) -> Option<i64> {
        self.principal().map(|p| p.id)
    }

    /// The same caller, who has just changed their own credentials.
    pub fn with_credentials(&self, version: i64) -> Self {
        let mut caller = self.clone();
        if let Who::User(principal) = &mut caller.who {
            principal.credentials_version = version;
        }
        caller
    }

    /// The API key that they came with, if it was one.
    pub fn api_key_id(&self) -> Option<i64> {
        self.principal().and_then(|p| p.api_key_id)
    }

    /// Whether everything is allowed.
    pub fn is_admin(&self) -> bool {
        match &self.who {
            Who::System => true,
            Who::User(principal) => principal.role == Role::Admin,
            Who::Anonymous => false,
        }
    }

    /// What the caller gets when a policy says no: who is not known may sign in (401), who is may not (403).
    pub fn refusal(&self, what: &str) -> Error {
        match self.who {
            Who::Anonymous => Error::Unauthenticated("Sign in to do this.".to_owned()),
            Who::User(_) | Who::System => Error::Forbidden(format!("You may not {what}.")),
        }
    }

    /// The name that the changeset keeps.
    pub fn name(&self) -> &str {
        match &self.who {
            Who::Anonymous => "anonymous",
            Who::User(principal) => &principal.username,
            Who::System if self.door == Door::Job => "system",
            Who::System => "operator",
        }
    }
}
